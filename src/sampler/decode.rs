//! Raw logits: one token, several tokens, the most likely tokens.

use super::scratch::{self, Scratch};
use super::{RowContext, Sampler, Token, Want};
use crate::answers::{self, Answers, Source, TokenRank};
use crate::diagnostics;
use crate::distribution::{Distribution, Drawn};
use crate::error::{Error, Result};
use crate::gumbel::{self, Sample};
use crate::logits::Row;
use crate::math::ln;
use crate::random::Noise;
use crate::vocab::{self, Kernels};

impl Sampler {
    /// Decodes one row. On an error nothing is advanced.
    pub fn decode(&mut self, row: Row<'_>, want: Want) -> Result<Token> {
        Ok(self.decode_and(row, want, |_, _, _| ())?.0)
    }

    /// The same, with more answers about this row and token; on an error none is written.
    pub fn decode_with(&mut self, row: Row<'_>, want: Want, answers: &mut Answers<'_>) -> Result<(Token, TokenRank)> {
        answers.check_given(row)?;
        self.decode_and(row, want, |dist, row, drawn| {
            answers::kept(dist, answers.kept_ids, answers.kept_mask);
            if answers.source == Source::Decoded {
                let rank = answers::rank_in_distribution(dist, drawn);
                answers.write(dist);
                if answers.asks_other() {
                    row.write_model_as_other(dist, drawn, answers);
                }
                return rank;
            }
            if let Some(logprob) = &mut answers.other_logprob {
                **logprob = ln(drawn.p) as f32;
            }
            let Ok(mut model) = row.model() else {
                answers.write_none();
                answers.write_no_other_top();
                return TokenRank::NOTHING;
            };
            answers.write(&mut model);
            answers.write_other(&mut model, dist);
            answers::rank_in_model(&mut model, drawn.index)
        })
    }

    fn decode_and<T>(
        &mut self,
        row: Row<'_>,
        want: Want,
        more: impl FnOnce(&mut Distribution<'_>, &mut RowContext<'_>, Drawn) -> T,
    ) -> Result<(Token, T)> {
        self.check_draws()?;
        if want.stay && want.accept {
            return Err(Error::InvalidArgument(
                "a token cannot be accepted at a position that stays: ask for one or the other".into(),
            ));
        }
        let (token, more, learnt) = self.with_distribution(row, |dist, row| {
            let drawn = row.chain.draw(dist, &row.context);
            let (drawn, learnt) = drawn.ok_or_else(|| Error::Unsupported("the chain has no drawing stage".into()))?;
            let token = row.token(dist, (drawn.index, drawn.p), want);
            Ok((token, more(dist, row, drawn), learnt))
        })?;
        if want.stay {
            self.sequence.stay();
            return Ok((token, more));
        }
        self.sequence.advance(&self.chain, learnt);
        if want.accept {
            self.accept(&[token.token as i32])?;
        }
        Ok((token, more))
    }

    /// Draws `n` tokens without replacement from the decoded distribution, or all that it has if those are fewer, in
    /// the order in which they were drawn; none is accepted. The first is the token that the chain with `gumbel` at its
    /// end decodes at this position. A drawing stage at the chain's end draws nothing, but `greedy` leaves one token.
    /// Advances the position by one; on an error nothing is advanced.
    pub fn draw_many(&mut self, row: Row<'_>, n: usize) -> Result<&[Sample]> {
        if n == 0 {
            return Err(Error::InvalidArgument("n is 0: at least one token is drawn".into()));
        }
        let noise = Noise::new(self.sequence.seed, self.sequence.position);
        self.with_distribution(row, |dist, row| gumbel::draw_many(dist, noise, n, row.gumbel_top))?;
        self.sequence.advance(&self.chain, self.sequence.learnt);
        Ok(self.gumbel_top.samples())
    }

    /// The most likely tokens with their log-probabilities, as many as the longer of the two slices has places, in
    /// descending order (ties: ascending id); returns how many there are. Places beyond are filled with -1 and
    /// -infinity. Draws nothing and advances nothing. With [`Source::Model`] the chain does not run.
    pub fn top_logprobs(
        &mut self,
        row: Row<'_>,
        source: Source,
        ids: &mut [i32],
        logprobs: &mut [f32],
    ) -> Result<usize> {
        match source {
            Source::Decoded => self.with_distribution(row, |dist, _| Ok(answers::top(dist, ids, logprobs))),
            Source::Model => scratch::with(0, |scratch| {
                with_model(row, self.kernels, scratch, |model| {
                    let n = answers::top(model, ids, logprobs);
                    model.check_complete()?;
                    Ok(n)
                })
            }),
        }
    }
}

