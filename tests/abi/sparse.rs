//! Sparse rows and shards through the C ABI: every number format, lengths, masks by token, unsorted ids, several threads.

use crate::common::handle::{Handle, Rows, batch, bits, blank};
use crate::common::rows::{Random, logits};
use bregman::ffi::*;
use std::ptr::{null, null_mut};

const VOCAB: usize = 500;
const ROWS: usize = 4;
const LIST: usize = 60;
const CHAIN: &str = "penalties(1.2, scope=all) | top_k(20) | temperature(0.9) | draw";

struct Lists {
    ids: Vec<i32>,
    f32: Vec<f32>,
    half: Vec<u16>,
    lengths: Vec<u32>,
    log_rest: Vec<f64>,
    bound: Vec<f32>,
}

/// Rows whose numbers bf16 represents, and lists of their largest, shuffled, with a gap after each.
fn rows() -> (Vec<f32>, Lists) {
    let random = &mut Random(11);
    let rows: Vec<f32> = (0..ROWS).flat_map(|_| logits("model", VOCAB, random)).collect();
    let rows: Vec<f32> = rows.iter().map(|l| half::bf16::from_f32(*l).to_f32()).collect();
    let mut lists = Lists { ids: vec![], f32: vec![], half: vec![], lengths: vec![], log_rest: vec![], bound: vec![] };
    for row in rows.chunks(VOCAB) {
        let mut order: Vec<usize> = (0..VOCAB).collect();
        order.sort_by(|&a, &b| row[b].total_cmp(&row[a]).then(a.cmp(&b)));
        let n = LIST - random.below(9);
        lists.log_rest.push(order[n..].iter().map(|&i| f64::from(row[i]).exp()).sum::<f64>().ln());
        lists.bound.push(row[order[n]]);
        lists.lengths.push(n as u32);
        let mut listed = order[..n].to_vec();
        random.shuffle(&mut listed);
        // What follows the list is not read: neither the repeated id nor the NaN is an error.
        listed.resize(LIST + 3, listed[0]);
        for (at, &i) in listed.iter().enumerate() {
            lists.ids.push(if at < n { i as i32 } else { -9 });
            lists.f32.push(if at < n { row[i] } else { f32::NAN });
            lists.half.push(if at < n { half::bf16::from_f32(row[i]).to_bits() } else { u16::MAX });
        }
    }
    (rows, lists)
}

fn samplers(chain: &str) -> Vec<Handle> {
    (0..ROWS as u64).map(|seed| Handle::new(chain, seed)).collect()
}

fn sparse(lists: &Lists) -> bregman_batch {
    bregman_batch {
        logits: lists.f32.as_ptr().cast(),
        rows: ROWS,
        vocab: LIST,
        row_stride: LIST + 3,
        ids: lists.ids.as_ptr(),
        lengths: lists.lengths.as_ptr(),
        log_rest: lists.log_rest.as_ptr(),
        bound: lists.bound.as_ptr(),
        flags: BREGMAN_ACCEPT,
        ..bregman_batch::default()
    }
}

fn decode(samplers: &[Handle], batch: &bregman_batch) -> (u32, [bregman_result; ROWS]) {
    let (handles, mut results): (Vec<_>, _) = (samplers.iter().map(|s| s.raw).collect(), [blank(); ROWS]);
    // SAFETY: live handles, and arrays as long as the batch says.
    let status = unsafe { bregman_decode_batch(handles.as_ptr(), batch, results.as_mut_ptr()) };
    (status, results)
}

#[test]
fn sparse_batch_equals_the_dense_one() {
    let (dense, lists) = rows();
    let words = VOCAB.div_ceil(32);
    let masks: Vec<u32> = (0..ROWS * words).map(|i| if i % 5 == 0 { 0xf0f0_ffff } else { !0 }).collect();
    for (threads, masked, is_half, bounded) in
        [(1, false, false, true), (3, true, false, true), (1, true, true, false), (2, false, true, true)]
    {
        let (ours, theirs) = (samplers(CHAIN), samplers(CHAIN));
        let mut rows = bregman_batch { threads, ..sparse(&lists) };
        if is_half {
            (rows.dtype, rows.logits) = (BREGMAN_BF16, lists.half.as_ptr().cast());
        }
        if masked {
            (rows.mask, rows.mask_stride) = (masks.as_ptr(), words);
        }
        if !bounded {
            rows.bound = null();
        }
        for _ in 0..3 {
            let masks = masked.then_some((&masks[..], words));
            let (_, expected) = batch(&theirs, &Rows::F32(&dense), (VOCAB, VOCAB), masks, (BREGMAN_ACCEPT, 1));
            let (status, results) = decode(&ours, &rows);
            assert_eq!(status, BREGMAN_OK);
            assert!(results.iter().map(bits).eq(expected.iter().map(bits)));
        }
    }
}

