//! Macros take their engines' own values, and a refusal says what to write instead.

use bregman::Sampler;

fn described(chain: &str) -> String {
    Sampler::new(chain, 0).unwrap_or_else(|e| panic!("{chain}: {e}")).to_string()
}

fn refusal(chain: &str) -> String {
    match Sampler::new(chain, 0) {
        Ok(sampler) => panic!("{chain} was taken: {sampler}"),
        Err(e) => e.to_string(),
    }
}

#[test]
fn macros_take_their_engines_values() {
    for (given, equivalent) in [
        ("llama_cpp(top_k=-1)", "llama_cpp(top_k=0)"),
        ("llama_cpp(min_keep=0)", "llama_cpp(min_keep=1)"),
        ("llama_cpp(temp=-1)", "llama_cpp(temp=0)"),
        ("llama_cpp(temp=1e-7)", "llama_cpp(temp=0)"),
        ("llama_cpp(temp=-1, dynatemp_range=0.5)", "llama_cpp(temp=0, dynatemp_range=0.5)"),
        ("llama_cpp(dry_multiplier=0.8, dry_base=0.5)", "llama_cpp()"),
        ("llama_cpp(dry_multiplier=0.8, dry_penalty_last_n=0)", "llama_cpp()"),
        ("llama_cpp(repeat_penalty=1.1, repeat_last_n=0)", "llama_cpp()"),
        ("vllm(top_k=-1)", "vllm(top_k=0)"),
        ("vllm(temperature=0.001)", "vllm(temperature=0.01)"),
        ("vllm(temperature=0.009, top_p=0.9)", "vllm(temperature=0.01, top_p=0.9)"),
        ("sglang(temperature=0)", "sglang(top_k=1)"),
        ("sglang(temperature=9e-7, top_p=0.5)", "sglang(top_k=1)"),
        ("sglang(top_k=-1)", "sglang()"),
        ("mlx_lm(top_p=0, temp=0.5)", "mlx_lm(top_p=1, temp=0.5)"),
        ("mlx_lm(top_k=-1, temp=0.5)", "mlx_lm(temp=0.5)"),
        ("mlx_lm(repetition_penalty=1)", "mlx_lm(repetition_penalty=0)"),
        ("koboldcpp(temperature=-1)", "koboldcpp(temperature=0)"),
        ("koboldcpp(top_k=-1)", "koboldcpp(top_k=0)"),
        ("koboldcpp(adaptive_target=0)", "koboldcpp(adaptive_target=-1)"),
        ("koboldcpp(dry_multiplier=1, dry_penalty_last_n=-1)", "koboldcpp(dry_multiplier=1, dry_penalty_last_n=0)"),
        ("exllamav2(top_p=0)", "exllamav2(top_p=1)"),
        ("exllamav2(min_p=1, tfs=1)", "exllamav2(min_p=0, tfs=0)"),
        ("exllamav2(temperature=0.009)", "exllamav2(temperature=0)"),
        ("exllamav3(rep_p=2, rep_sustain_range=100000001)", "exllamav3(rep_p=2)"),
    ] {
        assert_eq!(described(given), described(equivalent), "{given}");
    }
    let all = described("llama_cpp(repeat_penalty=1.1, repeat_last_n=-1, dry_multiplier=0.8, dry_penalty_last_n=-1)");
    assert!(all.starts_with("penalties(repeat=1.1, scope=all) | dry(scope=all) | "), "{all}");
    assert!(described("llama_cpp(temp=-1)").contains("temperature(0)"));
    assert!(described("vllm(temperature=0)").ends_with("greedy"));
    assert!(refusal("vllm(top_p=0)").contains("parameter `top_p` must be a number in (0, 1]"));
    assert!(refusal("sglang(repetition_penalty=2.5)").contains("`repetition_penalty` must be a number in (0, 2]"));
    assert!(refusal("mlx_lm(xtc_threshold=0.6)").contains("`xtc_threshold` must be a number in [0, 0.5]"));
    assert!(refusal("koboldcpp(rep_pen_slope=0.5)").contains("no parameter `rep_pen_slope`"));
    assert!(refusal("vllm(top_k=-2)").contains("`vllm`: parameter `top_k` must be a whole number from -1"));
}

#[test]
fn refusals_name_what_the_user_wrote() {
    let message = refusal("draw_from | llama_cpp()");
    assert!(message.starts_with("stage 1: no stage `draw_from`"), "{message}");
    let message = refusal("top_k(5) | transformers(temperature=1e-7)");
    assert!(message.starts_with("stage 2, `transformers`"), "{message}");
    let message = refusal("llama_cpp() | draw");
    assert!(message.starts_with("stage 1, `llama_cpp`: its stage `draw`: a drawing stage ends the chain"), "{message}");
}

#[test]
fn refusals_say_what_switches_a_stage_off() {
    for (chain, hint) in [
        ("top_k(-1)", "0 switches the stage off"),
        ("min_p(1.05)", "0 switches the stage off"),
        ("top_p(1.5)", "1 switches the stage off"),
        ("top_n_sigma(-1)", "0 switches the stage off"),
        ("dry(base=0.5)", "the stage is off with multiplier=0"),
        ("temperature(-1)", "0, or 1e-6 to 1e6"),
        ("penalties(last_n=-1)", "scope=all has no window"),
        ("dry(last_n=-1)", "scope=all has no window"),
        ("temperature(0.8), top_p(0.9)", "stages are separated by `|`"),
    ] {
        let message = refusal(chain);
        assert!(message.contains(hint), "{chain}: {message}");
    }
}

#[test]
fn messages_show_a_users_text_escaped_and_cut() {
    let message = refusal("evil\nname\u{1b}[31m");
    assert!(message.contains("evil\\nname\\u{1b}") && !message.chars().any(char::is_control), "{message:?}");
    let message = refusal(&"x".repeat(65_000));
    assert!(message.len() < 1000 && message.contains("xxx..."), "{} bytes", message.len());
    // The search for a similar name takes quadratic time.
    assert!(!refusal(&"temperature".repeat(6)).contains("did you mean"));
    let message = refusal(&format!("top_k({})", "9".repeat(5000)));
    assert!(message.len() < 300, "{message}");
}

#[test]
fn a_chain_has_at_most_16_stages_that_read_the_row() {
    let chain = |n: usize| vec!["typical(0.99)"; n].join(" | ");
    assert!(Sampler::new(&chain(16), 0).is_ok());
    assert!(refusal(&chain(17)).contains("17 stages that read the row, at most 16"));
    let cheap = vec!["temperature(0.9) | penalties(1.1) | top_p(1)"; 20].join(" | ");
    assert!(Sampler::new(&format!("{cheap} | draw"), 0).is_ok(), "temperatures, edits and stages that are off");
}
