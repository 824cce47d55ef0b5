//! What undoing an accepted token needs to know: how many rows it took, and what the chain had learnt before.

use crate::error::Result;
use crate::memory;
use crate::stages::Learnt;

/// From so many rows without an accepted token on, the rows in between cannot be undone one by one.
const MOST_ROWS: usize = 64;

/// What was learnt before each token and row costs memory only where a chain learns.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Steps {
    /// Where the number of rows a token changes: (place in the history, rows of each token from there on). Before the first
    /// place it is 0: a prompt takes no rows.
    pub(super) runs: Vec<(usize, u64)>,
    /// Rows decoded since the last accepted token.
    pub(super) rows: u64,
    /// Whether the last row was decoded without moving the position.
    pub(super) stayed: bool,
    /// What was learnt before each token, the first of which has the place `first`; empty if the chain does not learn.
    pub(super) learnt: Vec<[f64; 2]>,
    pub(super) first: usize,
    /// What was learnt before each of the first rows since the last accepted token.
    pub(super) before_rows: Vec<[f64; 2]>,
}

/// The part of [`Steps`] that later tokens do not keep.
pub(super) struct PendingRows {
    rows: u64,
    stayed: bool,
    before_rows: Vec<[f64; 2]>,
}

fn kept(learnt: Learnt) -> [f64; 2] {
    [learnt.level, learnt.weight]
}

/// What a chain that learns has learnt after a token was accepted: no draw is pending then.
pub(super) fn learnt_of([level, weight]: [f64; 2]) -> Learnt {
    Learnt { level, weight, pending: None }
}

impl Steps {
    pub(super) fn try_clone(&self) -> Result<Self> {
        let Self { runs, rows, stayed, learnt, first, before_rows } = self;
        Ok(Self {
            runs: memory::copied(runs)?,
            rows: *rows,
            stayed: *stayed,
            learnt: memory::copied(learnt)?,
            first: *first,
            before_rows: memory::copied(before_rows)?,
        })
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Makes room for a row and `n` tokens after it, so that the next calls cannot fail. `learns` says whether the chain does.
    pub(super) fn make_room(&mut self, n: usize, learns: bool) -> Result<()> {
        memory::reserve(&mut self.runs, 3)?;
        if learns {
            memory::reserve(&mut self.learnt, n)?;
            // All at once, so that no later row allocates.
            let more = MOST_ROWS.saturating_sub(self.before_rows.len());
            memory::reserve(&mut self.before_rows, more)?;
        }
        Ok(())
    }

    /// A row is decoded. `learnt` is what a chain that learns has learnt before it.
    pub(super) fn row(&mut self, learnt: Option<Learnt>) {
        self.rows = self.rows.saturating_add(1);
        self.stayed = false;
        if let Some(learnt) = learnt
            && self.before_rows.len() < MOST_ROWS
        {
            self.before_rows.push(kept(learnt));
        }
    }

    /// `n` tokens are accepted after the first `at`: each took one of the rows since the last, the last one all the others.
    pub(super) fn accept(&mut self, at: usize, n: usize) {
        if n == 0 {
            return;
        }
        let single = self.rows.min(n as u64 - 1);
        self.push(at, single, 1);
        self.push(at + single as usize, n as u64 - 1 - single, 0);
        self.push(at + n - 1, 1, self.rows - single);
        self.forget_rows();
    }

    /// Whether a row was decoded that was not taken back.
    pub(super) fn has_rows(&self) -> bool {
        self.rows > 0 || !self.learnt.is_empty()
    }

    /// Appends `n` tokens of `rows` rows each.
    fn push(&mut self, at: usize, n: u64, rows: u64) {
        if n > 0 && self.runs.last().map_or(0, |run| run.1) != rows {
            self.runs.push((at, rows));
        }
    }

    /// Notes what a chain that learns had learnt before the token at the place `at`, the `j`-th that is accepted at once.
    pub(super) fn learn(&mut self, at: usize, j: usize, learnt: Learnt) {
        if self.learnt.is_empty() {
            self.first = at;
        }
        self.learnt.push(self.before_rows.get(j).copied().unwrap_or_else(|| kept(learnt)));
    }

    /// The tokens from `prompt` to `n` took a row each, elsewhere. Only for a history without rows.
    pub(super) fn resume(&mut self, prompt: usize, n: usize) {
        if self.runs.is_empty() && self.rows == 0 && prompt < n {
            self.runs.push((prompt, 1));
        }
    }

    /// Drops all but the first `n` of `len` tokens. Returns the rows to take back, those since the last token included, and
    /// what had been learnt, unless that is nothing.
    pub(super) fn truncate(&mut self, n: usize, len: usize) -> (u64, Option<Learnt>) {
        let learnt = n.checked_sub(self.first).and_then(|at| self.learnt.get(at).copied()).map(learnt_of);
        self.learnt.truncate(n.saturating_sub(self.first));
        if self.learnt.is_empty() {
            self.first = 0;
        }
        let (mut end, mut rows) = (len, self.rows);
        while let Some(&(start, each)) = self.runs.last()
            && end > n
        {
            rows = rows.wrapping_add((end.saturating_sub(start.max(n)) as u64).wrapping_mul(each));
            end = start;
            if start >= n {
                self.runs.pop();
            }
        }
        self.forget_rows();
        (rows, learnt)
    }

    fn forget_rows(&mut self) {
        (self.rows, self.stayed) = (0, false);
        self.before_rows.clear();
    }

    pub(super) fn pending(&self) -> Result<PendingRows> {
        let before_rows = memory::copied(&self.before_rows)?;
        Ok(PendingRows { rows: self.rows, stayed: self.stayed, before_rows })
    }

    pub(super) fn restore(&mut self, PendingRows { rows, stayed, before_rows }: PendingRows) {
        (self.rows, self.stayed, self.before_rows) = (rows, stayed, before_rows);
    }
}
