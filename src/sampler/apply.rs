//! A sampler as a stage in an engine's own chain: candidates in, candidates out, in place.

use super::Sampler;
use super::scratch::{self, Scratch};
use crate::chain::Chain;
use crate::distribution::{Distribution, Drawn};
use crate::error::{Error, Result};
use crate::logits::{Candidate, Row, Values, is_allowed};
use crate::memory::make_room;
use crate::stages::{Context, Learnt};
use crate::vocab::{BLOCK, BlockBuffer, CandidateUpdate, Kernels, LogitChange, ProbabilityScale, TILE, TileScale};

/// What [`Sampler::apply`] did to a candidate array.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Applied {
    /// The first `size` candidates are kept.
    pub size: usize,
    /// Position of the token that the chain took, if it ends with a drawing stage.
    pub selected: Option<usize>,
    /// What is now known of the order.
    pub order: Order,
}

/// The order of a candidate array after [`Sampler::apply`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// Descending by logit.
    Sorted,
    /// The array's own, and as sorted as it was.
    AsBefore,
    /// The array's own, but a bias, a mask or a stage may have changed what is larger.
    Unsorted,
}

impl Sampler {
    /// Applies the chain to an engine's candidates, in place, as one stage of the engine's own chain.
    ///
    /// If the chain drops tokens, the kept ones are moved to the front in descending order and get their probability;
    /// else the array keeps its order (and where `xtc` took the first of a whole vocabulary, those get -infinity).
    /// Logits are the engine's own, divided by the temperature, or ln p̂ up to a constant after a stage that gives
    /// other weights (bregman with α other than 1, smoothing, adaptive_p). Where all are kept and a token is taken, a
    /// probability that is no normal f32 (below 1.2e-38) is written as 0. On an error nothing is changed. Advances the
    /// position by one.
    pub fn apply(&mut self, candidates: &mut [Candidate]) -> Result<Applied> {
        if candidates.is_empty() {
            return Err(Error::EmptySupport);
        }
        if candidates.len() > i32::MAX as usize {
            return Err(Error::InvalidArgument(format!(
                "{} candidates: at most {} are taken",
                candidates.len(),
                i32::MAX
            )));
        }
        let (applied, learnt) = scratch::with(self.chain.len(), |scratch| self.apply_with(scratch, candidates))?;
        self.sequence.advance(&self.chain, learnt);
        self.sequence.history.begin();
        Ok(applied)
    }

    fn apply_with(&mut self, scratch: &mut Scratch, candidates: &mut [Candidate]) -> Result<(Applied, Learnt)> {
        self.sequence.make_room(&self.chain)?;
        // Reserve for both ways: a later array may take the other one, and must not allocate.
        make_room(&mut scratch.row, candidates.len())?;
        make_room(&mut scratch.ids, candidates.len())?;
        make_room(&mut scratch.kept, candidates.len())?;
        let in_place = if self.copies { None } else { self.apply_in_place(scratch, candidates) };
        if let Some(done) = in_place {
            return Ok(done);
        }
        let (applied, learnt, was_in_vain) = self.apply_to_copy(scratch, candidates)?;
        // An array that had to be copied is most likely followed by another.
        self.copies = !was_in_vain;
        Ok((applied, learnt))
    }

    /// Reads the candidates where they are. None, and nothing changed, if that will not do: ids are not places, all are
    /// kept with logits that are not theirs, or there is an error, which the other way reports.
    fn apply_in_place(&self, scratch: &mut Scratch, candidates: &mut [Candidate]) -> Option<(Applied, Learnt)> {
        let Self { chain, kernels, sequence, .. } = self;
        let Scratch { run, kept, .. } = scratch;
        let last = candidates.len() - 1;
        if candidates[0].id != 0 || candidates[last].id != last as i32 {
            return None;
        }
        let row = Row::new(Values::Candidates(candidates)).ok()?;
        let row = sequence.mask.iter().fold(row, |row, words| row.with_mask(words));
        let (mut dist, context) = sequence.run(chain, kernels, (row, None), run).ok()?;
        if !dist.is_in_order() || !(dist.is_truncated() || dist.has_model_logits()) {
            return None;
        }
        let (drawn, learnt) = draw(chain, &mut dist, &context);
        if dist.is_truncated() {
            keep(&mut dist, kept, |place| place as i32);
            return Some((move_to_front(kept, drawn, candidates), learnt));
        }
        let whole = Whole::of(&mut dist, drawn, Order::AsBefore);
        Some((whole.write(candidates, kernels, |tile| run.dist.tile_scale(tile), None), learnt))
    }

