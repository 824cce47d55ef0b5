//! Every kernel on every level, on memory between two pages that may not be touched: rows of every length from 0 to 1024 at
//! every alignment, masks and outputs of every length, with the bits of the scalar level on usual memory.

use super::dispatch::{Kernels, levels};
use super::kernels::BLOCK;
use super::kernels::candidates::{CandidateUpdate, LogitChange, ProbabilityScale};
use super::kernels::collect::CollectRange;
use super::kernels::curve::{Curve, SmoothingCurve};
use super::kernels::deviation::Centring;
use super::kernels::exponential::{ExpParams, TileScale, binary_scale};
use super::kernels::lanes::{LANES, Vector};
use super::kernels::maxima::Maxima;
use super::kernels::run::Run;
use super::kernels::sums::SumsExtra;
use crate::logits::{Candidate, Values};
use crate::testing::Lcg;
use std::ptr::{NonNull, null_mut};

const LONGEST: usize = 1024;

/// Where in its memory a slice lies: at the first byte, or this many elements before the last.
#[derive(Debug, Clone, Copy)]
enum Place {
    First,
    BeforeLast(usize),
}

/// Whole pages of memory, with a page before and one behind them whose touch ends the process.
struct Guarded {
    first: NonNull<u8>,
    bytes: usize,
    page: usize,
}

