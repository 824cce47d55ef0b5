//! SynthID-Text: a tournament of the tokens in layers, decided by bits of a secret key, the last tokens and the token.

use super::{Built, Context, EditScratch, Stage, StageInfo, on};
use crate::bregman::Generators;
use crate::distribution::Distribution;
use crate::error::{Error, Result};
use crate::history::Scope;
use crate::math::erfc;
use crate::memory::make_room;
use crate::parameters::{Arguments, Kind, ParameterInfo};
use crate::vocab::{FirstPass, USUAL_HEAD};
use crate::watermark::{Contexts, MOST_LAYERS, Score, Tournament, binomial_tail};
use std::f64::consts::SQRT_2;

pub(super) const INFO: StageInfo = StageInfo {
    name: "synthid",
    aliases: &["synthid_text"],
    summary: "SynthID-Text's watermark: layer by layer, tokens whose bit is 1 gain what those whose bit is 0 lose; the bits depend on \
              secret keys and the last tokens of the output. Stands behind truncations and before a draw",
    definition: "for each layer p_i' = p_i (1 + g_i - sum_j g_j p_j), g from (keys, the last ngram - 1 tokens of the \
                 output, token); nothing where the context occurred before",
    source: "Dathathri et al., Nature 634, 2024; Hugging Face transformers, SynthIDTextWatermarkLogitsProcessor; vLLM, \
             vllm/v1/watermarking/synthid.py",
    agrees: "transformers (hash=transformers); vLLM (hash=vllm)",
    draws: false,
    learns: false,
    alternatives: &[],
    parameters: &[
        ParameterInfo {
            name: "keys",
            aliases: &["key"],
            summary: "the secrets, which descriptions and messages do not show: one for each layer, usually 20 to 30; with hash=vllm one for \
                      all",
            kind: Kind::Keys { most: MOST_LAYERS },
            default: "",
            required: true,
        },
        ParameterInfo {
            name: "ngram",
            aliases: &["ngram_len"],
            summary: "the bits depend on this many tokens less one, and on the token",
            kind: Kind::CountUpTo { min: 2, max: 257 },
            default: "5",
            required: false,
        },
        ParameterInfo {
            name: "hash",
            aliases: &[],
            summary: "where the bits come from: transformers' hash and table, missing tokens being 0, or vLLM's Philox, missing tokens being \
                      -1",
            kind: Kind::Choice(&["transformers", "vllm"]),
            default: "transformers",
            required: false,
        },
        ParameterInfo {
            name: "layers",
            aliases: &["depth"],
            summary: "at most so many layers; without it one for each key, with hash=vllm 32",
            kind: Kind::CountUpTo { min: 1, max: MOST_LAYERS as i64 },
            default: "",
            required: false,
        },
        ParameterInfo {
            name: "table_seed",
            aliases: &["sampling_table_seed"],
            summary: "the seed of transformers' table of 65536 bits, for hash=transformers",
            kind: Kind::Count { min: 0 },
            default: "0",
            required: false,
        },
        ParameterInfo {
            name: "history",
            aliases: &["context_history_size"],
            summary: "how many earlier contexts are searched for the present one, which is left unmarked if it is among them; 0 marks every \
                      token; without it 1024, with hash=vllm 8192",
            kind: Kind::Count { min: 0 },
            default: "",
            required: false,
        },
    ],
    build,
};

fn build(arguments: &Arguments, _: Generators<'_>) -> Built {
    let (keys, layers) = (arguments.keys("keys"), arguments.optional_count("layers"));
    let refuse = |what: &str| Err(Error::InvalidChain(what.into()));
    let (tournament, history) = match (arguments.word("hash"), &keys[..]) {
        ("vllm", _) if arguments.is_given("table_seed") => return refuse("`table_seed` goes with hash=transformers"),
        ("vllm", &[key]) => (Tournament::vllm(key, layers.unwrap_or(VLLM_LAYERS).min(VLLM_LAYERS)), 8192),
        ("vllm", _) => return refuse("hash=vllm takes one key, which makes the bits of all layers"),
        _ => {
            let keys = keys.into_iter().take(layers.unwrap_or(MOST_LAYERS)).collect();
            (Tournament::transformers(keys, arguments.count("table_seed") as u64), 1024)
        }
    };
    let history = arguments.optional_count("history").unwrap_or(history);
    on(SynthId { tournament, width: arguments.count("ngram") - 1, history })
}

/// The bits of a word.
const VLLM_LAYERS: usize = 32;

struct SynthId {
    tournament: Tournament,
    /// How many tokens of the output decide.
    width: usize,
    history: usize,
}

impl SynthId {
    fn contexts<'a>(&self, tokens: &'a [i32]) -> Contexts<'a> {
        Contexts { tokens, width: self.width, padding: self.tournament.padding() }
    }

    /// All layers. A layer's sum of the tokens with bit 0 is taken over their total, so that rounding does not grow from
    /// layer to layer.
    fn play(&self, bits: &[u64], p: &mut [f64]) {
        for layer in 0..self.tournament.layers() {
            let (mut total, mut losers) = (0.0, 0.0);
            for (p, bits) in p.iter().zip(bits) {
                total += p;
                losers += if bits >> layer & 1 == 0 { *p } else { 0.0 };
            }
            // 1 + g - m, with 1 - m = the share of those with bit 0.
            let share = losers / total;
            for (p, bits) in p.iter_mut().zip(bits) {
                *p *= if bits >> layer & 1 == 0 { share } else { 1.0 + share };
            }
        }
    }

    /// The weight of each layer in the score: falling from 10 to 1, as in the detector of the authors, with sum 1. vLLM's
    /// layers are equal.
    fn weights(&self) -> Vec<f64> {
        let n = self.tournament.layers();
        let weight = |layer: usize| match self.tournament {
            Tournament::Transformers { .. } if n > 1 => 10.0 - 9.0 * layer as f64 / (n - 1) as f64,
            _ => 1.0,
        };
        let total: f64 = (0..n).map(weight).sum();
        (0..n).map(|layer| weight(layer) / total).collect()
    }
}