#[test]
fn sparse_rows_fail_alone_and_by_name() {
    let (_, lists) = rows();
    type Wrong<'a> = (&'a dyn Fn(&mut Lists), u32, &'a str);
    let cases: [Wrong<'_>; 6] = [
        (&|l| l.ids[LIST + 3] = l.ids[LIST + 4], BREGMAN_INVALID_ARGUMENT, "twice"),
        (&|l| l.ids[LIST + 3] = -5, BREGMAN_INVALID_ARGUMENT, "ids[0] is -5: must be a token, or -1 for none"),
        (&|l| l.lengths[1] = 0, BREGMAN_INVALID_ARGUMENT, "batch->lengths[1] is 0: must be 1 to vocab (60)"),
        (&|l| l.lengths[1] = 61, BREGMAN_INVALID_ARGUMENT, "batch->lengths[1] is 61"),
        (&|l| l.log_rest[1] = f64::NAN, BREGMAN_INVALID_ARGUMENT, "log_rest or bound is NaN"),
        (&|l| l.bound[1] = f32::INFINITY, BREGMAN_INCOMPLETE, "the most likely token"),
    ];
    for (change, status, message) in cases {
        let mut broken = rows().1;
        change(&mut broken);
        let samplers = samplers(CHAIN);
        let (first, results) = decode(&samplers, &sparse(&broken));
        assert_eq!((first, results[1].status, results[1].token), (status, status, -1), "{message}");
        assert!(samplers[1].error().contains(message), "{}", samplers[1].error());
        assert!([0, 2, 3].iter().all(|&r| results[r].status == BREGMAN_OK));
        assert!(samplers[1].is_as_created(), "{message}");
    }
    // A field that is wrong for all.
    let odd = lists.f32.as_ptr().wrapping_byte_add(2);
    type WrongField<'a> = (&'a dyn Fn(&mut bregman_batch), &'a str);
    let fields: [WrongField<'_>; 5] = [
        (&|b| b.rest_temperature = f32::NAN, "batch->rest_temperature is NaN"),
        (&|b| b.rest_temperature = -0.5, "batch->rest_temperature is -0.5"),
        (&|b| b.ids = odd.cast(), "batch->ids is not aligned to 4 bytes"),
        (&|b| b.lengths = odd.cast(), "batch->lengths is misaligned"),
        (&|b| b.log_rest = odd.cast(), "batch->log_rest is misaligned"),
    ];
    for (change, message) in fields {
        let (samplers, mut batch) = (samplers(CHAIN), sparse(&lists));
        change(&mut batch);
        let (status, results) = decode(&samplers, &batch);
        assert!(status == BREGMAN_INVALID_ARGUMENT && results.iter().all(|r| r.status == status), "{message}");
        assert!(samplers[2].error().starts_with(message), "{}", samplers[2].error());
    }
    // Without log_rest the list is the row, and the other fields of sparse rows do not matter without ids.
    let whole = bregman_batch { log_rest: null(), ..sparse(&lists) };
    assert_eq!(decode(&samplers("typical(0.9) | draw"), &whole).0, BREGMAN_OK);
    let (dense, _) = rows();
    let ignored = bregman_batch {
        logits: dense.as_ptr().cast(),
        vocab: VOCAB,
        row_stride: VOCAB,
        ids: null(),
        rest_temperature: f32::NAN,
        ..sparse(&lists)
    };
    assert_eq!(decode(&samplers("typical(0.9) | draw"), &ignored).0, BREGMAN_OK);
}

