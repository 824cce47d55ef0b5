//! Verification of drafts: no rule changes the distribution of the text, and the match rule changes no token.

use crate::common::chains::CHAINS;
use crate::common::chi_square::{LEAST_P_VALUE, p_value};
use crate::common::rows::{Random, logits};
use bregman::{Draft, DraftLaws, Error, Row, Rule, Sampler, Token, Verified, Want};

const V: usize = 4;
const GAMMA: usize = 2;

/// A language model of four tokens: logits that depend on the last two.
fn small_row(model: u64, text: &[i32]) -> [f32; V] {
    let context = text.iter().rev().take(2).fold(model, |sum, &token| sum * 7 + token as u64 + 1);
    let mut random = Random(context);
    std::array::from_fn(|_| (1.5 * random.normal()) as f32)
}

fn law(sampler: &Sampler, row: &[f32]) -> Vec<f64> {
    let mut law = vec![0.0; row.len()];
    for (token, p) in sampler.clone().distribution(Row::from_f32(row).unwrap()).unwrap() {
        law[token as usize] = p;
    }
    law
}

/// A sampler that has read the prompt.
fn reader(chain: &str, seed: u64) -> Sampler {
    let mut sampler = Sampler::new(chain, seed).unwrap();
    sampler.accept(&[0, 2]).unwrap();
    sampler.set_prompt_length(2).unwrap();
    sampler
}

fn accept(sampler: &Sampler, token: usize) -> Sampler {
    let mut next = sampler.clone();
    next.accept(&[token as i32]).unwrap();
    next
}

/// The probability of every text of `n` tokens.
fn texts(target: &Sampler, n: usize) -> Vec<f64> {
    if n == 0 {
        return vec![1.0];
    }
    let law = law(target, &small_row(1, target.history()));
    (0..V).flat_map(|x| texts(&accept(target, x), n - 1).into_iter().map(|p| law[x] * p).collect::<Vec<_>>()).collect()
}

/// A draft's tokens and the distributions that they were drawn from.
#[derive(Default)]
struct Drafted {
    tokens: Vec<i32>,
    offsets: Vec<usize>,
    ids: Vec<i32>,
    probs: Vec<f32>,
}

impl Drafted {
    /// Draws `n` tokens with a sampler, whose rows are those of the draft's model, or of the target's.
    fn new(mut sampler: Sampler, model: u64, n: usize) -> Self {
        let mut drafted = Self { offsets: vec![0], ..Self::default() };
        for _ in 0..n {
            let row = small_row(model, sampler.history());
            for (token, q) in law(&sampler, &row).into_iter().enumerate().filter(|e| e.1 > 0.0) {
                drafted.ids.insert(*drafted.offsets.last().unwrap(), token as i32);
                drafted.probs.insert(*drafted.offsets.last().unwrap(), q as f32);
            }
            drafted.offsets.push(drafted.ids.len());
            let token =
                sampler.decode(Row::from_f32(&row).unwrap(), Want { accept: true, ..Want::default() }).unwrap().token;
            drafted.tokens.push(token as i32);
        }
        drafted
    }

    fn draft(&self, rule: Rule) -> Draft<'_> {
        let Self { tokens, offsets, ids, probs } = self;
        Draft { rule, tokens, parents: None, laws: Some(DraftLaws { offsets, ids, probs }) }
    }
}

fn verify(target: &mut Sampler, draft: &Draft<'_>, want: Want) -> bregman::Result<Verified> {
    let history = target.history().to_vec();
    let rows: Vec<[f32; V]> =
        (0..=draft.tokens.len()).map(|i| small_row(1, &[&history, &draft.tokens[..i]].concat())).collect();
    target.verify(draft, |i| Row::from_f32(&rows[i]), want)
}

const ACCEPT: Want = Want { accept: true, ..Want::NONE };

/// Chains of the target and of the draft, and the draft's model: 1 is the target's own.
const PAIRS: [(&str, &str, u64); 6] = [
    ("draw", "draw", 2),
    // q misses tokens of p, and p tokens of q.
    ("top_k(3) | draw", "top_k(2) | draw", 2),
    ("top_k(2) | draw", "temperature(1.5) | draw", 2),
    // q equals p.
    ("min_p(0.1) | draw", "min_p(0.1) | draw", 1),
    // Stages that see each accepted prefix.
    ("penalties(repeat=1.8, presence=0.7) | no_repeat_ngram(2) | bregman(alpha=1.5, floor=0.05) | draw", "gumbel", 2),
    // A draft that draws with the numbers of the target's own gumbel.
    ("top_p(0.9) | gumbel", "gumbel", 2),
];

