//! For hosts that cannot report an error: a candidate in the place of an apply that failed.

use super::{Applied, Order, Sampler};
use crate::history::find_edit;
use crate::logits::{Candidate, is_allowed};

impl Sampler {
    /// Keeps the most likely of the candidates that mask and bias allow (ties: the lowest id), with probability 1. If they
    /// allow none, the most likely of all; if no logit is a number, the first. The token counts as drawn: the position
    /// advances by one, unless memory is refused. No candidates stay none.
    pub(crate) fn fall_back(&mut self, candidates: &mut [Candidate]) -> Applied {
        let Some(&first) = candidates.first() else {
            return Applied { size: 0, selected: None, order: Order::AsBefore };
        };
        let allowed = most_likely(candidates, |c| self.allowed_logit(c));
        let Candidate { id, logit, .. } =
            allowed.or_else(|| most_likely(candidates, |c| f64::from(c.logit))).unwrap_or(first);
        // A sampler of the host may follow: its softmax needs a number.
        candidates[0] = Candidate { id, logit: if logit.is_finite() { logit } else { 0.0 }, p: 1.0 };
        // Where memory is refused the host gets its token all the same.
        if self.sequence.make_room(&self.chain).is_ok() {
            self.sequence.advance(&self.chain, self.sequence.learnt);
            self.sequence.history.begin();
        }
        Applied { size: 1, selected: self.chain.draws().then_some(0), order: Order::Sorted }
    }

    /// The logit with the bias; -infinity if the mask or the bias bans the token.
    fn allowed_logit(&self, candidate: &Candidate) -> f64 {
        let token = usize::try_from(candidate.id);
        if let Some(words) = &self.sequence.mask
            && !token.is_ok_and(|token| is_allowed(words, token))
        {
            return f64::NEG_INFINITY;
        }
        let logit = f64::from(candidate.logit);
        find_edit(&self.sequence.bias, candidate.id).map_or(logit, |edit| edit.apply(logit))
    }
}

/// The candidate with the largest logit above -infinity, if there is one.
fn most_likely(candidates: &[Candidate], logit: impl Fn(&Candidate) -> f64) -> Option<Candidate> {
    let scored = candidates.iter().map(|c| (c, logit(c))).filter(|(_, logit)| *logit > f64::NEG_INFINITY);
    scored.max_by(|(a, x), (b, y)| x.total_cmp(y).then(b.id.cmp(&a.id))).map(|(c, _)| *c)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Lcg;

    /// The rule by sorting: allowed before banned, numbers before the rest, large logits before small, low ids before
    /// high.
    fn expected(all: &[Candidate], words: &[u32], bias: &[(i32, f32)]) -> i32 {
        let key = |&(at, c): &(usize, &Candidate)| {
            let bias = bias.iter().find(|b| b.0 == c.id).map_or(0.0, |b| b.1);
            let allowed = is_allowed(words, c.id as usize) && c.logit + bias > f32::NEG_INFINITY;
            let logit = if allowed { c.logit + bias } else { c.logit };
            let number = if logit > f32::NEG_INFINITY { logit } else { f32::NEG_INFINITY };
            (!allowed, -number, if number > f32::NEG_INFINITY { c.id } else { at as i32 })
        };
        let mut listed: Vec<_> = all.iter().enumerate().collect();
        listed.sort_by(|a, b| key(a).partial_cmp(&key(b)).expect("no NaN"));
        listed[0].1.id
    }

    #[test]
    fn fall_back_keeps_the_most_likely_allowed_candidate() {
        let mut random = Lcg::new(7);
        let special = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY];
        for case in 0..4000 {
            let n = 1 + random.next_u64() as usize % 12;
            let hopeless = case % 7 == 0;
            let mut all: Vec<_> = (0..n as i32)
                .map(|id| {
                    let logit = match random.next_u64() % 6 {
                        which if which < 3 || hopeless => special[which as usize % if hopeless { 1 } else { 3 }],
                        _ => (random.next_u64() % 5) as f32 - 2.0,
                    };
                    Candidate { id: (id * 5) % 13, logit, p: f32::NAN }
                })
                .collect();
            let words = [random.next_u64() as u32];
            let bias = [(random.next_u64() as i32 & 7, [1.5, -3.0, f32::NEG_INFINITY][case % 3]), (9, 0.25)];
            let chain = ["temperature(0.5)", "top_k(2) | draw"][case % 2];
            let mut sampler = Sampler::new(chain, 1).unwrap();
            sampler.set_mask(Some(&words)).unwrap();
            sampler.set_logit_bias(&bias).unwrap();
            let id = expected(&all, &words, &bias);
            let applied = sampler.fall_back(&mut all);
            assert_eq!((all[0].id, all[0].p), (id, 1.0), "case {case}");
            assert!(all[0].logit.is_finite());
            let selected = (case % 2 == 1).then_some(0);
            assert_eq!(applied, Applied { size: 1, selected, order: Order::Sorted });
            assert_eq!(sampler.position(), 1);
        }
        let mut sampler = Sampler::new("draw", 1).unwrap();
        assert_eq!(sampler.fall_back(&mut []), Applied { size: 0, selected: None, order: Order::AsBefore });
        assert_eq!(sampler.position(), 0);
    }
}
