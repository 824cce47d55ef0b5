//! The text of a chain: grammar, canonical form, macros, and the catalogue that describes it.

#[path = "../common/mod.rs"]
mod common;

mod catalogue;
mod conformance;
mod engine_values;
mod macros;
mod state;
mod text;
