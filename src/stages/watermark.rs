//! Watermark: a draw whose noise is a function of a secret key and the last tokens, which a detector recomputes.

use super::{Built, Context, Learnt, Stage, StageInfo, on};
use crate::bregman::Generators;
use crate::distribution::{Distribution, Drawn};
use crate::error::Result;
use crate::gumbel;
use crate::history::Scope;
use crate::math::log1p;
use crate::parameters::{Arguments, Kind, ParameterInfo};
use crate::random::{Purpose, uniform};
use crate::vocab::FirstPass;
use crate::watermark::{Contexts, Padding, Prf, Score, gamma_tail};

pub(super) const INFO: StageInfo = StageInfo {
    name: "watermark",
    aliases: &["gumbel_watermark"],
    summary: "draws a token with the distribution's probabilities, by noise that depends on a secret key and the last tokens of the output: \
              bregman_watermark_score finds it in the text",
    definition: "argmax ln p_i - ln(-ln u_i), u_i from (key, the last width tokens of the output, token), missing ones \
                 -1; as draw where the context occurred before",
    source: "Gumbel-max: Aaronson 2022; vLLM, vllm/v1/watermarking, PRF philox4x32-10-v1",
    agrees: "vLLM (algorithm gumbel, prf philox): its random numbers bit for bit; its noise is in f32",
    draws: true,
    learns: false,
    alternatives: &[],
    parameters: &[
        KEY,
        ParameterInfo {
            name: "width",
            aliases: &["context_width"],
            summary: "tokens of the output that the noise depends on",
            kind: WIDTH,
            default: "4",
            required: false,
        },
        ParameterInfo {
            name: "history",
            aliases: &["deduplicate_contexts_max_history"],
            summary: "how many earlier contexts are searched for the present one, which is drawn without a mark if it is among them; 0 \
                      marks every token",
            kind: Kind::Count { min: 0 },
            default: "8192",
            required: false,
        },
    ],
    build,
};

/// The secret of a watermark.
pub(super) const KEY: ParameterInfo = ParameterInfo {
    name: "key",
    aliases: &[],
    summary: "the secret, which descriptions and messages do not show",
    kind: Kind::Keys { most: 1 },
    default: "",
    required: true,
};

/// So many tokens before a token may decide its mark. (More make it fragile, and time grows with them.)
pub(super) const WIDTH: Kind = Kind::CountUpTo { min: 1, max: 256 };

fn build(arguments: &Arguments, _: Generators<'_>) -> Built {
    let prf = Prf::new(arguments.keys("key")[0]);
    on(Watermark { prf, width: arguments.count("width"), history: arguments.count("history") })
}

struct Watermark {
    prf: Prf,
    width: usize,
    history: usize,
}

impl Watermark {
    fn contexts<'a>(&self, tokens: &'a [i32]) -> Contexts<'a> {
        Contexts { tokens, width: self.width, padding: Padding::None }
    }
}

impl Stage for Watermark {
    fn first_pass(&self) -> Option<FirstPass> {
        Some(FirstPass::TotalAndMin)
    }

    fn transform(&self, _: &mut Distribution<'_>, _: &mut Context<'_>) -> Result<()> {
        Ok(())
    }

    fn draw(&self, dist: &mut Distribution<'_>, context: &Context<'_>) -> Option<(Drawn, Learnt)> {
        let contexts = self.contexts(context.history.tokens_in(Scope::OUTPUT));
        let drawn = if contexts.next_is_repeated(self.history) {
            dist.draw(uniform(context.seed, context.position, Purpose::Token))
        } else {
            let noise = self.prf.in_context(self.width, contexts.of(contexts.tokens.len()));
            gumbel::draw(dist, &noise)?
        };
        Some((drawn, context.learnt))
    }

    /// The sum of -ln(1 - u) over the tokens with a context of their own: of as many standard exponentials, if the text
    /// knows nothing of the key.
    fn score(&self, tokens: &[i32]) -> Option<Result<Score>> {
        let contexts = self.contexts(tokens);
        let u = |at: usize| self.prf.in_context(self.width, contexts.of(at)).uniform(tokens[at] as u32);
        Some(contexts.fresh().map(|fresh| {
            // (An empty sum would be -0.)
            let score = fresh.iter().fold(0.0, |sum, &at| sum - log1p(-u(at)));
            Score { score, p_value: gamma_tail(fresh.len(), score), counted: fresh.len() }
        }))
    }
}
