//! A truncated distribution of too many tokens to sort: a prefix of the descending order, gathered without gaps by
//! `vocab/bulk.rs`, until a stage or a caller needs the entries.

use super::{Distribution, Drawn, LOWEST_LOG_WEIGHT, Least, Support, Ties};
use crate::math::exp;
use crate::vocab::{BulkDraw, PrefixEstimate, PrefixSum, RankedToken};

/// From so many tokens on a distribution is kept as a bulk.
pub(in crate::distribution) const MANY: usize = 512;

/// The tokens of the vocabulary's bulk that were kept.
#[derive(Clone, Copy)]
pub(super) struct BulkPrefix {
    /// The last of them; its index is the largest possible if none that ties with it was dropped.
    last: RankedToken,
    above: PrefixSum,
}

impl BulkPrefix {
    /// Number of tokens.
    pub(super) fn len(&self) -> usize {
        self.above.count
    }
}

/// The first token weighs 1; the sum of f32 weights may be rounded to less.
fn at_least_one(above: PrefixSum) -> PrefixSum {
    PrefixSum { weight: above.weight.max(1.0), ..above }
}

impl Distribution<'_> {
    /// Whether a truncation may make it a bulk. (In a candidate array ties go by ids that are not the places.)
    pub(super) fn can_be_bulk(&self) -> bool {
        !self.is_truncated() && self.head.ids().is_none()
    }

    /// Makes a bulk or a range a list.
    pub(crate) fn sort_bulk(&mut self) {
        self.sort_range();
        if let Support::Bulk { prefix: BulkPrefix { last, above }, first_scale } = self.support {
            self.head.restart();
            self.head.take_all(last.logit(), above.count);
            self.support = Support::List { first_scale, first_logit: None };
        }
    }

    fn keep_bulk(&mut self, last: RankedToken, above: PrefixSum) {
        let above = at_least_one(above);
        self.support = Support::Bulk { prefix: BulkPrefix { last, above }, first_scale: self.first_scale() };
    }

    /// The same, and all ties for the last.
    fn keep_bulk_down_to(&mut self, logit: f32) {
        let above = self.head.vocab_mut().bulk_at_least(logit);
        self.keep_bulk(RankedToken::new(u32::MAX, logit), above);
    }

    /// Keeps the `k` largest as a bulk, or all there are. False, and nothing changed, if there are no weights.
    pub(super) fn keep_bulk_largest(&mut self, k: usize, ties: Ties) -> bool {
        let (lowest, scale) = (self.head.lowest(), self.scale());
        let vocab = self.head.vocab_mut();
        let Some(end) = vocab.bulk_of_largest(k, lowest, scale) else { return false };
        match ties {
            Ties::Keep if end.next.is_some() => self.keep_bulk_down_to(end.last.logit()),
            _ => self.keep_bulk(end.last, end.above),
        }
        true
    }

    /// Keeps the tokens with a logit of at least `floor` as a bulk, if they are many; else nothing is changed.
    pub(super) fn keep_bulk_above(&mut self, floor: f32) -> bool {
        let (scale, vocab) = (self.scale(), self.head.vocab_mut());
        if vocab.count_lower_bound(floor, MANY) < MANY {
            return false;
        }
        let Some(all) = vocab.begin_bulk_above(floor, scale) else { return false };
        self.keep_bulk(RankedToken::new(u32::MAX, floor), all);
        true
    }

    /// Keeps the longest prefix that satisfies `keeps` as a bulk; see [`Distribution::keep_while`]. `foreseen` estimates
    /// where it ends. False if there are no weights.
    pub(super) fn keep_bulk_while(
        &mut self,
        weight: f64,
        foreseen: PrefixEstimate,
        least: Least,
        keeps: impl Fn(f64, f64) -> bool,
    ) -> bool {
        let keeps =
            |before: PrefixSum, with: PrefixSum| before.count < least.tokens || keeps(before.weight, with.weight);
        let (lowest, scale) = (self.head.lowest(), self.scale());
        let vocab = self.head.vocab_mut();
        let mut attempt = 0;
        let (floor, all) = loop {
            let floor = match foreseen.bound {
                Some((_, floor)) if attempt == 0 => floor.max(lowest),
                Some(_) => lowest,
                None => vocab.bound_for_rank(2 * foreseen.tokens, attempt).max(lowest),
            };
            match vocab.gather(floor, scale) {
                None => return false,
                Some(all) if floor > lowest && keeps(all, all) => attempt += 1,
                Some(all) => break (floor, all),
            }
        };
        let from = RankedToken::new(u32::MAX, floor);
        if keeps(all, all) {
            self.keep_bulk(from, all);
            return true;
        }
        let end = vocab.end_of_prefix((from, all), scale, weight, keeps);
        match least.ties {
            Ties::Exact => self.keep_bulk(end.last, end.above),
            Ties::Keep => self.keep_bulk_down_to(end.last.logit()),
        }
        true
    }

    /// Changes a bulk's scale. False, and nothing changed, if it is no bulk or cannot stay one.
    pub(super) fn reweigh_bulk(&mut self, scale: f64) -> bool {
        let Support::Bulk { prefix: BulkPrefix { last, above }, first_scale } = self.support else { return false };
        let vocab = self.head.vocab_mut();
        let x = (f64::from(last.logit()) - f64::from(vocab.max())) * scale;
        if x < LOWEST_LOG_WEIGHT || !vocab.rescale_bulk(scale) {
            return false;
        }
        let larger = vocab.bulk_at_least(last.logit().next_up());
        let weight = larger.weight + (above.count - larger.count) as f64 * exp(x);
        let prefix = BulkPrefix { last, above: at_least_one(PrefixSum { weight, count: above.count }) };
        self.support = Support::Bulk { prefix, first_scale };
        self.head.set_scale(scale);
        true
    }

    /// [`Distribution::draw`] from a bulk: the order is the descending one, as it is of a list.
    pub(super) fn draw_from_bulk(&mut self, prefix: BulkPrefix, u: f64) -> Drawn {
        let BulkPrefix { last, above } = prefix;
        // Below the total, however it is rounded: some token is always drawn.
        let target = (u * above.weight).min(above.weight.next_down());
        match self.head.vocab_mut().draw_from_bulk((last, above), target) {
            Some(BulkDraw { index, rank, logit }) => {
                Drawn { index, rank, p: exp(self.head.log_weight(logit)) / above.weight }
            }
            None => self.draw_from_lists(prefix, target),
        }
    }

    fn draw_from_lists(&mut self, BulkPrefix { last, above }: BulkPrefix, target: f64) -> Drawn {
        let scale = self.scale();
        let is_below = |_, with: PrefixSum| with.weight <= target;
        let vocab = self.head.vocab_mut();
        vocab.expect_high_sums();
        let end = vocab.end_of_prefix((last, above), scale, target, is_below);
        // Weights are f64 near the end and f32 elsewhere; a target between the two selects the last token.
        let (mut hit, rank) = end.next.map_or((end.last, above.count - 1), |next| (next, end.above.count));
        if hit.index() == u32::MAX {
            // No token is among those that the search came down to.
            hit = vocab.last_listed(last).unwrap_or(hit);
        }
        Drawn { index: hit.index(), rank, p: exp(self.head.log_weight(hit.logit())) / above.weight }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{DistributionScratch, Edge, Entry};
    use super::*;
    use crate::logits::Row;
    use crate::testing::Lcg;
    use crate::vocab::{FirstPass, levels};

    const ONE: Least = Least { tokens: 1, ties: Ties::Exact };

    fn noise(n: usize, seed: u64) -> Vec<f64> {
        let mut random = Lcg::new(seed);
        (0..n).map(|_| random.unit()).collect()
    }

    /// Rows whose heads are long: flat, sloping, with many ties, with a spike, a few values, all equal, large.
    fn rows() -> Vec<Vec<f32>> {
        rows_of(20_011)
    }

    /// So many tokens that most of them are not listed.
    const LARGE: usize = 80_021;

    fn rows_of(n: usize) -> Vec<Vec<f32>> {
        let shapes: [fn(usize, f64) -> f64; 8] = [
            |_, u| 3.0 * u,
            |_, u| 6.0 * u.powi(3) - 900.0,
            |i, _| i as f64 * -4e-4,
            |_, u| (40.0 * u).floor() / 16.0,
            |i, u| if i == 7777 { 9.0 } else { 2.0 * u },
            |_, u| if u < 0.5 { 1.0 } else { 0.0 },
            |_, _| -2.5,
            |_, u| 3e5 + (64.0 * u).floor() / 32.0,
        ];
        shapes
            .iter()
            .map(|shape| noise(n, 5).into_iter().enumerate().map(|(i, u)| shape(i, u) as f32).collect())
            .collect()
    }

    fn with_distribution<T>(row: &[f32], scale: f64, f: impl Fn(&mut Distribution<'_>) -> T) -> Vec<T> {
        levels()
            .iter()
            .map(|kernels| {
                let mut scratch = DistributionScratch::new();
                let row = Row::from_f32(row).unwrap();
                let mut dist = Distribution::new(row, kernels, &mut scratch);
                dist.read(FirstPass::Maxima).unwrap();
                dist.scale_by(scale);
                f(&mut dist)
            })
            .collect()
    }

    /// All tokens in descending order, with weights relative to the first.
    fn sorted(row: &[f32], scale: f64) -> Vec<(u32, f64)> {
        let mut all: Vec<(u32, f32)> = (0..).zip(row.iter().copied()).collect();
        all.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        let max = f64::from(all[0].1);
        all.iter().map(|&(i, l)| (i, ((f64::from(l) - max) * scale).exp())).collect()
    }

    fn is_bulk(dist: &Distribution<'_>) -> bool {
        matches!(dist.support, Support::Bulk { .. })
    }

    fn indices(entries: &[Entry]) -> Vec<u32> {
        entries.iter().map(|e| e.index).collect()
    }

    #[test]
    fn keep_largest_equals_a_full_sort() {
        let cases = rows().into_iter().map(|row| (row, &[513, 1000, 6000, 20_000, 50_000][..]));
        for (row, sizes) in cases.chain(rows_of(LARGE).into_iter().map(|row| (row, &[45_000, 79_000][..]))) {
            let all = sorted(&row, 1.0);
            for &k in sizes {
                for ties in [Ties::Exact, Ties::Keep] {
                    let mut expected: Vec<u32> = all.iter().take(k).map(|e| e.0).collect();
                    if ties == Ties::Keep {
                        let last = row[*expected.last().unwrap() as usize];
                        let more = all[expected.len()..].iter().take_while(|e| row[e.0 as usize] == last);
                        expected.extend(more.map(|e| e.0));
                    }
                    for (size, is_bulk, kept) in with_distribution(&row, 1.0, |dist| {
                        dist.keep_largest(k, ties);
                        let (size, is_bulk) = (dist.support(), is_bulk(dist));
                        dist.sort_bulk();
                        (size, is_bulk, indices(dist.entries()))
                    }) {
                        assert!(is_bulk);
                        assert_eq!(size, expected.len());
                        assert!(kept == expected, "k = {k}, {ties:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn threshold_keeps_tokens_at_or_above_it() {
        for row in rows().into_iter().chain(rows_of(LARGE)) {
            for x in [-0.7, -1.3, -30.0] {
                let expected: Vec<u32> = sorted(&row, 1.0).iter().filter(|e| e.1.ln() >= x).map(|e| e.0).collect();
                for kept in with_distribution(&row, 1.0, |dist| {
                    dist.keep_down_to(x, Edge::Inside, ONE);
                    dist.sort_bulk();
                    indices(dist.entries())
                }) {
                    assert!(kept == expected, "{x}: {} and {}", kept.len(), expected.len());
                }
            }
        }
    }

    #[test]
    fn keep_while_keeps_the_shortest_prefix() {
        for (row, scale) in rows().into_iter().flat_map(|row| [(row.clone(), 1.0), (row, 0.6)]) {
            let all = sorted(&row, scale);
            let total: f64 = all.iter().map(|e| e.1).sum();
            for share in [0.3, 0.9, 0.999] {
                let kept = with_distribution(&row, scale, |dist| {
                    dist.keep_while(share, ONE, |before, _, target| before < target);
                    let is_bulk = is_bulk(dist);
                    dist.sort_bulk();
                    (is_bulk, indices(dist.entries()))
                });
                assert!(kept.iter().all(|k| *k == kept[0]), "all levels agree");
                let (is_bulk, kept) = &kept[0];
                assert!(*is_bulk || kept.len() < 4 * MANY);
                assert!(*kept == all[..kept.len()].iter().map(|e| e.0).collect::<Vec<_>>());
                // As short as it can be, but for what f32 weights leave open.
                let weight = |n: usize| all[..n].iter().map(|e| e.1).sum::<f64>() / total;
                let (without, with) = (weight(kept.len() - 1), weight(kept.len()));
                assert!(without < share + 1e-6 && with > share - 1e-6, "{share}: {without} {with}");
            }
        }
    }

    #[test]
    fn draw_from_bulk_equals_draw_from_list() {
        for row in rows() {
            for (k, later) in [(700, 1.0), (5000, 1.0), (5000, 1.3), (5000, 0.01)] {
                let all = &sorted(&row, later)[..k];
                let total: f64 = all.iter().map(|e| e.1).sum();
                for u in noise(40, 9) {
                    let drawn = with_distribution(&row, 1.0, |dist| {
                        dist.keep_largest(k, Ties::Exact);
                        dist.scale_by(later);
                        assert!(is_bulk(dist));
                        dist.draw(u)
                    });
                    assert!(drawn.iter().all(|d| *d == drawn[0]), "all levels agree");
                    let Drawn { index, rank, p } = drawn[0];
                    assert_eq!(index, all[rank].0);
                    assert!((p / (all[rank].1 / total) - 1.0).abs() < 1e-6);
                    let before = all[..rank].iter().map(|e| e.1).sum::<f64>() / total;
                    assert!(before - 1e-6 <= u && u <= before + p + 1e-6, "{u}: {before} + {p}");
                }
            }
        }
    }

    #[test]
    fn draw_that_few_passes_decide_equals_that_from_lists() {
        let (mut certain, mut all) = (0, 0);
        // Flat rows, and one with a head that has half the weight.
        let long_head = noise(LARGE, 7).into_iter().map(|u| (-4.0 * (u + 1e-5).ln()) as f32).collect();
        for row in rows_of(LARGE).into_iter().chain([long_head]) {
            for (k, later, u) in [(700, 1.0, 9), (50_000, 1.0, 2), (70_000, 0.7, 3), (90_000, 1.0, 5)] {
                let found = with_distribution(&row, 1.0, |dist| {
                    dist.keep_largest(k, Ties::Exact);
                    dist.scale_by(later);
                    let Support::Bulk { prefix, .. } = dist.support else { panic!("{k} tokens are a bulk") };
                    let mut targets = noise(28, u);
                    targets.extend([0.0, 1e-9, 0.999_999_9, 1.0]);
                    targets.iter_mut().for_each(|target| *target = (*target * prefix.above.weight).next_down());
                    // First those without lists, which stay once they are made.
                    let draw = |dist: &mut Distribution<'_>, target| {
                        dist.head.vocab_mut().draw_from_bulk((prefix.last, prefix.above), target)
                    };
                    let drawn: Vec<_> = targets.iter().map(|&target| draw(dist, target)).collect();
                    for (drawn, target) in drawn.iter().zip(targets) {
                        let Drawn { index, rank, .. } = dist.draw_from_lists(prefix, target);
                        assert!(drawn.is_none_or(|drawn| (drawn.index, drawn.rank) == (index, rank)), "{target}");
                    }
                    drawn.iter().flatten().count()
                });
                certain += found[0];
                all += 32;
                assert!(found.iter().all(|n| *n == found[0]), "all levels agree");
            }
        }
        assert!(certain > all / 4, "{certain} of {all}");
    }

    /// At the borders between two tokens, as the lists draw them, and as near to them as rounding may matter.
    #[test]
    fn draw_near_a_border_equals_that_from_lists() {
        let long_head: Vec<f32> = noise(LARGE, 7).into_iter().map(|u| (-4.0 * (u + 1e-5).ln()) as f32).collect();
        let (mut certain, mut all) = (0, 0);
        for row in rows_of(LARGE).into_iter().take(4).chain([long_head]) {
            let with_bulk = |f: &dyn Fn(&mut Distribution<'_>, BulkPrefix) -> Vec<f64>| {
                let found = with_distribution(&row, 1.0, |dist| {
                    dist.keep_largest(60_000, Ties::Exact);
                    dist.scale_by(0.8);
                    let Support::Bulk { prefix, .. } = dist.support else { panic!("so many tokens are a bulk") };
                    f(dist, prefix)
                });
                assert!(found.iter().all(|of_level| *of_level == found[0]), "all levels agree");
                found.into_iter().next().unwrap()
            };
            let borders = with_bulk(&|dist, prefix| {
                let border = |u: f64| {
                    let (mut low, mut high) = (u * prefix.above.weight, prefix.above.weight);
                    let rank = dist.draw_from_lists(prefix, low).rank;
                    while high - low > 1e-14 * high {
                        let middle = 0.5 * (low + high);
                        *(if dist.draw_from_lists(prefix, middle).rank == rank { &mut low } else { &mut high }) =
                            middle;
                    }
                    low
                };
                [1e-6, 1e-3, 0.02, 0.2, 0.5, 0.9].map(border).to_vec()
            });
            let targets: Vec<f64> = borders
                .iter()
                .flat_map(|border| {
                    (18..30).flat_map(move |k| [1.0, -1.0].map(|s| border * (1.0 + s / f64::from(1 << k))))
                })
                .collect();
            let drawn = with_bulk(&|dist, prefix| {
                let vocab = dist.head.vocab_mut();
                let drawn: Vec<_> =
                    targets.iter().map(|&target| vocab.draw_from_bulk((prefix.last, prefix.above), target)).collect();
                for (drawn, &target) in drawn.iter().zip(&targets) {
                    let Drawn { index, rank, .. } = dist.draw_from_lists(prefix, target);
                    assert!(drawn.is_none_or(|drawn| (drawn.index, drawn.rank) == (index, rank)), "{target}");
                }
                drawn.iter().flatten().map(|drawn| drawn.rank as f64).collect()
            });
            certain += drawn.len();
            all += targets.len();
        }
        assert!(certain > all / 50 && certain < all, "{certain} of {all}");
    }

    #[test]
    fn bulk_of_a_row_whose_first_tokens_were_dropped_has_the_others_alone() {
        // Whole blocks, in which no padding is banned.
        let mut row: Vec<f32> = noise(80_128, 3).into_iter().map(|u| (3.0 * u) as f32).collect();
        [(1000, 9.0), (70_000, 8.0), (5, 8.5)].into_iter().for_each(|(at, logit)| row[at] = logit);
        let banned: Vec<f32> = row.iter().map(|&l| if l > 7.0 { f32::NEG_INFINITY } else { l }).collect();
        let kept = |row: &[f32], dropped: usize| {
            let of_level = |kernels| {
                let mut scratch = DistributionScratch::new();
                scratch.reserve_stages(1).unwrap();
                let mut dist = Distribution::new(Row::from_f32(row).unwrap(), kernels, &mut scratch);
                dist.read(FirstPass::TotalAndMin).unwrap();
                if dropped > 0 {
                    dist.deepen(dropped);
                    dist.drop_first(dropped, |_| false).unwrap();
                    dist.read(FirstPass::TotalAndMin).unwrap();
                }
                dist.keep_down_to(-30.0, Edge::Inside, ONE);
                assert!(is_bulk(&dist));
                let mut drawn = vec![];
                for scale in [1.0, 1.0 / 3.0] {
                    dist.scale_by(scale);
                    let of_u = |dist: &mut Distribution<'_>, u| {
                        let Drawn { index, rank, p } = dist.draw(u);
                        (dist.support(), index, rank, p.to_bits())
                    };
                    drawn.extend([0.001, 0.1, 0.4, 0.77, 0.99].map(|u| of_u(&mut dist, u)));
                }
                drawn
            };
            levels().iter().map(|kernels| of_level(kernels)).collect::<Vec<_>>()
        };
        let (dropped, banned) = (kept(&row, 3), kept(&banned, 0));
        assert_eq!(dropped[0][0].0, 80_125);
        assert!(dropped == banned, "dropping tokens is banning them");
    }

    /// Also where no token stands exactly at the floor.
    #[test]
    fn draw_at_u_1_is_within_the_support() {
        for row in rows() {
            let all = sorted(&row, 1.0);
            for x in [-0.7, -1.3001, -30.0] {
                for (size, drawn) in with_distribution(&row, 1.0, |dist| {
                    dist.keep_down_to(x, Edge::Inside, ONE);
                    let drawn = dist.draw(1.0);
                    (dist.support(), drawn)
                }) {
                    // Rounding may leave the target some light tokens before.
                    let left: f64 = all[drawn.rank..size].iter().map(|e| e.1).sum();
                    assert!(left > 0.0 && left < all[drawn.rank].1 + 1e-6 * size as f64, "{} of {size}", drawn.rank);
                    assert_eq!(drawn.index, all[drawn.rank].0);
                }
            }
        }
    }

    #[test]
    fn temperature_drops_tokens_whose_weight_underflows() {
        let row: Vec<f32> = (0..5000).map(|i| i as f32 * -0.01).collect();
        for sizes in with_distribution(&row, 1.0, |dist| {
            dist.keep_largest(4000, Ties::Exact);
            let before = dist.support();
            dist.scale_by(1e3);
            (before, dist.support())
        }) {
            let eligible = row.iter().filter(|&&l| f64::from(l) * 1e3 >= LOWEST_LOG_WEIGHT).count();
            assert_eq!(sizes, (4000, eligible));
        }
    }
}
