//! The chain's text: grammar, canonical form, aliases, ranges, and error messages with suggestions.

use crate::common::plain::{self, chain};
use crate::common::random_chains::drawing;
use crate::common::rows::{Random, logits};
use bregman::{Error, Kind, Row, Sampler, stages};
use proptest::prelude::*;

fn canonical(chain: &str) -> String {
    Sampler::new(chain, 0).unwrap_or_else(|e| panic!("`{chain}`: {e}")).to_string()
}

fn refused(chain: &str) -> String {
    match Sampler::new(chain, 0) {
        Ok(sampler) => panic!("`{chain}` was taken as `{sampler}`"),
        Err(Error::InvalidChain(why)) => why,
        Err(other) => panic!("`{chain}`: {other:?}"),
    }
}

#[test]
fn canonical_form_is_the_shortest() {
    for (said, meant) in [
        (
            "temperature(0.8)|bregman(alpha=1.5,floor=0.01)|draw",
            "temperature(0.8) | bregman(alpha=1.5, floor=0.01) | draw",
        ),
        ("  temp ( 0.80 )  |  dist ", "temperature(0.8) | draw"),
        ("Top-K(k=40) | Nucleus(0.95) | min-p(min_p=5e-2) | SAMPLE()", "top_k(40) | top_p(0.95) | min_p(0.05) | draw"),
        ("top_k(floor=0.01)", "top_k(floor=0.01)"),
        ("bregman(k=3, k_min=1, mode=primal, alpha=1)", "bregman(k=3)"),
        ("bregman(inf, floor=0.1)", "bregman(alpha=inf, floor=0.1)"),
        (
            "bregman(mode=dual, alpha=2, lambda=1e-9, k_max=7)",
            "bregman(alpha=2, mode=dual, lambda=0.000000001, k_max=7)",
        ),
        ("top_p(0.9, min_keep=3) | argmax", "top_p(p=0.9, min_keep=3) | greedy"),
        (
            "penalties(scope=window, last_n=64, repeat=1.10)|DRY( breakers = 13 ;25  11 )",
            "penalties(1.1) | dry(breakers=13; 25 11)",
        ),
        // Of the output all tokens count, unless last_n is given.
        ("penalties(last_n=64, scope=output, repeat=2)", "penalties(repeat=2, last_n=64, scope=output)"),
        ("penalties(repeat=2, scope=output)", "penalties(repeat=2, scope=output)"),
        ("logit-bias(15:-2.50 30:-inf) | bad_words_ids(007; 1 2)", "logit_bias(15:-2.5 30:-inf) | bad_words(7; 1 2)"),
        (
            "min_new_tokens(3, eos=2 5) | no_repeat_ngram_size(4) | gumbel-max",
            "min_tokens(n=3, stop=2 5) | no_repeat_ngram(4) | gumbel",
        ),
        ("top_k(0) | t(1e-6)", "top_k(0) | temperature(0.000001)"),
    ] {
        assert_eq!(canonical(said), meant);
        assert_eq!(canonical(meant), meant, "the canonical form is its own");
    }
}

/// A value of this kind.
fn some(kind: Kind) -> &'static str {
    match kind {
        // (synthid's ngram begins at 2.)
        Kind::CountUpTo { .. } => "2",
        Kind::Number { .. } | Kind::Count { .. } | Kind::Tokens | Kind::Sequences | Kind::Keys { .. } => "1",
        Kind::Biases => "1:1",
        Kind::Choice(words) => words[0],
        Kind::Name => "mine",
    }
}

