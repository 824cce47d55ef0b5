//! Inside a real, prebuilt llama.cpp. It is for x86-64 Linux; elsewhere there is nothing to run.
#![cfg(all(target_os = "linux", target_arch = "x86_64"))]

#[path = "../c/llama_common.rs"]
mod llama_common;
#[path = "../c/toolchain.rs"]
mod toolchain;

mod dlopen;
mod host;
mod include;
mod preload;
mod requests;
mod server;
mod speculate;
mod stage;
