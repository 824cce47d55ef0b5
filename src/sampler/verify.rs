//! Verification of a draft: how many of its tokens are accepted, and the token after them.

use super::{RowContext, Sampler, Token, Want, scratch};
use crate::distribution::Distribution;
use crate::error::{Error, Result};
use crate::logits::Row;
use crate::random::{Purpose, uniform_for_draft};
use crate::speculation::{Block, Draft, Rule, Target, accepts};

/// The result of [`Sampler::verify`].
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct Verified {
    /// The sequence's new tokens in order: the accepted ones, and the one that follows them.
    pub tokens: Vec<Token>,
    /// The places of the accepted tokens in the draft, in order.
    pub path: Vec<usize>,
}

/// Where the rows of a draft are, and what is wanted of each.
struct Round<'r, F> {
    rows: F,
    want: Want,
    draft: &'r Draft<'r>,
}

/// A new token, at a place among them: accepted from the draft, with its place there, or drawn after those.
pub(crate) struct NewToken {
    pub(crate) at: usize,
    pub(crate) token: Token,
    pub(crate) drafted: Option<usize>,
}

impl Sampler {
    /// Verifies a draft. `row(0)` are the logits after the accepted text, and `row(i + 1)` those after the draft's token i
    /// and what it follows; rows are asked for as needed, some never.
    ///
    /// Before each row the tokens accepted so far are in the history. Afterwards the accepted tokens stay there; the last
    /// new token is accepted as well if `want.accept` says so. The position has moved by the number of new tokens. On an
    /// error nothing has changed.
    ///
    /// Under [`Rule::Match`] the tokens and probabilities are those of decoding without a draft. Under the other rules they
    /// are drawn with random numbers of their own, and a chain that learns from its draws is
    /// [`Unsupported`](Error::Unsupported), as are sparse rows, which tell probabilities to 1e-6 while these rules need
    /// them exactly; a token's `p` is its probability under the decoded distribution of its row.
    pub fn verify<'a>(
        &mut self,
        draft: &Draft<'_>,
        row: impl Fn(usize) -> Result<Row<'a>>,
        want: Want,
    ) -> Result<Verified> {
        let mut verified = Verified::default();
        self.verify_with(draft, row, want, |NewToken { at, token, drafted }| {
            verified.tokens.truncate(at);
            verified.path.truncate(at);
            verified.tokens.push(token);
            verified.path.extend(drafted);
        })?;
        Ok(verified)
    }

    /// The same, with each new token handed to `write` as it is found; a later one may have the place of an earlier one and
    /// then takes it, with all that follow. Returns the number of accepted tokens.
    pub(crate) fn verify_with<'a>(
        &mut self,
        draft: &Draft<'_>,
        rows: impl Fn(usize) -> Result<Row<'a>>,
        want: Want,
        mut write: impl FnMut(NewToken),
    ) -> Result<usize> {
        self.check_draws()?;
        scratch::with(0, |scratch| draft.check(&mut scratch.speculation.seen))?;
        if want.stay {
            return Err(Error::InvalidArgument("a verified draft moves the position: it cannot stay".into()));
        }
        let accepts = want.accept;
        let round = Round { rows, want: Want { accept: false, ..want }, draft };
        let before = self.sequence.mark()?;
        let verified = match draft.rule {
            Rule::Match => self.match_draft(&round, &mut write),
            Rule::Token | Rule::Block => self.check_has_law().and_then(|()| {
                let by = if draft.rule == Rule::Token { Self::verify_by_token } else { Self::verify_by_block };
                by(self, &round, &mut write)
            }),
        };
        let stands = verified.and_then(|(accepted, last)| {
            if accepts {
                self.sequence.accept(&self.chain, &[last])?;
            }
            Ok(accepted)
        });
        if stands.is_err() {
            self.sequence.return_to(before)?;
        }
        stands
    }

    /// A chain that learns from its draws has no distribution that another way of drawing could keep.
    fn check_has_law(&self) -> Result<()> {
        match self.chain.learner() {
            None => Ok(()),
            Some(stage) => Err(Error::Unsupported(format!(
                "`{stage}` learns from the tokens that it draws, so its drafts are verified by the match rule only"
            ))),
        }
    }

    fn match_draft<'a>(
        &mut self,
        round: &Round<'_, impl Fn(usize) -> Result<Row<'a>>>,
        write: &mut impl FnMut(NewToken),
    ) -> Result<(usize, i32)> {
        let (mut node, mut at) = (None, 0);
        loop {
            let row = (round.rows)(node.map_or(0, |node: usize| node + 1))?;
            let token = self.decode(row, round.want)?;
            let id = token.token as i32;
            let child = round.draft.child(node, id);
            write(NewToken { at, token, drafted: child });
            if child.is_none() {
                return Ok((at, id));
            }
            self.sequence.accept_after_mark(&self.chain, at + 1, id)?;
            (node, at) = (child, at + 1);
        }
    }

    fn verify_by_token<'a>(
        &mut self,
        round: &Round<'_, impl Fn(usize) -> Result<Row<'a>>>,
        write: &mut impl FnMut(NewToken),
    ) -> Result<(usize, i32)> {
        let Round { rows, want, draft } = round;
        let noise = Noise::of(self);
        for (i, &drafted) in draft.tokens.iter().enumerate() {
            let (token, is_accepted) = self.with_distribution(dense(rows(i)?)?, |dist, row| {
                let p = Target::new(dist, row.speculation)?.p(drafted as u32);
                let is_accepted = accepts(noise.acceptance(i), p, draft.q(i));
                // The draft's distribution is put in order for a refused token only.
                let drawn = if is_accepted {
                    (drafted as u32, p)
                } else {
                    beside(dist, row, draft, i, |target| target.draw_excess(1.0, |attempt| noise.correction(attempt)))?
                };
                Ok((row.token(dist, drawn, *want), is_accepted))
            })?;
            self.sequence.advance(&self.chain, self.sequence.learnt);
            write(NewToken { at: i, token, drafted: is_accepted.then_some(i) });
            if !is_accepted {
                return Ok((i, token.token as i32));
            }
            self.sequence.accept_after_mark(&self.chain, i + 1, drafted)?;
        }
        self.draw_after_draft(round, &noise, write)
    }

    fn verify_by_block<'a>(
        &mut self,
        round: &Round<'_, impl Fn(usize) -> Result<Row<'a>>>,
        write: &mut impl FnMut(NewToken),
    ) -> Result<(usize, i32)> {
        let Round { rows, want, draft } = round;
        let (noise, n) = (Noise::of(self), draft.tokens.len());
        let mut block = Block::new();
        // The longest prefix that its chance accepts, what had been reached with it, and the sequence after it.
        let (mut accepted, mut reach, mut place) = (0, 1.0, self.sequence.mark()?);
        let mut passed = 0;
        for (i, &drafted) in draft.tokens.iter().enumerate() {
            let (token, chance, p) = self.with_distribution(dense(rows(i)?)?, |dist, row| {
                let (chance, p) = match i {
                    // Before the first token there is no prefix to decide about.
                    0 => (None, Target::new(dist, row.speculation)?.p(drafted as u32)),
                    _ => beside(dist, row, draft, i, |target| {
                        (Some(block.chance(Some(target.excess(block.reach)))), target.p(drafted as u32))
                    })?,
                };
                Ok((row.token(dist, (drafted as u32, p), *want), chance, p))
            })?;
            if chance.is_some_and(|chance| noise.acceptance(i) <= chance) {
                (accepted, reach, place) = (i, block.reach, self.sequence.mark()?);
            }
            block.push(p, draft.q(i));
            if block.reach == 0.0 {
                break;
            }
            self.sequence.advance(&self.chain, self.sequence.learnt);
            self.sequence.accept_after_mark(&self.chain, i + 1, drafted)?;
            write(NewToken { at: i, token, drafted: Some(i) });
            passed = i + 1;
        }
        if passed == n && n > 0 && noise.acceptance(n) <= block.chance(None) {
            accepted = n;
        }
        if passed > accepted {
            // To the mark, not by `rewind`, which also takes back rows of earlier calls that no token was accepted for.
            self.sequence.return_to(place)?;
        }
        if accepted == n {
            return self.draw_after_draft(round, &noise, write);
        }
        let token = self.with_distribution(dense(rows(accepted)?)?, |dist, row| {
            let drawn = beside(dist, row, draft, accepted, |target| {
                target.draw_excess(reach, |attempt| noise.correction(attempt))
            })?;
            Ok(row.token(dist, drawn, *want))
        })?;
        self.sequence.advance(&self.chain, self.sequence.learnt);
        write(NewToken { at: accepted, token, drafted: None });
        Ok((accepted, token.token as i32))
    }

    /// The token after a draft that is accepted whole.
    fn draw_after_draft<'a>(
        &mut self,
        round: &Round<'_, impl Fn(usize) -> Result<Row<'a>>>,
        noise: &Noise,
        write: &mut impl FnMut(NewToken),
    ) -> Result<(usize, i32)> {
        let n = round.draft.tokens.len();
        let token = self.with_distribution(dense((round.rows)(n)?)?, |dist, row| {
            let drawn = dist.draw(noise.correction(0));
            Ok(row.token(dist, (drawn.index, drawn.p), round.want))
        })?;
        self.sequence.advance(&self.chain, self.sequence.learnt);
        write(NewToken { at: n, token, drafted: None });
        Ok((n, token.token as i32))
    }
}