/// Nothing that is made of a chain shows a key, whatever is wrong with its text.
#[test]
fn keys_stand_in_no_text() {
    const KEY: &str = "0x9d3c55aa10f2e671";
    let decimal = 0x9d3c_55aa_10f2_e671u64.to_string();
    let shows = |text: &str| text.contains("9d3c") || text.contains("9D3C") || text.contains(&decimal[..6]);
    for key in [KEY, &KEY.to_uppercase().replace("0X", "0x"), &decimal] {
        for (said, meant) in [
            ("watermark(key=K)", "watermark(hidden)"),
            ("watermark(K)", "watermark(hidden)"),
            ("top_k(9) | gumbel_watermark(K, width=2)", "top_k(9) | watermark(key=hidden, width=2)"),
            ("synthid(keys=K 42 K) | draw", "synthid(hidden) | draw"),
            ("green_list(hashing_key=K, share=0.5) | draw", "green_list(key=hidden, share=0.5) | draw"),
        ] {
            let sampler = Sampler::new(&said.replace('K', key), 1).unwrap();
            assert_eq!(sampler.to_string(), meant);
            let debug = format!("{sampler:?} {:?}", sampler.clone());
            assert!(!shows(&debug), "{debug}");
            // It is there for who asks for it, and makes the same sampler.
            let full = sampler.chain_with_keys();
            assert!(full.contains(KEY), "{full}");
            assert_eq!(Sampler::new(&full, 1).unwrap().chain_with_keys(), full);
            assert!(refused(meant).contains("must be"), "what is shown is no chain");
            // A saved state gives the same answers, so it has the keys.
            assert_eq!(Sampler::from_bytes(&sampler.to_bytes()).unwrap().chain_with_keys(), full);
        }
        for text in [
            "watermark(key=K0000000000000000000000)",
            "watermark(key=K K)",
            "watermark(keys=K)",
            "watermark(K=3)",
            "watermark(key=-K)",
            "watermark(4, K)",
            "watermark(width=4, K)",
            "watermark(K, key=K)",
            "watermark(K) | top_k(3)",
            "watermark key=K",
            "watermark K",
            "watermrk=K",
            "watermark=K",
            "watermark(key=K",
            "watermark(key=K) K",
            "watermark(key=K)(K)",
            "synthid(keys=K K, hash=vllm) | draw",
            "synthid(keys=K;K) | draw",
            "synthid(keys=K, hash=vllm, table_seed=3) | draw",
            "green_list(key=K, share=2) | draw",
            "green_list(key=K, vocab=0) | draw",
        ] {
            let why = refused(&text.replace('K', key));
            assert!(!shows(&why), "{text}: {why}");
        }
        let no_draw = Sampler::new(&format!("green_list({key})"), 1).unwrap();
        let why = no_draw.clone().decode(Row::from_f32(&[1.0, 2.0]).unwrap(), bregman::Want::NONE).unwrap_err();
        assert!(!shows(&why.to_string()) && why.to_string().contains("green_list(hidden)"), "{why}");
        for (stage, tokens) in [("watermark(K) | draw", 0), ("green_list(K)", 0), ("green_list(K, vocab=9)", 9)] {
            let why = bregman::watermark_score(&stage.replace('K', key), &[tokens]).unwrap_err();
            assert!(!shows(&why.to_string()), "{why}");
        }
    }
}

#[test]
fn stage_aliases_parse_to_the_stage() {
    for stage in stages() {
        // Enough to be complete: required parameters at their upper end, and a size for the decoders.
        let required: Vec<_> =
            stage.parameters.iter().filter(|p| p.required).map(|p| format!("{}={}", p.name, some(p.kind))).collect();
        let size = if ["bregman", "top_k"].contains(&stage.name) { vec!["k=2".to_owned()] } else { required };
        let text = |name: &str| format!("{name}({})", size.join(", "));
        let expected = canonical(&text(stage.name));
        assert!(expected.starts_with(stage.name));
        for alias in stage.aliases {
            assert_eq!(canonical(&text(alias)), expected);
            assert_eq!(canonical(&text(&alias.to_uppercase().replace('_', "-"))), expected);
        }
        for p in stage.parameters {
            for alias in p.aliases {
                assert!(stage.parameters.iter().all(|q| q.name != *alias), "`{alias}` means two things");
            }
        }
        assert!(!stage.summary.is_empty() && !stage.source.is_empty());
    }
    let mut names: Vec<_> = stages().iter().flat_map(|s| s.aliases.iter().copied().chain([s.name])).collect();
    let all = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), all, "a name stands for two stages");
}

