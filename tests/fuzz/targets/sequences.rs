//! Calls on several handles, held against a plain model of their state: each answer is that of a new sampler that was brought
//! into the state which the model says, and a call that fails changes nothing.

use super::input::Input;
use super::model::Model;
use crate::common::chains::CHAINS;
use crate::common::handle::{Failure, Handle, Rows, batch, bits, blank};
use crate::common::rows::{ROWS, Random, logits};
use bregman::Candidate;
use bregman::ffi::*;
use std::ptr::null;

const VOCAB: usize = 50;

/// A handle with what is known about it.
struct Sequence {
    handle: Handle,
    model: Model,
    /// What the chain has learnt is not in the model: the handle's saved state stands in for it.
    learns: bool,
}

impl Sequence {
    fn new(chain: &str, seed: u64) -> Option<Self> {
        let handle = Handle::try_new(chain, seed, &[]).ok()?;
        let learns = ["mirostat", "adaptive_p"].iter().any(|stage| chain.contains(stage));
        Some(Self { handle, model: Model::new(chain, seed), learns })
    }

    /// Another handle in the state that this one must be in.
    fn twin(&self) -> Handle {
        if self.learns { Handle::load(&self.handle.save()).expect("a state") } else { self.model.rebuilt() }
    }

    fn is_as_modelled(&self) {
        let Model { seed, position, tokens, .. } = &self.model;
        let expected = (*seed, *position, tokens.len(), self.model.prompt_length());
        assert_eq!(self.handle.place(), expected, "{:?}", self.model);
        assert_eq!(&self.handle.history(), tokens, "{:?}", self.model);
    }

    /// Makes a call on the handle and on its twin, whose outputs must be the same; the status.
    fn answer<T: PartialEq + std::fmt::Debug>(&self, what: &str, call: impl Fn(&Handle) -> (u32, T)) -> (u32, T) {
        let twin = self.twin();
        let (ours, expected) = (call(&self.handle), call(&twin));
        assert_eq!(ours, expected, "{what}: {:?}", self.model);
        let is_known = [BREGMAN_OK, BREGMAN_EMPTY_SUPPORT, BREGMAN_UNSUPPORTED].contains(&ours.0);
        assert!(is_known, "{what}: {}, {}, {:?}", ours.0, self.handle.error(), self.model);
        ours
    }
}

fn status(result: Result<(), Failure>) -> u32 {
    result.map_or_else(|failure| failure.0, |()| BREGMAN_OK)
}

fn row(input: &mut Input<'_>) -> Vec<f32> {
    let kind = input.pick(&ROWS);
    let mut row = logits(kind, VOCAB, &mut Random(input.below(256) as u64));
    if input.one_in(30) {
        row[input.below(VOCAB)] = input.pick(&[f32::NEG_INFINITY, f32::MAX]);
    }
    row
}

pub fn check(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let mut all: Vec<Sequence> = vec![];
    for _ in 0..1 + input.below(3) {
        let chain = if input.one_in(3) { input.chain() } else { input.pick(&CHAINS).into() };
        all.extend(Sequence::new(&chain, input.seed()));
    }
    for _ in 0..40 {
        if all.is_empty() || input.is_empty() {
            return;
        }
        let at = input.below(all.len());
        match input.below(20) {
            0..5 => decode(&mut all[at], &mut input),
            5 => question(&mut all[at], &mut input),
            6 => apply(&mut all[at], &mut input),
            7 => draw_many(&mut all[at], &mut input),
            8 | 9 => verify(&mut all[at], &mut input),
            10..13 => {
                let tokens = input.tokens(6);
                all[at].handle.accept(&tokens).expect("tokens");
                all[at].model.accept(&tokens);
            }
            13 | 14 => {
                let n = input.below(5).min(all[at].model.tokens.len());
                all[at].handle.rewind(n).expect("so many tokens");
                all[at].model.rewind(n);
            }
            15 => {
                let bytes = all[at].handle.save();
                all[at].handle = Handle::load(&bytes).expect("a state");
                assert!(all[at].handle.save() == bytes, "other bytes after loading: {:?}", all[at].model);
            }
            16 => {
                let Sequence { handle, model, learns } = &all[at];
                let copy = Sequence { handle: handle.clone(), model: model.clone(), learns: *learns };
                if all.len() < 4 { all.push(copy) } else { all[at] = copy }
            }
            17 => set(&mut all[at], &mut input),
            18 => batched(&mut all, &mut input),
            _ => refused(&all[at], &mut input),
        }
        all.iter().for_each(Sequence::is_as_modelled);
    }
}

