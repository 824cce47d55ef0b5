//! Drafts of many sequences, verified in one call.

use super::check;
use super::guard;
use super::handle::{Refused, Ticket, bregman_sampler, repeated};
use super::rows::{batch_row, check_batch, want};
use super::types::*;
use crate::batch;
use crate::error::{Error, Result};
use crate::sampler::Sampler;
use crate::speculation::{Draft, DraftLaws, Rule};
use std::mem::{offset_of, size_of};

/// Rule of a draft: the chain draws each token as it does without a draft, and a drafted token that differs ends the
/// draft. The text is that of decoding without a draft, token for token. For every chain, and for trees.
pub const BREGMAN_RULE_MATCH: u32 = 0;
/// Rule of a draft: token x is accepted with probability min(1, p(x) / q(x)), else replaced by one drawn from max(p - q, 0)
/// (arXiv 2211.17192, 2302.01318). The text has the distribution of decoding without a draft.
pub const BREGMAN_RULE_TOKEN: u32 = 1;
/// Rule of a draft: the block rule (arXiv 2403.10444), which accepts at least as many tokens on average as
/// BREGMAN_RULE_TOKEN does. The text has the distribution of decoding without a draft.
pub const BREGMAN_RULE_BLOCK: u32 = 2;

/// Tokens that a draft model, or a table of n-grams, proposes for one sequence.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct bregman_draft {
    /// sizeof(bregman_draft), set by the caller; the same for all elements of an array. The larger struct of a later
    /// version is accepted if its additional fields are 0.
    pub struct_size: u32,
    /// BREGMAN_RULE_MATCH, BREGMAN_RULE_TOKEN or BREGMAN_RULE_BLOCK.
    pub rule: u32,
    /// The drafted tokens, `n` of them; may be NULL if `n` is 0.
    pub tokens: *const i32,
    /// Number of drafted tokens; 0 decodes the sequence's one row.
    pub n: usize,
    /// NULL for a line, in which each token follows the one before. Else (BREGMAN_RULE_MATCH only) for each token of a tree
    /// the place of the token that it follows, -1 if it follows the accepted text; a token stands after the one that it
    /// follows.
    pub parents: *const i32,
    /// NULL if the tokens were not drawn: each then had probability 1. Else `n` + 1 offsets: the distribution that token i
    /// was drawn from, after the draft's own chain, has the entries `q_offsets[i]` to `q_offsets[i + 1]` - 1 of `q_ids` and
    /// `q_probs`. Not read under BREGMAN_RULE_MATCH.
    pub q_offsets: *const usize,
    /// The tokens of the distributions, in any order, none twice in one. Tokens beyond the vocabulary are allowed.
    pub q_ids: *const i32,
    /// Their probabilities. Those of one distribution sum to 1 within 0.001 and are divided by their sum.
    pub q_probs: *const f32,
}

/// Status of a sequence whose handle was entered and that was not verified yet. Never returned.
const ENTERED: u32 = u32::MAX;

