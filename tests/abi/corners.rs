//! Calls on many rows at the corners of their arguments: no rows, no tokens asked for, rows without a distribution, number
//! formats, strides, sizes of structs, indices that lead nowhere.

use crate::common::handle::{Handle, blank};
use crate::common::rows::{Random, logits};
use bregman::ffi::*;
use std::mem::offset_of;
use std::ptr::{null, null_mut};

const ROWS: usize = 3;
const VOCAB: usize = 70;
const STRIDE: usize = 75;

/// Rows whose numbers both half formats represent, with NaN between them.
fn rows() -> Vec<f32> {
    let random = &mut Random(5);
    let padded = |_| {
        let mut row: Vec<f32> = logits("model", VOCAB, random).iter().map(|l| l.round()).collect();
        row.resize(STRIDE, f32::NAN);
        row
    };
    (0..ROWS).flat_map(padded).collect()
}

fn batch(rows: &[f32]) -> bregman_batch {
    bregman_batch {
        logits: rows.as_ptr().cast(),
        rows: ROWS,
        vocab: VOCAB,
        row_stride: STRIDE,
        ..bregman_batch::default()
    }
}

/// All that the calls on many rows say of a batch: of the model, of the decoded distributions, reduced.
#[derive(Debug, PartialEq)]
struct Said {
    statuses: [u32; 4],
    given: Vec<u32>,
    ranks: Vec<u32>,
    tokens: [i32; ROWS],
    offsets: [usize; ROWS + 1],
    ids: Vec<i32>,
    probs: Vec<u32>,
    largest: Vec<i32>,
    rests: Vec<u64>,
}

const GIVEN: [i32; 4] = [3, 3, -1, 69];

fn say(batch: &bregman_batch, samplers: &[Handle]) -> Said {
    let handles: Vec<_> = samplers.iter().map(|s| s.raw).collect();
    let given_ids = GIVEN.repeat(ROWS);
    let (mut given, mut ranks, mut results) = (vec![7.0f32; 4 * ROWS], vec![7; 4 * ROWS], [blank(); ROWS]);
    let (mut offsets, mut ids, mut probs) = ([7; ROWS + 1], vec![-7; ROWS * VOCAB], vec![7.0f32; ROWS * VOCAB]);
    let (mut largest, mut values, mut rests) = (vec![-7; 2 * ROWS], vec![7.0f32; 2 * ROWS], vec![7.0; ROWS]);
    let mut bound = [7.0f32; ROWS];
    let answers = bregman_answers {
        given: 4,
        given_stride: 4,
        given_ids: given_ids.as_ptr(),
        given_logprobs: given.as_mut_ptr(),
        given_ranks: ranks.as_mut_ptr(),
        ..bregman_answers::default()
    };
    // SAFETY: live handles, and arrays as long as the batch says.
    let statuses = unsafe {
        [
            bregman_model_answers(batch, &answers),
            bregman_distribution_batch(
                handles.as_ptr(),
                batch,
                offsets.as_mut_ptr(),
                ids.as_mut_ptr(),
                probs.as_mut_ptr(),
                ROWS * VOCAB,
            ),
            bregman_decode_batch(handles.as_ptr(), batch, results.as_mut_ptr()),
            bregman_reduce(
                batch,
                0,
                2,
                0.0,
                largest.as_mut_ptr(),
                values.as_mut_ptr(),
                rests.as_mut_ptr(),
                bound.as_mut_ptr(),
            ),
        ]
    };
    Said {
        statuses,
        given: given.iter().map(|l| l.to_bits()).collect(),
        ranks,
        tokens: results.map(|r| r.token),
        offsets,
        ids,
        probs: probs.iter().map(|p| p.to_bits()).collect(),
        largest,
        rests: rests.iter().map(|r: &f64| r.to_bits()).collect(),
    }
}

fn samplers() -> Vec<Handle> {
    (0..ROWS as u64).map(|seed| Handle::new("top_p(0.9) | draw", seed)).collect()
}

#[test]
fn number_formats_with_the_same_numbers_give_the_same_answers() {
    let dense = rows();
    let expected = say(&batch(&dense), &samplers());
    assert_eq!(expected.statuses, [BREGMAN_OK; 4]);
    // A token that is asked for twice has one answer, and -1 has none.
    for r in 0..ROWS {
        let (logprobs, ranks) = (&expected.given[4 * r..][..4], &expected.ranks[4 * r..][..4]);
        assert!(logprobs[0] == logprobs[1] && ranks[0] == ranks[1] && ranks[0] > 0);
        assert!(f32::from_bits(logprobs[2]).is_nan() && ranks[2] == 0 && f32::from_bits(logprobs[3]) < 0.0);
    }
    for threads in [1, 2] {
        let f16: Vec<u16> = dense.iter().map(|&l| half::f16::from_f32(l).to_bits()).collect();
        let bf16: Vec<u16> = dense.iter().map(|&l| half::bf16::from_f32(l).to_bits()).collect();
        for (dtype, bits) in [(BREGMAN_F16, &f16), (BREGMAN_BF16, &bf16)] {
            let batch = bregman_batch { dtype, logits: bits.as_ptr().cast(), threads, ..batch(&dense) };
            assert_eq!(say(&batch, &samplers()), expected);
        }
    }
}

