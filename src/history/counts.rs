//! Token counts: a list in ascending order of token, updated as tokens enter and leave a scope.

use super::Scope;

/// A token that occurs, and how often.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TokenCount {
    pub(crate) token: u32,
    pub(crate) count: u32,
}

/// From this many new tokens on, sorting is cheaper than a binary search for each.
const MANY: usize = 32;

#[derive(Clone)]
pub(super) struct Counts {
    scope: Scope,
    tokens: Vec<TokenCount>,
}

impl Counts {
    pub(super) fn new(scope: Scope) -> Self {
        Self { scope, tokens: Vec::new() }
    }

    pub(super) fn scope(&self) -> Scope {
        self.scope
    }

    pub(super) fn tokens(&self) -> &[TokenCount] {
        &self.tokens
    }

    pub(super) fn clear(&mut self) {
        self.tokens.clear();
    }

    /// Counts the last `n` of `tokens`, which are new; the first `prompt` are the prompt.
    pub(super) fn update(&mut self, tokens: &[i32], n: usize, prompt: usize) {
        let known = tokens.len() - n;
        match self.scope {
            Scope::All => self.add(&tokens[known..]),
            Scope::Output => self.add(&tokens[known.max(prompt)..]),
            Scope::Window(size) if n >= size => {
                self.tokens.clear();
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
        self.tokens.extend(tokens.iter().map(|&token| TokenCount { token: token as u32, count: 1 }));
        self.tokens.sort_unstable_by_key(|s| s.token);
        self.tokens.dedup_by(|next, kept| {
            let same = next.token == kept.token;
            kept.count += if same { next.count } else { 0 };
            same
        });
    }

    fn add_one(&mut self, token: u32) {
        match self.tokens.binary_search_by_key(&token, |s| s.token) {
            Ok(at) => self.tokens[at].count += 1,
            Err(at) => self.tokens.insert(at, TokenCount { token, count: 1 }),
        }
    }

    fn remove(&mut self, token: u32) {
        if let Ok(at) = self.tokens.binary_search_by_key(&token, |s| s.token) {
            self.tokens[at].count -= 1;
            if self.tokens[at].count == 0 {
                self.tokens.remove(at);
            }
        }
    }
}
