//! A row to a token, with or without more answers; to several tokens; to its most likely ones.

use super::{RowContext, Sampler, Token, Want};
use crate::answers::{self, Answers, Source, TokenRank};
use crate::diagnostics;
use crate::distribution::Distribution;
use crate::error::{Error, Result};
use crate::gumbel::{self, Sample};
use crate::logits::Row;
use crate::random::Noise;
use crate::vocab::FirstPass;

impl Sampler {
    /// Decodes one row. On an error nothing is advanced.
    pub fn decode(&mut self, row: Row<'_>, want: Want) -> Result<Token> {
        Ok(self.decode_and(row, want, |_, _, _| ())?.0)
    }

    /// The same, and more answers about this very row and token; on an error none is written.
    pub fn decode_with(&mut self, row: Row<'_>, want: Want, answers: &mut Answers<'_>) -> Result<(Token, TokenRank)> {
        self.decode_and(row, want, |dist, parts, token| {
            dist.list();
            answers::kept(dist, answers.kept_ids, answers.kept_mask);
            let (ids, logprobs) = (&mut *answers.top_ids, &mut *answers.top_logprobs);
            if answers.source == Source::Decoded {
                let told = answers::rank_in_distribution(dist);
                answers::top(dist, ids, logprobs);
                return told;
            }
            let Ok(mut model) =
                Distribution::open(parts.row.untouched(), FirstPass::Total(1.0), parts.kernels, parts.model)
            else {
                answers::no_top(ids, logprobs);
                return TokenRank::NOTHING;
            };
            answers::top(&mut model, ids, logprobs);
            answers::rank_in_model(&mut model, token)
        })
    }

    fn decode_and<T>(
        &mut self,
        row: Row<'_>,
        want: Want,
        more: impl FnOnce(&mut Distribution<'_>, &mut RowContext<'_>, u32) -> T,
    ) -> Result<(Token, T)> {
        self.check_draws()?;
        let (token, told, state) = self.with_any_distribution(row, |dist, parts| {
            let state = parts.chain.draw(dist, &parts.context);
            let drawn = dist.drawn().ok_or_else(|| Error::Unsupported("the chain has no drawing stage".into()))?;
            if want.kept_mass || want.entropy {
                dist.list();
            }
            let mut token = Token {
                token: drawn.index,
                support: dist.support(),
                p: drawn.p,
                kept_mass: f64::NAN,
                model_logprob: f64::NAN,
                entropy: f64::NAN,
            };
            if want.kept_mass {
                token.kept_mass = diagnostics::kept_mass(dist, parts.kernels, parts.model);
            }
            if want.entropy {
                token.entropy = dist.entropy();
            }
            if want.model_logprob {
                token.model_logprob = diagnostics::model_logprob(dist, drawn.index, parts.kernels, parts.model);
            }
            let told = more(dist, parts, drawn.index);
            Ok((token, told, state))
        })?;
        self.position = self.position.wrapping_add(1);
        self.state = state;
        if want.accept {
            self.accept(&[token.token as i32])?;
        }
        Ok((token, told))
    }

    /// Draws `n` tokens without replacement from the decoded distribution, or all that it has if those are fewer, in
    /// the order in which they were drawn; none is accepted. The first is the token that the chain with `gumbel` at its
    /// end decodes at this position. A drawing stage at the chain's end is not asked, but `greedy` leaves one token.
    /// Advances the position by one; on an error nothing is advanced.
    pub fn draw_many(&mut self, row: Row<'_>, n: usize) -> Result<&[Sample]> {
        if n == 0 {
            return Err(Error::InvalidArgument("n is 0: at least one token is drawn".into()));
        }
        let noise = Noise::new(self.seed, self.position);
        self.with_distribution(row, |dist, parts| {
            gumbel::draw_many(dist, noise, n, parts.podium);
            Ok(())
        })?;
        self.position = self.position.wrapping_add(1);
        Ok(self.memory.podium.samples())
    }

    /// The most likely tokens with their log-probabilities, as many as the longer of the two slices has places, in
    /// descending order (ties: ascending id); returns how many there are. Places beyond are filled with -1 and
    /// -infinity. Draws nothing and advances nothing. Of [`Source::Model`] the chain is not asked.
    pub fn top_logprobs(
        &mut self,
        row: Row<'_>,
        source: Source,
        ids: &mut [i32],
        logprobs: &mut [f32],
    ) -> Result<usize> {
        match source {
            Source::Decoded => self.with_distribution(row, |dist, _| Ok(answers::top(dist, ids, logprobs))),
            Source::Model => {
                let mut model =
                    Distribution::open(row.untouched(), FirstPass::Total(1.0), self.kernels, &mut self.memory.model)?;
                Ok(answers::top(&mut model, ids, logprobs))
            }
        }
    }
}
