//! A row of which only some tokens are listed: what is known of the others, and whether that was enough.
//!
//! The tokens listed above the bound are the first of the whole row's descending order, and the weight of the others is
//! known at one temperature, to within what masks and edits of tokens that are not listed may have taken from it or added.
//! A question that this does not answer is noted (`lack`), and the chain ends with an error after the stage that asked;
//! what was computed meanwhile is not used.
//!
//! The whole row's weights are summed in f32, and the caller's sum is rounded too. So a chain that used a sum runs with the
//! lowest and with the highest value that it may have; unless both keep the same tokens and draw the same one, the row does
//! not hold what the chain needs (`Doubt`).

use super::Distribution;
use crate::error::{Error, Result};
use crate::history::Edit;
use crate::logits::Rest;
use crate::math::exp;

/// How a sum that is not known exactly is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(crate) enum Doubt {
    #[default]
    Middle,
    Low,
    High,
}

/// The relative error of a sum of weights in f32: the exponent's rounding (one part in 2^24 of up to about 30), with a margin.
const ERROR: f64 = 2e-6;

/// A log-weight of the row beyond it has less than 8 digits after the point in f64.
const LARGEST: f64 = 1e8;

/// What the row would have to hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Missing {
    Tokens,
    Weight,
    Statistics,
}

/// What is known of the tokens that are not listed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Outside {
    rest: Rest,
    /// The largest logit that one of them may have, as it stands after edits.
    bound: f32,
    /// How many of them were edited, and how many of those may have got a larger logit.
    edited: u32,
    raised: u32,
    is_masked: bool,
    doubt: Doubt,
    /// Whether a sum was used.
    is_doubtful: bool,
    missing: Option<Missing>,
}

/// The lowest and the highest weight that they may have.
#[derive(Clone, Copy, Debug)]
pub(super) struct WeightRange {
    low: f64,
    high: f64,
}

impl Outside {
    pub(super) fn new(rest: Rest, is_masked: bool, doubt: Doubt) -> Self {
        Self { rest, bound: rest.bound, edited: 0, raised: 0, is_masked, doubt, is_doubtful: false, missing: None }
    }

    /// Whether none of them can be sampled.
    fn is_empty(&self) -> bool {
        self.rest.log_sum == f64::NEG_INFINITY
    }

    /// Their weight at a scale, relative to a token with logit `max`; none if it is not known.
    fn weight(&self, max: f32, scale: f64) -> Option<WeightRange> {
        if self.is_empty() {
            return Some(WeightRange { low: 0.0, high: 0.0 });
        }
        let max = f64::from(max);
        let is_at = (1.0 / scale) as f32 == self.rest.temperature;
        if !is_at || self.rest.log_sum == f64::INFINITY || (max * scale).abs() > LARGEST {
            return None;
        }
        let of = |logit: f32| exp((f64::from(logit) - max) * scale);
        let sum = exp(self.rest.log_sum - max * scale);
        let low = if self.is_masked { 0.0 } else { (sum - f64::from(self.edited) * of(self.rest.bound)).max(0.0) };
        Some(WeightRange { low, high: sum + f64::from(self.raised) * of(self.bound) })
    }
}

impl WeightRange {
    fn at(self, doubt: Doubt) -> f64 {
        match doubt {
            Doubt::Low => self.low * (1.0 - ERROR),
            Doubt::Middle => 0.5 * (self.low + self.high),
            Doubt::High => self.high * (1.0 + ERROR),
        }
    }
}

