//! A run of logits as kernels read it: in some format, behind some mask, in blocks of vectors.

use super::format::{Block, F32, Format};
use super::lanes::{LANES, Lanes};
use super::{BLOCK, ROWS, UNROLL};
use crate::logits::Values;
use std::hint::black_box;

/// Logits from the start of a block on, and the mask's words from the same token on.
#[derive(Clone, Copy)]
pub(crate) struct Run<'a> {
    pub(crate) values: Values<'a>,
    /// Bit set: allowed. Tokens beyond the last word are banned.
    pub(crate) mask: Option<&'a [u32]>,
}

impl<'a> Run<'a> {
    /// `f32` logits without a mask.
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

/// A mask, or none.
pub(crate) trait Mask: Copy {
    /// Whether it bans any token.
    const MASKS: bool;

    /// -infinity for the banned tokens of the run's vector `v`.
    fn apply<L: Lanes>(self, x: L, v: usize) -> L;
}

/// All tokens are allowed.
#[derive(Clone, Copy)]
pub(crate) struct NoMask;

impl Mask for NoMask {
    const MASKS: bool = false;

    #[inline(always)]
    fn apply<L: Lanes>(self, x: L, _: usize) -> L {
        x
    }
}

/// The tokens whose bit is set are allowed.
#[derive(Clone, Copy)]
pub(crate) struct PackedMask<'a>(pub(crate) &'a [u32]);

impl Mask for PackedMask<'_> {
    const MASKS: bool = true;

    #[inline(always)]
    fn apply<L: Lanes>(self, x: L, v: usize) -> L {
        let word = self.0.get(v / 2).copied().unwrap_or(0);
        x.allow((word >> (v % 2 * LANES)) as u16)
    }
}

/// A run whose format and mask are types.
#[derive(Clone, Copy)]
pub(crate) struct TypedRun<'a, F: Format, M> {
    pub(crate) values: &'a [F::Bits],
    pub(crate) mask: M,
}

impl<'a, F: Format, M: Mask> TypedRun<'a, F, M> {
    /// The whole blocks.
    #[inline(always)]
    pub(crate) fn whole(&self) -> &'a [Block<F>] {
        let (vectors, _) = self.values.as_chunks::<LANES>();
        vectors.as_chunks::<ROWS>().0
    }

    /// The short last block, if there is one, padded with -infinity: kernels need no tail loop with another order of
    /// operations.
    #[inline(always)]
    pub(crate) fn last(&self) -> Option<Block<F>> {
        let rest = &self.values[self.whole().len() * BLOCK..];
        if rest.is_empty() {
            return None;
        }
        let mut last = [[F::PADDING; LANES]; ROWS];
        last.as_flattened_mut()[..rest.len()].copy_from_slice(rest);
        F::finish_padding(&mut last, rest.len());
        Some(last)
    }

    /// Block `b` after the mask: in place if it is of `f32` and there is no mask, else converted into `buffer`.
    #[inline(always)]
    pub(crate) fn floats<'b, L: Lanes>(
        &self,
        block: &'b Block<F>,
        b: usize,
        buffer: &'b mut Block<F32>,
    ) -> &'b Block<F32> {
        if let Some(block) = F::floats(block).filter(|_| !M::MASKS) {
            return block;
        }
        for (v, buffer) in buffer.iter_mut().enumerate() {
            self.vector::<L>(block, b, v).store(buffer);
        }
        buffer
    }

    /// Vector `v` of block `b`, after the mask.
    #[inline(always)]
    pub(crate) fn vector<L: Lanes>(&self, block: &Block<F>, b: usize, v: usize) -> L {
        self.mask.apply(F::load(&block[v]), b * ROWS + v)
    }

    /// The same in a permuted order of lanes, where that is faster; the order is the same for every vector.
    #[inline(always)]
    pub(crate) fn vector_permuted<L: Lanes>(&self, block: &Block<F>, b: usize, v: usize) -> L {
        if M::MASKS { self.vector(block, b, v) } else { F::load_permuted(&block[v]) }
    }

    /// From the order of [`TypedRun::vector_permuted`] to the lanes' own.
    #[inline(always)]
    pub(crate) fn unpermute<L: Lanes>(&self, x: L) -> L {
        if M::MASKS { x } else { F::unpermute(x) }
    }
}

/// The first of every [`UNROLL`] vectors of a block.
///
/// Where a format takes many registers the trip count is hidden from the compiler, which would otherwise unroll the
/// whole block, load it all up front and spill.
#[inline(always)]
pub(crate) fn groups<F: Format>() -> impl Iterator<Item = usize> {
    let rows = if F::STAGED { black_box(ROWS) } else { ROWS };
    // The mask changes no value; it removes the bounds checks.
    (0..rows).step_by(UNROLL).map(|v| v & (ROWS - UNROLL))
}

/// Runs a body for each block. A macro, because a closure is not guaranteed to be inlined into the function that has
/// the target features.
macro_rules! for_each_block {
    ($run:ident, |$b:ident, $block:ident| $body:block) => {
        for ($b, $block) in $run.whole().iter().enumerate() $body
        if let Some(last) = $run.last() {
            let ($b, $block) = ($run.whole().len(), &last);
            $body
        }
    };
}
pub(crate) use for_each_block;

/// Calls a kernel with the run's format and mask as types.
macro_rules! with_typed_run {
    ($run:expr, |$typed:ident| $call:expr) => {
        match $run.mask {
            None => with_typed_run!(@ $run.values, NoMask, |$typed| $call),
            Some(words) => with_typed_run!(@ $run.values, PackedMask(words), |$typed| $call),
        }
    };
    (@ $values:expr, $mask:expr, |$typed:ident| $call:expr) => {
        match $values {
            $crate::logits::Values::F32(values) => {
                let $typed = TypedRun::<F32, _> { values, mask: $mask };
                $call
            }
            $crate::logits::Values::F16(values) => {
                let $typed = TypedRun::<F16, _> { values, mask: $mask };
                $call
            }
            $crate::logits::Values::Bf16(values) => {
                let $typed = TypedRun::<Bf16, _> { values, mask: $mask };
                $call
            }
            $crate::logits::Values::Candidates(values) => {
                let $typed = TypedRun::<Candidates, _> { values, mask: $mask };
                $call
            }
        }
    };
}
pub(crate) use with_typed_run;
