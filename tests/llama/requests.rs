//! What a request to a llama-server with the preload library decides: seed, grammar, schema, biases, penalties, its own
//! chain; at the same time as others, and with a draft model.

use crate::server::{self, Server, model};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::Path;

const CHAIN: &str = "temperature(0.9) | bregman(alpha=1.5, floor=0.005) | draw";

fn merged(one: Value, other: &Value) -> Value {
    let mut both = one;
    both.as_object_mut().expect("an object").extend(other.as_object().expect("an object").clone());
    both
}

fn schema() -> Value {
    let properties = json!({"a": {"type": "boolean"}, "b": {"enum": ["x", "y"]}});
    json!({"type": "object", "properties": properties, "required": ["a", "b"]})
}

/// Requests of many kinds, each with a seed of its own.
fn requests() -> Vec<Value> {
    let kinds = [
        json!({}),
        json!({}),
        json!({"grammar": "root ::= [a-z ]+"}),
        json!({"logit_bias": [[" the", -5.0]]}),
        json!({"n_probs": 3}),
        json!({"n_probs": 3, "post_sampling_probs": true}),
        json!({"samplers": ["penalties"], "repeat_penalty": 1.5}),
        json!({"samplers": ["dry", "temperature"], "dry_multiplier": 1.0}),
        json!({"json_schema": schema()}),
        json!({"grammar": "# bregman: temperature(1.5) | min_p(0.1) | draw"}),
        json!({"grammar": "# bregman: mirostat_v2(tau=4)"}),
        json!({"grammar": "# bregman: penalties(repeat=1.3, last_n=64) | top_k(20)\nroot ::= [A-Za-z ,.]+"}),
    ];
    let seeded = |(seed, kind): (usize, &Value)| merged(json!({"seed": seed, "samplers": [], "n_predict": 60}), kind);
    kinds.iter().enumerate().map(seeded).collect()
}

fn one_by_one(server: &Server) -> Vec<String> {
    requests().iter().map(|request| server.content(request)).collect()
}

fn at_the_same_time(server: &Server) -> Vec<String> {
    let requests = requests();
    std::thread::scope(|scope| {
        let threads: Vec<_> = requests.iter().map(|request| scope.spawn(|| server.content(request))).collect();
        threads.into_iter().map(|thread| thread.join().expect("an answer")).collect()
    })
}

#[test]
fn requests_have_the_same_texts_alone_together_and_with_drafts() {
    if !server::runs() {
        return;
    }
    let server = Server::with(Some(CHAIN), &["-np", "4"]);
    let texts = one_by_one(&server);
    assert_eq!(
        texts.iter().collect::<BTreeSet<_>>().len(),
        texts.len(),
        "seeds and kinds make a difference: {texts:?}"
    );
    for _ in 0..3 {
        assert_eq!(at_the_same_time(&server), texts);
    }
    drop(server);

    // The model as its own draft: what a draft gets wrong is drawn again, what it gets right must be what was drawn.
    let server = Server::with(Some(CHAIN), &draft(&model()));
    assert_eq!(one_by_one(&server), texts);
    assert_eq!(at_the_same_time(&server), texts);
    let (mut drafted, mut accepted) = (0, 0);
    for request in requests() {
        let timings = &server.complete(&request)["timings"];
        drafted += timings["draft_n"].as_u64().unwrap_or(0);
        accepted += timings["draft_n_accepted"].as_u64().unwrap_or(0);
    }
    assert!(accepted > 100 && drafted > accepted + 100, "{accepted} of {drafted} drafted tokens were accepted");
}

fn draft(model: &Path) -> [&str; 8] {
    let model = model.to_str().expect("UTF-8");
    ["-np", "2", "--spec-type", "draft-simple", "--spec-draft-n-max", "4", "-md", model]
}

#[test]
fn chains_that_only_transform_are_cloned_with_the_draw_of_the_program() {
    if !server::runs() {
        return;
    }
    let model = model();
    let request = |seed: usize| json!({"seed": seed, "samplers": ["top_k"], "top_k": 20, "n_predict": 60});
    let plain = Server::plain();
    let theirs: Vec<_> = (0..8).map(|seed| plain.text(&request(seed))).collect();
    drop(plain);
    // A chain that changes nothing: the program's draw gives its own tokens. Drafts make it clone its samplers all the time.
    for arguments in [&[][..], &draft(&model)] {
        let server = Server::with(Some("temperature(1)"), arguments);
        for _ in 0..2 {
            assert_eq!((0..8).map(|seed| server.text(&request(seed))).collect::<Vec<_>>(), theirs, "{arguments:?}");
        }
        server.end();
    }
}