/// `rounds` texts of three tokens, each begun by a verified draft and ended by plain decoding; how many drafted tokens were
/// accepted.
fn frequencies(target: &str, rounds: u64, draft: impl Fn(u64) -> (Drafted, bool), rule: Rule) -> (Vec<u64>, usize) {
    let (mut counts, mut accepted) = (vec![0; V.pow(GAMMA as u32 + 1)], 0);
    let mut sampler = reader(target, 0);
    let start = sampler.clone();
    for seed in 0..rounds {
        sampler.clone_from(&start);
        sampler.reseed(seed, 3);
        let (drafted, has_laws) = draft(seed);
        let mut draft = drafted.draft(rule);
        if !has_laws {
            draft.laws = None;
        }
        let verified = verify(&mut sampler, &draft, ACCEPT).unwrap();
        assert_eq!(sampler.position(), 3 + verified.tokens.len() as u64);
        accepted += verified.path.len();
        // The rest with other numbers: the next round would have its own.
        sampler.reseed(seed ^ 0x5555_5555_0000_0000, 9);
        while sampler.history().len() < 2 + GAMMA + 1 {
            let row = small_row(1, sampler.history());
            sampler.decode(Row::from_f32(&row).unwrap(), ACCEPT).unwrap();
        }
        let text = &sampler.history()[2..2 + GAMMA + 1];
        counts[text.iter().fold(0, |sum, &token| sum * V + token as usize)] += 1;
    }
    (counts, accepted)
}

fn assert_lossless(what: &str, counts: &[u64], target: &str) {
    let rounds: u64 = counts.iter().sum();
    let expected: Vec<f64> = texts(&reader(target, 0), GAMMA + 1).iter().map(|p| p * rounds as f64).collect();
    assert!(
        counts.iter().zip(&expected).all(|(&n, &e)| n == 0 || e > 0.0),
        "{what}: a text that the target never writes"
    );
    let p = p_value(counts, &expected);
    assert!(p > LEAST_P_VALUE, "{what}: p = {p}");
}

/// The draft is drawn with the seed and at the positions of the target: its numbers must not be those that verify it.
#[test]
fn token_and_block_rule_keep_the_distribution_of_the_text() {
    // A million drafts altogether.
    let rounds = 84_000;
    for (target, chain, model) in PAIRS {
        let start = reader(chain, 0);
        let draft = |seed| {
            let mut sampler = start.clone();
            sampler.reseed(seed, 3);
            (Drafted::new(sampler, model, GAMMA), true)
        };
        let mut lengths = Vec::new();
        for rule in [Rule::Token, Rule::Block] {
            let (counts, accepted) = frequencies(target, rounds, draft, rule);
            assert_lossless(&format!("{rule:?}, {target}, {chain}"), &counts, target);
            lengths.push(accepted as f64 / rounds as f64);
        }
        // The block rule accepts no fewer on average; five standard deviations for the noise.
        assert!(lengths[1] > lengths[0] - 5.0 * (2.0 / rounds as f64).sqrt(), "{target}: {lengths:?}");
        if model == 1 && chain == target {
            // f32 rounding of q is all that can refuse a token.
            assert!(lengths.iter().all(|n| *n > 1.999), "{lengths:?}");
        }
    }
}

#[test]
fn drafts_without_distributions_keep_the_distribution_of_the_text() {
    for target in ["temperature(1.4) | draw", "penalties(repeat=1.8) | top_k(3) | draw"] {
        for rule in [Rule::Token, Rule::Block, Rule::Match] {
            // Always the same tokens, as from a table of n-grams; or none.
            for tokens in [vec![1, 3], vec![0, 0], vec![]] {
                let draft = |_| (Drafted { tokens: tokens.clone(), offsets: vec![0], ..Drafted::default() }, false);
                let (counts, _) = frequencies(target, 20_000, draft, rule);
                assert_lossless(&format!("{rule:?}, {target}, {tokens:?}"), &counts, target);
            }
        }
    }
}

