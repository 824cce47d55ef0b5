//! What the benchmarks share: rows as models leave them, the memory floor, llama.cpp's samplers, figures and tables.

pub mod facts;
pub mod figures;
pub mod floor;
pub mod llama;
pub mod marks;
pub mod profile;
pub mod rows;
