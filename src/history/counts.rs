//! Token counts: a list in ascending order of token, updated as tokens enter and leave a scope.

use super::{Scope, count_read};
use crate::error::Result;
use crate::memory;

/// A token that occurs, and how often.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TokenCount {
    pub(crate) token: u32,
    pub(crate) count: u32,
}

/// From this many pending changes on, one merge is cheaper than a binary search for each.
const MANY: usize = 32;

/// The limit on pending changes, or the number of distinct tokens if that is larger: a merge then costs little per change.
const MOST_PENDING: usize = 4096;

pub(super) struct Counts {
    scope: Scope,
    /// In ascending order of token.
    seen: Vec<TokenCount>,
    /// Tokens that entered (1) or left (-1) the scope since `seen` was updated, in order.
    pending: Vec<(u32, i32)>,
}

impl Counts {
    pub(super) fn new(scope: Scope) -> Self {
        Self { scope, seen: Vec::new(), pending: Vec::new() }
    }

    pub(super) fn try_clone(&self) -> Result<Self> {
        let Self { scope, seen, pending } = self;
        Ok(Self { scope: *scope, seen: memory::copied(seen)?, pending: memory::copied(pending)? })
    }

    pub(super) fn scope(&self) -> Scope {
        self.scope
    }

    /// The tokens with their counts, after [`Counts::settle`].
    pub(super) fn tokens(&self) -> &[TokenCount] {
        debug_assert!(self.pending.is_empty(), "counts are settled before a row");
        &self.seen
    }

    pub(super) fn clear(&mut self) {
        self.seen.clear();
        self.pending.clear();
    }

    /// Makes room for the changes that so many tokens may cause.
    pub(super) fn reserve(&mut self, n: usize) -> Result<()> {
        let most = self.most(n);
        memory::reserve(&mut self.pending, most)
    }

    /// Makes room for one token more, and then for taking the last `n` back.
    pub(super) fn reserve_return(&mut self, n: usize) -> Result<()> {
        let most = self.most(1) + self.most(n);
        memory::reserve(&mut self.pending, most)
    }

    /// The most changes that `n` tokens may cause.
    fn most(&self, n: usize) -> usize {
        let most = n.min(self.scope.most);
        if self.scope.moves() { 2 * most } else { most }
    }

    /// Counts the tokens from `known` on, which are new; the first `prompt` are the prompt. [`Counts::reserve`] made room.
    pub(super) fn update(&mut self, tokens: &[i32], known: usize, prompt: usize) {
        let (before, now) = (self.scope.start(known, prompt), self.scope.start(tokens.len(), prompt));
        if now >= known {
            self.clear();
            self.add(&tokens[now..]);
        } else {
            self.add(&tokens[known..]);
            self.remove(&tokens[before..now]);
        }
        if self.pending.len() > MOST_PENDING.max(self.seen.len()) {
            // Without memory for it now, a later row does it.
            let _ = self.settle();
        }
    }

    /// No longer counts the tokens from `n` on, which are taken back. [`Counts::reserve`] made room.
    pub(super) fn take_back(&mut self, tokens: &[i32], n: usize, prompt: usize) {
        let (before, now) = (self.scope.start(tokens.len(), prompt), self.scope.start(n, prompt));
        self.remove(&tokens[n.max(before)..]);
        self.add(&tokens[now..n.min(before)]);
    }

    fn add(&mut self, tokens: &[i32]) {
        self.pending.extend(tokens.iter().map(|&token| (token as u32, 1)));
    }

    fn remove(&mut self, tokens: &[i32]) {
        self.pending.extend(tokens.iter().map(|&token| (token as u32, -1)));
    }

    /// Applies the pending changes. On an error none is lost.
    pub(super) fn settle(&mut self) -> Result<()> {
        if self.pending.len() < MANY {
            let Self { seen, pending, .. } = self;
            memory::reserve(seen, pending.len())?;
            pending.drain(..).for_each(|(token, change)| count_one(seen, token, change));
            return Ok(());
        }
        self.merge()
    }

    /// Applies all pending changes in one pass over the distinct tokens.
    fn merge(&mut self) -> Result<()> {
        let Self { seen, pending, .. } = self;
        count_read(seen.len() + pending.len());
        pending.sort_unstable_by_key(|change| change.0);
        let distinct = pending.chunk_by(|a, b| a.0 == b.0).count();
        let mut merged = Vec::new();
        memory::granted(merged.try_reserve_exact(seen.len() + distinct + MANY))?;
        let mut rest = &seen[..];
        for changes in pending.chunk_by(|a, b| a.0 == b.0) {
            let token = changes[0].0;
            let before = rest.partition_point(|s| s.token < token);
            merged.extend_from_slice(&rest[..before]);
            rest = &rest[before..];
            let mut count: i64 = changes.iter().map(|change| i64::from(change.1)).sum();
            if rest.first().is_some_and(|s| s.token == token) {
                count += i64::from(rest[0].count);
                rest = &rest[1..];
            }
            if count > 0 {
                merged.push(TokenCount { token, count: count as u32 });
            }
        }
        merged.extend_from_slice(rest);
        // What a prompt needed is not kept for the sequence's life.
        (*seen, *pending) = (merged, Vec::new());
        Ok(())
    }
}

/// Applies one change.
fn count_one(seen: &mut Vec<TokenCount>, token: u32, change: i32) {
    match seen.binary_search_by_key(&token, |s| s.token) {
        Ok(at) if change < 0 && seen[at].count == 1 => {
            seen.remove(at);
        }
        Ok(at) => seen[at].count = seen[at].count.saturating_add_signed(change),
        Err(at) if change > 0 => seen.insert(at, TokenCount { token, count: 1 }),
        Err(_) => {}
    }
}
