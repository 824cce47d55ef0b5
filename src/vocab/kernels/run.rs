//! A run of logits as the passes read it: some format, behind some mask, in blocks of vectors.

use super::BLOCK;
use super::lanes::{LANES, Lanes};
use super::{ROWS, UNROLL};
use crate::logits::{Candidate, Values};
use std::hint::black_box;

/// Logits from a block's first on, and the mask's words from the same token on.
#[derive(Clone, Copy)]
pub(crate) struct Run<'a> {
    pub(crate) values: Values<'a>,
    /// Bit set: allowed. Tokens beyond the last word are banned.
    pub(crate) mask: Option<&'a [u32]>,
}

impl<'a> Run<'a> {
    /// Plain logits.
    pub(crate) fn plain(logits: &'a [f32]) -> Self {
        Self { values: Values::F32(logits), mask: None }
    }

    pub(crate) fn len(&self) -> usize {
        self.values.len()
    }

    pub(crate) fn blocks(&self) -> usize {
        self.len().div_ceil(BLOCK)
    }
}

/// A format in which logits come.
pub(crate) trait Format: Copy {
    type Bits: Copy;
    const NOTHING: Self::Bits;
    /// Whether it takes so many registers to read that a pass with many of its own does better to copy a block first.
    const STAGED: bool = false;

    fn load<L: Lanes>(x: &[Self::Bits; LANES]) -> L;
    /// A single logit, as [`Format::load`] has it.
    fn value(bits: Self::Bits) -> f32;
    /// The block itself, if it is of `f32`.
    #[inline(always)]
    fn floats(_: &Block<Self>) -> Option<&Block<F32>> {
        None
    }
    /// [`Format::load`] in whatever order of lanes is there soonest; see [`Format::unpermute`].
    #[inline(always)]
    fn load_soonest<L: Lanes>(x: &[Self::Bits; LANES]) -> L {
        Self::load(x)
    }
    #[inline(always)]
    fn unpermute<L: Lanes>(x: L) -> L {
        x
    }
    /// Looks at the ids of candidates; other formats have none.
    #[inline(always)]
    fn update_id_check<L: Lanes>(_: &mut L::IdCheck, _: &[Self::Bits; LANES]) {}
    /// Finishes a block of which only the first `len` are not [`Format::NOTHING`].
    #[inline(always)]
    fn finish(_: &mut Block<Self>, _len: usize) {}
}

#[derive(Clone, Copy)]
pub(crate) struct F32;
#[derive(Clone, Copy)]
pub(crate) struct F16;
#[derive(Clone, Copy)]
pub(crate) struct Bf16;
#[derive(Clone, Copy)]
pub(crate) struct Candidates;

impl Format for F32 {
    type Bits = f32;
    const NOTHING: f32 = f32::NEG_INFINITY;

    #[inline(always)]
    fn load<L: Lanes>(x: &[f32; LANES]) -> L {
        L::load(x)
    }

    #[inline(always)]
    fn value(bits: f32) -> f32 {
        bits
    }

    #[inline(always)]
    fn floats(block: &Block<F32>) -> Option<&Block<F32>> {
        Some(block)
    }
}

impl Format for F16 {
    type Bits = u16;
    const NOTHING: u16 = 0xfc00;

    #[inline(always)]
    fn load<L: Lanes>(x: &[u16; LANES]) -> L {
        L::load_f16(x)
    }

    #[inline(always)]
    fn value(bits: u16) -> f32 {
        half::f16::from_bits(bits).to_f32()
    }
}

impl Format for Bf16 {
    type Bits = u16;
    const NOTHING: u16 = 0xff80;

    #[inline(always)]
    fn load<L: Lanes>(x: &[u16; LANES]) -> L {
        L::load_bf16(x)
    }

    #[inline(always)]
    fn value(bits: u16) -> f32 {
        f32::from_bits(u32::from(bits) << 16)
    }
}

impl Format for Candidates {
    type Bits = Candidate;
    const NOTHING: Candidate = Candidate { id: 0, logit: f32::NEG_INFINITY, p: 0.0 };
    const STAGED: bool = true;

    #[inline(always)]
    fn load<L: Lanes>(x: &[Candidate; LANES]) -> L {
        L::load_logits(x)
    }

    #[inline(always)]
    fn value(candidate: Candidate) -> f32 {
        candidate.logit
    }

    #[inline(always)]
    fn load_soonest<L: Lanes>(x: &[Candidate; LANES]) -> L {
        L::load_logits_permuted(x)
    }

    #[inline(always)]
    fn unpermute<L: Lanes>(x: L) -> L {
        x.unpermute()
    }

    #[inline(always)]
    fn update_id_check<L: Lanes>(ids: &mut L::IdCheck, x: &[Candidate; LANES]) {
        L::update_id_check(ids, x);
    }

    #[inline(always)]
    fn finish(block: &mut Block<Self>, len: usize) {
        // Ids that count on, so that these do not look out of order.
        let (known, filled) = block.as_flattened_mut().split_at_mut(len);
        let last = known.last().map_or(-1, |c| c.id);
        (1..).zip(filled).for_each(|(i, c)| c.id = last.wrapping_add(i));
    }
}

/// Which tokens may be looked at.
pub(crate) trait Allowed: Copy {
    /// Whether it bans any.
    const BANS: bool;

    /// Bans what is not allowed in the run's vector `v`.
    fn ban<L: Lanes>(self, x: L, v: usize) -> L;
}

/// All of them.
#[derive(Clone, Copy)]
pub(crate) struct All;

impl Allowed for All {
    const BANS: bool = false;

    #[inline(always)]
    fn ban<L: Lanes>(self, x: L, _: usize) -> L {
        x
    }
}

