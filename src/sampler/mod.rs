//! A sampler: a chain with the state of one sequence.

mod apply;
mod decode;
mod fallback;
mod reduce;
mod scratch;
mod sequence;
mod sparse;
mod state;
mod steps;
mod verify;

pub use apply::{Applied, Order};
pub use decode::model_answers;
pub use reduce::reduce;
pub use verify::Verified;

use crate::bregman::Generator;
use crate::chain::Chain;
use crate::distribution::{Distribution, DistributionScratch};
use crate::error::{Error, Result};
use crate::gumbel::GumbelTop;
use crate::history::Edit;
use crate::logits::Row;
use crate::memory;
use crate::speculation::SpeculationScratch;
use crate::stages::Context;
use crate::vocab::{self, Kernels};
use scratch::Scratch;
use sequence::Sequence;
use std::fmt;
use std::sync::Arc;

/// What to compute besides the token; each costs a pass over the row or part of one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Want {
    /// Fill [`Token::kept_mass`].
    pub kept_mass: bool,
    /// Fill [`Token::ln_kept_mass`].
    pub ln_kept_mass: bool,
    /// Fill [`Token::model_logprob`].
    pub model_logprob: bool,
    /// Fill [`Token::entropy`].
    pub entropy: bool,
    /// Accept the token into the history.
    pub accept: bool,
    /// Leave the position and what the chain has learnt as they are: to draw again at the same position, with a mask, if
    /// the token turns out to be banned. Not with `accept`.
    pub stay: bool,
}

impl Want {
    /// Nothing besides the token.
    pub const NONE: Self = Self {
        kept_mass: false,
        ln_kept_mass: false,
        model_logprob: false,
        entropy: false,
        accept: false,
        stay: false,
    };
}

/// A decoded row.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Token {
    /// The token's id.
    pub token: u32,
    /// Number of tokens with positive probability: k*.
    pub support: usize,
    /// The token's probability under the decoded distribution.
    pub p: f64,
    /// The mass of the support before truncation: under the distribution that the first truncating stage received, after
    /// mask, bias and temperature; 1 if no token was dropped; NaN unless wanted.
    pub kept_mass: f64,
    /// ln of the model's mass on the support: of the untouched logits (no mask, no bias, no penalty) at the temperature
    /// that the first truncating stage received (1 after a stage that gives every token another logit). NaN unless wanted,
    /// or if the untouched logits have no softmax.
    pub ln_kept_mass: f64,
    /// ln p of the token under the untouched logits; NaN unless wanted.
    pub model_logprob: f64,
    /// Entropy of the decoded distribution in nats; NaN unless wanted.
    pub entropy: f64,
}

/// A chain and the state of one sequence: random seed and position, history, logit bias, mask.
///
/// Not to be shared between threads at a time; clones are independent of each other. A sampler holds the state of its
/// sequence alone, a few bytes for each token of its history. The buffers that a row needs belong to the thread, which
/// keeps them until it ends: once they have grown to the vocabulary, decoding allocates nothing.
///
/// ```
/// use bregman::{Row, Sampler, Want};
/// let mut sampler = Sampler::new("temperature(0.8) | bregman(alpha=1.5, floor=0.05) | draw", 42)?;
/// let logits = [1.0, 3.0, -2.0, 2.5];
/// let token = sampler.decode(Row::from_f32(&logits)?, Want::default())?;
/// assert!(token.support <= 3 && token.p > 0.0);
/// # Ok::<(), bregman::Error>(())
/// ```
pub struct Sampler {
    chain: Arc<Chain>,
    kernels: &'static Kernels,
    created_with: u64,
    sequence: Sequence,
    /// Whether the last candidate array had to be copied to be read.
    copies: bool,
    /// The tokens of the last [`Sampler::draw_many`].
    gumbel_top: GumbelTop,
}

impl Sampler {
    /// Parses a chain (docs/stages.md) and starts at position 0 of the random numbers of `seed`.
    pub fn new(chain: &str, seed: u64) -> Result<Self> {
        Self::with_generators(chain, seed, &[])
    }

