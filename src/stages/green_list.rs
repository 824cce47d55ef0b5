//! Green lists: a share of the vocabulary, chosen anew for each context by a secret key, gets larger logits.

use super::watermark::{KEY, WIDTH};
use super::{Built, Context, EditScratch, OFF, Stage, StageInfo, on, sort_by_token};
use crate::bregman::Generators;
use crate::distribution::Distribution;
use crate::error::{Error, Result};
use crate::history::Edit;
use crate::memory;
use crate::parameters::{Arguments, Kind, ParameterInfo};
use crate::vocab::FirstPass;
use crate::watermark::{GreenList, Scheme, Score, binomial_tail};

pub(super) const INFO: StageInfo = StageInfo {
    name: "green_list",
    aliases: &["kgw"],
    summary: "the watermark of Kirchenbauer et al.: adds delta to the logits of a share of the vocabulary that depends on a secret key and \
              the last tokens. It changes the probabilities. Stands behind truncations and before a draw",
    definition: "l' = l + delta for the tokens that torch.randperm(vocab) brings to its first vocab x share places, \
                 seeded with key x the last token (lefthash), or, for each of the 40 likeliest tokens, with key and a \
                 table of the last width tokens up to that one (selfhash)",
    source: "Kirchenbauer et al., arXiv 2301.10226; Hugging Face transformers, WatermarkLogitsProcessor",
    agrees: "transformers, on the CPU",
    draws: false,
    learns: false,
    alternatives: &[],
    parameters: &[
        ParameterInfo { aliases: &["hashing_key"], ..KEY },
        ParameterInfo {
            name: "share",
            aliases: &["greenlist_ratio", "gamma"],
            summary: "the share of the vocabulary that is green",
            kind: Kind::Number { min: 0.0, max: 1.0, open: true },
            default: "0.25",
            required: false,
        },
        ParameterInfo {
            name: "delta",
            aliases: &["bias"],
            summary: "what is added to the logits of green tokens; 0 switches the stage off",
            kind: Kind::Number { min: 0.0, max: 100.0, open: false },
            default: "2",
            required: false,
        },
        ParameterInfo {
            name: "scheme",
            aliases: &["seeding_scheme"],
            summary: "what seeds the list: the last token, or the last tokens with the candidate among them",
            kind: Kind::Choice(&["lefthash", "selfhash"]),
            default: "lefthash",
            required: false,
        },
        ParameterInfo {
            name: "width",
            aliases: &["context_width"],
            summary: "tokens of prompt and output that there must be; with selfhash those that seed the list, the candidate among them",
            kind: WIDTH,
            default: "1",
            required: false,
        },
        ParameterInfo {
            name: "vocab",
            aliases: &["vocab_size"],
            summary: "V, the vocabulary's size; without it the length of the row, or of the candidate array. A detector and sparse rows need it",
            kind: Kind::CountUpTo { min: 1, max: 1 << 22 },
            default: "",
            required: false,
        },
    ],
    build,
};

fn build(arguments: &Arguments, _: Generators<'_>) -> Built {
    let (key, share, delta) = (arguments.keys("key")[0], arguments.number("share"), arguments.number("delta"));
    if delta == 0.0 {
        return OFF;
    }
    let is_self = arguments.is("scheme", "selfhash");
    let scheme = if is_self { Scheme::self_hash(key)? } else { Scheme::LeftHash };
    let list = GreenList { key, scheme, share };
    on(GreenStage { list, delta, is_self, width: arguments.count("width"), vocab: arguments.optional_count("vocab") })
}

/// Tokens that self-hash tries, as transformers.
const TRIED: usize = 40;

struct GreenStage {
    list: GreenList,
    delta: f64,
    is_self: bool,
    width: usize,
    vocab: Option<usize>,
}

impl GreenStage {
    fn edit(&self, token: u32) -> Edit {
        Edit::subtract(token, -self.delta)
    }

    /// Each likely token is the last one of its own context.
    fn find_self_hashed(&self, tokens: &[i32], vocab: usize, dist: &mut Distribution<'_>, scratch: &mut EditScratch) {
        let n = dist.deepen(TRIED).min(TRIED);
        let mut context = [0; CONTEXT];
        let context = &mut context[..self.width];
        context[..self.width - 1].copy_from_slice(&tokens[tokens.len() + 1 - self.width..]);
        for at in 0..n {
            let index = dist.entries()[at].index;
            let id = dist.id(index);
            context[self.width - 1] = id;
            if self.list.contains(self.list.seed(context), vocab, id as usize) {
                scratch.push(self.edit(id as u32));
            }
        }
        sort_by_token(&mut scratch.edits);
    }