fn decode(sequence: &mut Sequence, input: &mut Input<'_>) {
    let (row, flags) = (row(input), input.pick(&[0, 0, BREGMAN_ACCEPT, BREGMAN_ACCEPT, BREGMAN_STAY]));
    let flags = flags | input.pick(&[0, BREGMAN_WANT_KEPT_MASS | BREGMAN_WANT_ENTROPY]);
    let (status, result) = sequence.answer("decode", |handle| {
        let one = std::slice::from_ref(handle);
        let (status, results) = batch(one, &Rows::F32(&row), (VOCAB, VOCAB), None, (flags, 1));
        (status, bits(&results[0]))
    });
    if status == BREGMAN_OK {
        let model = &mut sequence.model;
        if flags & BREGMAN_STAY != 0 {
            model.stay()
        } else {
            model.row()
        }
        if flags & BREGMAN_ACCEPT != 0 {
            model.accept(&[result[0] as i32]);
        }
    }
}

fn question(sequence: &mut Sequence, input: &mut Input<'_>) {
    let (row, is_law) = (row(input), input.below(2) == 0);
    let (status, _) = sequence.answer("distribution or process", |handle| {
        if is_law {
            return match handle.distribution(&row) {
                Ok(law) => (BREGMAN_OK, law.iter().flat_map(|e| [e.0, e.1.to_bits()]).collect()),
                Err((status, _)) => (status, vec![]),
            };
        }
        let mut logits = row.clone();
        let status = status(handle.process(&mut logits));
        (status, logits.iter().map(|l| l.to_bits()).collect())
    });
    if status == BREGMAN_OK {
        sequence.model.asked();
    }
}

fn apply(sequence: &mut Sequence, input: &mut Input<'_>) {
    let row = row(input);
    let mut order: Vec<i32> = (0..VOCAB as i32).collect();
    if input.one_in(2) {
        Random(7).shuffle(&mut order);
    }
    let (status, _) = sequence.answer("apply", |handle| {
        let candidate = |&id: &i32| Candidate { id, logit: row[id as usize], p: 0.0 };
        let mut candidates: Vec<Candidate> = order.iter().map(candidate).collect();
        let applied = handle.apply(&mut candidates);
        let bits: Vec<_> = candidates.iter().map(|c| (c.id, c.logit.to_bits(), c.p.to_bits())).collect();
        match applied {
            Ok(applied) => (BREGMAN_OK, (bits, applied.selected)),
            Err((status, _)) => (status, (bits, None)),
        }
    });
    if status == BREGMAN_OK {
        sequence.model.row();
    }
}

fn draw_many(sequence: &mut Sequence, input: &mut Input<'_>) {
    let (row, n) = (row(input), 1 + input.below(6));
    let (status, _) = sequence.answer("draw_many", |handle| {
        let (mut ids, mut logprobs, mut len) = (vec![-7; n], vec![7.0f32; n], 0);
        // SAFETY: a live handle, a row and arrays of `n`.
        let status = unsafe {
            let (ids, logprobs) = (ids.as_mut_ptr(), logprobs.as_mut_ptr());
            bregman_draw_many(handle.raw, row.as_ptr(), VOCAB, n, ids, logprobs, std::ptr::null_mut(), &mut len)
        };
        (status, (ids, logprobs.iter().map(|l| l.to_bits()).collect::<Vec<_>>(), len))
    });
    if status == BREGMAN_OK {
        sequence.model.row();
    }
}

/// A draft of random tokens, or of those that plain decoding gives, so that some are accepted.
fn verify(sequence: &mut Sequence, input: &mut Input<'_>) {
    let n = input.below(4);
    let rows: Vec<Vec<f32>> = (0..=n).map(|_| row(input)).collect();
    let rule = input.pick(&[BREGMAN_RULE_MATCH, BREGMAN_RULE_MATCH, BREGMAN_RULE_TOKEN, BREGMAN_RULE_BLOCK]);
    let flags = input.pick(&[0, BREGMAN_ACCEPT]);
    let ahead = sequence.twin();
    let mut tokens = vec![];
    for row in &rows[..n] {
        let decoded = ahead.decode(row).token;
        let token = if decoded < 0 || input.one_in(4) { input.below(VOCAB) as i32 } else { decoded };
        ahead.accept(&[token]).expect("a token");
        tokens.push(token);
    }
    let logits = rows.concat();
    let draft = bregman_draft {
        struct_size: size_of::<bregman_draft>() as u32,
        rule,
        tokens: tokens.as_ptr(),
        n,
        parents: null(),
        q_offsets: null(),
        q_ids: null(),
        q_probs: null(),
    };
    let batch = bregman_batch {
        logits: logits.as_ptr().cast(),
        rows: n + 1,
        vocab: VOCAB,
        row_stride: VOCAB,
        flags,
        ..bregman_batch::default()
    };
    let (status, (accepted, results)) = sequence.answer("verify", |handle| {
        let (mut accepted, mut results) = (77, vec![blank(); n + 1]);
        // SAFETY: one live handle, and arrays as long as the batch says.
        let status = unsafe {
            let (drafts, accepted, path) = (&draft, &mut accepted, std::ptr::null_mut());
            bregman_verify(&handle.raw, drafts, 1, &batch, accepted, path, results.as_mut_ptr())
        };
        (status, (accepted, results.iter().map(bits).collect::<Vec<_>>()))
    });
    if status != BREGMAN_OK {
        return;
    }
    for at in 0..=accepted as usize {
        sequence.model.row();
        if at < accepted as usize {
            assert_eq!(results[at][0], tokens[at] as u32);
            sequence.model.accept(&[tokens[at]]);
        } else if flags == BREGMAN_ACCEPT {
            sequence.model.accept(&[results[at][0] as i32]);
        }
    }
}

