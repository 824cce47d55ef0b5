//! The passes over the vocabulary, each with one job, written once over [`Lanes`].
//!
//! A pass takes a run of whole blocks (only the row's last block may be short) in whatever format and behind whatever
//! mask the model left it. Maxima and sums stay in their sixteen lanes, one vector a block: a lane of a block is a
//! column of sixteen tokens, which can be looked at or summed again alone, and nothing is added up across lanes where
//! the row is read.

use super::exponential::{Weigh, Weighting};
use super::lanes::{LANES, Lanes, Vector};
pub(super) use super::noise::{noises, search};
pub(super) use super::reshape::{bend, ring};
use super::run::{Allowed, Format, Source, for_each_block};
pub(super) use super::spread::spread;
use crate::logits::{BLOCK, Candidate};

/// Vectors in a block.
pub(crate) const ROWS: usize = BLOCK / LANES;

/// Vectors whose lanes fill a word of bits.
const WORD: usize = u64::BITS as usize / LANES;

/// Vectors worked on side by side, so that none waits for another.
const UNROLL: usize = 4;

/// A token met by [`collect`]: its logit, so ordered as a whole number, above the complement of its index. The larger is
/// the token that comes first, by descending logit and then by ascending index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Hit(u64);

impl Hit {
    #[inline(always)]
    pub(crate) fn new(index: u32, logit: f32) -> Self {
        // -0 becomes 0, which it is a tie for.
        let bits = (logit + 0.0).to_bits();
        let ordered = bits ^ ((bits as i32 >> 31) as u32 | 0x8000_0000);
        Self(u64::from(ordered) << 32 | u64::from(!index))
    }

    /// Position in the row.
    pub(crate) fn index(self) -> u32 {
        !(self.0 as u32)
    }

    pub(crate) fn logit(self) -> f32 {
        let ordered = (self.0 >> 32) as u32;
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
}

impl Extent {
    /// Of nothing.
    pub(super) const NOTHING: Self = Self { max: f32::NEG_INFINITY, min: f32::INFINITY, ordered: true };