/// p = (.5, .3, .2, 0), q = (.2, .5, 0, .3): accepted with probability 1, .6, -, 0; the residual is (.6, 0, .4, 0).
#[test]
fn one_step_of_the_token_rule_by_hand() {
    let row = [0.5f32.ln(), 0.3f32.ln(), 0.2f32.ln(), f32::NEG_INFINITY];
    let (ids, probs) = ([3, 0, 1], [0.3, 0.2, 0.5]);
    let laws = Some(DraftLaws { offsets: &[0, 3], ids: &ids, probs: &probs });
    let n = 100_000;
    for rule in [Rule::Token, Rule::Block] {
        for (token, accepted, residual) in [(0, 1.0, 0.0), (1, 0.6, 0.4), (3, 0.0, 1.0)] {
            let draft = Draft { rule, tokens: &[token], parents: None, laws };
            let (mut kept, mut instead) = (0, [0; V]);
            for seed in 0..n {
                let mut sampler = Sampler::new("draw", seed).unwrap();
                let verified = sampler.verify(&draft, |_| Row::from_f32(&row), Want::default()).unwrap();
                if verified.path.is_empty() {
                    instead[verified.tokens[0].token as usize] += 1;
                } else {
                    kept += 1;
                }
            }
            let is_near =
                |count: u64, p: f64| (count as f64 - p * n as f64).abs() <= 4.0 * (p * (1.0 - p) * n as f64).sqrt();
            assert!(is_near(kept, accepted), "{rule:?}, {token}: {kept}");
            assert!((0..V).all(|x| is_near(instead[x], residual * [0.6, 0.0, 0.4, 0.0][x])), "{instead:?}");
        }
    }
}

fn long_row(text: &[i32]) -> Vec<f32> {
    let context = text.iter().rev().take(3).fold(5, |sum: u64, &token| sum.wrapping_mul(31) + token as u64);
    logits("model", 200, &mut Random(context))
}

fn plain(sampler: &mut Sampler, n: usize, want: Want) -> Vec<Token> {
    (0..n)
        .map(|_| {
            sampler.decode(Row::from_f32(&long_row(sampler.history())).unwrap(), Want { accept: true, ..want }).unwrap()
        })
        .collect()
}

fn bits(tokens: &[Token]) -> Vec<(u32, usize, [u64; 4])> {
    let figures = |t: &Token| [t.p, t.kept_mass, t.model_logprob, t.entropy].map(f64::to_bits);
    tokens.iter().map(|t| (t.token, t.support, figures(t))).collect()
}

/// The draft is right for a while, wrong then; the text is that of decoding without it, and so is the state.
#[test]
fn match_rule_is_decoding_without_a_draft() {
    let want = Want { kept_mass: true, model_logprob: true, entropy: true, ..ACCEPT };
    for chain in CHAINS {
        let mut sampler = Sampler::new(chain, 11).unwrap();
        sampler.accept(&[4, 5, 9]).unwrap();
        let mut other = sampler.clone();
        let text = plain(&mut sampler, 40, want);
        let (mut written, mut random) = (Vec::new(), Random(3));
        while written.len() < 30 {
            let (n, right) = (random.below(6), random.below(6));
            let tokens: Vec<i32> = (0..n)
                .map(|i| if i < right { text[written.len() + i].token as i32 } else { random.below(200) as i32 })
                .collect();
            let history = other.history().to_vec();
            let rows: Vec<Vec<f32>> = (0..=n).map(|i| long_row(&[&history, &tokens[..i]].concat())).collect();
            let draft = Draft { rule: Rule::Match, tokens: &tokens, ..Draft::default() };
            let verified = other.verify(&draft, |i| Row::from_f32(&rows[i]), want).unwrap();
            assert!(verified.path.len() >= right.min(n), "{chain}");
            assert_eq!(verified.path, (0..verified.path.len()).collect::<Vec<_>>());
            assert_eq!(verified.tokens.len(), verified.path.len() + 1);
            written.extend(verified.tokens);
        }
        assert_eq!(bits(&written), bits(&text[..written.len()]), "{chain}");
        sampler.rewind(40 - written.len()).unwrap();
        assert!(sampler.to_bytes() == other.to_bytes(), "{chain}: another state");
    }
}

/// A tree whose branches begin with the right tokens or not; the longest right branch is found.
#[test]
fn match_rule_walks_a_tree() {
    for chain in CHAINS {
        let mut sampler = Sampler::new(chain, 12).unwrap();
        sampler.accept(&[4, 5, 9]).unwrap();
        let start = sampler.clone();
        let text: Vec<i32> = plain(&mut sampler, 6, Want::default()).iter().map(|t| t.token as i32).collect();
        let wrong = |i: usize| (text[i] + 1) % 200;
        //   root ─ wrong ─ right      (0, 1)
        //        ─ right ─ wrong      (2, 3)
        //                ─ right ─ right (4, 5)
        let tokens = [wrong(0), text[1], text[0], wrong(1), text[1], text[2]];
        let parents = [-1, 0, -1, 2, 2, 4];
        let text_of = |mut at: i32| {
            let mut path = Vec::new();
            while at >= 0 {
                path.insert(0, tokens[at as usize]);
                at = parents[at as usize];
            }
            [&[4, 5, 9][..], &path].concat()
        };
        let rows: Vec<Vec<f32>> = (-1..6).map(|at| long_row(&text_of(at))).collect();
        let mut other = start.clone();
        let draft = Draft { rule: Rule::Match, tokens: &tokens, parents: Some(&parents), laws: None };
        let verified = other.verify(&draft, |i| Row::from_f32(&rows[i]), ACCEPT).unwrap();
        assert_eq!(verified.path, [2, 4, 5], "{chain}");
        let written: Vec<i32> = verified.tokens.iter().map(|t| t.token as i32).collect();
        assert_eq!(written, text[..4], "{chain}");
        sampler.rewind(2).unwrap();
        assert!(sampler.to_bytes() == other.to_bytes(), "{chain}");
    }
}