impl Stage for SynthId {
    fn first_pass(&self) -> Option<FirstPass> {
        Some(FirstPass::Maxima)
    }

    fn transform(&self, dist: &mut Distribution<'_>, context: &mut Context<'_>) -> Result<()> {
        let contexts = self.contexts(context.history.tokens_in(Scope::OUTPUT));
        if contexts.next_is_repeated(self.history) {
            return Ok(());
        }
        let EditScratch { ids, p, words, .. } = &mut *context.edits;
        make_room(ids, USUAL_HEAD)?;
        make_room(p, USUAL_HEAD)?;
        make_room(words, USUAL_HEAD)?;
        let bits = self.tournament.in_context(contexts, contexts.tokens.len());
        dist.reweigh((ids, p), |ids, p| {
            words.clear();
            make_room(words, ids.len())?;
            words.extend(ids.iter().map(|&id| bits.of(id)));
            self.play(words, p);
            Ok(())
        })
    }

    /// The weighted mean of the bits of the tokens with a context of their own.
    fn score(&self, tokens: &[i32]) -> Option<Result<Score>> {
        let (contexts, weights) = (self.contexts(tokens), self.weights());
        let fresh = match contexts.fresh() {
            Ok(fresh) => fresh,
            Err(e) => return Some(Err(e)),
        };
        if fresh.is_empty() {
            return Some(Ok(Score::NOTHING));
        }
        let bits = || fresh.iter().map(|&at| self.tournament.in_context(contexts, at).of(tokens[at] as u32));
        let mean_of = |bits: u64| weights.iter().enumerate().map(|(l, w)| w * (bits >> l & 1) as f64).sum::<f64>();
        let n = fresh.len() as f64;
        let score = bits().map(mean_of).sum::<f64>() / n;
        let p_value = match self.tournament.moments(mean_of) {
            // The central limit: a token's score is bounded, so that the tail of the sum is not above the normal one far out.
            Some((mean, variance)) if variance > 0.0 => erfc((score - mean) * (n / variance).sqrt() / SQRT_2) / 2.0,
            Some(_) => 1.0,
            None => {
                let ones: u64 = bits().map(|bits| u64::from(bits.count_ones())).sum();
                binomial_tail(ones, (fresh.len() * weights.len()) as u64, 0.5)
            }
        };
        Some(Ok(Score { score, p_value, counted: fresh.len() }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stage(layers: usize) -> SynthId {
        SynthId { tournament: Tournament::vllm(1, layers), width: 4, history: 0 }
    }

    #[test]
    fn play_matches_the_definition_in_python() {
        let mut p = [0.5, 0.3, 0.2];
        // (1, 0, 1) in the first layer, (0, 1, 1) in the second.
        stage(2).play(&[0b01, 0b10, 0b11], &mut p);
        assert!(p.iter().zip([0.4225, 0.1485, 0.429]).all(|(a, b)| (a - b).abs() < 1e-15), "{p:?}");
    }

    /// The mean over all bits is the distribution itself: nothing is favoured for who does not know the key.
    #[test]
    fn mean_of_play_over_all_bits_is_the_distribution() {
        for (p, layers) in [(&[0.5, 0.3, 0.2][..], 3), (&[0.9, 0.06, 0.03, 0.01], 3), (&[0.4, 0.6], 6), (&[1.0], 5)] {
            let choices = 1u64 << layers;
            let all = choices.pow(p.len() as u32);
            let mut mean = vec![0.0; p.len()];
            for choice in 0..all {
                let bits: Vec<u64> = (0..p.len() as u32).map(|i| choice / choices.pow(i) % choices).collect();
                let mut played = p.to_vec();
                stage(layers).play(&bits, &mut played);
                assert!((played.iter().sum::<f64>() - 1.0).abs() < 1e-12);
                mean.iter_mut().zip(played).for_each(|(mean, p)| *mean += p / all as f64);
            }
            assert!(mean.iter().zip(p).all(|(mean, p)| (mean - p).abs() < 1e-12), "{mean:?} {p:?}");
        }
    }

    #[test]
    fn weights_fall_from_10_to_1_as_those_of_the_authors() {
        let tournament = Tournament::transformers((0..30).collect(), 0);
        let weights = SynthId { tournament, width: 4, history: 0 }.weights();
        assert!((weights.iter().sum::<f64>() - 1.0).abs() < 1e-12 && (weights[0] / weights[29] - 10.0).abs() < 1e-9);
        assert!(((weights[0] - weights[1]) - (weights[28] - weights[29])).abs() < 1e-15);
        assert!(stage(8).weights().iter().all(|w| *w == 0.125));
    }
}