    /// Of this and that.
    pub(super) fn and(self, other: Self) -> Self {
        let (max, min) = (self.max.max(other.max), self.min.min(other.min));
        Self { max, min, ordered: self.ordered && other.ordered }
    }
}

/// The lanes in which no logit is NaN: sums pass a NaN on, and are cheaper than as many comparisons. Of infinities, only
/// +infinity could make one, which is no logit either.
#[inline(always)]
fn all_ordered<L: Lanes>(x: [L; UNROLL]) -> L::Mask {
    x[0].add(x[1]).ordered(x[2].add(x[3]))
}

/// The maximum of each lane of each block.
#[inline(always)]
pub(super) fn maxima<L: Lanes, F: Format, A: Allowed>(run: Source<'_, F, A>, maxima: &mut [Vector]) -> Extent {
    let mut ordered = L::splat(0.0).ordered(L::splat(0.0));
    let mut all = L::splat(f32::NEG_INFINITY);
    for_each_block!(run, |b, block| {
        let mut max = [L::splat(f32::NEG_INFINITY); UNROLL];
        for v in (0..ROWS).step_by(UNROLL) {
            let mut x = [L::splat(0.0); UNROLL];
            for i in 0..UNROLL {
                x[i] = run.vector::<L>(block, b, v + i);
                max[i] = x[i].max(max[i]);
            }
            ordered = L::and(ordered, all_ordered(x));
        }
        let max = max[0].max(max[1]).max(max[2].max(max[3]));
        all = max.max(all);
        max.store(&mut maxima[b]);
    });
    Extent { max: all.largest(), min: f32::NEG_INFINITY, ordered: L::bits(ordered) == u32::from(u16::MAX) }
}

/// The maximum and the sum of the weights of each lane of each block; the smallest logit if somebody wants it.
#[inline(always)]
pub(super) fn sums<L: Lanes, F: Format, A: Allowed>(
    run: Source<'_, F, A>,
    weighting: Weighting,
    want_min: bool,
    maxima: &mut [Vector],
    sums: &mut [Vector],
) -> Extent {
    // Made a constant: the pass is bound by the number of its instructions.
    if want_min {
        sums_of::<L, F, A, true>(run, weighting, maxima, sums)
    } else {
        sums_of::<L, F, A, false>(run, weighting, maxima, sums)
    }
}

#[inline(always)]
fn sums_of<L: Lanes, F: Format, A: Allowed, const MIN: bool>(
    run: Source<'_, F, A>,
    weighting: Weighting,
    maxima: &mut [Vector],
    sums: &mut [Vector],
) -> Extent {
    let weigh = Weigh::<L>::new(weighting);
    let mut ordered = L::splat(0.0).ordered(L::splat(0.0));
    let (mut largest, mut smallest) = (L::splat(f32::NEG_INFINITY), L::splat(f32::INFINITY));
    for_each_block!(run, |b, block| {
        let (mut max, mut sum) = (L::splat(f32::NEG_INFINITY), L::splat(0.0));
        for v in (0..ROWS).step_by(UNROLL) {
            let mut x = [L::splat(0.0); UNROLL];
            let mut weight = [(L::splat(0.0), L::splat(0.0)); UNROLL];
            for i in 0..UNROLL {
                x[i] = run.vector::<L>(block, b, v + i);
                weight[i] = weigh.factors(x[i]);
            }
            for i in 0..UNROLL {
                sum = weight[i].0.fma(weight[i].1, sum);
                max = x[i].max(max);
                if MIN {
                    smallest = x[i].min(smallest);
                }
            }
            ordered = L::and(ordered, all_ordered(x));
        }
        largest = max.max(largest);
        max.store(&mut maxima[b]);
        // The product of the factors is negative.
        L::splat(0.0).sub(sum).store(&mut sums[b]);
    });
    let mut lanes = [0.0; LANES];
    smallest.store(&mut lanes);
    Extent {
        max: largest.largest(),
        min: if MIN { lanes.into_iter().fold(f32::INFINITY, f32::min) } else { f32::NEG_INFINITY },
        ordered: L::bits(ordered) == u32::from(u16::MAX),
    }
}

/// The sum over blocks and lanes, in f64: each lane over the blocks, then the lanes by halves.
#[inline(always)]
pub(super) fn total<L: Lanes>(blocks: &[Vector]) -> f64 {
    let mut sum = L::no_sums();
    for block in blocks {
        L::load(block).add_to(&mut sum);
    }
    L::sum(sum)
}

/// The sum of the weights of sixteen tokens.
#[inline(always)]
pub(super) fn column<L: Lanes>(logits: &Vector, weighting: Weighting) -> f64 {
    let (p, power) = Weigh::<L>::new(weighting).factors(L::load(logits));
    let mut sum = L::no_sums();
    p.mul(power).add_to(&mut sum);
    -L::sum(sum)
}

/// The sum over the run of weight times (logit - max), which the entropy needs.
#[inline(always)]
pub(super) fn moment<L: Lanes, F: Format, A: Allowed>(run: Source<'_, F, A>, weighting: Weighting, max: f32) -> f64 {
    let weigh = Weigh::<L>::new(weighting);
    // A weight of zero meets a finite factor: -infinity would make it NaN.
    let (max, lowest) = (L::splat(max), L::splat(f32::MIN));
    let mut total = L::no_sums();
    for_each_block!(run, |b, block| {
        let mut sum = L::splat(0.0);
        for v in 0..ROWS {
            let x = run.vector::<L>(block, b, v);
            let (p, power) = weigh.factors(x);
            sum = p.mul(power).fma(x.sub(max).max(lowest), sum);
        }
        sum.add_to(&mut total);
    });
    -L::sum(total)
}

/// The weight of each token.
#[inline(always)]
pub(super) fn weights<L: Lanes, F: Format, A: Allowed>(run: Source<'_, F, A>, weighting: Weighting, out: &mut [f32]) {
    let weigh = Weigh::<L>::new(weighting);
    for_each_block!(run, |b, block| {
        let end = out.len().min((b + 1) * BLOCK);
        for (v, out) in out[b * BLOCK..end].chunks_mut(LANES).enumerate() {
            let (p, power) = weigh.factors(run.vector::<L>(block, b, v));
            let mut lanes = [0.0; LANES];
            L::splat(0.0).sub(p.mul(power)).store(&mut lanes);
            out.copy_from_slice(&lanes[..out.len()]);
        }
    });
}

/// From so many hits in a block on, it is cheaper to move them sixteen at a time.
const MANY: u32 = 48;

/// Appends the tokens with `low <= logit < high`; `first` is the index of the run's first token.
#[inline(always)]
pub(super) fn collect<L: Lanes, F: Format, A: Allowed>(
    run: Source<'_, F, A>,
    first: u32,
    low: f32,
    high: f32,
    hits: &mut Vec<Hit>,
) {
    let (low, high) = (L::splat(low), L::splat(high));
    for_each_block!(run, |b, block| {
        let first = first + (b * BLOCK) as u32;
        // The whole block before the first test: most have one hit or two, and a test a vector is seldom foreseen.
        let mut inside = [0u64; ROWS / WORD];
        for v in 0..ROWS {
            let x = run.vector::<L>(block, b, v);
            inside[v / WORD] |= u64::from(L::bits(L::and(x.ge(low), x.lt(high)))) << (v % WORD * LANES);
        }
        let n: u32 = inside.iter().map(|word| word.count_ones()).sum();
        hits.reserve(n as usize);
        if n < MANY {
            for (w, mut word) in inside.into_iter().enumerate() {
                while word != 0 {
                    let at = w * WORD * LANES + word.trailing_zeros() as usize;
                    hits.push(Hit::new(first + at as u32, F::value(block.as_flattened()[at])));
                    word &= word - 1;
                }
            }
        } else {
            let (mut indices, mut logits) = ([0; LANES], [0.0; LANES]);
            for v in 0..ROWS {
                let x = run.vector::<L>(block, b, v);
                let n =
                    x.compress(L::and(x.ge(low), x.lt(high)), first + (v * LANES) as u32, &mut indices, &mut logits);
                // All sixteen at once, of which the first n count.
                let mut all = [Hit(0); LANES];
                for i in 0..LANES {
                    all[i] = Hit::new(indices[i], logits[i]);
                }
                hits.extend_from_slice(&all[..n.min(LANES)]);
            }
        }
    });
}

/// The number of tokens with `logit >= low`.
#[inline(always)]
pub(super) fn count<L: Lanes, F: Format, A: Allowed>(run: Source<'_, F, A>, low: f32) -> u64 {
    let low = L::splat(low);
    let mut n = 0;
    for_each_block!(run, |b, block| {
        for v in 0..ROWS {
            n += u64::from(L::bits(run.vector::<L>(block, b, v).ge(low)).count_ones());
        }
    });
    n
}

/// Appends the numbers of the blocks with a lane that reaches `low`.
#[inline(always)]
pub(super) fn reaching<L: Lanes>(maxima: &[Vector], low: f32, blocks: &mut Vec<u32>) {
    let low = L::splat(low);
    for (b, max) in maxima.iter().enumerate() {
        if L::bits(L::load(max).ge(low)) != 0 {
            blocks.push(b as u32);
        }
    }
}

/// The number of lanes that reach `low`.
#[inline(always)]
pub(super) fn lanes_reaching<L: Lanes>(maxima: &[Vector], low: f32) -> u64 {
    let low = L::splat(low);
    maxima.iter().map(|max| u64::from(L::bits(L::load(max).ge(low)).count_ones())).sum()
}

/// The maximum of each lane over sixteen blocks at a time: as many groups of tokens as there are blocks.
#[inline(always)]
pub(super) fn columns<L: Lanes>(maxima: &[Vector], columns: &mut Vec<Vector>) {
    columns.clear();
    for blocks in maxima.chunks(LANES) {
        let max = blocks.iter().fold(L::splat(f32::NEG_INFINITY), |max, block| L::load(block).max(max));
        let mut out = [0.0; LANES];
        max.store(&mut out);
        columns.push(out);
    }
}

/// Takes the logits out of an engine's candidates; whether their ids count up from the first one's by one.
#[inline(always)]
pub(super) fn unpack<L: Lanes>(candidates: &[Candidate], logits: &mut [f32]) -> bool {
    let (vectors, rest) = candidates.as_chunks::<LANES>();
    let (out, out_rest) = logits.as_chunks_mut::<LANES>();
    let mut expected = candidates.first().map_or(0, |c| c.id);
    let mut in_order = true;
    for (candidates, out) in vectors.iter().zip(out) {
        let (logits, follow) = L::unpack(candidates, expected);
        logits.store(out);
        in_order &= follow;
        expected = expected.wrapping_add(LANES as i32);
    }
    for (i, (c, out)) in rest.iter().zip(out_rest).enumerate() {
        *out = c.logit;
        in_order &= c.id == expected.wrapping_add(i as i32);
    }
    in_order
}

/// Writes numbers times `unit`, rounded once more than they were, into an engine's candidates as logits.
#[inline(always)]
pub(super) fn pack_logits<L: Lanes>(numbers: &[f32], unit: f64, candidates: &mut [Candidate]) {
    pack::<L, 1>(numbers, unit, candidates);
}

/// The same as probabilities.
#[inline(always)]
pub(super) fn pack_probabilities<L: Lanes>(numbers: &[f32], unit: f64, candidates: &mut [Candidate]) {
    pack::<L, 2>(numbers, unit, candidates);
}

#[inline(always)]
fn pack<L: Lanes, const WORD: usize>(numbers: &[f32], unit: f64, candidates: &mut [Candidate]) {
    let (vectors, rest) = numbers.as_chunks::<LANES>();
    let (out, out_rest) = candidates.as_chunks_mut::<LANES>();
    for (numbers, candidates) in vectors.iter().zip(out) {
        L::load(numbers).times(unit).pack::<WORD>(candidates);
    }
    for (&x, c) in rest.iter().zip(out_rest) {
        *(if WORD == 1 { &mut c.logit } else { &mut c.p }) = (f64::from(x) * unit) as f32;
    }
}
