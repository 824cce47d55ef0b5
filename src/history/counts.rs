//! Token counts: a list in ascending order of token, updated as tokens enter and leave a scope.

use super::Scope;

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

#[derive(Clone)]
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

    /// Counts the last `n` of `tokens`, which are new; the first `prompt` are the prompt.
    pub(super) fn update(&mut self, tokens: &[i32], n: usize, prompt: usize) {
        let known = tokens.len() - n;
        match self.scope {
            Scope::All => self.add(&tokens[known..]),
            Scope::Output => self.add(&tokens[known.max(prompt)..]),
            Scope::Window(size) if n >= size => {
                self.clear();
                self.add(&tokens[tokens.len() - size..]);
            }
            Scope::Window(size) => {
                self.add(&tokens[known..]);
                let (before, now) = (known.saturating_sub(size), tokens.len().saturating_sub(size));
                self.pending.extend(tokens[before..now].iter().map(|&token| (token as u32, -1)));
            }
        }
        if self.pending.len() > MOST_PENDING.max(self.seen.len()) {
            self.settle();
        }
    }

    fn add(&mut self, tokens: &[i32]) {
        self.pending.extend(tokens.iter().map(|&token| (token as u32, 1)));
    }

    /// Applies the pending changes.
    pub(super) fn settle(&mut self) {
        if self.pending.len() < MANY {
            let Self { seen, pending, .. } = self;
            pending.drain(..).for_each(|(token, change)| count_one(seen, token, change));
        } else {
            self.merge();
        }
    }

    /// Applies all pending changes in one pass over the distinct tokens.
    fn merge(&mut self) {
        let Self { seen, pending, .. } = self;
        pending.sort_unstable_by_key(|change| change.0);
        let mut merged = Vec::with_capacity(seen.len() + pending.len().min(MOST_PENDING));
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
        // A prompt is merged once; what it needed is not kept for the sequence's life.
        merged.shrink_to(merged.len() + MANY);
        (*seen, *pending) = (merged, Vec::with_capacity(MANY));
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
