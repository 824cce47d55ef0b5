//! The limits on a chain's text, which may come from a user. The header, SECURITY.md and docs/stages.md state them, and a
//! test compares.

/// The most bytes of a text that the C interface takes; so it has at most half as many token ids, biases or breakers.
pub const LONGEST_CHAIN: usize = 65_536;

/// The most stages of a text, a macro counted as one.
pub const MOST_STAGES: usize = 64;

/// The most stages that may need the row read: each may take milliseconds on a flat row, and memory for a row.
pub const MOST_READING_STAGES: usize = 16;