/// Answers about the model alone, for prompts and for scoring: `top_ids`, `top_logprobs` and those about the given tokens.
/// No sampler is needed, and nothing is drawn. The mask of the row is not used. Other answers are not written.
///
/// ```
/// use bregman::{Answers, Row, model_answers};
/// let (row, mut logprobs) = ([2.0, 0.0, 1.0], [0.0; 2]);
/// model_answers(
///     Row::from_f32(&row)?,
///     &mut Answers { given_ids: &[0, 2], given_logprobs: &mut logprobs, ..Answers::default() },
/// )?;
/// assert!((logprobs[0] - logprobs[1] - 1.0).abs() < 1e-6);
/// # Ok::<(), bregman::Error>(())
/// ```
pub fn model_answers(row: Row<'_>, answers: &mut Answers<'_>) -> Result<()> {
    if answers.source != Source::Model {
        return Err(Error::InvalidArgument("the source must be the model: no chain decodes".into()));
    }
    answers.check_given(row)?;
    let kernels = vocab::kernels()?;
    scratch::with(0, |scratch| {
        with_model(row, kernels, scratch, |model| {
            answers.write(model);
            model.check_complete()
        })
    })
}

/// Passes on the distribution of a row as the model left it, at temperature 1.
fn with_model<T>(
    row: Row<'_>,
    kernels: &'static Kernels,
    Scratch { model, sparse, .. }: &mut Scratch,
    f: impl FnOnce(&mut Distribution<'_>) -> Result<T>,
) -> Result<T> {
    let row = match row.ids() {
        Some(ids) => sparse.sorted(row.untouched(), ids, None)?,
        None => row,
    };
    let mut model = Distribution::open(row.untouched(), 1.0, kernels, model)?;
    if model.total_to_f32().is_nan() {
        return Err(Error::Incomplete("the weight at temperature 1 of the tokens that are not listed".into()));
    }
    f(&mut model)
}

impl RowContext<'_> {
    /// A token of the distribution, with its probability, and what else is wanted of the row.
    pub(super) fn token(&mut self, dist: &mut Distribution<'_>, (index, p): (u32, f64), want: Want) -> Token {
        Token {
            token: dist.id(index) as u32,
            support: dist.support(),
            p,
            kept_mass: if want.kept_mass { self.kept_mass(dist) } else { f64::NAN },
            ln_kept_mass: if want.ln_kept_mass { self.ln_kept_mass(dist) } else { f64::NAN },
            entropy: if want.entropy { dist.entropy() } else { f64::NAN },
            model_logprob: if want.model_logprob { self.model_logprob(dist, index) } else { f64::NAN },
        }
    }

    /// The distribution of the untouched row at temperature 1.
    fn model(&mut self) -> Result<Distribution<'_>> {
        Distribution::open(self.row.untouched(), 1.0, self.kernels, self.model)
    }

    fn kept_mass(&mut self, dist: &mut Distribution<'_>) -> f64 {
        diagnostics::kept_mass(dist, self.kernels, self.model)
    }

    fn ln_kept_mass(&mut self, dist: &mut Distribution<'_>) -> f64 {
        diagnostics::ln_kept_mass(dist, self.kernels, self.model)
    }

    /// The answers about the model where the decoded distribution is the source.
    fn write_model_as_other(&mut self, dist: &mut Distribution<'_>, drawn: Drawn, answers: &mut Answers<'_>) {
        let Ok(mut model) = self.model() else {
            answers.write_no_other();
            return;
        };
        if let Some(logprob) = &mut answers.other_logprob {
            **logprob = answers::rank_in_model(&mut model, drawn.index).logprob as f32;
        }
        answers.write_other(dist, &mut model);
    }

    fn model_logprob(&mut self, dist: &mut Distribution<'_>, token: u32) -> f64 {
        diagnostics::model_logprob(dist, token, self.kernels, self.model)
    }
}