impl Guarded {
    /// At least so many bytes.
    fn new(bytes: usize) -> Self {
        // SAFETY: asks for a number.
        let page = unsafe { libc::sysconf(libc::_SC_PAGESIZE) } as usize;
        let bytes = bytes.next_multiple_of(page);
        let (access, flags) = (libc::PROT_NONE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
        // SAFETY: new pages, which nothing else uses.
        let all = unsafe { libc::mmap(null_mut(), bytes + 2 * page, access, flags, -1, 0) };
        assert!(all != libc::MAP_FAILED);
        let first = all.wrapping_byte_add(page);
        // SAFETY: pages of the new mapping.
        assert_eq!(unsafe { libc::mprotect(first, bytes, libc::PROT_READ | libc::PROT_WRITE) }, 0);
        Self { first: NonNull::new(first.cast()).unwrap(), bytes, page }
    }

    /// Copies a slice there.
    fn put<T: Copy>(&mut self, from: &[T], place: Place) -> &mut [T] {
        let size = size_of_val(from);
        let at = match place {
            Place::First => 0,
            Place::BeforeLast(elements) => self.bytes - size - elements * size_of::<T>(),
        };
        // The last elements of a page need not be aligned for a type of another size.
        let at = at - at % align_of::<T>();
        assert!(at + size <= self.bytes);
        // SAFETY: within the pages, aligned, and written before it is read; the borrow is exclusive.
        unsafe {
            let to = self.first.add(at).cast::<T>();
            to.copy_from_nonoverlapping(NonNull::from(from).cast(), from.len());
            std::slice::from_raw_parts_mut(to.as_ptr(), from.len())
        }
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        let all = self.first.as_ptr().wrapping_sub(self.page);
        // SAFETY: what `new` mapped, and no slice of it is left.
        unsafe { libc::munmap(all.cast(), self.bytes + 2 * self.page) };
    }
}

/// What kernels write to, each behind a guard of its own.
struct Outputs {
    maxima: Guarded,
    columns: Guarded,
    sums: Guarded,
    floats: [Guarded; 2],
}

impl Outputs {
    fn new() -> Self {
        let floats = || Guarded::new((LONGEST + BLOCK + LANES) * size_of::<f32>());
        let lanes = || Guarded::new(LONGEST.div_ceil(BLOCK) * size_of::<Vector>());
        Self { maxima: lanes(), columns: lanes(), sums: lanes(), floats: [floats(), floats()] }
    }
}

fn bits(floats: &[f32]) -> Vec<u32> {
    floats.iter().map(|x| x.to_bits()).collect()
}

/// What the kernels make of a run, their outputs at a place.
fn answers(k: &Kernels, run: Run<'_>, to: &mut Outputs, place: Place) -> impl PartialEq + use<> {
    const MAX: f32 = 16.0;
    let (n, blocks) = (run.len(), run.len().div_ceil(BLOCK));
    let params = ExpParams::new(MAX, binary_scale(1.0 / 0.7));
    let maxima = to.maxima.put(&vec![[0.0; LANES]; blocks], place);
    let columns = to.columns.put(&vec![[f32::MIN; LANES]; blocks.div_ceil(LANES)], place);
    let sums = to.sums.put(&vec![[0.0; LANES]; blocks], place);
    let found = (k.maxima)(run, Maxima { blocks: maxima, columns, first: 0 });
    let extra = SumsExtra::Moment { from: MAX };
    let extent = (k.sums)(run, params, extra, Maxima { blocks: maxima, columns, first: 0 }, sums);
    let numbers: Vec<u32> = (0..blocks as u32).collect();
    let range = CollectRange { blocks: &numbers, first: 0, low: -3.0, high: f32::INFINITY };
    let (mut tokens, mut starts, mut blocks_at_least) = (vec![], vec![], vec![]);
    (k.collect)(run, range, &mut tokens);
    (k.blocks_at_least)(maxima, columns, 9.0, &mut blocks_at_least);
    let lanes = [bits(maxima.as_flattened()), bits(columns.as_flattened()), bits(sums.as_flattened())];
    let numbers = [(k.total)(sums).to_bits(), (k.lanes_at_least)(maxima, 9.0), (k.count)(run, 0.0)];
    let centred = (k.centred_sums)(run, Centring { centre: -0.7, factor: 0.25 });
    let centred = (centred.sum.to_bits(), centred.squares.to_bits(), centred.count);

    let [first, second] = &mut to.floats;
    let compressed = first.put(&vec![0.0; blocks * BLOCK + LANES], place);
    let kept = (k.compress)(run, range, compressed, 0, &mut starts).len;
    let compressed = bits(&compressed[..kept]);
    let weights = first.put(&vec![7.0; n], place);
    (k.weights)(run, params, weights);
    let curve = Curve::Smoothing { curve: SmoothingCurve { square: 0.1, cube: 0.03 }, max: MAX, scale: 1.0 };
    let reshaped = second.put(&vec![7.0; n], place);
    (k.reshape)(run, curve, -9.0, reshaped);
    let prefix = (k.prefix_sum)(reshaped, weights, &[], -3.0);
    let floats = [bits(weights), bits(reshaped), compressed];
    let lists = (tokens, starts, blocks_at_least);
    (found, extent, lanes, lists, numbers, centred, floats, prefix.weight.to_bits(), prefix.count)
}

/// The kernels that take candidates and nothing else.
fn of_candidates(
    k: &Kernels,
    all: &mut [Candidate],
    new: &[f32],
    to: &mut Guarded,
    place: Place,
) -> impl PartialEq + use<> {
    let unpacked = to.put(&vec![7.0; all.len()], place);
    let are_in_order = (k.unpack_candidates)(all, unpacked);
    let params = ExpParams::new(16.0, binary_scale(1.0));
    let scale = TileScale { params, unit: params.unit(16.0, binary_scale(1.0)), shift: 0.0 };
    let (change, probability) = (LogitChange { pivot: 0.0, scale: 0.7, base: 0.0 }, ProbabilityScale::new(scale, 0.25));
    (k.update_candidates)(all, CandidateUpdate { logits: Some(new), change, probability: Some(probability) });
    let updated: Vec<_> = all.iter().map(|c| (c.id, c.logit.to_bits(), c.p.to_bits())).collect();
    (are_in_order, bits(unpacked), updated)
}

/// A row of one format at every place, without a mask, with one for all of it, and with one that ends before it.
fn at_every_place<T: Copy>(
    row: &[T],
    values: for<'a> fn(&'a [T]) -> Values<'a>,
    memory: &mut [Guarded; 2],
    to: &mut Outputs,
) {
    let [row_memory, mask_memory] = memory;
    let words: Vec<u32> = (0..row.len().div_ceil(32)).map(|i| (i as u32 + 1).wrapping_mul(0x9e37_79b9) | 1).collect();
    let masks = [None, Some(&words[..]), Some(&words[..words.len() / 2])];
    let expected = masks.map(|mask| answers(levels()[0], Run { values: values(row), mask }, to, Place::BeforeLast(0)));
    let places = (0..64 / size_of::<T>().next_power_of_two().min(64)).map(Place::BeforeLast);
    for (at, place) in places.chain([Place::First]).enumerate() {
        let placed = values(row_memory.put(row, place));
        let which = if matches!(place, Place::First | Place::BeforeLast(0)) { 0..3 } else { at % 3..at % 3 + 1 };
        for which in which {
            let mask = masks[which].map(|words| &*mask_memory.put(words, place));
            for level in levels() {
                let is_same = answers(level, Run { values: placed, mask }, to, place) == expected[which];
                assert!(is_same, "{:?}, {} of {}, {place:?}", level.level, row.len(), std::any::type_name::<T>());
            }
        }
    }
}

