//! What a stage does to single tokens: a change of each one's logit.

/// A change of one token's logit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Edit {
    pub(crate) token: u32,
    /// A positive logit is divided by it, another multiplied.
    pub(crate) repetition: f64,
    /// Subtracted afterwards; infinity bans the token.
    pub(crate) subtract: f64,
}

impl Edit {
    /// The token may not be sampled.
    pub(crate) fn ban(token: u32) -> Self {
        Self::subtract(token, f64::INFINITY)
    }

    pub(crate) fn subtract(token: u32, subtract: f64) -> Self {
        Self { token, repetition: 1.0, subtract }
    }

    /// The logit afterwards. A ban is a ban whatever the logit is, even NaN.
    pub(crate) fn apply(&self, logit: f64) -> f64 {
        if self.subtract == f64::INFINITY {
            return f64::NEG_INFINITY;
        }
        (if logit > 0.0 { logit / self.repetition } else { logit * self.repetition }) - self.subtract
    }
}

/// The change of a token in a list sorted by token.
pub(crate) fn find_edit(edits: &[Edit], token: i32) -> Option<&Edit> {
    let token = u32::try_from(token).ok()?;
    edits.binary_search_by_key(&token, |c| c.token).ok().map(|at| &edits[at])
}

/// Merges two lists sorted by their first element into `out`; where both have one, `new` has it.
pub(crate) fn merge(old: &[(u32, f32)], new: impl Iterator<Item = (u32, f32)>, out: &mut Vec<(u32, f32)>) {
    out.clear();
    let mut rest = old;
    for edit in new {
        let before = rest.partition_point(|&(index, _)| index < edit.0);
        out.extend_from_slice(&rest[..before]);
        rest = &rest[before..];
        if rest.first().is_some_and(|&(index, _)| index == edit.0) {
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
    fn a_penalty_pushes_down_on_both_sides_of_zero() {
        let change = Edit { token: 0, repetition: 2.0, subtract: 0.5 };
        assert_eq!([4.0, -4.0, 0.0].map(|l| change.apply(l)), [1.5, -8.5, -0.5]);
        assert_eq!(change.apply(f64::NEG_INFINITY), f64::NEG_INFINITY);
        assert_eq!([f64::NAN, f64::INFINITY, 1.0].map(|l| Edit::ban(0).apply(l)), [f64::NEG_INFINITY; 3]);
    }

    #[test]
    fn a_merged_list_is_sorted_and_new_wins() {
        let mut out = vec![(9, 9.0)];
        merge(&[(1, 1.0), (4, 1.0), (7, 1.0)], [(0, 2.0), (4, 2.0), (9, 2.0)].into_iter(), &mut out);
        assert_eq!(out, [(0, 2.0), (1, 1.0), (4, 2.0), (7, 1.0), (9, 2.0)]);
        merge(&[], [].into_iter(), &mut out);
        assert!(out.is_empty());
    }
}
