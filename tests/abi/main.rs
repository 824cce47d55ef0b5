//! The C ABI: its functions, headers, arguments, threads, and the programs that use it.

#[path = "../common/mod.rs"]
mod common;
#[path = "../c/header.rs"]
mod header;
#[path = "../c/toolchain.rs"]
mod toolchain;

mod answers;
mod api;
mod batch;
mod boundary;
mod c_abi;
mod callers;
mod corners;
mod cpp;
mod decisions;
mod environment;
mod first;
mod integrate;
mod plugin_host;
mod scores;
mod sequence;
mod sparse;
mod threads;
