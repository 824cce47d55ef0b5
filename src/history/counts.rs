//! How often each token was seen: a list in ascending order of token, changed where a token comes or goes.

use super::Scope;

/// A token and how often it was seen, at least once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TokenCount {
    pub(crate) token: u32,
    pub(crate) count: u32,
}

/// From so many tokens at a time on, sorting them is cheaper than finding the place of each.
const MANY: usize = 32;

#[derive(Clone)]
pub(super) struct Counts {
    scope: Scope,
    seen: Vec<TokenCount>,
}

impl Counts {
    pub(super) fn new(scope: Scope) -> Self {
        Self { scope, seen: Vec::new() }
    }

    pub(super) fn scope(&self) -> Scope {
        self.scope
    }

    pub(super) fn seen(&self) -> &[TokenCount] {
        &self.seen
    }

    pub(super) fn clear(&mut self) {
        self.seen.clear();
    }

    /// The last `n` of `tokens` are new; the first `prompt` are the prompt.
    pub(super) fn follow(&mut self, tokens: &[i32], n: usize, prompt: usize) {
        let known = tokens.len() - n;
        match self.scope {
            Scope::All => self.add(&tokens[known..]),
            Scope::Output => self.add(&tokens[known.max(prompt)..]),
            Scope::Window(size) if n >= size => {
                self.seen.clear();
                self.add(&tokens[tokens.len() - size..]);
            }
            Scope::Window(size) => {
                self.add(&tokens[known..]);
                let (before, now) = (known.saturating_sub(size), tokens.len().saturating_sub(size));
                tokens[before..now].iter().for_each(|&token| self.remove(token as u32));
            }
        }
    }

    fn add(&mut self, tokens: &[i32]) {
        if tokens.len() < MANY {
            tokens.iter().for_each(|&token| self.add_one(token as u32));
            return;
        }
        self.seen.extend(tokens.iter().map(|&token| TokenCount { token: token as u32, count: 1 }));
        self.seen.sort_unstable_by_key(|s| s.token);
        self.seen.dedup_by(|next, kept| {
            let same = next.token == kept.token;
            kept.count += if same { next.count } else { 0 };
            same
        });
    }

    fn add_one(&mut self, token: u32) {
        match self.seen.binary_search_by_key(&token, |s| s.token) {
            Ok(at) => self.seen[at].count += 1,
            Err(at) => self.seen.insert(at, TokenCount { token, count: 1 }),
        }
    }

    fn remove(&mut self, token: u32) {
        if let Ok(at) = self.seen.binary_search_by_key(&token, |s| s.token) {
            self.seen[at].count -= 1;
            if self.seen[at].count == 0 {
                self.seen.remove(at);
            }
        }
    }
}
