//! Answers against what they should be: plain definitions, published vectors, theorems, exhaustive search, statistics.

#[path = "../common/mod.rs"]
mod common;

mod catalogue;
mod draws;
mod exhaustive;
mod generators;
mod gumbel;
mod history;
mod history_reads;
mod invalid;
mod mass;
mod numbers;
mod pipeline;
mod properties;
mod row_reads;
mod sparse;
mod speculation;
mod stages;
mod transformers;
mod transformers_history;
mod watermarks;
