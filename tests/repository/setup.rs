//! ci/setup.sh: what it would install for the demo, and for the tests.

use crate::root;
use std::process::Command;

/// The packages that it names on a machine that has only cargo and a shell, and no apt-get.
fn packages(arguments: &[&str]) -> Vec<String> {
    let dir = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("setup{}", arguments.concat()));
    std::fs::create_dir_all(&dir).expect("the target directory can be written");
    let cargo = dir.join("cargo");
    let _ = std::fs::remove_file(&cargo);
    std::os::unix::fs::symlink(env!("CARGO"), &cargo).expect("a link");
    let mut setup = Command::new("/bin/sh");
    let output = setup.arg(root().join("ci/setup.sh")).args(arguments).env("PATH", &dir).output().expect("a shell");
    let said = String::from_utf8_lossy(&output.stderr);
    let list = said.split_once("please install: ").unwrap_or_else(|| panic!("{arguments:?}: {said}")).1;
    list.split_whitespace().map(str::to_owned).collect()
}

#[test]
fn demo_installs_only_what_the_demo_runs() {
    let (demo, all) = (packages(&["demo"]), packages(&[]));
    assert!(demo.iter().all(|package| all.contains(package)));
    // No certificates are named where the machine has them.
    let used = ["gcc", "git", "npm", "util-linux", "binutils", "ca-certificates"];
    assert!(demo.len() >= 5 && demo.iter().all(|package| used.contains(&&**package)), "{demo:?}");
    let added: Vec<_> = packages(&["demo-real"]).into_iter().filter(|package| !demo.contains(package)).collect();
    assert_eq!(added, ["python3", "python3-pip"], "with a real model");
    for tool in ["valgrind", "abigail-tools", "mono-mcs", "mono-runtime", "cmake"] {
        assert!(all.iter().any(|package| package == tool), "{tool}: {all:?}");
    }
}