/// Both draw with `gumbel`, the same seed and the same position: they agree with probability
/// Σ 1 / Σ_j max(p_j / p_i, q_j / q_i) over the tokens of both.
#[test]
fn coupled_gumbel_accepts_as_often_as_the_formula_says() {
    for (target, draft) in [("gumbel", "gumbel"), ("top_k(3) | gumbel", "temperature(1.3) | top_k(2) | gumbel")] {
        let (p_row, q_row) = (small_row(1, &[0, 2]), small_row(2, &[0, 2]));
        let (p, q) = (law(&reader(target, 0), &p_row), law(&reader(draft, 0), &q_row));
        let both = (0..V).filter(|&i| p[i] > 0.0 && q[i] > 0.0);
        let expected: f64 = both.map(|i| 1.0 / (0..V).map(|j| (p[j] / p[i]).max(q[j] / q[i])).sum::<f64>()).sum();
        let (n, mut accepted) = (100_000, 0);
        let (start, mut sampler) = (reader(target, 0), reader(target, 0));
        let draft_start = reader(draft, 0);
        for seed in 0..n {
            sampler.clone_from(&start);
            sampler.reseed(seed, 3);
            let mut draft = draft_start.clone();
            draft.reseed(seed, 3);
            let token = draft.decode(Row::from_f32(&q_row).unwrap(), Want::default()).unwrap().token as i32;
            let draft = Draft { rule: Rule::Match, tokens: &[token], ..Draft::default() };
            accepted += verify(&mut sampler, &draft, Want::default()).unwrap().path.len();
        }
        let (share, sigma) = (accepted as f64 / n as f64, (expected * (1.0 - expected) / n as f64).sqrt());
        assert!((share - expected).abs() < 4.0 * sigma, "{target}: {share}, expected {expected}");
    }
}

#[test]
fn refused_drafts_change_nothing() {
    let laws = |offsets, ids, probs| Some(DraftLaws { offsets, ids, probs });
    let line = |rule, tokens, laws| Draft { rule, tokens, parents: None, laws };
    let tree = |rule, tokens, parents| Draft { rule, tokens, parents: Some(parents), laws: None };
    let token = |laws| line(Rule::Token, &[1, 2], laws);
    let (ids, probs) = (&[1, 0, 2][..], &[1.0, 0.5, 0.5][..]);
    let refused = [
        (line(Rule::Match, &[1, -2], None), "tokens[1]"),
        (tree(Rule::Token, &[1], &[-1]), "parents"),
        (tree(Rule::Match, &[1, 2], &[-1]), "parents"),
        (tree(Rule::Match, &[1, 2], &[-1, 1]), "parents[1]"),
        (tree(Rule::Match, &[1, 2], &[-2, 0]), "parents[0]"),
        (token(laws(&[0, 1], ids, probs)), "q_offsets"),
        (token(laws(&[0, 2, 1], ids, probs)), "q_offsets[2]"),
        (token(laws(&[0, 1, 4], ids, probs)), "q_offsets"),
        (token(laws(&[0, 1, 3], &[1, -1, 2], probs)), "q_ids[1]"),
        (token(laws(&[0, 1, 3], &[1, 2, 2], probs)), "q_ids[2]"),
        (token(laws(&[0, 1, 3], ids, &[1.0, f32::NAN, 0.5])), "q_probs[1]"),
        (token(laws(&[0, 1, 3], ids, &[1.0, -0.5, 1.5])), "q_probs[1]"),
        (token(laws(&[0, 1, 3], ids, &[1.0, 0.5, 0.4])), "sum to"),
        // The second token was not drawn from its distribution.
        (token(laws(&[0, 1, 3], ids, &[1.0, 1.0, 0.0])), "probability 0"),
        (token(laws(&[0, 1, 3], &[1, 0, 3], probs)), "probability 0"),
    ];
    for (draft, says) in refused {
        for rule in [draft.rule, Rule::Block] {
            if rule == Rule::Block && draft.rule != Rule::Token {
                continue;
            }
            // All drafted tokens up to the fault are accepted.
            let mut sampler = reader("logit_bias(1:60 2:60) | draw", 1);
            sampler.decode(Row::from_f32(&[0.0; V]).unwrap(), Want::default()).unwrap();
            let before = sampler.to_bytes();
            match sampler.verify(&Draft { rule, ..draft }, |_| Row::from_f32(&[0.0; V]), ACCEPT) {
                Err(Error::InvalidArgument(what)) => assert!(what.contains(says), "{says}: {what}"),
                other => panic!("{says}: {other:?}"),
            }
            assert!(sampler.to_bytes() == before, "{says}: changed");
        }
    }
    // A row after accepted tokens that cannot be decoded, in a sequence that has begun or not.
    for rule in [Rule::Match, Rule::Token, Rule::Block] {
        for has_begun in [true, false] {
            let mut sampler = Sampler::new("logit_bias(1:900) | penalties(1.1) | draw", 1).unwrap();
            sampler.accept(&[3]).unwrap();
            if has_begun {
                sampler.decode(Row::from_f32(&[0.0; V]).unwrap(), Want::default()).unwrap();
            }
            let before = sampler.to_bytes();
            let row = |i| Row::from_f32(if i < 2 { &[0.0; V] } else { &[f32::NAN; V] });
            let draft = Draft { rule, tokens: &[1, 1, 1], ..Draft::default() };
            assert!(matches!(sampler.verify(&draft, row, ACCEPT), Err(Error::InvalidLogits { .. })), "{rule:?}");
            assert!(sampler.to_bytes() == before, "{rule:?}: changed");
        }
    }
}