/// Verifies drafts: finds how many of each sequence's drafted tokens are accepted, and draws the token that follows them.
///
/// Sequence s has the sampler `samplers[s]`, the draft `drafts[s]` and `drafts[s].n` + 1 consecutive rows of `rows`: the
/// first holds the logits after its accepted text, row i + 1 those after drafted token i and what that follows.
/// `rows->rows` is the sum. `accepted` has `sequences` elements and receives the number of accepted drafted tokens.
/// `results` has `rows->rows` elements: of each sequence's the first accepted + 1 are its new tokens in order, the others
/// have token -1 and status BREGMAN_OK. `path` is NULL or has `rows->rows` elements: of each sequence's the first
/// accepted are the places of the accepted tokens in its draft, the others -1. `rows->flags` and `rows->threads` mean
/// what they mean for bregman_decode_batch; BREGMAN_STAY is refused. Sparse rows (`rows->ids`) are verified with
/// BREGMAN_RULE_MATCH only: the other rules accept a token by its exact probability, of which a sparse row tells 6 digits.
///
/// Before each row is decoded, the tokens accepted so far are in the history of the sampler, so that penalties and other
/// stages see them. Afterwards the accepted drafted tokens stay in it; the last new token is appended with BREGMAN_ACCEPT,
/// else call bregman_sampler_accept with it. The random position moves by accepted + 1. With BREGMAN_RULE_MATCH tokens and
/// results are those of decoding one row after the other. With the other rules tokens are drawn with random numbers of
/// their own, independent of those that bregman_decode uses at any position, so that a draft which was drawn with the
/// same seed does no harm; `p` is the token's probability under the decoded distribution of its row.
///
/// Sequences are independent: a failed one changes nothing in its sampler and does not affect the others, and neither
/// their order nor the number of threads changes a token. Its rows of `results` have its status, its message is on its
/// sampler, its `accepted` is 0. Returns the status of the first sequence that failed, or BREGMAN_OK. Errors of a sequence
/// are those of bregman_decode for each row, and BREGMAN_INVALID_ARGUMENT (a field of its draft, whose message names it;
/// a drafted token that its distribution gives probability 0; a sampler that is NULL, in use, or given twice) and
/// BREGMAN_UNSUPPORTED (a chain that learns from its draws, or sparse rows, under another rule than BREGMAN_RULE_MATCH). If a field of
/// `rows` is invalid or `rows->rows` is not the sum, every sequence fails. If the arguments cannot be read
/// (BREGMAN_INVALID_ARGUMENT: NULL, misaligned, struct_size; BREGMAN_UNSUPPORTED: fields of a later version are set),
/// nothing is written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bregman_verify(
    samplers: *const *mut bregman_sampler,
    drafts: *const bregman_draft,
    sequences: usize,
    rows: *const bregman_batch,
    accepted: *mut u32,
    path: *mut i32,
    results: *mut bregman_result,
) -> u32 {
    // SAFETY: the caller's structs and arrays.
    guard(BREGMAN_INTERNAL, || unsafe { verify(samplers, drafts, sequences, rows, accepted, path, results) })
}

/// # Safety
/// As for the module.
unsafe fn verify(
    samplers: *const *mut bregman_sampler,
    drafts: *const bregman_draft,
    sequences: usize,
    rows: *const bregman_batch,
    accepted: *mut u32,
    path: *mut i32,
    results: *mut bregman_result,
) -> u32 {
    // SAFETY: the caller's structs and arrays.
    let read = || unsafe {
        let batch = check::sized(rows, "rows")?;
        let drafts = Drafts::new(drafts, sequences)?;
        let samplers = check::slice(samplers, sequences, "samplers")?;
        let results = check::slice_mut(results, batch.rows, "results")?;
        let path = if path.is_null() { &mut [] } else { check::slice_mut(path, batch.rows, "path")? };
        Ok((samplers, drafts, batch, check::slice_mut(accepted, sequences, "accepted")?, path, results))
    };
    let (samplers, drafts, batch, accepted, path, results) = match read() {
        Ok(read) => read,
        // No sampler is known, so there is no handle for the message.
        Err(e) => return status_of(&e),
    };
    path.fill(-1);
    let ticket = Ticket::new();
    let entered = |s: usize| enter(samplers, s, &ticket);
    // SAFETY: there is a draft for each sequence.
    let counted = check_batch(&batch).and_then(|()| unsafe { drafts.first_rows(batch.rows, accepted) });
    if let Err(e) = counted {
        results.fill(bregman_result::failed(status_of(&e)));
        accepted.fill(0);
        for (s, &handle) in samplers.iter().enumerate() {
            if entered(s) == ENTERED {
                // SAFETY: just entered.
                unsafe { bregman_sampler::state(handle) }.fail(&e);
                // SAFETY: just entered, and its state is not used any more.
                unsafe { bregman_sampler::leave(handle) };
            }
        }
        return status_of(&e);
    }
    for (s, &first) in accepted.iter().enumerate() {
        results[first as usize].status = entered(s);
    }
    let all = Sequences {
        samplers,
        drafts,
        batch: &batch,
        path: path.as_mut_ptr(),
        results: results.as_mut_ptr(),
        has_path: !path.is_empty(),
    };
    let first_failure =
        |results: &[bregman_result]| results.iter().map(|r| r.status).find(|&status| status != BREGMAN_OK);
    batch::for_each(accepted, batch.threads as usize, |s, accepted| all.verify(s, accepted));
    first_failure(results).unwrap_or(BREGMAN_OK)
}