#[test]
fn kernels_stay_within_their_slices_at_every_length_and_alignment() {
    // Every length at once takes too long on an emulated processor.
    let step = if std::env::var_os("BREGMAN_EXPECT").is_some() { 61 } else { 1 };
    let largest = (LONGEST + 16) * size_of::<Candidate>();
    let (mut memory, mut to) = ([Guarded::new(largest), Guarded::new(largest)], Outputs::new());
    let mut random = Lcg::new(11);
    let mut logit = || match random.next_u31() {
        r if r % 9 == 0 => f32::NEG_INFINITY,
        r => (r >> 8) as f32 / 524_288.0 - 16.0 + 1e-3,
    };
    let row: Vec<f32> = (0..LONGEST).map(|_| logit()).collect();
    for n in (0..=LONGEST).step_by(step) {
        let row = &row[..n];
        at_every_place(row, |v| Values::F32(v), &mut memory, &mut to);
        let f16: Vec<u16> = row.iter().map(|&x| half::f16::from_f32(x).to_bits()).collect();
        at_every_place(&f16, |v| Values::F16(v), &mut memory, &mut to);
        let bf16: Vec<u16> = row.iter().map(|&x| half::bf16::from_f32(x).to_bits()).collect();
        at_every_place(&bf16, |v| Values::Bf16(v), &mut memory, &mut to);
        let candidates: Vec<_> = (0..).zip(row).map(|(id, &logit)| Candidate { id, logit, p: 0.5 }).collect();
        at_every_place(&candidates, |v| Values::Candidates(v), &mut memory, &mut to);
        let new: Vec<f32> = row.iter().rev().copied().collect();
        let [first, second] = &mut memory;
        let expected = of_candidates(levels()[0], &mut candidates.clone(), &new, &mut to.floats[0], Place::First);
        for place in [Place::First, Place::BeforeLast(0)] {
            for level in levels() {
                let (all, new) = (first.put(&candidates, place), second.put(&new, place));
                let is_same = of_candidates(level, all, new, &mut to.floats[0], place) == expected;
                assert!(is_same, "{:?}, {n} candidates, {place:?}", level.level);
            }
        }
    }
}

/// The guards of the test above: a child that reads one element too far is ended by a signal.
#[test]
fn guard_pages_end_a_process_that_touches_them() {
    for (place, beyond) in [(Place::BeforeLast(0), 16), (Place::First, -1)] {
        let mut memory = Guarded::new(64);
        let row = memory.put(&[1.0f32; 16], place).as_ptr();
        // SAFETY: the child reads one number and ends.
        let child = unsafe { libc::fork() };
        if child == 0 {
            // SAFETY: none, which the parent expects to be found.
            unsafe {
                row.offset(beyond).read_volatile();
                libc::_exit(0);
            }
        }
        let mut status = 0;
        // SAFETY: the child, and a place for its status.
        unsafe { libc::waitpid(child, &mut status, 0) };
        let is_ended = libc::WIFSIGNALED(status) && [libc::SIGSEGV, libc::SIGBUS].contains(&libc::WTERMSIG(status));
        assert!(is_ended, "{place:?}: {status}");
    }
}
