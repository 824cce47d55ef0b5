//! Code that several test programs share.

#![allow(dead_code, reason = "no test program uses all of it")]

pub mod chains;
pub mod checksum;
pub mod chi_square;
pub mod definitions;
pub mod golden;
pub mod handle;
pub mod listed;
pub mod oracle;
pub mod plain;
pub mod random_cases;
pub mod random_chains;
pub mod rows;
pub mod shape;
