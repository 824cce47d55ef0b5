//! What a plain definition works on: the tokens that are left, sorted, with their logits.
//!
//! Two things of the library's are modelled, because answers show them. While no stage has dropped tokens the logits
//! are a row of f32, banned tokens count as candidates, and tokens too light to be sampled may come back at a higher
//! temperature; afterwards there is a list in f64, and what is not in it is gone.

use std::collections::BTreeMap;

/// A token whose log-weight is this far below the first one's is never sampled (docs/mathematics.md, 7).
const LOWEST: f64 = -680.0;

#[derive(Debug, Clone, Copy, PartialEq)]
struct Token {
    id: i32,
    /// The logit, as penalties see it.
    logit: f64,
    /// The log-weight, the first token's being 0: the logit less the first one's, but more exact.
    x: f64,
}

#[derive(Debug, Clone)]
pub struct Distribution {
    /// In descending order, equals in ascending order of id.
    tokens: Vec<Token>,
    /// The length of the row while no stage has dropped tokens.
    whole: Option<usize>,
    /// The length of the row.
    row: usize,
    /// 1/T: what the row's logits are multiplied by.
    scale: f64,
    /// How far a probability may be off in the library, because sums over the row are in f32.
    noise: f64,
    /// Whether the order is certain: that of the logits, not of weights that were computed and may be equal in f32.
    pub is_ordered: bool,
    /// Whether tokens stand in the order of the row's logits.
    pub is_monotone: bool,
    /// Whether a stage computed the weights anew: the library's row has the log-weights then, and not the logits.
    is_reshaped: bool,
    /// Whether rounding decides what is right.
    is_undecided: bool,
}

impl Distribution {
    /// Of a row of logits with the token of each.
    pub fn new(row: &[(i32, f32)]) -> Self {
        let finite = row.iter().filter(|(_, logit)| *logit > f32::NEG_INFINITY);
        let tokens = finite.map(|&(id, logit)| Token { id, logit: logit.into(), x: 0.0 }).collect();
        let mut new = Self {
            tokens,
            whole: Some(row.len()),
            row: row.len(),
            scale: 1.0,
            noise: 0.0,
            is_ordered: true,
            is_monotone: true,
            is_reshaped: false,
            is_undecided: false,
        };
        new.weigh_by_logits();
        new
    }

    /// The log-weights from the logits, in order.
    fn weigh_by_logits(&mut self) {
        let Self { tokens, whole, scale, .. } = self;
        let raw = |logit: f64| if whole.is_some() { f64::from((logit / *scale) as f32) } else { logit };
        let max = tokens.iter().map(|t| raw(t.logit)).fold(f64::NEG_INFINITY, f64::max);
        let factor = if whole.is_some() { *scale } else { 1.0 };
        tokens.iter_mut().for_each(|t| t.x = (raw(t.logit) - max) * factor);
        self.sort();
    }

    fn sort(&mut self) {
        // 0 and -0 are equal.
        self.tokens.sort_by(|a, b| (b.x + 0.0).total_cmp(&(a.x + 0.0)).then(a.id.cmp(&b.id)));
    }

    /// After the first tokens went, or weights changed.
    fn rebase(&mut self) {
        let first = self.tokens.first().map_or(0.0, |t| t.x);
        self.tokens.iter_mut().for_each(|t| t.x -= first);
    }

    fn close(&mut self) {
        self.tokens.retain(|t| t.x >= LOWEST);
        self.whole = None;
    }

    /// The tokens that can be sampled.
    fn eligible(&self) -> &[Token] {
        &self.tokens[..self.tokens.partition_point(|t| t.x >= LOWEST)]
    }

    pub fn is_empty(&self) -> bool {
        self.tokens.is_empty()
    }

    /// How many tokens can be sampled.
    pub fn len(&self) -> usize {
        self.eligible().len()
    }

    /// How many candidates there are: banned ones count while no stage has dropped tokens.
    pub fn candidates(&self) -> usize {
        self.whole.unwrap_or(self.len())
    }