    /// The same with generators that the chain names: `bregman(generator=mine, lambda=0.01)`. Each one that the chain
    /// uses is checked here.
    pub fn with_generators(chain: &str, seed: u64, generators: &[(&str, Arc<dyn Generator>)]) -> Result<Self> {
        let kernels = vocab::kernels()?;
        let chain = Arc::new(Chain::new(chain, generators)?);
        let sequence = Sequence::new(&chain, seed);
        Ok(Self { chain, kernels, created_with: seed, sequence, copies: false, gumbel_top: GumbelTop::default() })
    }

    /// The same sampler on a lower instruction set, one of [`simd_levels`](crate::simd_levels), for comparison and for
    /// finding faults. No answer depends on it.
    pub fn with_simd_level(mut self, level: &str) -> Result<Self> {
        self.kernels = vocab::by_name(level)?;
        Ok(self)
    }

    /// Starts another sequence: the seed of creation, position 0, no history, nothing learnt. The logit bias and the mask
    /// stay: what the host banned is not allowed by a reset.
    pub fn reset(&mut self) {
        let Self { chain, created_with, sequence, .. } = self;
        sequence.reset(chain, *created_with);
    }

    /// Continues with the random numbers of `seed` at `position`: the number of rows decoded or applied so far. After a row
    /// that was decoded with [`Want::stay`], the next position of the same seed says that its token stands.
    pub fn reseed(&mut self, seed: u64, position: u64) {
        self.sequence.reseed(seed, position);
    }

    /// The seed of the random numbers.
    pub fn seed(&self) -> u64 {
        self.sequence.seed
    }

    /// The position of the next random number.
    pub fn position(&self) -> u64 {
        self.sequence.position
    }

    /// Appends tokens to the history, prompt and output alike. Tokens accepted before the first row (decoded, applied,
    /// processed, or passed to a question about the decoded distribution) are the prompt; see
    /// [`Sampler::set_prompt_length`].
    pub fn accept(&mut self, tokens: &[i32]) -> Result<()> {
        if let Some((at, token)) = tokens.iter().enumerate().find(|&(_, &t)| t < 0) {
            return Err(Error::InvalidArgument(format!("tokens[{at}] is {token}: a token id is not negative")));
        }
        self.sequence.accept(&self.chain, tokens)
    }

    /// Takes the last `n` tokens of the history back: the sampler is as it was when they had not been decoded yet, that is
    /// history, position (by the rows that those tokens took, and those decoded since) and what the chain has learnt. The
    /// seed, the logit bias and the mask stay. With 0 nothing changes. An error, and nothing changed, if the history is
    /// shorter.
    ///
    /// A prompt that is cut, or whose end was the first row and whose output is taken back whole, is open again: tokens
    /// accepted before the next row are prompt. Tokens that were accepted many at once count as decoded one row each, as
    /// far as there were rows; for exact steps accept each token before the next row.
    pub fn rewind(&mut self, n: usize) -> Result<()> {
        let length = self.sequence.history.tokens().len();
        if n > length {
            return Err(Error::InvalidArgument(format!("n is {n}: the history has only {length} tokens")));
        }
        if n > 0 {
            self.sequence.truncate(&self.chain, length - n)?;
        }
        Ok(())
    }

    /// The tokens accepted since creation or the last reset.
    pub fn history(&self) -> &[i32] {
        self.sequence.history.tokens()
    }

    /// A copy, as `clone` makes one, or [`OutOfMemory`](Error::OutOfMemory).
    pub fn try_clone(&self) -> Result<Self> {
        let Self { chain, kernels, created_with, sequence, copies, gumbel_top: _ } = self;
        Ok(Self {
            chain: chain.clone(),
            kernels,
            created_with: *created_with,
            sequence: sequence.try_clone()?,
            copies: *copies,
            gumbel_top: GumbelTop::default(),
        })
    }

    /// The chain in its canonical form.
    pub(crate) fn chain_text(&self) -> &str {
        self.chain.text()
    }

    /// The chain in its canonical form with the keys of its watermarks, which are a secret: what a sampler like this one
    /// is made from. (Where a chain is displayed, `hidden` stands in their place.)
    pub fn chain_with_keys(&self) -> String {
        self.chain.with_keys().into()
    }