#[test]
fn parameter_ranges_hold_at_their_ends() {
    for stage in stages().iter().filter(|s| !["bregman", "top_k"].contains(&s.name)) {
        for p in stage.parameters {
            let with = |value: String| {
                let others = stage.parameters.iter().filter(|q| q.required && q.name != p.name);
                let rest: String = others.map(|q| format!(", {}={}", q.name, some(q.kind))).collect();
                Sampler::new(&format!("{}({}={value}{rest})", stage.name, p.name), 0)
            };
            match p.kind {
                Kind::Number { min, max, open } => {
                    assert_eq!(with(min.to_string()).is_ok(), !open, "{} {}", stage.name, p.name);
                    assert!(with(max.to_string()).is_ok(), "{} {}", stage.name, p.name);
                    let beyond = [max * 1.001, min - 0.001, f64::NAN];
                    for beyond in beyond.into_iter().filter(|beyond| !(min..=max).contains(beyond)) {
                        let why = with(beyond.to_string()).unwrap_err().to_string();
                        assert!(why.contains(p.name) && why.contains(stage.name) && why.contains("must be"), "{why}");
                    }
                }
                Kind::Count { min } => {
                    assert!(with(min.to_string()).is_ok() && with(u32::MAX.to_string()).is_ok());
                    for bad in ["1.5", "-1", "4294967296", "many", ""] {
                        assert!(with(bad.into()).unwrap_err().to_string().contains("whole number"), "{bad}");
                    }
                }
                Kind::CountUpTo { min, max } => {
                    assert!(with(min.to_string()).is_ok() && with(max.to_string()).is_ok());
                    for bad in [min - 1, max + 1] {
                        assert!(with(bad.to_string()).unwrap_err().to_string().contains("whole number"), "{bad}");
                    }
                }
                Kind::Keys { most } => {
                    let n = |n: usize| (0..n).map(|key| key.to_string()).collect::<Vec<_>>().join(" ");
                    assert!(with(n(1)).is_ok() && with(n(most)).is_ok() && with(u64::MAX.to_string()).is_ok());
                    for bad in [&n(0)[..], &n(most + 1), "-1", "18446744073709551616", "hidden"] {
                        let why = with(bad.into()).unwrap_err().to_string();
                        assert!(why.contains(p.name) && why.contains("must be"), "{why}");
                    }
                }
                Kind::Tokens | Kind::Sequences | Kind::Biases => {
                    assert!(with(some(p.kind).into()).is_ok());
                    for bad in ["", "x", "-1", "1.5", "1:2:3", "99999999999"] {
                        let why = with(bad.into()).unwrap_err().to_string();
                        assert!(why.contains(p.name) && why.contains("must be token"), "{why}");
                    }
                }
                Kind::Choice(_) | Kind::Name => {}
            }
            if !p.default.is_empty() {
                assert!(with(p.default.into()).is_ok(), "{}'s default is out of its range", p.name);
            }
        }
    }
    // The decoders' own, which depend on each other (docs/mathematics.md, T3 and 11).
    for good in ["bregman(k=1)", "bregman(alpha=0.05, lambda=0)", "bregman(alpha=64, floor=1)", "top_k(lambda=1e300)"] {
        canonical(good);
    }
    for (bad, why) in [
        ("bregman(k=0)", "`k` must be a whole number from 1"),
        ("bregman(floor=0)", "`floor` must be a number in (0, 1]"),
        ("bregman(lambda=-1)", "`lambda` must be a number"),
        ("bregman(lambda=inf)", "`lambda` must be a number"),
        ("bregman(k=5, k_min=9, k_max=3)", "k_min <= k_max"),
        ("bregman(alpha=inf, lambda=1)", "give floor, k or top_p"),
        ("bregman(alpha=0, k=2)", "phi(0) is infinite"),
        ("bregman(alpha=1, mode=dual, k=2)", "phi'(0) is infinite"),
        ("bregman(alpha=nan, k=2)", "alpha"),
        ("bregman(mode=triple, k=2)", "one of primal, dual"),
        ("temperature(1e-7)", "must be 0 or at least 1e-6"),
    ] {
        assert!(refused(bad).contains(why), "{}", refused(bad));
    }
    for untested in ["bregman(alpha=0.01, k=2)", "bregman(alpha=65, k=2)", "bregman(alpha=17, mode=dual, k=2)"] {
        let e = Sampler::new(untested, 0).unwrap_err();
        assert!(matches!(&e, Error::Unsupported(why) if why.contains("proven")), "{e:?}");
    }
}

