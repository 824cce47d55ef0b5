//! Every instruction set gives the same answers bit for bit, and the expected ones are available.
//!
//! In one process the levels of this machine are compared. `ci/levels.sh` runs the same on other processors under
//! emulation and compares the digests, which `BREGMAN_DIGESTS=FILE` writes.

mod answers;
mod golden;
#[path = "../../benches/common/profile.rs"]
mod profile;
mod rows;

#[path = "../common"]
#[allow(dead_code, reason = "other tests use more of it")]
mod common {
    pub mod chains;
    pub mod golden;
    pub mod handle;
    pub mod rows;
}

use bregman::{Row, Sampler, Want, simd_level, simd_levels};
use common::chains::{self, CHAINS};
use std::env::consts::ARCH;
use std::process::Command;

#[test]
fn chain_list_has_every_stage_of_the_catalogue() {
    assert_eq!(chains::missing(), [""; 0], "add a chain with these to tests/common/chains.rs");
}

/// The table of digests: a line for each chain. With `BREGMAN_DIGESTS` it is written to that file, for comparison with
/// other processors'; then only small rows take part, because an emulator has to do the same.
#[test]
fn all_simd_levels_give_the_same_bits() {
    let file = std::env::var_os("BREGMAN_DIGESTS");
    let rows = if file.is_some() { rows::small() } else { rows::all() };
    let digest = |chain: &&str| {
        let reference: Vec<u64> = rows.iter().map(|row| answers::digest(chain, "scalar", row)).collect();
        for level in &simd_levels()[1..] {
            for (row, expected) in rows.iter().zip(&reference) {
                let same = answers::digest(chain, level, row) == *expected;
                assert!(same, "`{chain}` differs on {level}, row {}", row.name);
            }
        }
        format!("{:016x} {chain}\n", answers::combined(&reference))
    };
    let (some, others) = CHAINS.split_at(CHAINS.len() / 2);
    let digests = std::thread::scope(|scope| {
        let others = scope.spawn(|| others.iter().map(digest).collect::<String>());
        some.iter().map(digest).collect::<String>() + &others.join().expect("no chain differs")
    });
    println!("{ARCH}, {}: {} rows by {} chains\n{digests}", simd_levels().join(" "), rows.len(), CHAINS.len());
    if let Some(file) = file {
        std::fs::write(file, digests).unwrap();
    }
}

/// Rows at all offsets from an aligned address.
#[test]
fn answers_do_not_depend_on_alignment() {
    let row = rows::all().into_iter().find(|row| row.logits.len() == 1025).expect("a row of this length");
    let n = row.logits.len();
    for level in simd_levels() {
        for chain in ["draw", "top_k(40) | draw", "bregman(alpha=1.5, floor=0.01) | draw", "top_p(0.95) | draw"] {
            let mut shifted = vec![f32::NAN; n + 40];
            let answer = |logits: &[f32]| {
                let mut sampler = Sampler::new(chain, 1).unwrap().with_simd_level(level).unwrap();
                let token = sampler.decode(Row::from_f32(logits).unwrap(), Want::default()).unwrap();
                (token.token, token.support, token.p.to_bits())
            };
            let expected = answer(&row.logits);
            for offset in 0..40 {
                shifted.fill(f32::NAN);
                shifted[offset..offset + n].copy_from_slice(&row.logits);
                assert_eq!(answer(&shifted[offset..offset + n]), expected, "`{chain}`, {level}, {offset} floats on");
            }
        }
    }
}

/// The levels to expect: from `BREGMAN_EXPECT="aarch64 scalar neon"`, or from the processor's flags, which are read
/// in another way than the library does.
fn expected() -> Option<String> {
    if let Ok(expected) = std::env::var("BREGMAN_EXPECT") {
        return Some(expected);
    }
    let cpu = std::fs::read_to_string("/proc/cpuinfo").ok()?;
    let flags: Vec<&str> = cpu.lines().find(|l| l.starts_with("flags"))?.split_whitespace().collect();
    let has = |all: &[&str]| all.iter().all(|f| flags.contains(f));
    let mut expected = vec![ARCH, "scalar"];
    let has_bits = has(&["bmi1", "bmi2", "popcnt"]);
    if has_bits && has(&["avx2", "fma", "f16c"]) {
        expected.push("avx2");
    }
    if has_bits && has(&["avx512f", "avx512bw", "avx512dq", "avx512vl"]) {
        expected.push("avx512");
    }
    Some(expected.join(" "))
}

#[test]
fn simd_levels_are_those_of_the_processor() {
    let levels = format!("{ARCH} {}", simd_levels().join(" "));
    println!("levels: {levels}");
    match expected() {
        Some(expected) => assert_eq!(levels, expected),
        // Only x86-64 Linux has a list of flags; elsewhere BREGMAN_EXPECT may be set.
        None if cfg!(all(target_arch = "x86_64", target_os = "linux")) => panic!("what to expect is not known"),
        None => {}
    }
    if std::env::var_os("BREGMAN_SIMD").is_none() {
        assert_eq!(simd_level().unwrap(), *simd_levels().last().unwrap());
    }
}

/// Runs this program again, under the emulator that cargo is configured with, if any.
fn again() -> Command {
    let this = std::env::current_exe().unwrap();
    let runner = std::env::var(format!("CARGO_TARGET_{}_UNKNOWN_LINUX_GNU_RUNNER", ARCH.to_uppercase()));
    let mut words = runner.as_deref().unwrap_or_default().split_whitespace();
    match words.next() {
        Some(program) => {
            let mut command = Command::new(program);
            command.args(words).arg(this);
            command
        }
        None => Command::new(this),
    }
}

#[test]
fn bregman_simd_lowers_the_level() {
    // The level is chosen once in a process, so children are started.
    if let Ok(expected) = std::env::var("EXPECT_LEVEL") {
        let created = Sampler::new("draw", 0);
        match simd_level() {
            Ok(level) => assert!(level == expected && created.is_ok(), "{level}"),
            Err(e) => assert!(expected.is_empty() && e.to_string().contains("`mmx`") && created.is_err(), "{e}"),
        }
        return;
    }
    let child = |level: &str, expected: &str| {
        let done = again()
            .args(["--exact", "bregman_simd_lowers_the_level"])
            .env("BREGMAN_SIMD", level)
            .env("EXPECT_LEVEL", expected)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&done.stdout);
        assert!(done.status.success() && said.contains("1 passed"), "BREGMAN_SIMD={level}: {said}");
    };
    for level in simd_levels() {
        child(level, level);
    }
    child("", simd_levels().last().unwrap());
    child("mmx", "");
}
