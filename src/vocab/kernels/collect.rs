//! The tokens whose logit lies in a range.

use super::format::Format;
use super::lanes::{LANES, Lanes};
use super::ranked::RankedToken;
use super::run::{Mask, TypedRun};
use super::{BLOCK, ROWS};

/// Spare capacity that [`collect`] needs beyond the tokens it returns, so that it never reallocates.
pub(crate) const COLLECT_SPARE: usize = BLOCK + LANES;

/// From this many tokens in a block on it is cheaper to compress whole vectors than to append one by one. The block
/// before says how many to expect.
const MANY: usize = 48;

/// Vectors whose comparison results fill a 64-bit word.
const WORD: usize = u64::BITS as usize / LANES;

/// Which tokens to collect from some blocks of a run: those with low <= logit < high.
#[derive(Clone, Copy)]
pub(crate) struct CollectRange<'a> {
    /// Numbers of blocks in the row, ascending, all of them in the run.
    pub(crate) blocks: &'a [u32],
    /// The number of the run's first block.
    pub(crate) first: usize,
    pub(crate) low: f32,
    /// +infinity for no upper bound.
    pub(crate) high: f32,
}

/// Appends the tokens of the range in order of index.
#[inline(always)]
pub(crate) fn collect<L: Lanes, F: Format, M: Mask>(
    run: TypedRun<'_, F, M>,
    range: CollectRange<'_>,
    tokens: &mut Vec<RankedToken>,
) {
    // Usually there is no upper bound: an instance of its own.
    if range.high == f32::INFINITY {
        collect_range::<L, F, M, false>(run, range, tokens);
    } else {
        collect_range::<L, F, M, true>(run, range, tokens);
    }
}

#[inline(always)]
fn collect_range<L: Lanes, F: Format, M: Mask, const HIGH: bool>(
    run: TypedRun<'_, F, M>,
    range: CollectRange<'_>,
    tokens: &mut Vec<RankedToken>,
) {
    let (low, high) = (L::splat(range.low), L::splat(range.high));
    let (last, mut is_dense) = (run.last(), false);
    let block_of = |number: u32| {
        let b = number as usize - range.first;
        Some((b, run.whole().get(b).or(last.as_ref())?))
    };
    for (i, &number) in range.blocks.iter().enumerate() {
        let Some((b, block)) = block_of(number) else { break };
        // Hardware prefetchers do not predict which block is next.
        if let Some((_, next)) = range.blocks.get(i + 1).and_then(|&next| block_of(next)) {
            next.iter().for_each(L::prefetch);
        }
        let first = number * BLOCK as u32;
        let before = tokens.len();
        if !is_dense {
            for w in 0..ROWS / WORD {
                let mut word = 0u64;
                for v in (w * WORD..(w + 1) * WORD).rev() {
                    let x = run.vector::<L>(block, b, v);
                    let inside = if HIGH { L::and(x.ge(low), x.lt(high)) } else { x.ge(low) };
                    word = word << LANES | u64::from(L::bits(inside));
                }
                // Most blocks have one token or two in the range: a branch per vector would be mispredicted.
                while word != 0 {
                    let at = w * WORD * LANES + word.trailing_zeros() as usize;
                    tokens.push(RankedToken::new(first + at as u32, F::value(block.as_flattened()[at])));
                    word &= word - 1;
                }
            }
            is_dense = tokens.len() - before >= MANY;
            continue;
        }
        // Each vector is compressed to its front, written whole, and overwritten by the next from its count on.
        let mut len = before;
        tokens.resize(len + COLLECT_SPARE, RankedToken::LAST);
        let (mut indices, mut logits) = ([0; LANES], [0.0; LANES]);
        for v in 0..ROWS {
            let x = run.vector::<L>(block, b, v);
            let inside = if HIGH { L::and(x.ge(low), x.lt(high)) } else { x.ge(low) };
            let n = x.compress_indexed(inside, first + (v * LANES) as u32, &mut indices, &mut logits);
            let Some(out) = tokens[len..].first_chunk_mut::<LANES>() else { break };
            for i in 0..LANES {
                out[i] = RankedToken::new(indices[i], logits[i]);
            }
            len += n;
        }
        tokens.truncate(len);
        is_dense = len - before >= MANY;
    }
}
