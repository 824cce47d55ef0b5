//! The state of a sampler as the documents describe it, in plain fields.

use crate::common::handle::Handle;

#[derive(Debug, Clone, Copy, PartialEq)]
enum Prompt {
    Open,
    Begun(usize),
    Set(usize),
}

/// What a sampler without a stage that learns is, besides its chain.
#[derive(Debug, Clone)]
pub struct Model {
    pub chain: String,
    created_with: u64,
    pub seed: u64,
    pub position: u64,
    pub tokens: Vec<i32>,
    prompt: Prompt,
    pub bias: (Vec<i32>, Vec<f32>),
    pub mask: Option<Vec<u32>>,
    /// Rows that each token took, and rows since the last.
    rows: Vec<u64>,
    pending: u64,
    stayed: bool,
}

impl Model {
    pub fn new(chain: &str, seed: u64) -> Self {
        Self {
            chain: chain.into(),
            created_with: seed,
            seed,
            position: 0,
            tokens: vec![],
            prompt: Prompt::Open,
            bias: Default::default(),
            mask: None,
            rows: vec![],
            pending: 0,
            stayed: false,
        }
    }

    pub fn prompt_length(&self) -> usize {
        match self.prompt {
            Prompt::Open => self.tokens.len(),
            Prompt::Begun(n) | Prompt::Set(n) => n,
        }
    }

    /// A new sampler in the same state, as far as the next answers depend on it.
    pub fn rebuilt(&self) -> Handle {
        let handle = Handle::new(&self.chain, self.created_with);
        let ready = || {
            handle.accept(&self.tokens)?;
            if self.prompt != Prompt::Open {
                handle.set_prompt(self.prompt_length())?;
            }
            handle.bias(&self.bias.0, &self.bias.1)?;
            handle.set_mask(self.mask.as_deref())
        };
        ready().unwrap_or_else(|(status, why)| panic!("{self:?}: {status}, {why}"));
        handle.reseed(self.seed, self.position);
        handle
    }

    /// A question about the decoded distribution was answered.
    pub fn asked(&mut self) {
        if self.prompt == Prompt::Open {
            self.prompt = Prompt::Begun(self.tokens.len());
        }
    }

    /// A row was decoded, applied, or drawn from.
    pub fn row(&mut self) {
        self.asked();
        self.position = self.position.wrapping_add(1);
        self.pending += 1;
        self.stayed = false;
    }

    /// A row was decoded without moving the position.
    pub fn stay(&mut self) {
        self.asked();
        self.stayed = true;
    }

    /// Each token took one of the rows since the last, the last one all the others.
    pub fn accept(&mut self, tokens: &[i32]) {
        self.tokens.extend(tokens);
        for left in (0..tokens.len()).rev() {
            let taken = if left == 0 { self.pending } else { self.pending.min(1) };
            self.rows.push(taken);
            self.pending -= taken;
            self.stayed = false;
        }
    }

    pub fn rewind(&mut self, n: usize) {
        if n == 0 {
            return;
        }
        let length = self.tokens.len() - n;
        let taken: u64 = self.rows.drain(length..).sum();
        self.position = self.position.wrapping_sub(taken + self.pending);
        (self.pending, self.stayed) = (0, false);
        self.tokens.truncate(length);
        match self.prompt {
            Prompt::Begun(prompt) if length <= prompt => self.prompt = Prompt::Open,
            Prompt::Set(prompt) if length < prompt => self.prompt = Prompt::Open,
            _ => {}
        }
    }

    /// Of a sequence that is resumed, the tokens after the prompt took a row each.
    pub fn set_prompt(&mut self, n: usize) {
        if self.prompt == Prompt::Open && self.pending == 0 && self.rows.iter().all(|rows| *rows == 0) {
            self.rows[n..].fill(1);
        }
        self.prompt = Prompt::Set(n);
    }

    pub fn reseed(&mut self, seed: u64, position: u64) {
        if self.stayed && (seed, position) == (self.seed, self.position.wrapping_add(1)) {
            self.pending += 1;
        }
        self.stayed = false;
        (self.seed, self.position) = (seed, position);
    }

    pub fn reset(&mut self) {
        let fresh = Self::new(&self.chain, self.created_with);
        let Self { bias, mask, .. } = std::mem::replace(self, fresh);
        (self.bias, self.mask) = (bias, mask);
    }
}