/// Enters a sequence's handle: [`ENTERED`], or the status of a sequence that fails.
fn enter(samplers: &[*mut bregman_sampler], s: usize, ticket: &Ticket) -> u32 {
    let handle = samplers[s];
    // SAFETY: a live handle or NULL.
    match unsafe { bregman_sampler::enter(handle, ticket) } {
        Ok(()) => ENTERED,
        Err(Refused::Invalid | Refused::Busy) => BREGMAN_INVALID_ARGUMENT,
        Err(Refused::Twice) => {
            // SAFETY: entered for an earlier sequence, and none is being verified yet.
            let state = unsafe { bregman_sampler::state(handle) };
            state.fail(&repeated(samplers, s))
        }
    }
}

/// The caller's array of drafts, whose elements have the size that the first one states.
struct Drafts {
    first: *const bregman_draft,
    stride: usize,
}

impl Drafts {
    /// # Safety
    /// If not NULL, `first` points to `n` drafts, each of the `struct_size` that it states.
    unsafe fn new(first: *const bregman_draft, n: usize) -> Result<Self> {
        let mut drafts = Self { first, stride: 0 };
        for s in 0..n {
            // SAFETY: an element of the caller's array.
            let size = unsafe { check::sized(drafts.at(s), "drafts") }?.struct_size as usize;
            if s == 0 {
                drafts.stride = size;
            } else if size != drafts.stride {
                return Err(Error::InvalidArgument(format!(
                    "drafts[{s}].struct_size is {size}, but {} in the first element",
                    drafts.stride
                )));
            }
        }
        Ok(drafts)
    }

    fn at(&self, s: usize) -> *const bregman_draft {
        self.first.cast::<u8>().wrapping_add(s * self.stride).cast()
    }

    /// # Safety
    /// `s` is below the number of drafts that were checked.
    unsafe fn get(&self, s: usize) -> Result<bregman_draft> {
        // SAFETY: as for `new`.
        unsafe { check::sized(self.at(s), "drafts") }
    }

    /// Writes the first row of each sequence.
    ///
    /// # Safety
    /// `first` is as long as the array.
    unsafe fn first_rows(&self, rows: usize, first: &mut [u32]) -> Result<()> {
        let mut sum = 0usize;
        for (s, first) in first.iter_mut().enumerate() {
            *first = u32::try_from(sum).unwrap_or(u32::MAX);
            // SAFETY: one of the drafts.
            sum = sum.saturating_add(unsafe { self.get(s) }?.n.saturating_add(1));
        }
        if sum != rows || sum > u32::MAX as usize {
            return Err(Error::InvalidArgument(format!(
                "rows->rows is {rows}: the drafts have {sum} rows, one for each token and one more each"
            )));
        }
        Ok(())
    }
}

// SAFETY: integers and pointers, for which zero bytes are a value.
unsafe impl check::Grows for bregman_draft {
    const FIRST_SIZE: usize = offset_of!(Self, q_probs) + size_of::<*const f32>();
}