#[test]
fn parameters_of_a_request_apply_before_the_chain() {
    if !server::runs() {
        return;
    }
    let plain = Server::plain();
    let penalty = json!({"samplers": ["penalties", "temperature"], "temperature": 0, "repeat_penalty": 1.8});
    let dry =
        json!({"samplers": ["dry", "temperature"], "temperature": 0, "dry_multiplier": 2.0, "dry_allowed_length": 1});
    let greedy = plain.text(&json!({"temperature": 0}));
    let theirs = [plain.text(&penalty), plain.text(&dry)];
    let one = json!({"samplers": [], "n_predict": 1, "return_tokens": true, "temperature": 0});
    let first = plain.complete(&merged(one.clone(), &json!({"samplers": ["temperature"]})))["tokens"][0].clone();
    drop(plain);
    assert!(theirs[0] != greedy && theirs[1] != greedy && theirs[0] != theirs[1]);

    // With a greedy chain what comes before it is all that can make a difference.
    let server = Server::with(Some("greedy"), &[]);
    assert_eq!([server.text(&penalty), server.text(&dry)], theirs);
    let banned = server.complete(&merged(one.clone(), &json!({"logit_bias": [[first, false]]})));
    assert!(first.is_u64() && server.complete(&one)["tokens"] == json!([first]) && banned["tokens"] != json!([first]));
    let mirostat = json!({"mirostat": 2, "seed": 5});
    assert_ne!(server.text(&mirostat), greedy, "with mirostat the program makes no draw that the chain could replace");
    drop(server);

    let server = Server::with(Some("temperature(2) | bregman(alpha=1.5, floor=0.001) | draw"), &[]);
    let texts = |more: &Value| -> BTreeSet<String> {
        (0..12).map(|seed| server.content(&merged(json!({"seed": seed, "samplers": []}), more))).collect()
    };
    let words = texts(&json!({"grammar": r#"root ::= "yes" | "no""#}));
    assert_eq!(words.into_iter().collect::<Vec<_>>(), ["no", "yes"]);
    let documents = texts(&json!({"json_schema": schema(), "n_predict": 100}));
    for document in &documents {
        let read: Value = serde_json::from_str(document).unwrap_or_else(|e| panic!("{document}: {e}"));
        assert!(read["a"].is_boolean() && ["x", "y"].map(Value::from).contains(&read["b"]), "{document}");
    }
    assert!(documents.len() > 1, "{documents:?}");
}

#[test]
fn a_request_brings_its_own_chain() {
    if !server::runs() {
        return;
    }
    let plain = Server::plain();
    let seeded = json!({"seed": 7, "temperature": 0.8});
    let (greedy, drawn) = (plain.text(&json!({"temperature": 0})), plain.text(&seeded));
    drop(plain);
    let fixed = Server::with(Some(CHAIN), &[]);
    let of_chain: Vec<_> = (0..4).map(|seed| fixed.text(&json!({"seed": seed, "samplers": []}))).collect();
    drop(fixed);

    for default in [None, Some("bregman(alpha=2, k=3) | draw")] {
        let server = Server::with(default, &[]);
        let with = |chain: &str, seed: usize| server.text(&json!({"seed": seed, "samplers": [], "grammar": chain}));
        for grammar in ["# bregman: greedy", "# bregman:top_k(1) | draw\n", "# bregman: top_k(1)\r\n  \n"] {
            assert_eq!(with(grammar, 3), greedy, "{grammar}");
        }
        let texts: Vec<_> = (0..4).map(|seed| with(&format!("# bregman: {CHAIN}"), seed)).collect();
        assert_eq!(texts, of_chain);
        let of_grammar = json!({"grammar": "# bregman: greedy\nroot ::= \"a\" [b-d] \"e\"", "samplers": []});
        let text = server.content(&of_grammar);
        assert!(["abe", "ace", "ade"].contains(&&*text), "{text}");

        // A wrong chain is refused, and the server goes on.
        for (wrong, why) in [("top_k(3) | drow", "did you mean `draw`"), ("", "empty"), ("top_p(2)", "top_p")] {
            let (code, answer) = server.ask(&json!({"grammar": format!("# bregman: {wrong}")}));
            assert_eq!(code, 400, "{answer}");
            assert!(answer.to_string().contains("failed to parse grammar"), "{answer}");
            let log = server.log();
            let last = log.lines().rfind(|line| line.contains("the chain of a request is refused"));
            assert!(last.is_some_and(|line| line.contains(why)), "{log}");
        }
        let both = json!({"grammar": "# bregman: greedy", "json_schema": schema(), "samplers": []});
        assert_eq!(server.text(&both), greedy, "the server leaves a schema beside a grammar out");
        // Of a request for which the program makes no draw nothing is left to the next.
        let usual = server.text(&seeded);
        assert_eq!(default.is_none(), usual == drawn);
        for unused in [json!({"mirostat": 2}), json!({"samplers": ["adaptive_p"]})] {
            server.text(&merged(json!({"grammar": "# bregman: greedy", "seed": 3}), &unused));
            assert_eq!(server.text(&seeded), usual);
        }
        assert_eq!(server.end().matches("the chain of a request is not used").count(), 2);
    }
}
