//! Changes of single tokens' logits.

/// A change of one token's logit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Edit {
    pub(crate) token: u32,
    /// A positive logit is divided by the first, any other multiplied by the second.
    pub(crate) factors: (f64, f64),
    /// Subtracted after that; infinity bans the token.
    pub(crate) subtract: f64,
}

impl Edit {
    /// Bans the token.
    pub(crate) fn ban(token: u32) -> Self {
        Self::subtract(token, f64::INFINITY)
    }

    /// Whether it bans the token.
    pub(crate) fn is_ban(&self) -> bool {
        self.subtract == f64::INFINITY
    }

    pub(crate) fn subtract(token: u32, subtract: f64) -> Self {
        Self { token, factors: (1.0, 1.0), subtract }
    }

    /// The repetition penalty, and what is subtracted after it.
    pub(crate) fn penalty(token: u32, repetition: f64, subtract: f64) -> Self {
        Self { token, factors: (repetition, repetition), subtract }
    }

    /// Adds the logit's absolute value times `share`, at least -1.
    pub(crate) fn raise(token: u32, share: f64) -> Self {
        Self { token, factors: (1.0 / (1.0 + share), 1.0 - share), subtract: 0.0 }
    }

    /// The new logit. A banned token gets -infinity, even from NaN, and one that was banned before stays so.
    pub(crate) fn apply(&self, logit: f64) -> f64 {
        if self.is_ban() || logit == f64::NEG_INFINITY {
            return f64::NEG_INFINITY;
        }
        let (divisor, factor) = self.factors;
        (if logit > 0.0 { logit / divisor } else { logit * factor }) - self.subtract
    }

    /// The largest logit that it may give to one that is no larger than `bound`; none if that is no more than `bound`.
    pub(crate) fn raises(&self, bound: f64) -> Option<f64> {
        let (divisor, factor) = self.factors;
        let raises = self.subtract < 0.0 || divisor < 1.0 || factor < 1.0;
        // With a negative factor the smallest logits become the largest; with any other their order stays.
        raises.then(|| if factor < 0.0 { f64::INFINITY } else { self.apply(bound) })
    }
}

/// A token's edit in a list sorted by token.
pub(crate) fn find_edit(edits: &[Edit], token: i32) -> Option<&Edit> {
    let token = u32::try_from(token).ok()?;
    edits.binary_search_by_key(&token, |edit| edit.token).ok().map(|at| &edits[at])
}

/// Merges two lists sorted by token into `out`. If both have a token, `new` wins.
pub(crate) fn merge(old: &[(u32, f32)], new: impl Iterator<Item = (u32, f32)>, out: &mut Vec<(u32, f32)>) {
    out.clear();
    let mut rest = old;
    for edit in new {
        let before = rest.partition_point(|&(token, _)| token < edit.0);
        out.extend_from_slice(&rest[..before]);
        rest = &rest[before..];
        if rest.first().is_some_and(|&(token, _)| token == edit.0) {
            rest = &rest[1..];
        }
        out.push(edit);
    }
    out.extend_from_slice(rest);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repetition_penalty_lowers_positive_and_negative_logits() {
        let edit = Edit::penalty(0, 2.0, 0.5);
        assert_eq!([4.0, -4.0, 0.0].map(|l| edit.apply(l)), [1.5, -8.5, -0.5]);
        assert_eq!(edit.apply(f64::NEG_INFINITY), f64::NEG_INFINITY);
        assert_eq!([f64::NAN, f64::INFINITY, 1.0].map(|l| Edit::ban(0).apply(l)), [f64::NEG_INFINITY; 3]);
    }

    #[test]
    fn raise_adds_a_share_of_the_absolute_value() {
        for (share, raised) in [(0.5, [6.0, -2.0, 0.0]), (3.0, [16.0, 8.0, 0.0]), (-1.0, [0.0, -8.0, 0.0])] {
            let edit = Edit::raise(0, share);
            assert_eq!([4.0, -4.0, 0.0].map(|l| edit.apply(l)), raised, "{share}");
            assert_eq!(edit.apply(f64::NEG_INFINITY), f64::NEG_INFINITY);
        }
        assert_eq!(Edit::raise(0, 0.5).raises(-4.0), Some(-2.0));
        assert_eq!(Edit::raise(0, 3.0).raises(-4.0), Some(f64::INFINITY));
        assert_eq!(Edit::penalty(0, 2.0, 0.5).raises(-4.0), None);
    }

    #[test]
    fn merge_sorts_and_prefers_the_new_edit() {
        let mut out = vec![(9, 9.0)];
        merge(&[(1, 1.0), (4, 1.0), (7, 1.0)], [(0, 2.0), (4, 2.0), (9, 2.0)].into_iter(), &mut out);
        assert_eq!(out, [(0, 2.0), (1, 1.0), (4, 2.0), (7, 1.0), (9, 2.0)]);
        merge(&[], [].into_iter(), &mut out);
        assert!(out.is_empty());
    }
}
