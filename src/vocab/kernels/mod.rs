//! The passes over the vocabulary, each with one job, written once over [`Lanes`].
//!
//! A pass takes a run of whole blocks (only the row's last block may be short) in whatever format and behind whatever
//! mask the model left it. Maxima and sums stay in their sixteen lanes, one vector a block: a lane of a block is a
//! column of sixteen tokens, which can be looked at or summed again alone, and nothing is added up across lanes where
//! the row is read.

pub(crate) mod candidates;
pub(crate) mod compress;
pub(crate) mod elementwise;
pub(crate) mod exp_sums;
pub(crate) mod exponential;
pub(crate) mod lanes;
pub(crate) mod noise;
pub(crate) mod prefix;
pub(crate) mod run;
pub(crate) mod spread;

pub(crate) use candidates::{unpack_candidates, update_candidates};
pub(crate) use compress::compress;
pub(crate) use elementwise::{bend, ring};
pub(crate) use exp_sums::{column, sums, weights};
pub(crate) use noise::{noise_words, search_noise};
pub(crate) use prefix::above;
pub(crate) use spread::spread;

use lanes::{LANES, Lanes, Vector};
use run::{Allowed, Format, TypedRun, for_each_block, groups};

/// Logits that the passes take at a time: every sum and maximum is formed per block, in this order, everywhere.
pub(crate) const BLOCK: usize = 256;

/// Vectors in a block.
pub(crate) const ROWS: usize = BLOCK / LANES;

/// Vectors whose lanes fill a word of bits.
const WORD: usize = u64::BITS as usize / LANES;

/// Vectors worked on side by side, so that none waits for another.
pub(crate) const UNROLL: usize = 4;

/// A token met by [`collect`]: its logit, so ordered as a whole number, above the complement of its index. The larger
/// is the token that comes first, by descending logit and then by ascending index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct RankedToken(u64);

impl RankedToken {
    #[inline(always)]
    pub(crate) fn new(index: u32, logit: f32) -> Self {
        // -0 becomes 0, which it is a tie for.
        let bits = (logit + 0.0).to_bits();
        let ordered = bits ^ ((bits as i32 >> 31) as u32 | 0x8000_0000);
        Self(u64::from(ordered) << 32 | u64::from(!index))
    }

    /// The logit's place among all logits.
    pub(crate) fn order(self) -> u32 {
        (self.0 >> 32) as u32
    }

    /// Position in the row.
    pub(crate) fn index(self) -> u32 {
        !(self.0 as u32)
    }

    pub(crate) fn logit(self) -> f32 {
        let ordered = self.order();
        f32::from_bits(ordered ^ (!(ordered as i32 >> 31) as u32 | 0x8000_0000))
    }
}

/// What a pass saw of a run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Extent {
    pub(crate) max: f32,
    /// The smallest logit; -infinity where that was not asked for.
    pub(crate) min: f32,
    /// Whether no logit is NaN. (+infinity shows in the maximum.)
    pub(crate) ordered: bool,
    /// Whether every id is its candidate's place, where logits come with ids.
    pub(crate) in_order: bool,
    /// The sum of weight times (logit - from); 0 where that was not asked for.
    pub(crate) moment: f64,
}

impl Extent {
    /// Of nothing.
    pub(crate) const NOTHING: Self =
        Self { max: f32::NEG_INFINITY, min: f32::INFINITY, ordered: true, in_order: true, moment: 0.0 };

    /// Of this and that.
    pub(crate) fn and(self, other: Self) -> Self {
        let (max, min) = (self.max.max(other.max), self.min.min(other.min));
        let (ordered, in_order) = (self.ordered && other.ordered, self.in_order && other.in_order);
        Self { max, min, ordered, in_order, moment: self.moment + other.moment }
    }
}

/// The lanes in which no logit is NaN: sums pass a NaN on, and are cheaper than as many comparisons. Of infinities,
/// only +infinity could make one, which is no logit either.
#[inline(always)]
pub(crate) fn all_ordered<L: Lanes>(x: [L; UNROLL]) -> L::Mask {
    x[0].add(x[1]).ordered(x[2].add(x[3]))
}