    /// Sets the length of the prompt: the first `n` tokens of the history; the others are output. For a sequence that
    /// is resumed. An error if the history is shorter.
    pub fn set_prompt_length(&mut self, n: usize) -> Result<()> {
        self.sequence.set_prompt(n)
    }

    /// The number of tokens of the history that are the prompt: all of them before the first row.
    pub fn prompt_length(&self) -> usize {
        self.sequence.history.prompt_length()
    }

    /// Allows only the tokens whose bit is set, in every row from now on: token `t` is bit `t % 32` of word `t / 32`,
    /// tokens beyond the last word are banned. A row's own mask holds as well. `None` allows all again.
    /// On an error the old mask stays.
    pub fn set_mask(&mut self, words: Option<&[u32]>) -> Result<()> {
        let Some(words) = words else {
            self.sequence.mask = None;
            return Ok(());
        };
        let mut new = Vec::new();
        let mask = self.sequence.mask.as_mut().unwrap_or(&mut new);
        memory::make_room(mask, words.len())?;
        memory::assign(mask, words)?;
        if self.sequence.mask.is_none() {
            self.sequence.mask = Some(new);
        }
        Ok(())
    }

    /// Replaces the logit bias: `bias` is added to the token's logit before anything else; -infinity bans it. Tokens
    /// beyond a row's vocabulary are ignored there.
    pub fn set_logit_bias(&mut self, bias: &[(i32, f32)]) -> Result<()> {
        let refuse = |what: String| Err(Error::InvalidArgument(what));
        for (at, &(id, bias)) in bias.iter().enumerate() {
            if id < 0 {
                return refuse(format!("ids[{at}] is {id}: a token id is not negative"));
            }
            if bias.is_nan() || bias == f32::INFINITY {
                return refuse(format!("bias[{at}] is {bias}: a bias is finite or -infinity"));
            }
        }
        let mut sorted = Vec::new();
        memory::reserve(&mut sorted, bias.len())?;
        sorted.extend(bias.iter().map(|&(id, bias)| Edit::subtract(id as u32, -f64::from(bias))));
        sorted.sort_unstable_by_key(|change| change.token);
        if let Some(twice) = sorted.windows(2).find(|w| w[0].token == w[1].token) {
            return refuse(format!("ids name token {} twice", twice[0].token));
        }
        self.sequence.bias = sorted;
        Ok(())
    }

    /// The decoded distribution of a row, as (token, probability) in descending order of probability (ties: ascending
    /// id). Draws nothing and advances nothing. This sorts the support, which is the vocabulary if no stage drops
    /// tokens.
    pub fn distribution(&mut self, row: Row<'_>) -> Result<Vec<(u32, f64)>> {
        self.with_distribution(row, |dist, _| {
            let mut all = Vec::new();
            memory::reserve(&mut all, dist.deepen(usize::MAX))?;
            all.extend(probabilities(dist));
            Ok(all)
        })
    }

    /// The same into a caller's buffers, in f32; returns the number of entries. Tokens whose probability is 0 in f32 (below
    /// 1e-45) are left out. Nothing is written if the buffers are too small.
    pub fn distribution_into(&mut self, row: Row<'_>, ids: &mut [i32], probs: &mut [f32]) -> Result<usize> {
        self.with_distribution(row, |dist, _| {
            let listed = |dist: &mut Distribution<'_>| probabilities(dist).take_while(|e| e.1 as f32 > 0.0).count();
            let (needed, capacity) = (listed(dist), ids.len().min(probs.len()));
            if needed > capacity {
                return Err(Error::BufferTooSmall { needed, capacity });
            }
            for (at, (token, p)) in probabilities(dist).take(needed).enumerate() {
                (ids[at], probs[at]) = (token as i32, p as f32);
            }
            Ok(needed)
        })
    }

