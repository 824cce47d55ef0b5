//! The kernels: loops over a row of logits, each written once over [`lanes::Lanes`] and compiled for every instruction
//! set by `dispatch.rs`.
//!
//! A kernel takes a run of blocks, all of them whole but the row's last, in any number format and with or without a
//! mask. Maxima and sums are kept per lane, one vector a block: a lane of a block is a column of sixteen tokens that a
//! later pass can look up or sum again alone. While they read the row kernels never add across lanes, so their results
//! do not depend on the register width.
//!
//! | file | what it is |
//! |---|---|
//! | `lanes.rs` | the vector of sixteen `f32` lanes that an instruction set implements |
//! | `words.rs` | the same for the 32-bit integers of the noise |
//! | `format.rs`, `run.rs` | how a run is read: number formats, masks, blocks |
//! | `ranked.rs` | a token as one integer that sorts by logit, then index |
//! | `exponential.rs` | the exponential of all kernels |
//! | `maxima.rs` | per-lane maxima, and what a pass finds about the row as a whole |
//! | `sums.rs` | per-lane maxima and sums of weights, in one pass |
//! | `weights.rs` | the weight of each token |
//! | `count.rs` | how many tokens, lanes or blocks are at or above a logit |
//! | `collect.rs` | the tokens in a range of logits |
//! | `compress.rs` | the logits in a range, without gaps, and the sums of their weights |
//! | `prefix.rs` | weight and number of the tokens above a logit |
//! | `nearness.rs` | how near tokens are to a level |
//! | `rounded.rs` | sums of rounded f64 weights, which are exact |
//! | `deviation.rs` | the sums behind the standard deviation of the logits |
//! | `curve.rs` | a row of new logits: smoothing, adaptive-p |
//! | `noise.rs` | random words for every token, and the search for tokens that can win with them |
//! | `candidates.rs` | an engine's candidate array, read and written |

pub(crate) mod candidates;
pub(crate) mod collect;
pub(crate) mod compress;
pub(crate) mod count;
pub(crate) mod curve;
pub(crate) mod deviation;
pub(crate) mod exponential;
pub(crate) mod format;
pub(crate) mod lanes;
pub(crate) mod maxima;
pub(crate) mod nearness;
pub(crate) mod noise;
pub(crate) mod prefix;
pub(crate) mod ranked;
pub(crate) mod rounded;
pub(crate) mod run;
pub(crate) mod sums;
pub(crate) mod weights;
pub(crate) mod words;

pub(crate) use candidates::{unpack_candidates, update_candidates};
pub(crate) use collect::collect;
pub(crate) use compress::{compress, gather};
pub(crate) use count::{blocks_at_least, count, lanes_at_least, lanes_below};
pub(crate) use curve::reshape;
pub(crate) use deviation::centred_sums;
pub(crate) use maxima::maxima;
pub(crate) use nearness::{exact_weights, largest_near, nearness};
pub(crate) use noise::{noise_words, search_noise};
pub(crate) use prefix::{prefix_sum, tops, weigh};
pub(crate) use rounded::{halfway, rounded_sum};
pub(crate) use sums::{sums, total};
pub(crate) use weights::{column_weights, weights};

use lanes::LANES;

/// Tokens in a block. Every sum and maximum is formed per block, in the same order on every instruction set.
pub(crate) const BLOCK: usize = 256;

/// Vectors in a block.
pub(crate) const ROWS: usize = BLOCK / LANES;

/// Vectors processed side by side, so that none waits for the result of another.
pub(crate) const UNROLL: usize = 4;