/// A row whose positions are its tokens, as the rules that look at single probabilities need it.
fn dense(row: Row<'_>) -> Result<Row<'_>> {
    match row.ids() {
        None => Ok(row),
        Some(_) => Err(Error::Unsupported(
            "drafts on sparse rows are verified by the match rule only: the other rules accept a token by its exact \
             probability, which a sparse row gives to 1e-6"
                .into(),
        )),
    }
}

/// Looks at a target's distribution beside that which token `i` of the draft was drawn from.
fn beside<T>(
    dist: &mut Distribution<'_>,
    row: &mut RowContext<'_>,
    draft: &Draft<'_>,
    i: usize,
    look: impl FnOnce(&mut Target<'_, '_>) -> T,
) -> Result<T> {
    draft.law(i, &mut row.speculation.law)?;
    Ok(look(&mut Target::new(dist, row.speculation)?))
}

/// The random numbers of one call: functions of its first position, so that none is used in two rounds, and of no use
/// elsewhere.
struct Noise {
    seed: u64,
    position: u64,
}

impl Noise {
    fn of(sampler: &Sampler) -> Self {
        Self { seed: sampler.sequence.seed, position: sampler.sequence.position }
    }

    /// The number that decides about the draft's first `i` tokens, or its `i`-th.
    fn acceptance(&self, i: usize) -> f64 {
        uniform_for_draft(self.seed, self.position, Purpose::Acceptance, i as u32)
    }

    fn correction(&self, attempt: u32) -> f64 {
        uniform_for_draft(self.seed, self.position, Purpose::Correction, attempt)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::speculation::DraftLaws;
    use crate::testing::Lcg;
    use std::collections::BTreeMap;

    const V: usize = 4;

    /// A language model: logits that depend on the whole text.
    fn row(model: u64, text: &[i32]) -> [f32; V] {
        let context = text.iter().fold(model, |sum, &token| sum.wrapping_mul(131).wrapping_add(token as u64 + 1));
        let mut random = Lcg::new(context.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        std::array::from_fn(|_| (4.0 * random.unit() - 2.0) as f32)
    }

    fn law(sampler: &Sampler, model: u64) -> [f64; V] {
        let (mut sampler, mut law) = (sampler.clone(), [0.0; V]);
        let row = row(model, sampler.history());
        for (token, p) in sampler.distribution(Row::from_f32(&row).unwrap()).unwrap() {
            law[token as usize] = p;
        }
        law
    }

    fn then(sampler: &Sampler, token: usize) -> Sampler {
        let mut next = sampler.clone();
        next.accept(&[token as i32]).unwrap();
        next
    }

    /// Text to probability.
    type Texts = BTreeMap<Vec<i32>, f64>;

    /// Adds the probability of each text of `n` tokens that begins with the sampler's history.
    fn finish(texts: &mut Texts, target: &Sampler, n: usize, weight: f64) {
        if weight == 0.0 {
            return;
        }
        if target.history().len() == n {
            *texts.entry(target.history().to_vec()).or_default() += weight;
            return;
        }
        let law = law(target, 1);
        (0..V).for_each(|x| finish(texts, &then(target, x), n, weight * law[x]));
    }

    /// Every draft of `n` tokens that the draft's chain can draw, with its probability and its distributions as f32, as a
    /// host hands them over, renormalised for the sum.
    fn drafts(draft: &Sampler, n: usize) -> Vec<(Vec<i32>, f64, Vec<[f32; V]>)> {
        if n == 0 {
            return vec![(vec![], 1.0, vec![])];
        }
        let q = law(draft, 2).map(|q| q as f32);
        let total: f64 = q.iter().map(|&q| f64::from(q)).sum();
        let mut all = Vec::new();
        for x in (0..V).filter(|&x| q[x] > 0.0) {
            for (mut tokens, p, mut laws) in drafts(&then(draft, x), n - 1) {
                tokens.insert(0, x as i32);
                laws.insert(0, q);
                all.push((tokens, p * f64::from(q[x]) / total, laws));
            }
        }
        all
    }

    /// Looks at the target's distribution of token `i` as the rules do, with what a refusal draws from for `s`.
    fn step(target: &mut Sampler, draft: &Draft<'_>, i: usize, s: f64) -> (f64, f64, f64, Vec<f64>) {
        let row = row(1, target.history());
        target
            .with_distribution(Row::from_f32(&row).unwrap(), |dist, row| {
                beside(dist, row, draft, i, |target| {
                    let instead = target.excess_of_each(s, V as u32);
                    (target.p(draft.tokens[i] as u32), draft.q(i), target.excess(s), instead)
                })
            })
            .unwrap()
    }

    /// The texts that a rule gives, its acceptance integrated over the random numbers.
    fn texts_of(rule: Rule, target: &Sampler, draft: &Draft<'_>, weight: f64, texts: &mut Texts) {
        let (n, length) = (draft.tokens.len(), target.history().len() + draft.tokens.len() + 1);
        let instead_of = |texts: &mut Texts, target: &Sampler, instead: &[f64], weight: f64| {
            let total: f64 = instead.iter().sum();
            (0..V).for_each(|x| finish(texts, &then(target, x), length, weight * instead[x] / total));
        };
        let mut prefixes = vec![target.clone()];
        draft.tokens.iter().for_each(|&x| prefixes.push(then(prefixes.last().unwrap(), x as usize)));
        if rule == Rule::Token {
            let mut alive = weight;
            for (i, prefix) in prefixes[..n].iter_mut().enumerate() {
                let (p, q, _, instead) = step(prefix, draft, i, 1.0);
                // The measure of the u in (0, 1) that `accepts` takes.
                let accepted = (p / q).min(1.0);
                assert!(accepts(accepted * 0.999_999, p, q) || accepted == 0.0);
                assert!(accepted == 1.0 || !accepts(accepted + (1.0 - accepted) * 1e-6, p, q));
                instead_of(texts, prefix, &instead, alive * (1.0 - accepted));
                alive *= accepted;
            }
            finish(texts, &prefixes[n], length, alive);
            return;
        }
        let mut block = Block::new();
        let mut stops = vec![(1.0, step(&mut prefixes[0], draft, 0, 1.0).3)];
        for (i, prefix) in prefixes[..n].iter_mut().enumerate() {
            let (p, q, excess, instead) = step(prefix, draft, i, block.reach);
            if i > 0 {
                stops.push((block.chance(Some(excess)), instead));
            }
            block.push(p, q);
        }
        let mut rest = weight * (1.0 - block.chance(None));
        finish(texts, &prefixes[n], length, weight - rest);
        for (i, (chance, instead)) in stops.iter().enumerate().rev() {
            instead_of(texts, &prefixes[i], instead, rest * chance);
            rest *= 1.0 - chance;
        }
        assert_eq!(rest, 0.0, "something is drawn after no token");
    }

    #[test]
    fn position_moves_by_the_new_tokens_after_rows_that_no_token_was_accepted_for() {
        let rows = [row(1, &[]), row(2, &[])];
        let of = |r: usize| Row::from_f32(&rows[r]);
        for (rule, seed) in
            [Rule::Match, Rule::Token, Rule::Block].into_iter().flat_map(|r| (0..20).map(move |s| (r, s)))
        {
            let mut sampler = Sampler::new("draw", seed).unwrap();
            let draft = Draft { rule, tokens: &[2], ..Draft::default() };
            for _ in 0..5 {
                sampler.decode(of(0).unwrap(), Want::default()).unwrap();
                let (before, length) = (sampler.position(), sampler.history().len());
                let verified = sampler.verify(&draft, of, Want::default()).unwrap();
                assert_eq!(sampler.position() - before, verified.tokens.len() as u64, "{rule:?}, seed {seed}");
                assert_eq!(sampler.history().len() - length, verified.path.len(), "{rule:?}, seed {seed}");
            }
        }
    }

    #[test]
    fn token_and_block_rule_are_exact() {
        let pairs = [
            ("draw", "draw"),
            ("top_k(2) | draw", "top_k(3) | draw"),
            ("min_p(0.4) | draw", "top_k(1) | draw"),
            ("bregman(alpha=2, floor=0.15) | draw", "temperature(2) | draw"),
            ("penalties(repeat=1.7, presence=0.5, scope=output) | no_repeat_ngram(2) | draw", "top_p(0.8) | draw"),
            ("penalties(frequency=1.5) | top_k(2) | temperature(0.5) | draw", "no_repeat_ngram(2) | draw"),
        ];
        for (target, draft) in pairs {
            let reader = |chain| {
                let mut sampler = Sampler::new(chain, 1).unwrap();
                sampler.accept(&[1]).unwrap();
                sampler.set_prompt_length(1).unwrap();
                sampler
            };
            let (target_chain, target, draft) = (target, reader(target), reader(draft));
            for (n, rule) in (0..=3).flat_map(|n| [(n, Rule::Token), (n, Rule::Block)]) {
                let (mut expected, mut texts) = (Texts::new(), Texts::new());
                finish(&mut expected, &target, n + 2, 1.0);
                for (tokens, weight, laws) in drafts(&draft, n) {
                    let probs = laws.concat();
                    let ids: Vec<i32> = (0..n).flat_map(|_| 0..V as i32).collect();
                    let offsets: Vec<usize> = (0..=n).map(|i| i * V).collect();
                    let laws = Some(DraftLaws { offsets: &offsets, ids: &ids, probs: &probs });
                    let draft = Draft { rule, tokens: &tokens, parents: None, laws };
                    if n > 0 {
                        texts_of(rule, &target, &draft, weight, &mut texts);
                    } else {
                        finish(&mut texts, &target, 2, weight);
                    }
                }
                let all: std::collections::BTreeSet<_> = expected.keys().chain(texts.keys()).collect();
                let p = |texts: &Texts, text: &Vec<i32>| texts.get(text).copied().unwrap_or(0.0);
                let worst = all.iter().map(|text| (p(&expected, text) - p(&texts, text)).abs()).fold(0.0, f64::max);
                assert!(worst < 1e-12, "{rule:?}, {n}, {target_chain}: {worst:e}");
            }
        }
    }
}
