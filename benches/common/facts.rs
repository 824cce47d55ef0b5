//! What a record says of its run: machine, date and versions.

use std::process::Command;

pub struct Facts {
    pub date: String,
    pub machine: String,
    pub commit: String,
    pub bregman: String,
    pub rustc: String,
}

impl Facts {
    pub fn of_now() -> Self {
        let dirty = if said("git", &["status", "--porcelain", "--untracked-files=no"]).is_empty() { "" } else { "+" };
        let cpu = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let machine = cpu.lines().find_map(|l| l.strip_prefix("model name")?.split_once(": ")).map(|(_, name)| name);
        Self {
            date: said("date", &["-u", "+%F"]),
            machine: machine.unwrap_or(std::env::consts::ARCH).trim().to_owned(),
            commit: said("git", &["rev-parse", "--short=12", "HEAD"]) + dirty,
            bregman: env!("CARGO_PKG_VERSION").into(),
            rustc: said("rustc", &["--version"]).split(' ').nth(1).unwrap_or_default().into(),
        }
    }
}

/// What a command says in a line; nothing if it cannot be run.
fn said(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).current_dir(env!("CARGO_MANIFEST_DIR")).output();
    output.map(|o| String::from_utf8_lossy(&o.stdout).trim().to_owned()).unwrap_or_default()
}
