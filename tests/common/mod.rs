//! What several of the test programs share.

#![allow(dead_code, reason = "no test program uses all of it")]

pub mod abi;
pub mod chi_square;
pub mod golden;
pub mod handle;
pub mod oracle;
pub mod plain;
pub mod plain_history;
pub mod plain_stages;
pub mod random_cases;
pub mod rows;
pub mod steps;