#[test]
fn chains_that_learn_are_verified_by_the_match_rule_only() {
    for chain in ["mirostat(3)", "mirostat_v2(3)", "adaptive_p(0.4)"] {
        for rule in [Rule::Token, Rule::Block] {
            let mut sampler = Sampler::new(chain, 1).unwrap();
            let draft = Draft { rule, tokens: &[1], ..Draft::default() };
            match sampler.verify(&draft, |_| Row::from_f32(&[0.0; V]), ACCEPT) {
                Err(Error::Unsupported(what)) => assert!(what.contains(chain.split('(').next().unwrap()), "{what}"),
                other => panic!("{other:?}"),
            }
        }
    }
}

/// The whole vocabulary and a list of it are drawn from in different ways, with the same distribution.
#[test]
fn residual_of_a_whole_vocabulary_has_its_distribution() {
    let p = |sampler: &Sampler| law(sampler, &small_row(1, &[0, 2]));
    for (chain, ids, probs) in [
        ("draw", &[0, 1, 2, 3][..], &[0.4f32, 0.3, 0.2, 0.1][..]),
        // Nearly all of p is in the draft's support: most draws outside of it are by listing.
        ("logit_bias(1:9) | draw", &[1, 7][..], &[0.5, 0.5][..]),
        ("top_k(4) | draw", &[0, 2][..], &[0.75, 0.25][..]),
    ] {
        let law = p(&reader(chain, 0));
        let drafted = ids[0];
        let n = 200_000;
        let mut counts = vec![0; V];
        for seed in 0..n {
            let mut sampler = reader(chain, seed);
            // Mostly refused: the draft gives the token a large q.
            let laws = Some(DraftLaws { offsets: &[0, ids.len()], ids, probs });
            let draft = Draft { rule: Rule::Token, tokens: &[drafted], parents: None, laws };
            let verified = verify(&mut sampler, &draft, Want::default()).unwrap();
            if verified.path.is_empty() {
                counts[verified.tokens[0].token as usize] += 1;
            }
        }
        let q = |x: usize| ids.iter().position(|&id| id as usize == x).map_or(0.0, |at| f64::from(probs[at]));
        let weights: Vec<f64> = (0..V).map(|x| (law[x] - q(x)).max(0.0)).collect();
        let (refused, total) = (counts.iter().sum::<u64>() as f64, weights.iter().sum::<f64>());
        if refused < 100.0 {
            continue;
        }
        let expected: Vec<f64> = weights.iter().map(|w| w / total * refused).collect();
        if expected.iter().filter(|e| **e > 0.0).count() > 1 {
            let p = p_value(&counts, &expected);
            assert!(p > LEAST_P_VALUE, "{chain}: {counts:?} {expected:?}");
        }
    }
}
