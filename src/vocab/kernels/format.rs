//! The number formats that logits come in.

use super::ROWS;
use super::lanes::{IdCheck, LANES, Lanes};
use crate::logits::{Candidate, bf16_to_f32, f16_to_f32};

/// A number format.
pub(crate) trait Format: Copy {
    type Bits: Copy;
    /// -infinity, which fills up a short last block.
    const PADDING: Self::Bits;
    /// Whether reading takes so many registers that a kernel with many of its own is faster if it copies a block first.
    const STAGED: bool = false;

    fn load<L: Lanes>(x: &[Self::Bits; LANES]) -> L;
    /// A single logit, with the bits of [`Format::load`].
    fn value(bits: Self::Bits) -> f32;
    /// The block itself if it is of `f32`.
    #[inline(always)]
    fn floats(_: &Block<Self>) -> Option<&Block<F32>> {
        None
    }
    /// [`Format::load`] in a permuted order of lanes, where that is faster; [`Format::unpermute`] restores it.
    #[inline(always)]
    fn load_permuted<L: Lanes>(x: &[Self::Bits; LANES]) -> L {
        Self::load(x)
    }
    #[inline(always)]
    fn unpermute<L: Lanes>(x: L) -> L {
        x
    }
    /// Checks the ids of candidates; other formats have none.
    #[inline(always)]
    fn check_ids<L: Lanes>(_: &mut L::IdCheck, _: &[Self::Bits; LANES]) {}
    /// Completes the padding of a block behind its first `len` elements.
    #[inline(always)]
    fn finish_padding(_: &mut Block<Self>, _len: usize) {}
}

/// A block of vectors in memory.
pub(crate) type Block<F> = [[<F as Format>::Bits; LANES]; ROWS];

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
    const PADDING: f32 = f32::NEG_INFINITY;

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
    const PADDING: u16 = 0xfc00;

    #[inline(always)]
    fn load<L: Lanes>(x: &[u16; LANES]) -> L {
        L::load_f16(x)
    }

    #[inline(always)]
    fn value(bits: u16) -> f32 {
        f16_to_f32(bits)
    }
}

impl Format for Bf16 {
    type Bits = u16;
    const PADDING: u16 = 0xff80;

    #[inline(always)]
    fn load<L: Lanes>(x: &[u16; LANES]) -> L {
        L::load_bf16(x)
    }

    #[inline(always)]
    fn value(bits: u16) -> f32 {
        bf16_to_f32(bits)
    }
}

impl Format for Candidates {
    type Bits = Candidate;
    const PADDING: Candidate = Candidate { id: 0, logit: f32::NEG_INFINITY, p: 0.0 };
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
    fn load_permuted<L: Lanes>(x: &[Candidate; LANES]) -> L {
        L::load_logits_permuted(x)
    }

    #[inline(always)]
    fn unpermute<L: Lanes>(x: L) -> L {
        x.unpermute()
    }

    #[inline(always)]
    fn check_ids<L: Lanes>(ids: &mut L::IdCheck, x: &[Candidate; LANES]) {
        ids.update(x);
    }

    /// Ids that count on, so that the padding passes the check.
    #[inline(always)]
    fn finish_padding(block: &mut Block<Self>, len: usize) {
        let (known, filled) = block.as_flattened_mut().split_at_mut(len);
        let last = known.last().map_or(-1, |c| c.id);
        (1..).zip(filled).for_each(|(i, c)| c.id = last.wrapping_add(i));
    }
}