/// All lanes.
#[inline(always)]
pub(crate) fn everywhere<L: Lanes>() -> L::Mask {
    L::splat(0.0).ordered(L::splat(0.0))
}

#[inline(always)]
pub(crate) fn is_everywhere<L: Lanes>(mask: L::Mask) -> bool {
    L::bits(mask) == u32::from(u16::MAX)
}

/// Where a pass leaves the maxima of lanes.
pub(crate) struct Maxima<'a> {
    /// Of each block, from the run's first on.
    pub(crate) blocks: &'a mut [Vector],
    /// Of sixteen blocks at a time, which are all of the row's: as many groups of tokens as there are blocks.
    pub(crate) columns: &'a mut [Vector],
    /// The number of the run's first block.
    pub(crate) first: usize,
}

impl Maxima<'_> {
    /// Takes those of block `b` of the run.
    #[inline(always)]
    pub(crate) fn put<L: Lanes>(&mut self, b: usize, max: L) {
        max.store(&mut self.blocks[b]);
        let column = &mut self.columns[(self.first + b) / LANES];
        L::load(column).max(max).store(column);
    }

    /// The run's first token.
    #[inline(always)]
    pub(crate) fn first_token(&self) -> i32 {
        (self.first * BLOCK) as i32
    }
}

/// The maximum of each lane of each block.
#[inline(always)]
pub(crate) fn maxima<L: Lanes, F: Format, A: Allowed>(run: TypedRun<'_, F, A>, mut maxima: Maxima<'_>) -> Extent {
    let (mut ordered, mut ids) = (everywhere::<L>(), L::new_id_check(maxima.first_token()));
    let mut all = L::splat(f32::NEG_INFINITY);
    for_each_block!(run, |b, block| {
        let mut max = [L::splat(f32::NEG_INFINITY); UNROLL];
        for v in groups::<F>() {
            let mut x = [L::splat(0.0); UNROLL];
            for i in 0..UNROLL {
                x[i] = run.vector_permuted::<L>(block, b, v + i);
                max[i] = x[i].max(max[i]);
                F::update_id_check::<L>(&mut ids, &block[v + i]);
            }
            ordered = L::and(ordered, all_ordered(x));
        }
        let max = max[0].max(max[1]).max(max[2].max(max[3]));
        all = max.max(all);
        maxima.put(b, run.unpermute(max));
    });
    let (ordered, in_order) = (is_everywhere::<L>(ordered), L::id_check_passed(ids));
    Extent { max: all.largest(), min: f32::NEG_INFINITY, ordered, in_order, moment: 0.0 }
}

/// The sum over blocks and lanes, in f64: each lane over the blocks, then the lanes by halves.
#[inline(always)]
pub(crate) fn total<L: Lanes>(blocks: &[Vector]) -> f64 {
    let mut sum = L::no_sums();
    for block in blocks {
        L::load(block).add_to(&mut sum);
    }
    L::sum(sum)
}

/// How many more hits than there are at last a list must have room for, if it is not to grow on the way.
pub(crate) const COLLECT_SPARE: usize = BLOCK + LANES;

/// From so many hits in a block on, it is cheaper to move them sixteen at a time.
const MANY: u32 = 48;

/// The tokens to collect from some blocks of a run.
#[derive(Clone, Copy)]
pub(crate) struct CollectRange<'a> {
    /// Numbers of blocks in the row, ascending, all in the run.
    pub(crate) blocks: &'a [u32],
    /// The number of the run's first block.
    pub(crate) first: usize,
    /// low <= logit.
    pub(crate) low: f32,
    /// logit < high, if that is finite.
    pub(crate) high: f32,
}

/// Appends the tokens that are wanted, in order of index.
#[inline(always)]
pub(crate) fn collect<L: Lanes, F: Format, A: Allowed>(
    run: TypedRun<'_, F, A>,
    wanted: CollectRange<'_>,
    hits: &mut Vec<RankedToken>,
) {
    // Mostly there is no upper bound: made a constant.
    if wanted.high == f32::INFINITY {
        collect_between::<L, F, A, false>(run, wanted, hits);
    } else {
        collect_between::<L, F, A, true>(run, wanted, hits);
    }
}