#[test]
fn rows_without_a_distribution_fail_alone_in_every_call() {
    for (logit, status) in [
        (f32::NEG_INFINITY, BREGMAN_EMPTY_SUPPORT),
        (f32::NAN, BREGMAN_INVALID_LOGITS),
        (f32::INFINITY, BREGMAN_INVALID_LOGITS),
    ] {
        let (good, mut broken) = (rows(), rows());
        broken[STRIDE..][..VOCAB].fill(logit);
        let ours = samplers();
        let (expected, said) = (say(&batch(&good), &samplers()), say(&batch(&broken), &ours));
        // A shard may have no token at all: another rank has them.
        let reduced = if logit == f32::NEG_INFINITY { BREGMAN_OK } else { status };
        assert_eq!(said.statuses, [status, status, status, reduced]);
        assert!(said.given[4..8].iter().all(|l| f32::from_bits(*l).is_nan()) && said.ranks[4..8] == [0; 4]);
        assert_eq!((said.offsets[1], said.tokens[1]), (said.offsets[2], -1));
        assert_eq!(said.largest[2..4], [-1; 2]);
        let rest = f64::from_bits(said.rests[1]);
        assert!(if reduced == BREGMAN_OK { rest == f64::NEG_INFINITY } else { rest.is_nan() }, "{rest}");
        assert!(ours[1].is_as_created() && !ours[1].error().is_empty());
        for r in [0, 2] {
            assert_eq!(
                (said.tokens[r], &said.given[4 * r..][..4]),
                (expected.tokens[r], &expected.given[4 * r..][..4])
            );
            let law = |said: &Said| said.ids[said.offsets[r]..said.offsets[r + 1]].to_vec();
            assert_eq!((law(&said), said.rests[r]), (law(&expected), expected.rests[r]));
        }
    }
}

#[test]
fn fields_that_are_wrong_for_all_rows_are_refused_by_every_call() {
    let dense = rows();
    let untouched = say(&bregman_batch { dtype: 9, ..batch(&dense) }, &samplers());
    assert_eq!(untouched.statuses, [BREGMAN_INVALID_ARGUMENT; 4]);
    assert!(untouched.tokens == [-1; ROWS] && untouched.offsets == [7; ROWS + 1] && untouched.largest == [-7; 6]);
    let (far, odd) = ([0, usize::MAX, 1], [0u64; 4]);
    let odd = odd.as_ptr().wrapping_byte_add(4).cast::<usize>();
    let size = size_of::<bregman_batch>() as u32;
    type Wrong<'a> = (&'a dyn Fn(&mut bregman_batch), u32);
    let wrong: [Wrong<'_>; 12] = [
        (&|b| b.row_stride = VOCAB - 1, BREGMAN_INVALID_ARGUMENT),
        (&|b| b.row_stride = usize::MAX, BREGMAN_INVALID_ARGUMENT),
        (&|b| b.vocab = 0, BREGMAN_INVALID_ARGUMENT),
        (&|b| b.vocab = i32::MAX as usize + 1, BREGMAN_INVALID_ARGUMENT),
        (&|b| b.logits = null(), BREGMAN_INVALID_ARGUMENT),
        (&|b| b.logits = b.logits.wrapping_byte_add(2), BREGMAN_INVALID_ARGUMENT),
        (&|b| b.flags = 1 << 9, BREGMAN_INVALID_ARGUMENT),
        (&|b| b.row_index = far.as_ptr(), BREGMAN_INVALID_ARGUMENT),
        (&|b| b.row_index = odd, BREGMAN_INVALID_ARGUMENT),
        (&|b| b.struct_size = offset_of!(bregman_batch, ids) as u32 - 8, BREGMAN_INVALID_ARGUMENT),
        (&|b| b.struct_size = size - 1, BREGMAN_INVALID_ARGUMENT),
        (&|b| b.struct_size = size - 4, BREGMAN_INVALID_ARGUMENT),
    ];
    for (at, (change, status)) in wrong.into_iter().enumerate() {
        let (mut batch, samplers) = (batch(&dense), samplers());
        change(&mut batch);
        let said = say(&batch, &samplers);
        assert_eq!(said.statuses, [status; 4], "case {at}");
        assert_eq!((&said.ids, &said.largest, said.offsets), (&untouched.ids, &untouched.largest, [7; ROWS + 1]));
        assert!(samplers.iter().all(Handle::is_as_created), "case {at}");
    }
    // The first version's struct, with whatever follows it in memory.
    let first = bregman_batch {
        struct_size: offset_of!(bregman_batch, ids) as u32,
        ids: odd.cast(),
        rest_temperature: f32::NAN,
        row_index: odd,
        ..batch(&dense)
    };
    assert_eq!(say(&first, &samplers()), say(&batch(&dense), &samplers()));
}

