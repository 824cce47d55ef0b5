//! The targets of tests/fuzz/, for libFuzzer.

#[path = "../../tests/common"]
#[allow(dead_code, reason = "other tests use more of it")]
mod common {
    pub mod chains;
    pub mod checksum;
    pub mod handle;
    pub mod listed;
    pub mod rows;
}
#[path = "../../tests/fuzz/targets/mod.rs"]
pub mod targets;
