//! The samplers of candle and llm-samplers behind three C functions, each used as its own users do: candle's processor gets
//! the tensor that a model returns, llm-samplers a list made of the row for every token. Also the benchmarks' rows.

#[path = "../../common/profile.rs"]
mod profile;

use candle_core::{Device, Tensor};
use candle_transformers::generation::{LogitsProcessor, Sampling};
use llm_samplers::prelude::*;
use rand::SeedableRng;
use rand::rngs::StdRng;
use std::slice;

const SEED: u64 = 42;
const TEMPERATURE: f64 = 0.8;

/// One peer with one piece of work, and the rows.
#[allow(clippy::large_enum_variant, reason = "each is in a box of its own")]
pub enum Peer {
    Candle { processor: LogitsProcessor, rows: Vec<Tensor> },
    LlmSamplers { chain: SamplerChain, resources: SimpleSamplerResources, rows: Vec<Vec<f32>> },
}

impl Peer {
    fn new(peer: &str, work: &str, rows: &[f32], vocab: usize) -> Option<Self> {
        let rows = rows.chunks_exact(vocab);
        match peer {
            "candle" => {
                let tensor = |row: &[f32]| Tensor::from_slice(row, vocab, &Device::Cpu).ok();
                let processor = LogitsProcessor::from_sampling(SEED, candle(work)?);
                Some(Self::Candle { processor, rows: rows.map(tensor).collect::<Option<_>>()? })
            }
            "llm-samplers" => {
                let generator = Box::new(StdRng::seed_from_u64(SEED));
                let resources = SimpleSamplerResources::new(Some(generator), Some(vec![]));
                Some(Self::LlmSamplers {
                    chain: llm_samplers(work)?,
                    resources,
                    rows: rows.map(<[f32]>::to_vec).collect(),
                })
            }
            _ => None,
        }
    }

    fn sample(&mut self, row: usize) -> Option<u32> {
        match self {
            Self::Candle { processor, rows } => processor.sample(rows.get(row)?).ok(),
            Self::LlmSamplers { chain, resources, rows } => {
                let mut logits = Logits::try_from_iter(rows.get(row)?.iter().copied()).ok()?;
                chain.sample_token(resources, &mut logits).ok()?
            }
        }
    }
}

fn candle(work: &str) -> Option<Sampling> {
    let temperature = TEMPERATURE;
    match work {
        "temperature" => Some(Sampling::All { temperature }),
        "top_k" => Some(Sampling::TopK { k: 40, temperature }),
        "top_p" => Some(Sampling::TopP { p: 0.95, temperature }),
        "top_k_top_p" => Some(Sampling::TopKThenTopP { k: 40, p: 0.95, temperature }),
        _ => None,
    }
}

fn llm_samplers(work: &str) -> Option<SamplerChain> {
    let mut chain = SamplerChain::new() + SampleTemperature::new(TEMPERATURE as f32);
    match work {
        "temperature" => {}
        "top_k" => chain += SampleTopK::new(40, 1),
        "top_p" => chain += SampleTopP::new(0.95, 1),
        "top_k_top_p" => {
            chain += SampleTopK::new(40, 1);
            chain += SampleTopP::new(0.95, 1);
        }
        "min_p" => chain += SampleMinP::new(0.05, 1),
        "typical" => chain += SampleLocallyTypical::new(0.95, 1),
        _ => return None,
    }
    chain += SampleRandDistrib::new();
    Some(chain)
}

/// A peer by name with a piece of work by name, and a copy of `count` rows; NULL if the peer does not have it.
///
/// # Safety
/// Names of these lengths, and rows of `count` times `vocab` logits.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn peer_new(
    peer: *const u8,
    peer_len: usize,
    work: *const u8,
    work_len: usize,
    rows: *const f32,
    count: usize,
    vocab: usize,
) -> *mut Peer {
    // SAFETY: as this function's.
    let (names, rows) = unsafe {
        let names = [slice::from_raw_parts(peer, peer_len), slice::from_raw_parts(work, work_len)];
        (names, slice::from_raw_parts(rows, count * vocab))
    };
    let [Ok(peer), Ok(work)] = names.map(str::from_utf8) else { return std::ptr::null_mut() };
    Peer::new(peer, work, rows, vocab).map_or(std::ptr::null_mut(), |peer| Box::into_raw(Box::new(peer)))
}

/// A token of row `row`, or -1.
///
/// # Safety
/// A peer of `peer_new` that is not in use.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn peer_sample(peer: *mut Peer, row: usize) -> i32 {
    // SAFETY: as this function's.
    unsafe { (*peer).sample(row) }.map_or(-1, |token| token as i32)
}

/// # Safety
/// A peer of `peer_new`, which is not used any more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn peer_free(peer: *mut Peer) {
    // SAFETY: as this function's.
    drop(unsafe { Box::from_raw(peer) });
}

/// Writes `count` rows of the benchmarks' profile, whose gain is in sixteenths; 0 if it has no such vocabulary.
///
/// # Safety
/// A place for `count` times `vocab` logits.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn peer_rows(gain16: i64, out: *mut f32, count: usize, vocab: usize) -> u32 {
    // SAFETY: as this function's.
    let rows = unsafe { slice::from_raw_parts_mut(out, count * vocab) };
    let profile = profile::Profile::parse(include_bytes!("../../data/big32k_s.prof"));
    let mut numbered = (0u64..).zip(rows.chunks_exact_mut(vocab));
    profile.is_some_and(|p| numbered.all(|(r, row)| p.write(SEED, r, gain16, row).is_some())).into()
}