#[test]
fn no_rows_and_no_tokens_are_answered() {
    let none = bregman_batch { rows: 0, ..bregman_batch::default() };
    let (mut offsets, mut kept) = ([7usize; 2], [7usize; 2]);
    let mut ids = [-7];
    let answers = bregman_answers {
        kept: 1,
        kept_ids: ids.as_mut_ptr(),
        kept_offsets: kept.as_mut_ptr(),
        ..bregman_answers::default()
    };
    let nothing = bregman_answers::default();
    // SAFETY: no rows, so no handles and no elements but the first offset.
    let statuses = unsafe {
        [
            bregman_model_answers(&none, &nothing),
            bregman_distribution_batch(null(), &none, offsets.as_mut_ptr(), null_mut(), null_mut(), 0),
            bregman_decode_batch_answers(null(), &none, null_mut(), &answers),
            bregman_reduce(&none, 0, 5, 1.0, null_mut(), null_mut(), null_mut(), null_mut()),
        ]
    };
    assert_eq!((statuses, offsets, kept, ids), ([BREGMAN_OK; 4], [0, 7], [0, 7], [-7]));
    // Rows of which nothing is asked, and a shard of which nothing is kept.
    let dense = rows();
    let (mut rests, mut bound) = ([7.0f64; ROWS], [7.0f32; ROWS]);
    // SAFETY: arrays as long as the batch says, none for no entries.
    let statuses = unsafe {
        [
            bregman_model_answers(&batch(&dense), &nothing),
            bregman_reduce(&batch(&dense), 0, 0, 1.0, null_mut(), null_mut(), rests.as_mut_ptr(), bound.as_mut_ptr()),
        ]
    };
    assert_eq!(statuses, [BREGMAN_OK; 2]);
    for (r, row) in dense.chunks(STRIDE).enumerate() {
        let all: f64 = row[..VOCAB].iter().map(|l| f64::from(*l).exp()).sum();
        assert!((rests[r] - all.ln()).abs() < 1e-6);
        assert_eq!(bound[r], row[..VOCAB].iter().copied().fold(f32::NEG_INFINITY, f32::max));
    }
}

/// The model's log-probabilities are of the untouched row; the decoded distribution's are under its mask.
#[test]
fn given_tokens_under_a_mask_have_no_decoded_probability_and_the_models_own() {
    let dense = rows();
    let mask = [0b1000u32, 0, 1];
    for (source, other) in [(BREGMAN_OF_MODEL, false), (BREGMAN_OF_DECODED, true)] {
        let sampler = Handle::new("draw", 1);
        let (given_ids, mut given, mut result) = ([3, 4, 64], [7.0f32; 3], blank());
        let batch = bregman_batch { rows: 1, mask: mask.as_ptr(), mask_stride: 3, ..batch(&dense) };
        let answers = bregman_answers {
            source,
            given: 3,
            given_stride: 3,
            given_ids: given_ids.as_ptr(),
            given_logprobs: given.as_mut_ptr(),
            ..bregman_answers::default()
        };
        // SAFETY: a live handle, and arrays as long as batch and answers say.
        let status = unsafe { bregman_decode_batch_answers(&sampler.raw, &batch, &mut result, &answers) };
        assert_eq!(status, BREGMAN_OK);
        let among: Vec<usize> = if other { vec![3, 64] } else { (0..VOCAB).collect() };
        let total: f64 = among.iter().map(|&i| f64::from(dense[i]).exp()).sum();
        for (&id, logprob) in given_ids.iter().zip(given) {
            let exact = if among.contains(&(id as usize)) {
                f64::from(dense[id as usize]) - total.ln()
            } else {
                f64::NEG_INFINITY
            };
            assert!(
                f64::from(logprob) == exact || (f64::from(logprob) - exact).abs() < 2e-6,
                "{id}: {logprob} {exact}"
            );
        }
    }
}