    /// Replaces a row's logits by ln p̂, -infinity off the support. Draws nothing and advances nothing; on an error
    /// the logits are as they were.
    pub fn process(&mut self, logits: &mut [f32]) -> Result<()> {
        scratch::with(self.chain.len(), |scratch| {
            let mut copy = std::mem::take(&mut scratch.row);
            let copied = memory::assign(&mut copy, logits);
            let processed = copied.and_then(|()| Row::from_f32(&copy)).and_then(|row| {
                self.with_distribution_in(scratch, row, |dist, _| {
                    logits.fill(f32::NEG_INFINITY);
                    dist.log_probabilities(|index, log_p| logits[index] = log_p);
                    Ok(())
                })
            });
            scratch.row = copy;
            processed
        })
    }

    /// Runs the chain on a row and passes on the distribution that it leaves.
    fn with_distribution<T>(
        &mut self,
        row: Row<'_>,
        f: impl FnOnce(&mut Distribution<'_>, &mut RowContext<'_>) -> Result<T>,
    ) -> Result<T> {
        scratch::with(self.chain.len(), |scratch| self.with_distribution_in(scratch, row, f))
    }

    fn with_distribution_in<T>(
        &mut self,
        scratch: &mut Scratch,
        row: Row<'_>,
        f: impl FnOnce(&mut Distribution<'_>, &mut RowContext<'_>) -> Result<T>,
    ) -> Result<T> {
        let Self { chain, kernels, sequence, gumbel_top, .. } = self;
        let Scratch { run, model, mask: both, speculation, sparse: sorted, answer, .. } = scratch;
        sequence.make_room(chain)?;
        let (row, masked) = match (row.ids(), &sequence.mask) {
            (Some(ids), own) => {
                let row = sorted.sorted(row, ids, own.as_deref())?;
                (row, row)
            }
            (None, Some(words)) => (row, row.with_mask(and(row.mask(), words, both)?)),
            (None, None) => (row, row),
        };
        if masked.rest().is_some() {
            sequence.check_certain(chain, kernels, masked, run, answer).map_err(|e| sparse::with_token(e, masked))?;
        }
        let (mut dist, context) =
            sequence.run(chain, kernels, (masked, None), run).map_err(|e| sparse::with_token(e, masked))?;
        let done = f(&mut dist, &mut RowContext { row, chain, context, kernels, model, gumbel_top, speculation })?;
        sequence.history.begin();
        Ok(done)
    }

    fn check_draws(&self) -> Result<()> {
        if self.chain.draws() {
            return Ok(());
        }
        Err(Error::Unsupported(format!(
            "the chain `{}` takes no token: end it with `draw` or `greedy` to decode",
            self.chain
        )))
    }
}

impl Clone for Sampler {
    /// The chain is shared, the state is copied: history, bias, mask, seed and position, and what the chain has learnt.
    fn clone(&self) -> Self {
        self.try_clone().unwrap_or_else(|_| memory::refused())
    }
}

/// The chain in its canonical form.
impl fmt::Display for Sampler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.chain.fmt(f)
    }
}

impl fmt::Debug for Sampler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sampler({}, seed {}, position {})", self.chain, self.sequence.seed, self.sequence.position)
    }
}

/// What a question about a distribution may need besides it.
struct RowContext<'a> {
    /// The row as it was handed in.
    row: Row<'a>,
    chain: &'a Chain,
    context: Context<'a>,
    kernels: &'static Kernels,
    model: &'a mut DistributionScratch,
    gumbel_top: &'a mut GumbelTop,
    speculation: &'a mut SpeculationScratch,
}

/// The tokens that both masks allow.
fn and<'b>(row: Option<&[u32]>, words: &'b [u32], both: &'b mut Vec<u32>) -> Result<&'b [u32]> {
    let Some(row) = row else { return Ok(words) };
    both.clear();
    memory::make_room(both, row.len().min(words.len()))?;
    both.extend(row.iter().zip(words).map(|(a, b)| a & b));
    Ok(both)
}

fn probabilities<'l>(dist: &'l mut Distribution<'_>) -> impl Iterator<Item = (u32, f64)> + 'l {
    dist.deepen_if_listed(usize::MAX);
    let (ids, total) = (dist.ids(), dist.head_weight());
    let (entries, weights) = dist.weighted();
    entries
        .iter()
        .zip(weights)
        .map(move |(e, weight)| (ids.map_or(e.index, |ids| ids[e.index as usize] as u32), weight / total))
}