/// What bregman_verify says of one draft of as many rows as there are: status, accepted tokens, and each row's token and
/// support.
fn verify(sampler: &Handle, rule: u32, tokens: &[i32], rows: &bregman_batch) -> (u32, u32, Vec<(i32, u32)>) {
    let (mut accepted, mut results) = (77, [blank(); ROWS]);
    let draft = bregman_draft {
        struct_size: size_of::<bregman_draft>() as u32,
        rule,
        tokens: tokens.as_ptr(),
        n: tokens.len(),
        parents: null(),
        q_offsets: null(),
        q_ids: null(),
        q_probs: null(),
    };
    // SAFETY: a live handle, a draft of one token less than there are rows, and arrays as long as the batch says.
    let status =
        unsafe { bregman_verify(&sampler.raw, &draft, 1, rows, &mut accepted, null_mut(), results.as_mut_ptr()) };
    (status, accepted, results.iter().map(|r| (r.token, r.support)).collect())
}

#[test]
fn drafts_on_sparse_rows_are_verified_by_the_match_rule_only() {
    let (dense, lists) = rows();
    let whole = bregman_batch {
        logits: dense.as_ptr().cast(),
        rows: ROWS,
        vocab: VOCAB,
        row_stride: VOCAB,
        ..bregman_batch::default()
    };
    let plain: Vec<i32> = {
        let sampler = Handle::new(CHAIN, 0);
        let accept = |token: i32| {
            // SAFETY: a live handle and a token.
            assert_eq!(unsafe { bregman_sampler_accept(sampler.raw, &token, 1) }, BREGMAN_OK);
            token
        };
        dense.chunks(VOCAB).map(|row| accept(sampler.token(row))).collect()
    };
    for right in 0..ROWS {
        let drafted: Vec<i32> =
            plain[..ROWS - 1].iter().enumerate().map(|(i, &t)| if i < right { t } else { (t + 1) % 500 }).collect();
        let (ours, theirs) = (Handle::new(CHAIN, 0), Handle::new(CHAIN, 0));
        let found = verify(&ours, BREGMAN_RULE_MATCH, &drafted, &sparse(&lists));
        assert_eq!(
            found,
            verify(&theirs, BREGMAN_RULE_MATCH, &drafted, &bregman_batch { flags: BREGMAN_ACCEPT, ..whole })
        );
        assert_eq!((found.0, found.1 as usize), (BREGMAN_OK, right));
        assert!(found.2.iter().zip(&plain).take(right + 1).all(|(a, b)| a.0 == *b));
    }
    for rule in [BREGMAN_RULE_TOKEN, BREGMAN_RULE_BLOCK] {
        let sampler = Handle::new(CHAIN, 0);
        let (status, accepted, results) = verify(&sampler, rule, &plain[..ROWS - 1], &sparse(&lists));
        assert_eq!((status, accepted), (BREGMAN_UNSUPPORTED, 0));
        assert!(results.iter().all(|r| r.0 == -1) && sampler.is_as_created());
        let why = "drafts on sparse rows are verified by the match rule only: the other rules accept a token by its exact \
                   probability, which a sparse row gives to 1e-6";
        assert!(sampler.error().contains(why), "{}", sampler.error());
    }
    // A row in the middle that does not hold enough ends the sequence, and nothing has moved.
    let mut short = rows().1;
    short.bound[1] = 1e9;
    let sampler = Handle::new(CHAIN, 0);
    let (status, accepted, results) = verify(&sampler, BREGMAN_RULE_MATCH, &plain[..ROWS - 1], &sparse(&short));
    assert_eq!((status, accepted, results[0].0), (BREGMAN_INCOMPLETE, 0, -1));
    assert!(sampler.is_as_created());
}

