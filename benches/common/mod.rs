//! What the benchmarks share: rows as models leave them, the memory floor, llama.cpp's samplers, the command line, records,
//! figures and tables.

pub mod facts;
pub mod figures;
pub mod floor;
pub mod llama;
pub mod marks;
pub mod options;
pub mod profile;
pub mod record;
pub mod rows;
