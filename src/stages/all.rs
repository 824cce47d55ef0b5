//! The list of all stages, in the order in which a chain usually has them.

use super::StageInfo;
use super::{
    adaptive_p, allowed_tokens, bad_words, bregman, draw, dry, dynamic_temperature, entmax, epsilon, eta,
    forced_tokens, greedy, green_list, gumbel, logit_bias, min_p, min_tokens, mirostat, no_repeat_ngram, p_less,
    penalties, reasoning_budget, sequence_bias, smoothing, synthid, tail_free, temperature, top_a, top_h, top_k,
    top_n_sigma, top_p, typical, watermark, xtc,
};

/// Every stage there is.
pub(super) static ALL: &[StageInfo] = &[
    reasoning_budget::INFO,
    forced_tokens::INFO,
    allowed_tokens::INFO,
    logit_bias::INFO,
    sequence_bias::INFO,
    bad_words::INFO,
    min_tokens::INFO,
    no_repeat_ngram::INFO,
    penalties::INFO,
    dry::INFO,
    temperature::INFO,
    dynamic_temperature::INFO,
    smoothing::INFO,
    entmax::INFO,
    bregman::INFO,
    top_n_sigma::INFO,
    top_k::INFO,
    typical::INFO,
    top_p::INFO,
    min_p::INFO,
    top_a::INFO,
    tail_free::INFO,
    top_h::INFO,
    p_less::INFO,
    epsilon::INFO,
    eta::INFO,
    xtc::INFO,
    synthid::INFO,
    green_list::INFO,
    draw::INFO,
    gumbel::INFO,
    watermark::INFO,
    greedy::INFO,
    mirostat::V1,
    mirostat::V2,
    adaptive_p::INFO,
];