impl Distribution<'_> {
    /// Whether tokens may be left that the row does not list.
    pub(super) fn is_partial(&self) -> bool {
        self.outside.is_some_and(|outside| !outside.is_empty()) && !self.is_truncated()
    }

    /// Whether a sum over all tokens is one of another row than the whole one: rounded otherwise, if nothing else.
    pub(super) fn sums_otherwise(&self) -> bool {
        self.outside.is_some() && !self.is_truncated()
    }

    /// Notes that the number of all tokens is needed, those included that cannot be sampled.
    pub(super) fn lack_size(&mut self) {
        if !self.is_truncated() {
            self.lack(Missing::Statistics);
        }
    }

    /// The length of the row as it was at first, which a sparse row does not tell.
    pub(crate) fn row_length(&mut self) -> usize {
        // Also where only banned tokens are missing.
        self.lack(Missing::Statistics);
        self.opened_with.vocab()
    }

    /// Notes that the row does not hold what is asked of it.
    fn lack(&mut self, missing: Missing) {
        if let Some(outside) = self.outside.as_mut().filter(|outside| outside.missing.is_none()) {
            outside.missing = Some(missing);
        }
    }

    /// Notes that tokens are needed that the row does not list, if it may be that there are some.
    pub(crate) fn lack_tokens(&mut self) {
        if self.is_partial() {
            self.lack(Missing::Tokens);
        }
    }

    /// The same for numbers about all tokens besides the weight: how many there are, their entropy, their logits' variance.
    pub(super) fn lack_statistics(&mut self) {
        if self.is_partial() {
            self.lack(Missing::Statistics);
        }
    }

    /// An error if the row did not hold what was asked of it.
    pub(crate) fn check_complete(&self) -> Result<()> {
        let Some(outside) = &self.outside else { return Ok(()) };
        let what = match outside.missing {
            None => return Ok(()),
            Some(Missing::Tokens) => "tokens that the row does not list".into(),
            Some(Missing::Weight) => format!(
                "the weight of the tokens that are not listed, at a temperature other than {} or more exactly",
                outside.rest.temperature
            ),
            Some(Missing::Statistics) => {
                "the number of all tokens, or sums over them that the row does not have".into()
            }
        };
        Err(Error::Incomplete(what))
    }

    /// An error if the support is still the whole vocabulary, of which tokens are not listed.
    pub(crate) fn check_truncated(&self) -> Result<()> {
        if self.is_partial() {
            return Err(Error::Incomplete("all tokens: no stage drops those that the row does not list".into()));
        }
        Ok(())
    }

    /// How the sums that are not known exactly are taken.
    pub(crate) fn doubt(&self) -> Doubt {
        self.outside.filter(|_| self.sums_otherwise()).map_or(Doubt::Middle, |outside| outside.doubt)
    }

    /// Whether an answer so far may depend on how a sum was rounded.
    pub(crate) fn is_doubtful(&self) -> bool {
        self.outside.is_some_and(|outside| outside.is_doubtful)
    }

    /// Whether every token with a log-weight of at least `x` is listed.
    pub(crate) fn reaches(&self, x: f64) -> bool {
        !self.is_partial() || self.head.reaches(x)
    }

    /// A sum over tokens of the row, and those that are not listed with it; none if theirs is not known. Marks the answer
    /// as doubtful. With `exactly`, also none if the sum is only known to lie in a range.
    pub(super) fn with_outside(&mut self, head: f64, listed: f64, exactly: bool) -> f64 {
        let (max, scale) = (self.head.vocab().max(), self.scale());
        let Some(outside) = self.outside.as_mut() else { return head + listed };
        outside.is_doubtful = true;
        let weight = outside.weight(max, scale);
        let is_exact = |range: &WeightRange| range.high - range.low <= 1e-7 * (head + listed + range.low);
        match weight.filter(|range| !exactly || is_exact(range)) {
            Some(range) => {
                let doubt = outside.doubt;
                let listed = WeightRange { low: listed, high: listed };
                head + listed.at(doubt) + range.at(doubt)
            }
            None => {
                self.lack(Missing::Weight);
                head + listed
            }
        }
    }

    /// The weight of the tokens that are not listed at a scale, relative to a token with logit `max`, for a figure: 0 where
    /// all are listed; NaN if it is not known to one part in a million of `listed`.
    pub(crate) fn weight_outside(&self, max: f32, scale: f64, listed: f64) -> f64 {
        let Some(outside) = &self.outside else { return 0.0 };
        match outside.weight(max, scale) {
            Some(range) if range.high - range.low <= 1e-6 * (listed + range.low) => range.at(Doubt::Middle),
            _ => f64::NAN,
        }
    }

    /// Whether a token that is not in the row has no probability.
    pub(crate) fn has_no_others(&self) -> bool {
        !self.is_partial()
    }

    /// The total of the weights to f32's precision, while the support is the whole vocabulary; NaN if it is not known so
    /// well.
    pub(crate) fn total_to_f32(&mut self) -> f64 {
        let scale = self.scale();
        let total = self.head.vocab_mut().total(scale);
        total + self.weight_outside(self.head.vocab().max(), scale, total)
    }

    /// Whether a logit of the row is above those of all tokens that are not listed.
    pub(crate) fn is_certain(&self, logit: f32) -> bool {
        self.outside.is_none_or(|outside| logit > outside.bound)
    }

    /// The share of a sum at which a draw from many tokens ends, whose weights the whole row has in f32.
    pub(super) fn doubtful_share(&mut self, share: f64) -> f64 {
        let Some(outside) = self.outside.as_mut() else { return share };
        outside.is_doubtful = true;
        match outside.doubt {
            Doubt::Low => share * (1.0 - ERROR),
            Doubt::Middle => share,
            Doubt::High => (share * (1.0 + ERROR)).min(1.0 - f64::EPSILON),
        }
    }

    /// Takes edits of tokens that are not listed into account; `edits` is sorted by token, as `ids` is.
    pub(super) fn edit_outside(&mut self, edits: &[Edit], ids: &[i32]) {
        let (scale, offset) = (self.scale(), self.offset);
        let Some(outside) = self.outside.as_mut().filter(|outside| !outside.is_empty()) else { return };
        let mut bound = outside.bound;
        for edit in edits.iter().filter(|edit| ids.binary_search(&(edit.token as i32)).is_err()) {
            outside.edited += 1;
            if let Some(raised) = edit.raises(f64::from(outside.bound) * scale + offset) {
                outside.raised += 1;
                bound = bound.max((((raised - offset) / scale) as f32).next_up());
            }
        }
        outside.bound = bound;
        self.head.set_bound(bound);
    }

    /// Takes a mask into account that may ban tokens that are not listed.
    pub(super) fn mask_outside(&mut self) {
        if let Some(outside) = &mut self.outside {
            outside.is_masked = true;
        }
    }

    /// An error if no token is certain to be the first of the whole row.
    pub(super) fn check_first(&self, read: Result<()>) -> Result<()> {
        let Some(outside) = self.outside.filter(|outside| !outside.is_empty()) else { return read };
        let incomplete = || {
            Err(Error::Incomplete(
                "the most likely token: none that is listed has a logit above the bound of the others".into(),
            ))
        };
        match read {
            Err(Error::EmptySupport) => incomplete(),
            Ok(()) if self.head.vocab().max() <= outside.bound => incomplete(),
            read => read,
        }
    }
}
