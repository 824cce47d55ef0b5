//! Macros: the stages that each engine's name expands to, in its order, without those that are off.

use bregman::{Error, Row, Sampler, macros, stages};

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

/// An expansion, which is its own canonical form.
fn expands(given: &str, stages: &str) {
    assert_eq!(canonical(given), stages);
    assert_eq!(canonical(stages), stages);
}

#[test]
fn llama_cpp_expands_to_its_default_chain() {
    for (said, meant) in [
        ("llama_cpp", "top_k(40) | top_p(0.95) | min_p(0.05) | temperature(0.8) | draw"),
        ("llama_cpp()", "top_k(40) | top_p(0.95) | min_p(0.05) | temperature(0.8) | draw"),
        ("llama-cpp(0.5, top_k=0, top_p=1, min_p=0)", "temperature(0.5) | draw"),
        ("LLAMA_CPP(temp=1, top_k=0, top_p=1, min_p=0)", "draw"),
        ("llama_cpp(0, top_k=0, top_p=1, min_p=0)", "temperature(0) | draw"),
        (
            "llama_cpp(repeat_penalty=1.1, min_keep=3, top_k=5)",
            "penalties(1.1) | top_k(5) | top_p(p=0.95, min_keep=3) | min_p(p=0.05, min_keep=3) | temperature(0.8) | draw",
        ),
        (
            "llama_cpp(repeat_penalty=1.1, repeat_last_n=0, min_p=0)",
            "top_k(40) | top_p(0.95) | temperature(0.8) | draw",
        ),
        (
            "llama_cpp(logit_bias=3:1 4:-inf, frequency_penalty=0.5, presence_penalty=0.25, penalty_last_n=9, dry_multiplier=0.8, \
             dry_sequence_breakers=13; 25 11, top_p=1, min_p=0)",
            "logit_bias(3:1 4:-inf) | penalties(frequency=0.5, presence=0.25, last_n=9) | dry(breakers=13; 25 11) | top_k(40) | \
             temperature(0.8) | draw",
        ),
    ] {
        expands(said, meant);
    }
    expands(
        "llama_cpp(typ_p=0.9, top_n_sigma=1.5, xtc_probability=0.5)",
        "top_n_sigma(1.5) | top_k(40) | typical(p=0.9, rule=exceed) | top_p(0.95) | min_p(0.05) | xtc(0.5) | temperature(0.8) | \
         draw",
    );
    // XTC never acts above a half.
    expands("llama_cpp(xtc_probability=0.5, xtc_threshold=0.6, top_k=0, top_p=1, min_p=0, temp=1)", "draw");
    expands("llama_cpp(dynatemp_range=0.3, top_k=0, top_p=1, min_p=0)", "dynamic_temperature(t=0.8, delta=0.3) | draw");
    expands("llama_cpp(mirostat=1, repeat_penalty=2)", "temperature(0.8) | mirostat");
    expands("llama_cpp(mirostat=2, mirostat_tau=3)", "temperature(0.8) | mirostat_v2(3)");
    expands("llama_cpp(adaptive_target=0.3, top_k=0, top_p=1, min_p=0, temp=1)", "adaptive_p(0.3)");
}

#[test]
fn transformers_expands_to_its_processors() {
    expands("transformers", "top_k(k=50, ties=keep) | draw");
    expands("transformers(0.7, top_k=0)", "temperature(0.7) | draw");
    expands("hf(do_sample=false)", "greedy");
    expands(
        "transformers(top_k=0, repetition_penalty=1.2, no_repeat_ngram_size=3, bad_words_ids=5; 6 7, min_length=4, \
         min_new_tokens=2, eos_token_id=2 3, top_p=0.9, min_p=0.02, temperature=2)",
        "penalties(repeat=1.2, scope=all) | no_repeat_ngram(3) | bad_words(5; 6 7) | min_tokens(n=4, stop=2 3, scope=all) | \
         min_tokens(n=2, stop=2 3) | temperature(2) | top_p(0.9) | min_p(0.02) | draw",
    );
    expands(
        "transformers(top_h=0.4, typical_p=0.9, epsilon_cutoff=0.001, eta_cutoff=0.002)",
        "top_h(0.4) | top_k(k=50, ties=keep) | typical(0.9) | epsilon(0.001) | eta(0.002) | draw",
    );
    // What ends a sequence is never a bad word by itself.
    expands("hf(top_k=0, bad_words_ids=5; 3; 6 2; 2, eos_token_id=2 3)", "bad_words(5; 6 2) | draw");
    expands("hf(top_k=0, bad_words_ids=2, eos_token_id=2 3)", "draw");
    expands("hf(top_k=0, bad_words_ids=2; 5)", "bad_words(2; 5) | draw");
    let why = refused("transformers(top_k=0, min_length=4)");
    assert!(why.contains("`min_tokens`") && why.contains("parameter `stop` is missing"), "{why}");
}