#[test]
fn parse_errors_name_the_place_and_the_nearest_word() {
    for (chain, parts) in [
        ("", &["empty", "draw"][..]),
        (" | draw", &["stage 1", "name is missing"]),
        ("draw | ", &["stage 2", "name is missing"]),
        ("temperature(0.8) | toop_k(3)", &["stage 2", "`toop_k`", "did you mean `top_k`"]),
        ("tempreture(1)", &["did you mean `temperature`"]),
        ("xyzzyxyzzyxyzzy", &["no stage `xyzzyxyzzyxyzzy`", "there are "]),
        (
            "penalties(last_n=5, scope=all)",
            &["`penalties`", "`last_n` goes with scope=window or output, not with scope=all"],
        ),
        ("dry(last_n=64, scope=all)", &["`last_n` goes with scope=window or output, not with scope=all"]),
        ("bad_words", &["parameter `sequences` is missing"]),
        ("bad_words(1;;2)", &["must be token ids", "got `1;;2`"]),
        ("logit_bias(1:inf)", &["a bias finite or -inf"]),
        ("min_tokens(5)", &["parameter `stop` is missing"]),
        ("top_p(p=0.5, min_kep=2)", &["`top_p`", "`min_kep`", "did you mean `min_keep`"]),
        ("bregman(generator=mine, k=2)", &["no generator `mine`", "when the sampler is created"]),
        ("draw(3)", &["`draw`", "takes no parameters"]),
        ("draw(seed=3)", &["no parameter `seed`", "it takes none"]),
        ("top_p", &["parameter `p` is missing"]),
        ("top_p(0.5", &["`)` is missing"]),
        ("top_p(0.5, 2)", &["`2` needs a name"]),
        ("top_p(0.5, p=0.6)", &["`p` is given twice"]),
        ("top_k()", &["one of lambda, floor, k must be given"]),
        ("bregman(k=2, floor=0.1)", &["only one of lambda, floor, k"]),
        ("draw | top_k(4)", &["stage 1, `draw`", "ends the chain"]),
        ("greedy | draw", &["stage 1, `greedy`"]),
    ] {
        let why = refused(chain);
        assert!(parts.iter().all(|part| why.contains(part)), "`{chain}`: {why}");
    }
    assert!(refused(&"top_k(2) | ".repeat(70)).contains("at most 64"));
    let names = refused("xyzzyxyzzyxyzzy");
    let names: Vec<_> = names.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').collect();
    assert!(stages().iter().all(|stage| names.contains(&stage.name)), "every stage is named: {names:?}");
}