    /// Copies the logits out of the candidates. Also says whether they could have been read in place.
    fn apply_to_copy(&self, scratch: &mut Scratch, candidates: &mut [Candidate]) -> Result<(Applied, Learnt, bool)> {
        let Self { chain, kernels, sequence, .. } = self;
        let Scratch { run, row, ids, kept, copied, .. } = scratch;
        row.resize(candidates.len(), 0.0);
        let in_order = (kernels.unpack_candidates)(candidates, row) && candidates[0].id == 0;
        if let Some(words) = &sequence.mask {
            let banned = |id: i32| !usize::try_from(id).is_ok_and(|token| is_allowed(words, token));
            row.iter_mut().zip(&*candidates).filter(|(_, c)| banned(c.id)).for_each(|(l, _)| *l = f32::NEG_INFINITY);
        }
        ids.clear();
        if !in_order {
            ids.extend(candidates.iter().map(|c| c.id));
        }
        let ids = (!ids.is_empty()).then_some(&ids[..]);
        let (mut dist, context) = sequence.run(chain, kernels, (Row::from_f32(row)?, ids), run)?;
        let (drawn, learnt) = draw(chain, &mut dist, &context);
        if dist.is_truncated() {
            keep(&mut dist, kept, |place| candidates[place as usize].id);
            return Ok((move_to_front(kept, drawn, candidates), learnt, in_order));
        }
        let theirs = sequence.mask.is_none() && dist.has_model_logits();
        let whole = Whole::of(&mut dist, drawn, if theirs { Order::AsBefore } else { Order::Unsorted });
        let has_dropped = dist.dropped_from().is_some();
        let (vocab, _) = dist.vocabulary();
        let new_logits = (!theirs).then(|| (vocab.row(), copied));
        let mut applied = whole.write(candidates, kernels, |tile| vocab.tile_scale(tile), new_logits);
        if has_dropped {
            drop_banned(candidates, &mut applied);
        }
        Ok((applied, learnt, in_order && theirs))
    }
}

/// The token that the chain draws, if it does, and what it has learnt from then on.
fn draw(chain: &Chain, dist: &mut Distribution<'_>, context: &Context<'_>) -> (Option<Drawn>, Learnt) {
    chain.draw(dist, context).map_or((None, context.learnt), |(drawn, learnt)| (Some(drawn), learnt))
}

/// Gathers the entries as candidates.
fn keep(dist: &mut Distribution<'_>, kept: &mut Vec<Candidate>, id: impl Fn(u32) -> i32) {
    kept.clear();
    let (total, logit) = (dist.head_weight(), dist.engine_logits());
    let (entries, weights) = dist.weighted();
    kept.extend(entries.iter().zip(weights).map(|(e, weight)| Candidate {
        id: id(e.index),
        logit: logit(e) as f32,
        p: (weight / total) as f32,
    }));
}

fn move_to_front(kept: &[Candidate], drawn: Option<Drawn>, candidates: &mut [Candidate]) -> Applied {
    candidates[..kept.len()].copy_from_slice(kept);
    Applied { size: kept.len(), selected: drawn.map(|d| d.rank), order: Order::Sorted }
}

/// Moves the candidates that can be sampled to the front, in their order.
fn drop_banned(candidates: &mut [Candidate], applied: &mut Applied) {
    let mut n = 0;
    for at in 0..candidates.len() {
        if candidates[at].logit > f32::NEG_INFINITY {
            if applied.selected == Some(at) {
                applied.selected = Some(n);
            }
            candidates[n] = candidates[at];
            n += 1;
        }
    }
    applied.size = n;
}

/// What is written into candidates that stay where they are.
struct Whole {
    change: LogitChange,
    /// What the first token's weight of 1 is worth; none if no token was taken: then no probabilities are written.
    unit: Option<f64>,
    selected: Option<usize>,
    order: Order,
}

impl Whole {
    fn of(dist: &mut Distribution<'_>, drawn: Option<Drawn>, order: Order) -> Self {
        let unit = drawn.map(|_| 1.0 / dist.rough_total());
        let (pivot, base) = dist.logit_transform();
        let change = LogitChange { pivot, scale: dist.scale(), base };
        Self { change, unit, selected: drawn.map(|d| d.index as usize), order }
    }