impl bregman_draft {
    /// # Safety
    /// The arrays are as long as the struct says.
    unsafe fn read(&self) -> Result<Draft<'_>> {
        let rule = match self.rule {
            BREGMAN_RULE_MATCH => Rule::Match,
            BREGMAN_RULE_TOKEN => Rule::Token,
            BREGMAN_RULE_BLOCK => Rule::Block,
            other => {
                return Err(Error::InvalidArgument(format!(
                    "draft rule is {other}: must be BREGMAN_RULE_MATCH, BREGMAN_RULE_TOKEN or BREGMAN_RULE_BLOCK"
                )));
            }
        };
        // SAFETY: the caller's arrays.
        unsafe {
            let tokens = check::slice(self.tokens, self.n, "draft tokens")?;
            let parents = match self.parents.is_null() {
                true => None,
                false => Some(check::slice(self.parents, self.n, "draft parents")?),
            };
            let laws = if self.q_offsets.is_null() || rule == Rule::Match {
                None
            } else {
                let offsets = check::slice(self.q_offsets, self.n + 1, "draft q_offsets")?;
                let end = offsets[self.n];
                let ids = check::slice(self.q_ids, end, "draft q_ids")?;
                Some(DraftLaws { offsets, ids, probs: check::slice(self.q_probs, end, "draft q_probs")? })
            };
            Ok(Draft { rule, tokens, parents, laws })
        }
    }
}

struct Sequences<'a> {
    samplers: &'a [*mut bregman_sampler],
    drafts: Drafts,
    batch: &'a bregman_batch,
    path: *mut i32,
    has_path: bool,
    results: *mut bregman_result,
}

// SAFETY: each sequence uses only its own handle, which was entered for it alone, and its own rows of the results and the
// path; the rest is only read.
unsafe impl Sync for Sequences<'_> {}

impl Sequences<'_> {
    /// Verifies a sequence, if its handle was entered, and leaves the handle. `accepted` holds its first
    /// row, and receives the number of accepted tokens.
    fn verify(&self, s: usize, accepted: &mut u32) {
        // SAFETY: one of the drafts, which were checked.
        let Ok(draft) = (unsafe { self.drafts.get(s) }) else { return };
        let (first, n) = (std::mem::take(accepted) as usize, draft.n + 1);
        // SAFETY: the rows of this sequence, whose sum was checked.
        let results = unsafe { std::slice::from_raw_parts_mut(self.results.add(first), n) };
        let mut path: &mut [i32] = &mut [];
        if self.has_path {
            // SAFETY: as above.
            path = unsafe { std::slice::from_raw_parts_mut(self.path.add(first), n) };
        }
        if results[0].status != ENTERED {
            results.fill(bregman_result::failed(results[0].status));
            return;
        }
        let handle = self.samplers[s];
        // SAFETY: the handle was entered for this sequence alone.
        let state = unsafe { bregman_sampler::state(handle) };
        let status = state.run(|sampler| {
            *accepted = self.verify_with(sampler, &draft, first, results, path)? as u32;
            Ok(())
        });
        let new = if status == BREGMAN_OK { *accepted as usize + 1 } else { 0 };
        results[new..].fill(bregman_result::failed(status));
        if let Some(rest) = path.get_mut(new.saturating_sub(1)..) {
            rest.fill(-1);
        }
        // SAFETY: entered, and its state is not used any more.
        unsafe { bregman_sampler::leave(handle) };
    }

    fn verify_with(
        &self,
        sampler: &mut Sampler,
        draft: &bregman_draft,
        first: usize,
        results: &mut [bregman_result],
        path: &mut [i32],
    ) -> Result<usize> {
        // SAFETY: the caller's arrays.
        let draft = unsafe { draft.read() }?;
        // SAFETY: the caller's rows, whose number and strides were checked.
        let row = |i: usize| unsafe { batch_row(self.batch, first + i) };
        sampler.verify_with(&draft, row, want(self.batch), |new| {
            results[new.at] = new.token.into();
            if let (Some(at), Some(path)) = (new.drafted, path.get_mut(new.at)) {
                *path = at as i32;
            }
        })
    }
}
