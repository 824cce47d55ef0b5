//! The preload library in a prebuilt llama-server: texts and probabilities; what it does to other programs.

use crate::server::{self, Server, preload};
use crate::toolchain::run;
use serde_json::{Value, json};
use std::process::{Command, Output};

/// The probabilities of the first token's candidates, by id, the likeliest first; `field` holds each.
fn first_step(answer: &Value, list: &str, field: &str) -> Vec<(i64, f64)> {
    let entries = answer["completion_probabilities"][0][list].as_array().unwrap_or_else(|| panic!("{answer}"));
    entries.iter().map(|e| (e["id"].as_i64().unwrap(), e[field].as_f64().unwrap())).collect()
}

#[test]
fn preloaded_llama_server_decodes_with_the_chain() {
    if !server::runs() {
        return;
    }
    let plain = Server::plain();
    let seeded = json!({"seed": 7, "temperature": 0.8});
    let greedy = plain.text(&json!({"temperature": 0}));
    let drawn = plain.text(&seeded);
    assert_ne!(greedy, drawn);
    let logprobs = plain.complete(&json!({"n_predict": 1, "n_probs": 3, "seed": 7}));
    drop(plain);

    // Without a chain the library changes nothing.
    let idle = Server::with(None, &[]);
    assert_eq!(idle.text(&seeded), drawn);
    assert!(!idle.end().contains("bregman"));

    // The chain draws whatever the request's parameters are; without a drawing stage it leaves the draw to the program.
    for chain in ["greedy", "top_k(1)"] {
        let server = Server::with(Some(chain), &[]);
        for seed in [1, 2] {
            assert_eq!(server.text(&json!({"seed": seed, "temperature": 2.0, "samplers": ["temperature"]})), greedy);
        }
        assert_eq!(server.end().matches(&format!("bregman: the chain `{chain}` replaces")).count(), 1);
    }

    // alpha = 2 divides the dropped mass equally among the kept tokens.
    let server = Server::with(Some("bregman(alpha=2, k=3) | draw"), &[]);
    let ask = json!({"n_predict": 1, "n_probs": 20, "post_sampling_probs": true, "samplers": [], "seed": 3});
    let mut decoded = first_step(&server.complete(&ask), "top_probs", "prob");
    decoded.retain(|&(_, p)| p > 0.0);
    let model: Vec<_> =
        first_step(&logprobs, "top_logprobs", "logprob").into_iter().map(|(id, l)| (id, l.exp())).collect();
    assert_eq!((decoded.len(), model.len()), (3, 3));
    let share = (1.0 - model.iter().map(|(_, p)| p).sum::<f64>()) / 3.0;
    assert!(share > 0.01, "nothing was dropped");
    for ((id, p_hat), (model_id, p)) in decoded.iter().zip(&model) {
        assert!(id == model_id && (p_hat - (p + share)).abs() < 1e-4, "{decoded:?} from {model:?}");
    }

    // Without `post_sampling_probs` they are the model's.
    let model_of = |answer: &Value| first_step(answer, "top_logprobs", "logprob");
    let asked = server.complete(&json!({"n_predict": 1, "n_probs": 3, "samplers": []}));
    assert_eq!(model_of(&asked), model_of(&logprobs));

    // The request's seed is the chain's; without one it is random.
    let same = json!({"seed": 7, "samplers": []});
    let text = server.text(&same);
    assert_eq!(server.text(&same), text);
    assert_ne!(server.text(&json!({"seed": 8, "samplers": []})), text);
    let random = json!({"samplers": []});
    assert_ne!(server.text(&random), server.text(&random));
}

#[test]
fn preloaded_libllama_common_decodes_with_the_chain() {
    let plain = crate::llama_common::program("draw");
    let with = |chain| {
        let mut command = Command::new(plain.get_program());
        command.args(plain.get_args()).env("LD_PRELOAD", preload()).env("BREGMAN_CHAIN", chain);
        run(command.envs(plain.get_envs().map(|(name, value)| (name, value.expect("a value")))))
    };
    // llama.cpp's default chain before it, with a random seed, and its random draw behind the second.
    let greedy = with("greedy");
    assert!(greedy.split_whitespace().count() > 50 && greedy.contains("done 1"), "{greedy}");
    assert_eq!(with("top_k(1)"), greedy);
    assert_ne!(with("draw"), greedy);
}

#[test]
fn failing_rows_fall_back_and_are_logged() {
    if !server::runs() {
        return;
    }
    let greedy = Server::plain().text(&json!({"temperature": 0}));
    // Only the most likely token is left to the chain, which bans it if it is in the history.
    for chain in ["no_repeat_ngram(1) | draw", "no_repeat_ngram(1)"] {
        let server = Server::with(Some(chain), &[]);
        for _ in 0..2 {
            assert_eq!(server.text(&json!({"samplers": ["top_k"], "top_k": 1})), greedy, "{chain}");
        }
        let log = server.end();
        assert_eq!(log.matches("a row was not decoded").count(), 1, "{log}");
        let total =
            log.lines().find_map(|line| line.strip_prefix("bregman: ")?.strip_suffix(" rows were not decoded in all"));
        assert!(total.expect("a total").parse::<u64>().expect("a number") >= 4, "{log}");
    }
}

fn with_an_invalid_chain(command: &mut Command) -> Output {
    command.env("LD_PRELOAD", preload()).env("BREGMAN_CHAIN", "top_k(3) | drow").output().expect("a program")
}

#[test]
fn an_invalid_chain_ends_only_programs_that_use_libllama() {
    let other = with_an_invalid_chain(Command::new("ls").arg("/"));
    assert!(other.status.success() && other.stderr.is_empty(), "{other:?}");
    let plain = crate::llama_common::program("draw");
    let mut program = Command::new(plain.get_program());
    program.args(plain.get_args()).envs(plain.get_envs().map(|(name, value)| (name, value.expect("a value"))));
    let mut programs = vec![program];
    if server::runs() {
        programs.push(server::command());
    }
    for program in &mut programs {
        let output = with_an_invalid_chain(program);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code() == Some(2) && said.contains("did you mean `draw`"), "{program:?}: {said}");
    }
}

#[test]
fn preload_exports_only_what_it_replaces() {
    let symbols = run(Command::new("nm").args(["-D", "--defined-only"]).arg(preload()));
    let names: Vec<_> = symbols.lines().filter_map(|line| line.split_whitespace().last()).collect();
    let replaced = ["llama_sampler_chain_default_params", "llama_sampler_init_dist", "llama_sampler_init_grammar"];
    assert_eq!(names, replaced);
}