#[test]
fn vllm_expands_to_its_sampler() {
    expands("vllm", "draw");
    expands("vllm(0)", "greedy");
    expands("vllm(temperature=1e-6, top_p=0.5)", "temperature(0.01) | top_p(0.5) | draw");
    expands(
        "vllm(repetition_penalty=1.1, frequency_penalty=0.5, presence_penalty=0.2, bad_words=5; 6 7, min_tokens=3, \
         stop_token_ids=2, logit_bias=9:-1, temperature=0.5, min_p=0.1, top_p=0.9)",
        "bad_words(sequences=5; 6 7, scope=output, yield=true) | min_tokens(n=3, stop=2, yield=true) | logit_bias(9:-1) | \
         penalties(repeat=1.1, scope=all) | penalties(frequency=0.5, presence=0.2, scope=output) | temperature(0.5) | \
         min_p(0.1) | top_p(0.9) | draw",
    );
    expands("vllm(allowed_token_ids=3 5 8)", "allowed_tokens(3 5 8) | draw");
    expands("vllm(top_k=20)", "top_k(k=20, ties=keep) | draw");
}

#[test]
fn macro_errors_name_the_parameter() {
    for (chain, parts) in [
        ("llama_cpp(top_q=0.9)", &["stage 1, `llama_cpp`", "no parameter `top_q`", "did you mean `top_"][..]),
        ("vllm(top_p=2)", &["`vllm`", "parameter `top_p` must be a number in (0, 1]"]),
        ("vllm(top_p=0.5, top_p=0.6)", &["given twice"]),
        ("transformers(eos_token_id=x)", &["must be token ids"]),
        ("llama_cp", &["did you mean `llama_cpp`"]),
        ("llama_cpp | top_k(3)", &["ends the chain"]),
        ("vllm(logit_bias=3:1 3:2)", &["names token 3 twice"]),
    ] {
        let why = refused(chain);
        assert!(parts.iter().all(|part| why.contains(part)), "`{chain}`: {why}");
    }
}

/// Every parameter may be given its default value, which changes nothing.
#[test]
fn given_defaults_change_nothing() {
    for m in macros() {
        assert!(
            stages().iter().all(|s| s.name != m.name && !s.aliases.contains(&m.name)),
            "`{}` is two things",
            m.name
        );
        let base = if m.name == "transformers" { "top_k=0" } else { "temperature=0.5" };
        let plain = canonical(&format!("{}({base})", m.name));
        for p in m.parameters {
            assert!(!p.summary.is_empty() && !p.required);
            if !p.default.is_empty() && !base.starts_with(p.name) {
                assert_eq!(canonical(&format!("{}({base}, {}={})", m.name, p.name, p.default)), plain, "{}", p.name);
            }
            for alias in p.aliases {
                assert!(m.parameters.iter().all(|q| q.name != *alias), "`{alias}` means two things in {}", m.name);
            }
        }
        for alias in m.aliases {
            assert_eq!(canonical(&format!("{alias}({base})")), plain);
        }
    }
}

/// A macro among other stages decodes as its expansion.
#[test]
fn macro_decodes_as_its_expansion() {
    let row: Vec<f32> = (0..200).map(|i| ((i * 37) % 101) as f32 / 9.0).collect();
    let (said, meant) = (
        "logit_bias(5:-inf) | vllm(repetition_penalty=1.5, temperature=0.7, top_p=0.8)",
        "logit_bias(5:-inf) | penalties(repeat=1.5, scope=all) | temperature(0.7) | top_p(0.8) | draw",
    );
    let tokens = |chain: &str| {
        let mut sampler = Sampler::new(chain, 7).unwrap();
        let want = bregman::Want { accept: true, ..Default::default() };
        (0..50).map(|_| sampler.decode(Row::from_f32(&row).unwrap(), want).unwrap().token).collect::<Vec<_>>()
    };
    assert_eq!(tokens(said), tokens(meant));
}