/// Everything that a host sets.
fn set(sequence: &mut Sequence, input: &mut Input<'_>) {
    let Sequence { handle, model, .. } = sequence;
    match input.below(5) {
        0 => {
            let first = input.below(VOCAB) as i32;
            let bias = (vec![first + 1, first], vec![2.5, input.pick(&[f32::NEG_INFINITY, -1.0, 3e38])]);
            let bias = if input.one_in(3) { (vec![], vec![]) } else { bias };
            handle.bias(&bias.0, &bias.1).expect("a bias");
            model.bias = bias;
        }
        1 => {
            let mask = (!input.one_in(3)).then(|| input.mask(VOCAB));
            handle.set_mask(mask.as_deref()).expect("a mask");
            model.mask = mask;
        }
        2 => {
            let same = input.one_in(2);
            let position = input.pick(&[0, 5, u64::MAX, 1 << 40]);
            let to = if same { (model.seed, model.position.wrapping_add(1)) } else { (input.seed(), position) };
            handle.reseed(to.0, to.1);
            model.reseed(to.0, to.1);
        }
        3 => {
            let n = input.below(model.tokens.len() + 1);
            handle.set_prompt(n).expect("so many tokens");
            model.set_prompt(n);
        }
        _ => {
            handle.reset();
            model.reset();
        }
    }
}

/// One row of all handles at a time, on several threads: each answer as alone.
fn batched(all: &mut [Sequence], input: &mut Input<'_>) {
    let rows: Vec<f32> = all.iter().flat_map(|_| row(input)).collect();
    let twins: Vec<Handle> = all.iter().map(Sequence::twin).collect();
    let raws: Vec<_> = all.iter().map(|sequence| sequence.handle.raw).collect();
    let batch = bregman_batch {
        logits: rows.as_ptr().cast(),
        rows: raws.len(),
        vocab: VOCAB,
        row_stride: VOCAB,
        flags: BREGMAN_ACCEPT,
        threads: 2,
        ..bregman_batch::default()
    };
    let mut results = vec![blank(); raws.len()];
    // SAFETY: live handles, and arrays as long as the batch says.
    unsafe { bregman_decode_batch(raws.as_ptr(), &batch, results.as_mut_ptr()) };
    for ((sequence, twin), (result, row)) in all.iter_mut().zip(&twins).zip(results.iter().zip(rows.chunks(VOCAB))) {
        assert_eq!(bits(result)[..4], bits(&twin.decode(row))[..4], "{:?}", sequence.model);
        if result.status == BREGMAN_OK {
            sequence.model.row();
            sequence.model.accept(&[result.token]);
        }
    }
}

/// What must fail, and change nothing.
fn refused(sequence: &Sequence, input: &mut Input<'_>) {
    let Sequence { handle, model, .. } = sequence;
    let length = model.tokens.len();
    let (before, mut row) = (handle.save(), row(input));
    let (got, expected) = match input.below(6) {
        0 => (status(handle.rewind(length + 1)), BREGMAN_INVALID_ARGUMENT),
        1 => (status(handle.accept(&[3, 4, -1])), BREGMAN_INVALID_ARGUMENT),
        2 => (status(handle.set_prompt(length + 1)), BREGMAN_INVALID_ARGUMENT),
        3 => (status(handle.bias(&[1, 1], &[0.5, 0.5])), BREGMAN_INVALID_ARGUMENT),
        4 => (status(handle.bias(&[1], &[f32::NAN])), BREGMAN_INVALID_ARGUMENT),
        _ => {
            // (A mask or a ban may hide one of them, not both.)
            row.fill(input.pick(&[f32::NAN, f32::INFINITY]));
            let got = handle.decode(&row).status;
            (if got == BREGMAN_OK { got } else { BREGMAN_INVALID_LOGITS }, BREGMAN_INVALID_LOGITS)
        }
    };
    assert_eq!(got, expected, "{model:?}");
    assert!(handle.save() == before, "a failed call changed something: {model:?}");
}
