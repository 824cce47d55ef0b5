//! The tests' plain way, which sorts everything and computes in f64.

#[path = "../../tests/common/plain.rs"]
#[allow(dead_code, reason = "the tests use more of it")]
pub mod plain;

#[path = "../../tests/common/plain_stages.rs"]
#[allow(dead_code, reason = "the tests use more of it")]
mod plain_stages;

#[path = "../../tests/common/rows.rs"]
#[allow(dead_code, reason = "the tests use more of it")]
mod rows;