    /// The id of each token that is left, those with too little weight to be sampled too.
    pub fn all_ids(&self) -> impl Iterator<Item = i32> + '_ {
        self.tokens.iter().map(|t| t.id)
    }

    pub fn row_length(&self) -> usize {
        self.row
    }

    /// The id of each token that can be sampled.
    pub fn ids(&self) -> Vec<i32> {
        self.eligible().iter().map(|t| t.id).collect()
    }

    /// Its log-weight, the first one's being 0.
    pub fn x(&self) -> Vec<f64> {
        self.eligible().iter().map(|t| t.x).collect()
    }

    /// All log-weights, those too small for a token to be sampled too.
    pub fn all_x(&self) -> impl Iterator<Item = f64> + Clone + '_ {
        self.tokens.iter().map(|t| t.x)
    }

    /// The sum of the weights, the first token's being 1.
    pub fn total(&self) -> f64 {
        self.eligible().iter().rev().map(|t| t.x.exp()).sum()
    }

    /// Probabilities.
    pub fn p(&self) -> Vec<f64> {
        let total = self.total();
        self.eligible().iter().map(|t| t.x.exp() / total).collect()
    }

    /// Ids and probabilities.
    pub fn entries(&self) -> Vec<(i32, f64)> {
        self.ids().into_iter().zip(self.p()).collect()
    }

    /// In nats.
    pub fn entropy(&self) -> f64 {
        self.p().iter().filter(|&&p| p > 0.0).map(|p| -p * p.ln()).sum()
    }

    /// How far a probability may be off in the library; none where the definitions do not say what is right.
    pub fn tolerance(&self) -> Option<f64> {
        (!self.is_undecided).then_some(self.noise.max(1e-9))
    }

    /// What tokens and probabilities have that this distribution has not: the tokens, their order (unless f32 may decide
    /// it), or a probability that is off by more than the tolerance, which is `least` at least.
    pub fn differs_from(&self, ours: &[(i32, f64)], least: f64) -> Option<String> {
        let (mut ours, mut theirs) = (ours.to_vec(), self.entries());
        if !self.is_ordered {
            ours.sort_by_key(|e| e.0);
            theirs.sort_by_key(|e| e.0);
        }
        let ids = |entries: &[(i32, f64)]| entries.iter().map(|e| e.0).collect::<Vec<_>>();
        if ids(&ours) != ids(&theirs) {
            return Some(format!("tokens {:?}, by definition {:?}", ids(&ours), ids(&theirs)));
        }
        let tolerance = self.tolerance()?.max(least);
        let is_off = |((_, p), (_, q)): &(&(i32, f64), &(i32, f64))| (p - q).abs() > tolerance;
        let ((id, p), (_, q)) = ours.iter().zip(&theirs).find(is_off)?;
        Some(format!("token {id} has probability {p}, by definition {q} with a tolerance of {tolerance}"))
    }

    /// Keeps the first `k` tokens, at least one.
    pub fn keep_first(&mut self, k: usize) {
        self.close();
        self.tokens.truncate(k.max(1));
    }

    /// Keeps the first `k` tokens and the equals of the last of them.
    pub fn keep_first_with_equals(&mut self, k: usize) {
        self.close();
        let last = self.tokens[k.clamp(1, self.tokens.len()) - 1].x;
        self.tokens.retain(|t| t.x >= last);
    }

    /// Keeps the tokens at these places.
    pub fn keep(&mut self, places: &[usize]) {
        self.close();
        let mut places = places.to_vec();
        places.sort_unstable();
        self.tokens = places.iter().map(|&at| self.tokens[at]).collect();
        self.rebase();
    }

    /// Keeps log-weights of at least `x`, and at least `min_keep` tokens. Nothing is dropped where no token that can be
    /// sampled lies below.
    pub fn keep_down_to(&mut self, x: f64, min_keep: usize) {
        if x > LOWEST {
            self.keep_first(self.x().iter().filter(|&&own| own >= x).count().max(min_keep));
        }
    }

    /// The same; if that are fewer than `min_keep`, `min_keep` and the equals of the last of them.
    pub fn keep_down_to_with_equals(&mut self, x: f64, min_keep: usize) {
        if x > LOWEST {
            let k = self.x().iter().filter(|&&own| own >= x).count();
            if k < min_keep { self.keep_first_with_equals(min_keep) } else { self.keep_first(k) }
        }
    }

    /// Leaves it open what is right where rounding decides.
    pub fn undecided_if(&mut self, rounding_decides: bool) {
        self.is_undecided |= rounding_decides;
    }

    pub fn is_whole(&self) -> bool {
        self.whole.is_some()
    }

    /// Takes some of the first tokens away.
    pub fn take_away(&mut self, goes: impl Fn(i32) -> bool) {
        self.sum_in_f32();
        self.tokens.retain(|t| !goes(t.id));
        self.rebase();
    }

    /// Divides all logits by `t`; 0 keeps the first token.
    pub fn divide_by(&mut self, t: f64) {
        if t <= 0.0 {
            return self.keep_first(1);
        }
        self.scale /= t;
        self.noise /= t.min(1.0);
        for token in &mut self.tokens {
            (token.x, token.logit) = (token.x / t, token.logit / t);
        }
        if self.whole.is_none() {
            self.close();
        }
    }

    /// Gives each token another log-weight, a function of its own one and of its probability.
    pub fn reshape(&mut self, weight: impl Fn(f64, f64) -> f64) {
        self.sum_in_f32();
        self.tokens.retain(|t| t.x >= LOWEST);
        let (total, first) = (self.total(), self.tokens[0].logit);
        for t in &mut self.tokens {
            t.x = weight(t.x, t.x.exp() / total);
            t.logit = first + t.x;
        }
        self.scale = 1.0;
        self.recomputed();
    }

    /// Gives the tokens these weights, a function of ids and probabilities: their logits are the logarithms from now on.
    pub fn reweigh(&mut self, weights: impl Fn(&[(i32, f64)]) -> Vec<f64>) {
        self.sum_in_f32();
        self.tokens.retain(|t| t.x >= LOWEST);
        let weights = weights(&self.entries());
        for (t, weight) in self.tokens.iter_mut().zip(weights) {
            (t.x, t.logit) = (weight.ln(), weight.ln());
        }
        self.tokens.retain(|t| t.logit > f64::NEG_INFINITY);
        self.scale = 1.0;
        self.recomputed();
    }

    /// Adds `less` to the log-weights of some tokens.
    pub fn demote(&mut self, goes: impl Fn(i32) -> bool, less: f64) {
        self.sum_in_f32();
        for t in self.tokens.iter_mut().filter(|t| goes(t.id)) {
            (t.x, t.logit) = (t.x + less, t.logit + less);
        }
        self.recomputed();
    }

    fn recomputed(&mut self) {
        self.sort();
        self.rebase();
        if self.whole.is_none() {
            self.close();
        }
        (self.is_ordered, self.is_monotone, self.is_reshaped) = (false, false, true);
    }

    /// Keeps the first tokens and gives them these probabilities: the logits are their logarithms from now on.
    pub fn give(&mut self, p_hat: &[f64]) {
        self.blur(1e-6);
        self.close();
        self.tokens.truncate(p_hat.len());
        for (t, p) in self.tokens.iter_mut().zip(p_hat) {
            (t.x, t.logit) = (p.ln() - p_hat[0].ln(), p.ln());
        }
        self.is_reshaped = false;
    }

    /// To be called where a stage uses a sum over the whole row, which the library adds up in f32.
    pub fn sum_in_f32(&mut self) {
        self.blur(4e-6);
    }

    fn blur(&mut self, noise: f64) {
        if self.whole.is_some() {
            self.noise = self.noise.max(noise);
        }
    }

    /// Gives some tokens another logit; -infinity bans.
    pub fn edit(&mut self, change: impl Fn(i32, f64) -> Option<f64>) {
        let changes: BTreeMap<i32, f64> =
            self.tokens.iter().filter_map(|t| Some((t.id, change(t.id, t.logit)?))).collect();
        if changes.is_empty() {
            return;
        }
        for t in self.tokens.iter_mut().filter(|t| changes.contains_key(&t.id)) {
            let before = std::mem::replace(&mut t.logit, changes[&t.id]);
            if self.whole.is_some() && t.logit > f64::NEG_INFINITY {
                // The row is in f32, and only a ban bans.
                let raw = ((t.logit / self.scale) as f32).clamp(f32::MIN, f32::MAX);
                t.logit = if self.is_reshaped { t.logit } else { f64::from(raw) * self.scale };
            }
            t.x += t.logit - before;
        }
        self.tokens.retain(|t| t.logit > f64::NEG_INFINITY);
        if self.is_reshaped {
            self.sort();
            self.rebase();
        } else {
            self.weigh_by_logits();
        }
        if self.whole.is_none() {
            self.close();
        }
        self.is_monotone = false;
    }
}
