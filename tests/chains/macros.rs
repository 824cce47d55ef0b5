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
    expands(
        "transformers(min_tokens_to_keep=2, top_k=1, top_p=0.9, min_p=0.1, typical_p=0.9, epsilon_cutoff=0.1, eta_cutoff=0.2)",
        "top_k(k=1, ties=keep, k_min=2) | top_p(p=0.9, min_keep=2) | min_p(p=0.1, min_keep=2) | typical(p=0.9, min_keep=2) | \
         epsilon(epsilon=0.1, min_keep=2) | eta(epsilon=0.2, min_keep=2) | draw",
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
fn sglang_expands_to_its_sampler() {
    expands("sglang", "draw");
    expands("sglang(5e-7, top_p=0.5)", "greedy");
    expands("sglang(top_k=1, min_p=0.5)", "greedy");
    expands("sglang(0.7, top_p=0.9, top_k=40)", "temperature(0.7) | top_p(p=0.9, rule=reach) | top_k(40) | draw");
    expands(
        "sglang(frequency_penalty=0.5, presence_penalty=0.2, repetition_penalty=1.1, min_new_tokens=3, stop_token_ids=2, \
         logit_bias=9:-1, min_p=0.1, top_k=20, top_p=0.8)",
        "min_tokens(n=3, stop=2) | penalties(frequency=0.5, presence=0.2, scope=output) | penalties(repeat=1.1, scope=output) | \
         logit_bias(9:-1) | top_p(p=0.8, rule=reach) | top_k(20) | min_p(0.1) | draw",
    );
    expands(
        "sglang(sampling_backend=flashinfer, top_k=20, top_p=0.8)",
        "top_p(p=0.8, rule=ties) | top_k(k=20, ties=keep) | draw",
    );
    expands(
        "sglang(sampling_backend=flashinfer, top_k=20, top_p=0.8, min_p=0.1)",
        "top_k(k=20, ties=keep) | top_p(p=0.8, rule=ties) | min_p(0.1) | draw",
    );
}

#[test]
fn mlx_lm_expands_to_its_sampler() {
    expands("mlx_lm", "greedy");
    expands(
        "mlx(0, top_p=0.5, xtc_probability=1, repetition_penalty=1.2)",
        "penalties(repeat=1.2, last_n=20) | greedy",
    );
    expands("mlx-lm(1, top_p=1, top_k=-1)", "draw");
    expands(
        "mlx_lm(temp=0.7, top_p=0.9, min_p=0.05, min_tokens_to_keep=3, top_k=40, xtc_probability=0.5)",
        "top_p(p=0.9, rule=ties) | min_p(p=0.05, min_keep=3) | xtc(0.5) | top_k(40) | temperature(0.7) | draw",
    );
    expands(
        "mlx_lm(temp=1, xtc_probability=1, xtc_special_tokens=3 5)",
        "xtc(probability=1, exempt=3 5, rule=others) | draw",
    );
    expands(
        "mlx_lm(temp=1, repetition_penalty=1.1, repetition_context_size=7, presence_penalty=0.5, frequency_penalty=0.25, \
         logit_bias=3:1)",
        "logit_bias(3:1) | penalties(repeat=1.1, last_n=7) | penalties(presence=0.5, last_n=20) | \
         penalties(frequency=0.25, last_n=20) | draw",
    );
}

#[test]
fn koboldcpp_expands_to_its_sampler() {
    expands("koboldcpp", "top_k(3000) | top_k(100) | top_p(0.92) | temperature(0.75) | draw");
    expands("kobold(0, top_k=0, top_p=1)", "top_k(3000) | temperature(0) | draw");
    expands(
        "koboldcpp(1, top_k=50, top_a=0.2, top_p=0.9, min_p=0.05, typical=0.8, tfs=0.95, nsigma=2, rep_pen=1.1, \
         rep_pen_range=100, presence_penalty=0.5, dry_multiplier=0.8, xtc_probability=0.5, smoothing_factor=0.3, logit_bias=3:1)",
        "logit_bias(3:1) | dry(last_n=320) | top_k(3000) | penalties(repeat=1.1, presence=0.5, last_n=100) | top_k(50) | \
         top_a(0.2) | tail_free(0.95) | typical(p=0.8, rule=exceed) | top_p(0.9) | min_p(0.05) | smoothing(0.3) | \
         top_n_sigma(2) | xtc(probability=0.5, threshold=0.2) | draw",
    );
    expands(
        "koboldcpp(dry_multiplier=1, dry_penalty_last_n=0, top_k=0, top_p=1, temp=1)",
        "dry(multiplier=1, scope=all) | top_k(3000) | draw",
    );
    expands(
        "koboldcpp(dynatemp_range=0.3, top_k=0, top_p=1)",
        "top_k(3000) | dynamic_temperature(t=0.75, delta=0.3) | draw",
    );
    // The order is the user's, and what it does not name does not act.
    expands("koboldcpp(sampler_order=5 0)", "top_k(3000) | temperature(0.75) | top_k(100) | draw");
    expands(
        "koboldcpp(rep_pen=2, sampler_order=2 6 2)",
        "top_k(3000) | top_p(0.92) | penalties(repeat=2, last_n=320) | top_p(0.92) | draw",
    );
    assert!(
        refused("koboldcpp(sampler_order=6 7)").contains("parameter `sampler_order` has 7: the numbers are 0 to 6")
    );
    expands(
        "koboldcpp(mirostat=1, rep_pen=2, n_vocab=9, sampler_order=0)",
        "top_k(3000) | penalties(repeat=2, last_n=320) | temperature(0.75) | mirostat(vocab=9)",
    );
    expands("koboldcpp(mirostat=2, dynatemp_range=1, nsigma=1)", "top_k(3000) | temperature(0.75) | mirostat_v2");
    // Without a truncation adaptive-p gets one.
    expands("koboldcpp(1, top_k=0, top_p=1, adaptive_target=0.4)", "top_k(3000) | min_p(0.002) | adaptive_p(0.4)");
    expands(
        "koboldcpp(1, top_k=0, adaptive_target=0.4, adaptive_decay=1)",
        "top_k(3000) | top_p(0.92) | adaptive_p(target=0.4, decay=0.99)",
    );
}

#[test]
fn exllamav2_expands_to_its_sampler() {
    expands(
        "exllamav2",
        "penalties(repeat=1.025, scope=all) | temperature(0.8) | top_k(50) | top_p(p=0.8, rule=within) | draw",
    );
    expands("exl2(0.005, token_repetition_penalty=1, mirostat=true)", "greedy");
    let off = "token_repetition_penalty=1, top_k=0, top_p=0";
    expands(&format!("exllamav2(1, {off}, min_p=1, tfs=1)"), "draw");
    expands(
        &format!("exllamav2(0.5, {off}, top_a=0.2, min_p=0.1, tfs=0.9, smoothing_factor=0.3, token_bias=3:1)"),
        "logit_bias(3:1) | smoothing(0.3) | temperature(0.5) | top_a(0.2) | min_p(0.1) | tail_free(z=0.9, rule=after) | draw",
    );
    expands(&format!("exllamav2(0, {off}, min_p=0.1, temperature_last=true)"), "min_p(0.1) | temperature(0) | draw");
    expands(
        &format!("exllamav2(0.5, {off}, min_p=0.1, min_temp=0.5, max_temp=1.5, temp_exponent=2)"),
        "temperature(0.5) | min_p(0.1) | dynamic_temperature(t=1, delta=0.5, exponent=2) | draw",
    );
    expands(&format!("exllamav2(1, {off}, mirostat=true)"), "mirostat_v2(1.5)");
    expands(
        "exllamav2(1, top_k=0, top_p=0, token_repetition_penalty=1, token_frequency_penalty=0.5, token_repetition_range=9)",
        "penalties(frequency=0.5, last_n=9) | draw",
    );
    let why = refused("exllamav2(mirostat=true, temperature_last=true)");
    assert!(why.starts_with("stage 1, `exllamav2`: mirostat draws"), "{why}");
    assert!(refused("exllamav2(typical=0.5)").contains("no parameter `typical`"));
}

#[test]
fn exllamav3_expands_to_its_combo_sampler() {
    expands("exllamav3", "draw");
    expands("exl3(0)", "greedy");
    expands("exllama(top_k=1, min_p=0.1)", "greedy");
    expands(
        "exllamav3(0.8, min_p=0.08, top_k=40, top_p=0.9, rep_p=1.1, freq_p=0.5, pres_p=0.25, logit_bias=3:1)",
        "logit_bias(3:1) | penalties(repeat=1.1, scope=all) | penalties(frequency=0.5, presence=0.25, scope=all) | \
         temperature(0.8) | min_p(0.08) | top_k(k=40, ties=keep) | top_p(p=0.9, rule=within) | draw",
    );
    expands(
        "exllamav3(0.8, min_p=0.08, temp_last=true, rep_p=1.1, rep_sustain_range=10)",
        "penalties(repeat=1.1, last_n=9) | min_p(0.08) | temperature(0.8) | draw",
    );
    expands("exllamav3(rep_p=1.1, rep_sustain_range=1, freq_p=1)", "draw");
    expands("exllamav3(min_p=0.1, adaptive_target=0.4)", "min_p(0.1) | adaptive_p(0.4)");
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
        let base = if m.name == "transformers" { "top_k=0" } else { "temp=0.5" };
        let set = ["top_k", "temp", "temperature"];
        let plain = canonical(&format!("{}({base})", m.name));
        for p in m.parameters {
            assert!(!p.summary.is_empty() && !p.required);
            let is_set = set.contains(&p.name) && (p.name == "top_k") == (m.name == "transformers");
            if !p.default.is_empty() && !is_set {
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
