//! A prebuilt, unmodified llama-server as a child process, with or without the preload library.

use crate::toolchain::{fetched, library_dir, root, run, scratch};
use serde_json::{Value, json};
use std::fs::File;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// A running llama-server; it ends with this value.
pub struct Server {
    child: Child,
    port: u16,
    /// What it wrote to stderr.
    log: PathBuf,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Whether this processor can run the prebuilt program; tests that need it end otherwise. CI's can.
pub fn runs() -> bool {
    static RUNS: OnceLock<bool> = OnceLock::new();
    *RUNS.get_or_init(|| {
        let mut version = command();
        let status = version.arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
        let status = status.expect("llama-server was fetched");
        assert!(status.success() || status.signal() == Some(libc::SIGILL), "llama-server ended: {status}");
        assert!(status.success() || std::env::var_os("CI").is_none(), "this processor cannot run llama-server");
        if !status.success() {
            println!("skipped: this processor cannot run the prebuilt llama-server, and so not a chain in it");
        }
        status.success()
    })
}

/// The program with its libraries, and no chain.
pub fn command() -> Command {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    let directory = PROGRAM.get_or_init(|| fetched("llama_server.sh", "llama-server"));
    let mut command = Command::new(directory.join("llama-server"));
    command.env("LD_LIBRARY_PATH", directory).env_remove("BREGMAN_CHAIN");
    command
}

pub fn model() -> PathBuf {
    root().join("models/kjv-1.4m/kjv-1.4m-q8_0.gguf")
}

/// The preload library.
pub fn preload() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let out = scratch("llama_preload").join("libbregman_preload.so");
        run(Command::new(root().join("examples/preload/build.sh")).arg(&out).env("BREGMAN_LIB_DIR", library_dir()));
        out
    })
}

impl Server {
    /// Without the preload library.
    pub fn plain() -> Self {
        Self::start(command(), &[])
    }

    /// With the preload library and a chain, if there is one.
    pub fn with(chain: Option<&str>, arguments: &[&str]) -> Self {
        let mut command = command();
        command.env("LD_PRELOAD", preload());
        if let Some(chain) = chain {
            command.env("BREGMAN_CHAIN", chain);
        }
        Self::start(command, arguments)
    }

    fn start(mut command: Command, arguments: &[&str]) -> Self {
        static STARTED: AtomicU32 = AtomicU32::new(0);
        let port = TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a free port").port();
        let number = STARTED.fetch_add(1, Ordering::Relaxed);
        let log = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("llama-server-{number}.log"));
        command.arg("-m").arg(model());
        command.args(["--host", "127.0.0.1", "--port", &port.to_string(), "-c", "1024", "-t", "1", "--no-webui"]);
        command.args(["-lv", "1"]).args(arguments).stdin(Stdio::null()).stdout(Stdio::null());
        command.stderr(File::create(&log).expect("the target directory can be written"));
        let mut server = Self { child: command.spawn().expect("llama-server starts"), port, log };
        let start = Instant::now();
        while server.request("GET", "/health", "").is_none_or(|(code, _)| code != 200) {
            let ended = server.child.try_wait().expect("our own child");
            assert!(ended.is_none(), "llama-server ended: {ended:?}\n{}", server.log());
            assert!(start.elapsed() < Duration::from_secs(60), "llama-server does not answer");
            std::thread::sleep(Duration::from_millis(50));
        }
        server
    }

    /// What it wrote to stderr so far.
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(&self.log).expect("its log")).into_owned()
    }

    /// Asks it to end, and returns what it wrote to stderr.
    pub fn end(mut self) -> String {
        // SAFETY: a signal to our own child, which has not been waited for.
        unsafe { libc::kill(self.child.id() as i32, libc::SIGTERM) };
        let status = self.child.wait().expect("our own child");
        assert!(status.success(), "llama-server ended: {status}\n{}", self.log());
        self.log()
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

    /// The answer's code and body to a completion, with `more` in the request.
    pub fn ask(&self, more: &Value) -> (u16, Value) {
        let mut body = json!({"prompt": "And it came to pass", "n_predict": 24, "cache_prompt": false});
        body.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        let (code, answer) = self.request("POST", "/completion", &body.to_string()).expect("an answer");
        (code, serde_json::from_str(&answer).expect("JSON"))
    }

    pub fn complete(&self, more: &Value) -> Value {
        let (code, answer) = self.ask(more);
        assert_eq!(code, 200, "{answer}");
        answer
    }

    /// The text of a completion; it may be short.
    pub fn content(&self, more: &Value) -> String {
        self.complete(more)["content"].as_str().expect("a text").to_owned()
    }

    pub fn text(&self, more: &Value) -> String {
        let text = self.content(more);
        assert!(text.split_whitespace().count() > 5, "next to nothing: {text}");
        text
    }
}