#[test]
fn distributions_and_model_answers_of_sparse_rows_are_those_of_the_whole_rows() {
    const CHAIN: &str = "top_p(0.8) | temperature(0.9) | draw";
    let (dense, lists) = rows();
    let whole = bregman_batch {
        logits: dense.as_ptr().cast(),
        rows: ROWS,
        vocab: VOCAB,
        row_stride: VOCAB,
        ..bregman_batch::default()
    };
    let half = bregman_batch { dtype: BREGMAN_BF16, logits: lists.half.as_ptr().cast(), ..sparse(&lists) };
    // Row 2 has two samplers, row 3 none.
    let index = [2usize, 0, 2, 1];
    for (some, threads, index) in
        [(sparse(&lists), 1, null()), (half, 1, null()), (sparse(&lists), 3, null()), (half, 2, index.as_ptr())]
    {
        let (some, all) = (
            bregman_batch { flags: 0, threads, row_index: index, ..some },
            bregman_batch { threads, row_index: index, ..whole },
        );
        let samplers = samplers(CHAIN);
        let handles: Vec<_> = samplers.iter().map(|s| s.raw).collect();
        let law = |batch: &bregman_batch| {
            let (mut offsets, mut ids, mut probs) = ([7; ROWS + 1], [-7; ROWS * VOCAB], [7.0f32; ROWS * VOCAB]);
            // SAFETY: live handles, and arrays as long as the batch needs at most.
            let status = unsafe {
                let (ids, probs) = (ids.as_mut_ptr(), probs.as_mut_ptr());
                bregman_distribution_batch(handles.as_ptr(), batch, offsets.as_mut_ptr(), ids, probs, ROWS * VOCAB)
            };
            assert_eq!(status, BREGMAN_OK, "{}", samplers[0].error());
            (offsets, ids, probs)
        };
        let (ours, theirs) = (law(&some), law(&all));
        assert_eq!((ours.0, ours.1), (theirs.0, theirs.1));
        assert!(ours.2.iter().zip(&theirs.2).all(|(a, b)| (a - b).abs() <= 1e-6));
        // Of each row's most likely token, and of one that is not listed.
        let told = |batch: &bregman_batch| {
            let given: Vec<i32> = (0..ROWS).flat_map(|r| [ours.1[ours.0[r]], -1]).collect();
            let (mut logprobs, mut ranks, mut top) = ([7.0f32; 2 * ROWS], [7; 2 * ROWS], [-7; ROWS]);
            let answers = bregman_answers {
                given: 2,
                given_stride: 2,
                given_ids: given.as_ptr(),
                given_logprobs: logprobs.as_mut_ptr(),
                given_ranks: ranks.as_mut_ptr(),
                top: 1,
                top_stride: 1,
                top_ids: top.as_mut_ptr(),
                ..bregman_answers::default()
            };
            // SAFETY: arrays as long as batch and answers say.
            assert_eq!(unsafe { bregman_model_answers(batch, &answers) }, BREGMAN_OK);
            (logprobs, ranks, top)
        };
        let (ours, theirs) = (told(&some), told(&all));
        assert_eq!((ours.1, ours.2), (theirs.1, theirs.2));
        let near = |a: f32, b: f32| (a - b).abs() < 2e-6 || (a.is_nan() && b.is_nan());
        assert!(ours.0.iter().zip(&theirs.0).all(|(a, b)| near(*a, *b)), "{:?} {:?}", ours.0, theirs.0);
    }
    // What a list does not tell: the distribution of a chain that keeps all tokens, and whose weight is not known.
    let samplers = samplers("draw");
    let handles: Vec<_> = samplers.iter().map(|s| s.raw).collect();
    let mut offsets = [7; ROWS + 1];
    let flags = bregman_batch { flags: 0, ..sparse(&lists) };
    // SAFETY: live handles, offsets for all rows, and no room.
    let status = unsafe {
        bregman_distribution_batch(handles.as_ptr(), &flags, offsets.as_mut_ptr(), null_mut(), null_mut(), 0)
    };
    assert_eq!((status, offsets), (BREGMAN_INCOMPLETE, [0; ROWS + 1]));
    let (mut logprobs, given, unknown) = ([7.0f32; ROWS], [1i32; ROWS], [f64::INFINITY; ROWS]);
    let answers = bregman_answers {
        given: 1,
        given_stride: 1,
        given_ids: given.as_ptr(),
        given_logprobs: logprobs.as_mut_ptr(),
        ..bregman_answers::default()
    };
    let batch = bregman_batch { log_rest: unknown.as_ptr(), ..flags };
    // SAFETY: arrays as long as batch and answers say.
    assert_eq!(unsafe { bregman_model_answers(&batch, &answers) }, BREGMAN_INCOMPLETE);
    assert!(logprobs.iter().all(|l| l.is_nan()));
}

