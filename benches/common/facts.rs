//! What is to be known of a run: machine, date and versions.

use super::llama::Llama;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::path::Path;
use std::process::Command;

/// The first columns of a record.
#[derive(PartialEq, Serialize, Deserialize)]
pub struct Facts {
    pub date: String,
    pub machine: String,
    pub commit: String,
    pub bregman: String,
    /// Empty where it was not fetched.
    pub llama: String,
    pub rustc: String,
}

impl Facts {
    pub fn of_now(llama: Option<&Llama>) -> Self {
        let dirty = if said("git", &["status", "--porcelain", "--untracked-files=no"]).is_empty() { "" } else { "+" };
        let cpu = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let machine = cpu.lines().find_map(|l| l.strip_prefix("model name")?.split_once(": ")).map(|(_, name)| name);
        Self {
            date: said("date", &["-u", "+%F"]),
            machine: machine.unwrap_or(std::env::consts::ARCH).trim().to_owned(),
            commit: said("git", &["rev-parse", "--short=12", "HEAD"]) + dirty,
            bregman: env!("CARGO_PKG_VERSION").into(),
            llama: llama.map(|l| l.version.clone()).unwrap_or_default(),
            rustc: said("rustc", &["--version"]).split(' ').nth(1).unwrap_or_default().into(),
        }
    }

    /// The line below a table: where its figures are from, and on which instruction set they were taken.
    pub fn source(&self, level: &str, csv: &Path) -> String {
        let Self { date, machine, commit, bregman, llama, rustc } = self;
        let csv = csv.display();
        format!(
            "\n{machine}, {level}, {date}; bregman {bregman} ({commit}), llama.cpp from {llama}, rustc {rustc}. All figures: `{csv}`.\n"
        )
    }
}

/// The head of a run.
impl fmt::Display for Facts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { date, machine, commit, bregman, llama, .. } = self;
        write!(f, "{machine}, {date}, bregman {bregman} ({commit}), {llama}")
    }
}

/// What a command says in a line; nothing if it cannot be run.
fn said(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).current_dir(env!("CARGO_MANIFEST_DIR")).output();
    output.map(|o| String::from_utf8_lossy(&o.stdout).trim().to_owned()).unwrap_or_default()
}