proptest! {
    #![proptest_config(crate::common::random_cases::config(2000))]

    /// The canonical form parses to the same text and decodes to the same bits.
    #[test]
    fn canonical_form_parses_to_itself(steps in drawing(), seed: u64) {
        let said = chain(&steps);
        let mut sampler = plain::sampler(&said, 0);
        let canonical = sampler.chain_with_keys();
        let mut again = plain::sampler(&canonical, 0);
        prop_assert_eq!(again.chain_with_keys(), canonical);
        let row = logits("normal", 100, &mut Random(seed));
        // A chain that bans every token fails; so must its canonical form.
        let decoded = |sampler: &mut Sampler| sampler.distribution(Row::from_f32(&row).unwrap());
        prop_assert_eq!(decoded(&mut sampler), decoded(&mut again));
    }

    /// No text panics, and every refusal has a message.
    #[test]
    fn arbitrary_text_is_a_chain_or_an_error(text in "[a-z_(),=|.0-9 -]{0,40}|(top_k|draw|t|bregman)[(][a-z=0-9.,]{0,12}[)]?") {
        match Sampler::new(&text, 0) {
            Ok(sampler) => prop_assert!(Sampler::new(&sampler.chain_with_keys(), 0).is_ok()),
            Err(e) => prop_assert!(!e.to_string().is_empty()),
        }
    }
}

/// The parameters that `bregman` and `top_k` share, at and beyond the ends of their ranges.
#[test]
fn decoder_parameter_ranges_hold_at_their_ends() {
    for stage in ["bregman", "top_k"] {
        let least = if stage == "bregman" { 1 } else { 0 };
        for (good, bad) in [
            ("lambda=0", "lambda=-1e-300"),
            ("lambda=1.7976931348623157e308", "lambda=1.8e308"),
            ("floor=5e-324", "floor=0"),
            ("floor=1", "floor=1.0000000000000002"),
            (&format!("k={least}"), "k=-1"),
            ("k=4294967295", "k=4294967296"),
            ("k=9, k_min=1, k_max=1", "k=9, k_min=0"),
            ("k=9, k_min=4294967295, k_max=4294967295", "k=9, k_max=0"),
            ("k=9, min_keep=2", "k=9, k_min=2, min_keep=2"),
        ] {
            canonical(&format!("{stage}({good})"));
            let why = refused(&format!("{stage}({bad})"));
            let last =
                bad.rsplit(", ").next().and_then(|p| p.split('=').next()).expect("a name").replace("min_keep", "k_min");
            assert!(why.contains(stage) && why.contains(&last), "{bad}: {why}");
        }
        for (given, what) in [
            ("", "one of lambda, floor, k"),
            ("k_min=2", "one of lambda, floor, k"),
            ("lambda=1, floor=1", "only one of lambda, floor, k"),
            ("lambda=1, k=1", "only one of lambda, floor, k"),
            ("floor=1, k=1", "only one of lambda, floor, k"),
            ("lambda=1, floor=1, k=1", "only one of lambda, floor, k"),
        ] {
            let why = refused(&format!("{stage}({given})"));
            assert!(why.contains(what) && why.contains(stage), "{stage}({given}): {why}");
        }
    }
    for (mode, least, most) in [("primal", 0.05, 64.0), ("dual", 1.0001, 16.0)] {
        let alpha = |alpha: f64| Sampler::new(&format!("bregman(alpha={alpha}, mode={mode}, k=2)"), 0);
        assert!(alpha(least).is_ok() && alpha(most).is_ok());
        for beyond in [least * 0.99999, most * 1.00001] {
            assert!(matches!(alpha(beyond), Err(Error::Unsupported(_))), "{mode} {beyond}");
        }
    }
}

/// Every parameter may be given its default value, which changes nothing.
#[test]
fn given_defaults_change_nothing() {
    for stage in stages() {
        for p in stage.parameters.iter().filter(|p| !p.default.is_empty()) {
            let needed = match stage.name {
                "bregman" | "top_k" => "k=5".to_owned(),
                _ => {
                    let required = stage.parameters.iter().filter(|p| p.required);
                    required.map(|p| format!("{}={}", p.name, some(p.kind))).collect::<Vec<_>>().join(", ")
                }
            };
            let without = canonical(&format!("{}({needed})", stage.name));
            let comma = if needed.is_empty() { "" } else { ", " };
            assert_eq!(canonical(&format!("{}({needed}{comma}{}={})", stage.name, p.name, p.default)), without);
        }
    }
}