/// Lists of shards, gathered, decode as the rows do.
#[test]
fn reduced_shards_decode_as_the_whole_rows() {
    const N: usize = 30;
    let (dense, _) = rows();
    for (cut, threads) in [(1, 1), (250, 3), (499, 2)] {
        let mut all = (vec![-7; ROWS * 2 * N], vec![7.0f32; ROWS * 2 * N], [0.0f64; ROWS], [f32::NEG_INFINITY; ROWS]);
        for (shard, (start, end)) in [(0, cut), (cut, VOCAB)].into_iter().enumerate() {
            let (mut ids, mut largest, mut rest, mut bound) =
                ([-7; ROWS * N], [7.0f32; ROWS * N], [7.0f64; ROWS], [7.0f32; ROWS]);
            let rows = bregman_batch {
                logits: dense[start..].as_ptr().cast(),
                rows: ROWS,
                vocab: end - start,
                row_stride: VOCAB,
                threads,
                ..bregman_batch::default()
            };
            // SAFETY: arrays as long as the batch and N say.
            let status = unsafe {
                let (ids, largest) = (ids.as_mut_ptr(), largest.as_mut_ptr());
                bregman_reduce(&rows, start as i32, N, 0.0, ids, largest, rest.as_mut_ptr(), bound.as_mut_ptr())
            };
            assert_eq!(status, BREGMAN_OK);
            for r in 0..ROWS {
                all.0[(2 * r + shard) * N..][..N].copy_from_slice(&ids[r * N..][..N]);
                all.1[(2 * r + shard) * N..][..N].copy_from_slice(&largest[r * N..][..N]);
                all.2[r] += rest[r].exp();
                all.3[r] = all.3[r].max(bound[r]);
            }
        }
        let log_rest = all.2.map(f64::ln);
        let lists = bregman_batch {
            logits: all.1.as_ptr().cast(),
            rows: ROWS,
            vocab: 2 * N,
            row_stride: 2 * N,
            ids: all.0.as_ptr(),
            log_rest: log_rest.as_ptr(),
            bound: all.3.as_ptr(),
            ..bregman_batch::default()
        };
        let chain = "top_p(0.5) | draw";
        let (ours, theirs) = (samplers(chain), samplers(chain));
        let (status, results) = decode(&ours, &lists);
        let (_, expected) = batch(&theirs, &Rows::F32(&dense), (VOCAB, VOCAB), None, (0, 1));
        assert_eq!(status, BREGMAN_OK, "{}", ours[0].error());
        assert!(results.iter().zip(&expected).all(|(a, b)| (a.token, a.support) == (b.token, b.support)));
    }
}

#[test]
fn reduce_refuses_what_is_not_a_shard() {
    let (dense, lists) = rows();
    let good = bregman_batch {
        logits: dense.as_ptr().cast(),
        rows: ROWS,
        vocab: VOCAB,
        row_stride: VOCAB,
        ..bregman_batch::default()
    };
    let (mut ids, mut largest, mut rest, mut bound) = ([-7; ROWS], [7.0f32; ROWS], [7.0f64; ROWS], [7.0f32; ROWS]);
    let mut reduce = |batch: &bregman_batch, first: i32, temperature: f32| {
        // SAFETY: arrays as long as the batch says, for one entry a row.
        let status = unsafe {
            let (ids, largest) = (ids.as_mut_ptr(), largest.as_mut_ptr());
            bregman_reduce(batch, first, 1, temperature, ids, largest, rest.as_mut_ptr(), bound.as_mut_ptr())
        };
        (status, ids, rest[1].is_nan(), bound[1].is_nan())
    };
    let mask = [u32::MAX; 64];
    for (batch, first, temperature) in [
        (bregman_batch { flags: BREGMAN_ACCEPT, ..good }, 0, 1.0),
        (bregman_batch { mask: mask.as_ptr(), mask_stride: 16, ..good }, 0, 1.0),
        (bregman_batch { ids: lists.ids.as_ptr(), vocab: 60, row_stride: 60, ..good }, 0, 1.0),
        (good, -1, 1.0),
        (good, i32::MAX - 400, 1.0),
        (good, 0, f32::NAN),
        (good, 0, -1.0),
        (bregman_batch { logits: null_mut::<u8>().cast(), ..good }, 0, 1.0),
    ] {
        assert_eq!(reduce(&batch, first, temperature), (BREGMAN_INVALID_ARGUMENT, [-7; ROWS], false, false));
    }
    let mut broken = dense.clone();
    broken[VOCAB + 3] = f32::NAN;
    let (status, ids, is_nan, is_bound_nan) = reduce(&bregman_batch { logits: broken.as_ptr().cast(), ..good }, 0, 1.0);
    assert!(status == BREGMAN_INVALID_LOGITS && ids[1] == -1 && is_nan && is_bound_nan && ids[0] >= 0 && ids[2] >= 0);
}