#[inline(always)]
fn collect_between<L: Lanes, F: Format, A: Allowed, const HIGH: bool>(
    run: TypedRun<'_, F, A>,
    wanted: CollectRange<'_>,
    hits: &mut Vec<RankedToken>,
) {
    let (low, high) = (L::splat(wanted.low), L::splat(wanted.high));
    let last = run.last();
    let block_of = |number: u32| {
        let b = number as usize - wanted.first;
        Some((b, run.whole().get(b).or(last.as_ref())?))
    };
    for (i, &number) in wanted.blocks.iter().enumerate() {
        let Some((b, block)) = block_of(number) else { break };
        // No hardware foresees which block is next.
        if let Some((_, next)) = wanted.blocks.get(i + 1).and_then(|&next| block_of(next)) {
            next.iter().for_each(L::prefetch);
        }
        let first = number * BLOCK as u32;
        // The whole block before the first test: most have one hit or two, and a test a vector is seldom foreseen.
        let mut words = [0u64; ROWS / WORD];
        for (w, word) in words.iter_mut().enumerate() {
            for v in (w * WORD..(w + 1) * WORD).rev() {
                let x = run.vector::<L>(block, b, v);
                let inside = if HIGH { L::and(x.ge(low), x.lt(high)) } else { x.ge(low) };
                *word = *word << LANES | u64::from(L::bits(inside));
            }
        }
        if words.iter().map(|word| word.count_ones()).sum::<u32>() < MANY {
            for (w, mut word) in words.into_iter().enumerate() {
                while word != 0 {
                    let at = w * WORD * LANES + word.trailing_zeros() as usize;
                    hits.push(RankedToken::new(first + at as u32, F::value(block.as_flattened()[at])));
                    word &= word - 1;
                }
            }
            continue;
        }
        // A vector at a time, of which some count, each over what the last one left too much.
        let mut len = hits.len();
        hits.resize(len + COLLECT_SPARE, RankedToken(0));
        let (mut indices, mut logits) = ([0; LANES], [0.0; LANES]);
        for v in 0..ROWS {
            let x = run.vector::<L>(block, b, v);
            let inside = if HIGH { L::and(x.ge(low), x.lt(high)) } else { x.ge(low) };
            let n = x.compress_indexed(inside, first + (v * LANES) as u32, &mut indices, &mut logits);
            let Some(all) = hits[len..].first_chunk_mut::<LANES>() else { break };
            for i in 0..LANES {
                all[i] = RankedToken::new(indices[i], logits[i]);
            }
            len += n;
        }
        hits.truncate(len);
    }
}

/// The number of tokens with `logit >= low`.
#[inline(always)]
pub(crate) fn count<L: Lanes, F: Format, A: Allowed>(run: TypedRun<'_, F, A>, low: f32) -> u64 {
    let low = L::splat(low);
    let mut n = 0;
    for_each_block!(run, |b, block| {
        for v in 0..ROWS {
            n += u64::from(L::bits(run.vector::<L>(block, b, v).ge(low)).count_ones());
        }
    });
    n
}

/// Appends the numbers of the blocks with a lane that reaches `low`: the columns first, which may rule out sixteen.
#[inline(always)]
pub(crate) fn blocks_at_least<L: Lanes>(maxima: &[Vector], columns: &[Vector], low: f32, blocks: &mut Vec<u32>) {
    let low = L::splat(low);
    let reaches = |max: &Vector| L::bits(L::load(max).ge(low)) != 0;
    for (c, (_, maxima)) in columns.iter().zip(maxima.chunks(LANES)).enumerate().filter(|(_, (max, _))| reaches(max)) {
        for (b, _) in maxima.iter().enumerate().filter(|(_, max)| reaches(max)) {
            blocks.push((c * LANES + b) as u32);
        }
    }
}

/// The number of lanes that reach `low`.
#[inline(always)]
pub(crate) fn lanes_at_least<L: Lanes>(maxima: &[Vector], low: f32) -> u64 {
    let low = L::splat(low);
    maxima.iter().map(|max| u64::from(L::bits(L::load(max).ge(low)).count_ones())).sum()
}
