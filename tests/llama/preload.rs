//! The preload library in a prebuilt llama-server: texts and probabilities.

use crate::toolchain::{fetched, library_dir, root, run, scratch};
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// A running llama-server; it ends with this value.
struct Server {
    child: Child,
    port: u16,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Server {
    /// With the preload library and a chain, if there is one. None if this processor cannot run the prebuilt program.
    fn start(program: &Path, preload: Option<&Path>, chain: Option<&str>) -> Option<Self> {
        let port = TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a free port").port();
        let mut command = Command::new(program);
        command.arg("-m").arg(root().join("models/kjv-1.4m/kjv-1.4m-q8_0.gguf"));
        command.args(["--host", "127.0.0.1", "--port", &port.to_string(), "-c", "256", "-t", "1", "-np", "1"]);
        command.args(["--no-webui", "-lv", "1"]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command.env("LD_LIBRARY_PATH", program.parent().expect("a directory")).env_remove("BREGMAN_CHAIN");
        if let Some(library) = preload {
            command.env("LD_PRELOAD", library);
        }
        if let Some(chain) = chain {
            command.env("BREGMAN_CHAIN", chain);
        }
        let mut server = Self { child: command.spawn().expect("llama-server starts"), port };
        let start = Instant::now();
        while server.request("GET", "/health", "").is_none_or(|(code, _)| code != 200) {
            if let Some(status) = server.child.try_wait().expect("our own child") {
                assert_eq!(status.signal(), Some(libc::SIGILL), "llama-server ended: {status}");
                return None;
            }
            assert!(start.elapsed() < Duration::from_secs(60), "llama-server does not answer");
            std::thread::sleep(Duration::from_millis(50));
        }
        Some(server)
    }

    /// The answer's code and body.
    fn request(&self, method: &str, path: &str, body: &str) -> Option<(u16, String)> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).ok()?;
        stream.set_read_timeout(Some(Duration::from_secs(60))).ok()?;
        let head = format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n");
        write!(stream, "{head}Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}", body.len()).ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        let (head, body) = answer.split_once("\r\n\r\n")?;
        Some((head.split(' ').nth(1)?.parse().ok()?, body.to_owned()))
    }

    /// A completion, with `more` in the request.
    fn complete(&self, more: &Value) -> Value {
        let mut body = json!({"prompt": "And it came to pass", "n_predict": 24, "cache_prompt": false});
        body.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        let (code, answer) = self.request("POST", "/completion", &body.to_string()).expect("an answer");
        assert_eq!(code, 200, "{answer}");
        serde_json::from_str(&answer).expect("JSON")
    }

    fn text(&self, more: &Value) -> String {
        let answer = self.complete(more);
        let text = answer["content"].as_str().expect("a text").to_owned();
        assert!(text.split_whitespace().count() > 5, "next to nothing: {answer}");
        text
    }
}

fn preload() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let out = scratch("llama_preload").join("libbregman_preload.so");
        run(Command::new(root().join("examples/preload/build.sh")).arg(&out).env("BREGMAN_LIB_DIR", library_dir()));
        out
    })
}

/// The probabilities of the first token's candidates, by id, the likeliest first; `field` holds each.
fn first_step(answer: &Value, list: &str, field: &str) -> Vec<(i64, f64)> {
    let entries = answer["completion_probabilities"][0][list].as_array().unwrap_or_else(|| panic!("{answer}"));
    entries.iter().map(|e| (e["id"].as_i64().unwrap(), e[field].as_f64().unwrap())).collect()
}

#[test]
fn preloaded_llama_server_decodes_with_the_chain() {
    let (program, library) = (fetched("llama_server.sh", "llama-server").join("llama-server"), preload());
    let Some(plain) = Server::start(&program, None, None) else {
        assert!(std::env::var_os("CI").is_none(), "this processor cannot run the prebuilt llama-server");
        println!("skipped: this processor cannot run the prebuilt llama-server, and so not the preload library in it");
        return;
    };
    let seeded = json!({"seed": 7, "temperature": 0.8});
    let greedy = plain.text(&json!({"temperature": 0}));
    let drawn = plain.text(&seeded);
    assert_ne!(greedy, drawn);
    let logprobs = plain.complete(&json!({"n_predict": 1, "n_probs": 3, "seed": 7}));
    drop(plain);

    let start = |chain| Server::start(&program, Some(library), chain).expect("it ran just now");
    // Without a chain the library changes nothing.
    assert_eq!(start(None).text(&seeded), drawn);

    // The chain draws whatever the request's parameters are; without a drawing stage it leaves the draw to the program.
    for chain in ["greedy", "top_k(1)"] {
        let server = start(Some(chain));
        for seed in [1, 2] {
            assert_eq!(server.text(&json!({"seed": seed, "temperature": 2.0, "samplers": ["temperature"]})), greedy);
        }
    }

    // alpha = 2 divides the dropped mass equally among the kept tokens.
    let server = start(Some("bregman(alpha=2, k=3) | draw"));
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
fn preload_with_an_invalid_chain_exits_with_the_reason() {
    let output = Command::new("true").env("LD_PRELOAD", preload()).env("BREGMAN_CHAIN", "top_k(3) | drow").output();
    let output = output.expect("a program");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(2) && said.contains("did you mean `draw`"), "{said}");
}

#[test]
fn preload_exports_only_what_it_replaces() {
    let symbols = run(Command::new("nm").args(["-D", "--defined-only"]).arg(preload()));
    let names: Vec<_> = symbols.lines().filter_map(|line| line.split_whitespace().last()).collect();
    assert_eq!(names, ["llama_sampler_init_dist"]);
}
