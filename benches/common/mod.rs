//! What the benchmarks share: rows as models leave them, and the memory floor.

pub mod floor;
pub mod profile;
pub mod rows;