    /// Block by block, so that an array larger than a cache is read from memory once; with the logits of a row instead of
    /// the candidates' own, if there is one.
    fn write(
        &self,
        candidates: &mut [Candidate],
        kernels: &Kernels,
        tile_scale: impl Fn(usize) -> TileScale,
        mut row: Option<(Row<'_>, &mut BlockBuffer)>,
    ) -> Applied {
        for (tile, candidates) in candidates.chunks_mut(TILE).enumerate() {
            let probability = self.unit.map(|unit| ProbabilityScale::new(tile_scale(tile), unit));
            for (block, candidates) in (tile * TILE / BLOCK..).zip(candidates.chunks_mut(BLOCK)) {
                let logits = row.as_mut().map(|(row, copied)| &*row.copied_block(block, copied));
                (kernels.update_candidates)(candidates, CandidateUpdate { logits, change: self.change, probability });
            }
        }
        Applied { size: candidates.len(), selected: self.selected, order: self.order }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Lcg;
    use chains::CHAINS;

    #[expect(unreachable_pub, reason = "the tests of the public face share it")]
    mod chains {
        use crate as bregman;
        include!("../../tests/common/chains.rs");
    }

    const N: usize = 1500;

    fn candidates(row: u64, n: usize) -> Vec<Candidate> {
        let mut random = Lcg::new(row.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        (0..n as i32)
            .map(|id| {
                let bits = random.next_u64();
                let logit = match bits >> 57 {
                    0 => f32::NEG_INFINITY,
                    // Ties, for the ids to break.
                    1..30 => (bits >> 60) as f32,
                    _ => (bits >> 40) as f32 / 1e6 - 8.0,
                };
                Candidate { id, logit, p: f32::NAN }
            })
            .collect()
    }

    /// A sampler that has something to do for every stage, with or without a mask and a bias.
    fn sampler(chain: &str, seed: u64) -> Sampler {
        let mut sampler = Sampler::new(chain, seed).unwrap();
        let tokens: Vec<i32> = (0..60).map(|i| [4, 5, 9, i % 40, 6, 7][i as usize % 6]).collect();
        sampler.accept(&tokens).unwrap();
        sampler.set_prompt_length(30).unwrap();
        if seed.is_multiple_of(2) {
            let words: Vec<u32> = (0..N as u32 / 40).map(|i| i.wrapping_mul(0x9e37_79b9) | 0x1001).collect();
            sampler.set_mask(Some(&words)).unwrap();
        }
        if seed.is_multiple_of(3) {
            sampler.set_logit_bias(&[(0, 1.5), (300, f32::NEG_INFINITY), (700, 20.0), (5000, 1.0)]).unwrap();
        }
        sampler
    }

    fn in_place(sampler: &mut Sampler, candidates: &mut [Candidate]) -> Option<(Applied, Learnt)> {
        sampler.sequence.history.settle().unwrap();
        scratch::with(sampler.chain.len(), |scratch| Ok(sampler.apply_in_place(scratch, candidates))).unwrap()
    }

    fn to_copy(sampler: &mut Sampler, candidates: &mut [Candidate]) -> Result<(Applied, Learnt, bool)> {
        sampler.sequence.history.settle().unwrap();
        scratch::with(sampler.chain.len(), |scratch| sampler.apply_to_copy(scratch, candidates))
    }

    fn bits(candidates: &[Candidate]) -> Vec<(i32, u32, u32)> {
        candidates.iter().map(|c| (c.id, c.logit.to_bits(), c.p.to_bits())).collect()
    }

    #[test]
    fn apply_in_place_equals_apply_to_copy() {
        assert_eq!(chains::missing(), [""; 0], "add a chain with these to tests/common/chains.rs");
        let mut read_in_place = 0;
        for chain in CHAINS {
            for (seed, n) in (0..6).zip([N, 1, 255, 256, 1024, N]) {
                let (mut here, mut copy) = (candidates(seed, n), candidates(seed, n));
                let mut sampler = sampler(chain, seed);
                if let Some(done) = in_place(&mut sampler, &mut here) {
                    let (applied, learnt, in_vain) = to_copy(&mut sampler, &mut copy).unwrap();
                    assert!(in_vain || sampler.sequence.mask.is_some(), "{chain}, {n}");
                    assert_eq!(done, (applied, learnt), "{chain}, {n}");
                    let kept = done.0.size;
                    assert_eq!(bits(&here[..kept]), bits(&copy[..kept]), "{chain}, {n}");
                    read_in_place += 1;
                } else {
                    assert_eq!(bits(&here), bits(&copy), "{chain}: changed, and nothing done");
                }
            }
        }
        // All but those that may leave a whole vocabulary with other logits.
        assert!(read_in_place > CHAINS.len() * 4, "{read_in_place}");
    }

    #[test]
    fn apply_in_place_refuses_an_id_that_is_not_its_place() {
        let chains =
            ["top_k(5) | draw", "top_p(0.9) | draw", "eta(0.002) | draw", "logit_bias(700:1) | min_p(0.1) | draw"];
        for chain in chains {
            for at in [1, 15, 16, 255, 256, 690, 700, 767, 768, N - 2] {
                for seed in 0..4 {
                    let mut sampler = sampler(chain, seed);
                    let mut all = candidates(seed, N);
                    assert!(in_place(&mut sampler, &mut all.clone()).is_some());
                    all[at].id += 1;
                    let before = bits(&all);
                    assert_eq!(in_place(&mut sampler, &mut all), None, "{chain}, {at}");
                    assert_eq!(bits(&all), before);
                }
            }
        }
    }

    #[test]
    fn apply_repeats_the_way_that_served_the_last_array() {
        let mut sampler = Sampler::new("temperature(0.8) | draw", 1).unwrap();
        let mut out_of_order = candidates(1, N);
        out_of_order.swap(3, 5);
        for (mut all, copies) in [(candidates(1, N), false), (out_of_order, true), (candidates(1, N), false)] {
            sampler.apply(&mut all).unwrap();
            assert_eq!(sampler.copies, copies);
        }
        let mut sampler = Sampler::new("smoothing(0.2) | draw", 1).unwrap();
        sampler.apply(&mut candidates(1, N)).unwrap();
        assert!(sampler.copies);
    }
}