    fn find_left_hashed(
        &self,
        tokens: &[i32],
        vocab: usize,
        dist: &mut Distribution<'_>,
        scratch: &mut EditScratch,
    ) -> Result<()> {
        let EditScratch { edits, ids: places, words: marks, .. } = scratch;
        self.list.fill(self.list.seed(tokens), vocab, places, marks)?;
        let is_green = |id: u32| marks.get(id as usize / 64).is_some_and(|word| word >> (id % 64) & 1 == 1);
        if dist.is_truncated() {
            let ids = dist.ids();
            let id = |index: u32| ids.map_or(index, |ids| ids[index as usize] as u32);
            let entries = dist.entries();
            memory::reserve(edits, entries.len())?;
            edits.extend(entries.iter().map(|e| id(e.index)).filter(|&id| is_green(id)).map(|id| self.edit(id)));
            sort_by_token(edits);
        } else {
            memory::reserve(edits, self.list.size(vocab))?;
            edits.extend((0..vocab as u32).filter(|&id| is_green(id)).map(|id| self.edit(id)));
        }
        Ok(())
    }
}

/// The longest context.
const CONTEXT: usize = 256;

impl Stage for GreenStage {
    fn first_pass(&self) -> Option<FirstPass> {
        self.is_self.then_some(FirstPass::Maxima)
    }

    fn transform(&self, dist: &mut Distribution<'_>, context: &mut Context<'_>) -> Result<()> {
        let tokens = context.history.tokens();
        if tokens.len() < self.width {
            return Ok(());
        }
        let vocab = self.vocab.unwrap_or_else(|| dist.row_length());
        context.edits.clear();
        if self.is_self {
            self.find_self_hashed(tokens, vocab, dist, context.edits);
        } else {
            self.find_left_hashed(tokens, vocab, dist, context.edits)?;
        }
        if let Some(e) = context.edits.failure.take() {
            return Err(e);
        }
        dist.edit(&context.edits.edits)
    }

    /// How many standard deviations more tokens are green than a text has that knows nothing of the key; each sequence of
    /// context and token counts once.
    fn score(&self, tokens: &[i32]) -> Option<Result<Score>> {
        let refuse = |what: String| Some(Err(Error::InvalidChain(what)));
        let Some(vocab) = self.vocab else {
            return refuse("`green_list`: parameter `vocab` is missing: a text does not tell it".into());
        };
        let size = self.list.size(vocab);
        if size == 0 || size == vocab {
            return refuse(format!("`green_list`: {size} of {vocab} tokens are green, which no text shows"));
        }
        if let Some((at, token)) = tokens.iter().enumerate().find(|&(_, &token)| token as usize >= vocab) {
            let what = format!("tokens[{at}] is {token}, not below the vocabulary's {vocab}");
            return Some(Err(Error::InvalidArgument(what)));
        }
        let before = if self.is_self { self.width - 1 } else { self.width };
        // What decides: with left-hash the last two tokens, however many there must be.
        let first = if self.is_self { 0 } else { before - 1 };
        let mut grams = Vec::new();
        if let Err(e) = memory::reserve(&mut grams, tokens.len()) {
            return Some(Err(e));
        }
        grams.extend(tokens.windows(before + 1).map(|gram| &gram[first..]));
        grams.sort_unstable();
        grams.dedup();
        let is_green = |gram: &[i32]| {
            let (&token, context) = gram.split_last()?;
            let seed = self.list.seed(if self.is_self { gram } else { context });
            self.list.contains(seed, vocab, token as usize).then_some(())
        };
        let (n, green) = (grams.len(), grams.iter().filter_map(|gram| is_green(gram)).count());
        if n == 0 {
            return Some(Ok(Score::NOTHING));
        }
        let share = size as f64 / vocab as f64;
        let score = (green as f64 - n as f64 * share) / (n as f64 * share * (1.0 - share)).sqrt();
        Some(Ok(Score { score, p_value: binomial_tail(green as u64, n as u64, share), counted: n }))
    }
}