/// Those whose bit is set.
#[derive(Clone, Copy)]
pub(crate) struct Packed<'a>(pub(crate) &'a [u32]);

impl Allowed for Packed<'_> {
    const BANS: bool = true;

    #[inline(always)]
    fn ban<L: Lanes>(self, x: L, v: usize) -> L {
        let word = self.0.get(v / 2).copied().unwrap_or(0);
        x.only((word >> (v % 2 * LANES)) as u16)
    }
}

/// A run whose format and mask are known to the compiler.
#[derive(Clone, Copy)]
pub(crate) struct TypedRun<'a, F: Format, A> {
    pub(crate) values: &'a [F::Bits],
    pub(crate) allowed: A,
}

/// A block of vectors in memory.
pub(crate) type Block<F> = [[<F as Format>::Bits; LANES]; ROWS];

impl<'a, F: Format, A: Allowed> TypedRun<'a, F, A> {
    /// The whole blocks.
    #[inline(always)]
    pub(crate) fn whole(&self) -> &'a [Block<F>] {
        let (vectors, _) = self.values.as_chunks::<LANES>();
        vectors.as_chunks::<ROWS>().0
    }

    /// A short last block, filled up with -infinity, which no pass counts, so that there is no tail with another order
    /// of operations.
    #[inline(always)]
    pub(crate) fn last(&self) -> Option<Block<F>> {
        let rest = &self.values[self.whole().len() * BLOCK..];
        if rest.is_empty() {
            return None;
        }
        let mut last = [[F::NOTHING; LANES]; ROWS];
        last.as_flattened_mut()[..rest.len()].copy_from_slice(rest);
        F::finish(&mut last, rest.len());
        Some(last)
    }

    /// Block `b` after the mask, in place if it is of `f32` and nothing is masked, else in `memory`.
    #[inline(always)]
    pub(crate) fn floats<'b, L: Lanes>(
        &self,
        block: &'b Block<F>,
        b: usize,
        memory: &'b mut Block<F32>,
    ) -> &'b Block<F32> {
        if let Some(block) = F::floats(block).filter(|_| !A::BANS) {
            return block;
        }
        for (v, memory) in memory.iter_mut().enumerate() {
            self.vector::<L>(block, b, v).store(memory);
        }
        memory
    }

    /// Vector `v` of block `b`, after the mask.
    #[inline(always)]
    pub(crate) fn vector<L: Lanes>(&self, block: &Block<F>, b: usize, v: usize) -> L {
        self.allowed.ban(F::load(&block[v]), b * ROWS + v)
    }

    /// The same in whatever order of lanes is there soonest, the same for every vector; see [`Source::unpermute`].
    #[inline(always)]
    pub(crate) fn vector_permuted<L: Lanes>(&self, block: &Block<F>, b: usize, v: usize) -> L {
        if A::BANS { self.vector(block, b, v) } else { F::load_soonest(&block[v]) }
    }

    /// Brings lanes from the order of [`Source::vector_permuted`] to their own.
    #[inline(always)]
    pub(crate) fn unpermute<L: Lanes>(&self, x: L) -> L {
        if A::BANS { x } else { F::unpermute(x) }
    }
}

/// The first of every [`UNROLL`] vectors of a block.
///
/// Where a format takes many registers, the compiler is kept from seeing how often the loop runs: it would unroll the
/// whole block, read it all before it did anything else, and run out of registers.
#[inline(always)]
pub(crate) fn groups<F: Format>() -> impl Iterator<Item = usize> {
    let rows = if F::STAGED { black_box(ROWS) } else { ROWS };
    // The mask changes none, but shows that all are in the block.
    (0..rows).step_by(UNROLL).map(|v| v & (ROWS - UNROLL))
}

/// Runs a body for each block: a macro, because a closure cannot be told to be inlined into the function that has the
/// target's features.
macro_rules! for_each_block {
    ($source:ident, |$b:ident, $block:ident| $body:block) => {
        for ($b, $block) in $source.whole().iter().enumerate() $body
        if let Some(last) = $source.last() {
            let ($b, $block) = ($source.whole().len(), &last);
            $body
        }
    };
}
pub(crate) use for_each_block;

/// Calls a pass with the run's format and mask as types.
macro_rules! with_typed_run {
    ($run:expr, |$source:ident| $call:expr) => {
        match ($run.values, $run.mask) {
            ($crate::logits::Values::F32(values), None) => {
                let $source = TypedRun::<F32, All> { values, allowed: All };
                $call
            }
            ($crate::logits::Values::F16(values), None) => {
                let $source = TypedRun::<F16, All> { values, allowed: All };
                $call
            }
            ($crate::logits::Values::Bf16(values), None) => {
                let $source = TypedRun::<Bf16, All> { values, allowed: All };
                $call
            }
            ($crate::logits::Values::Candidates(values), None) => {
                let $source = TypedRun::<Candidates, All> { values, allowed: All };
                $call
            }
            ($crate::logits::Values::F32(values), Some(words)) => {
                let $source = TypedRun::<F32, Packed<'_>> { values, allowed: Packed(words) };
                $call
            }
            ($crate::logits::Values::F16(values), Some(words)) => {
                let $source = TypedRun::<F16, Packed<'_>> { values, allowed: Packed(words) };
                $call
            }
            ($crate::logits::Values::Bf16(values), Some(words)) => {
                let $source = TypedRun::<Bf16, Packed<'_>> { values, allowed: Packed(words) };
                $call
            }
            ($crate::logits::Values::Candidates(values), Some(words)) => {
                let $source = TypedRun::<Candidates, Packed<'_>> { values, allowed: Packed(words) };
                $call
            }
        }
    };
}
pub(crate) use with_typed_run;
