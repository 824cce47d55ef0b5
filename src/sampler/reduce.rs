//! A shard of a row, reduced to the list that a sparse row is made of.

use super::scratch;
use crate::distribution::Distribution;
use crate::error::{Error, Result};
use crate::logits::{Rest, Row};
use crate::math::{exp, ln};
use crate::vocab;

/// Reduces a row, or a shard of one whose first token is `first`, to its largest logits, as many as `ids` has places, and
/// what a sparse row needs to know of the others, whose weights are summed at `temperature`. Written in descending order
/// (ties: ascending id); -1 and -infinity where there are no more. The mask of the row is not used.
///
/// Lists of all shards of a row, one behind the other, make a sparse row of the whole: its `log_sum` is ln of the sum of the
/// exponentials of theirs, its bound the largest of theirs. Decoding it gives what the whole row would give, or
/// [`Error::Incomplete`]; `temperature` is that at which the chain first needs probabilities.
///
/// ```
/// use bregman::{Row, reduce};
/// let (mut ids, mut logits) = ([0; 2], [0.0; 2]);
/// let rest = reduce(Row::from_f32(&[0.0, 3.0, 1.0, 2.0])?, 100, 1.0, &mut ids, &mut logits)?;
/// assert_eq!((ids, logits, rest.bound), ([101, 103], [3.0, 2.0], 1.0));
/// assert!((rest.log_sum - (0f64.exp() + 1f64.exp()).ln()).abs() < 1e-6);
/// # Ok::<(), bregman::Error>(())
/// ```
pub fn reduce(row: Row<'_>, first: i32, temperature: f32, ids: &mut [i32], logits: &mut [f32]) -> Result<Rest> {
    let refuse = |what: String| Err(Error::InvalidArgument(what));
    if ids.len() != logits.len() {
        return refuse(format!("{} ids for {} logits", ids.len(), logits.len()));
    }
    if row.ids().is_some() {
        return refuse("the row is sparse: only dense ones are reduced".into());
    }
    if first < 0 || row.vocab() > (i32::MAX - first) as usize {
        return refuse(format!(
            "first is {first}: the ids of a shard of {} would not be in 0 to INT32_MAX",
            row.vocab()
        ));
    }
    if !(temperature > 0.0 && temperature.is_finite()) {
        return refuse(format!("the temperature is {temperature}: it must be a positive number"));
    }
    let (row, scale, kernels) = (row.untouched(), 1.0 / f64::from(temperature), vocab::kernels()?);
    let rest = |log_sum: f64, bound: f32| Rest { log_sum, temperature, bound };
    scratch::with(0, |scratch| {
        let mut dist = match Distribution::open(row, scale, kernels, &mut scratch.model) {
            Ok(dist) => dist,
            Err(Error::EmptySupport) => {
                fill(ids, logits, 0);
                return Ok(rest(f64::NEG_INFINITY, f32::NEG_INFINITY));
            }
            Err(e) => return Err(e),
        };
        let n = dist.deepen(ids.len().saturating_add(1)).min(ids.len());
        for (at, e) in dist.entries()[..n].iter().enumerate() {
            (ids[at], logits[at]) = (first + e.index as i32, e.raw);
        }
        fill(ids, logits, n);
        if let Some(next) = dist.entries().get(n) {
            let bound = next.raw;
            let weight = dist.beyond(n);
            if weight > LEAST_F32 {
                let max = f64::from(dist.vocabulary().0.max());
                return Ok(rest(ln(weight) + max * scale, bound));
            }
            let ties = dist.entries()[..n].iter().filter(|e| e.raw == bound).count();
            let all = weight_below(row, bound, scale, |l| l <= bound);
            return Ok(rest(ln(all - ties as f64) + f64::from(bound) * scale, bound));
        }
        // Others are too unlikely to be tokens of a distribution, but an edit of a logit might change that.
        let lowest = dist.lowest();
        let others = || row.tokens().map(|index| row.logit(index)).filter(move |l| *l < lowest);
        let bound = others().fold(f32::NEG_INFINITY, f32::max);
        let weight = weight_below(row, bound, scale, |l| l < lowest);
        Ok(rest(ln(weight) + f64::from(bound) * scale, bound))
    })
}

/// A smaller sum of weights in f32 may lack some of them.
const LEAST_F32: f64 = 1e-25;

/// The weight of some tokens in f64, relative to a token with the logit `bound`.
fn weight_below(row: Row<'_>, bound: f32, scale: f64, is_one: impl Fn(f32) -> bool) -> f64 {
    let logits = row.tokens().map(|index| row.logit(index)).filter(|l| is_one(*l));
    logits.map(|l| exp((f64::from(l) - f64::from(bound)) * scale)).sum()
}

/// Fills the places from `n` on.
fn fill(ids: &mut [i32], logits: &mut [f32], n: usize) {
    ids[n..].fill(-1);
    logits[n..].fill(f32::NEG_INFINITY);
}
