//! Every instruction set gives the same answer, whole pipeline, bit for bit; and those that ran are the ones expected.

use bregman::{Row, Sampler, Want, simd_level, simd_levels};

const CHAINS: [&str; 15] = [
    "greedy",
    "draw",
    "temperature(0.7) | draw",
    "top_k(40) | temperature(0.8) | draw",
    "top_p(0.95) | draw",
    "temperature(1.5) | min_p(0.02) | draw",
    "top_k(floor=0.001) | draw",
    "bregman(alpha=0.5, floor=0.01) | draw",
    "temperature(0.9) | bregman(alpha=1.5, floor=0.005) | draw",
    "bregman(alpha=3, mode=dual, floor=0.002, k_max=100) | draw",
    "temperature(1.3) | gumbel",
    "top_p(0.9) | gumbel",
    "logit_bias(0:-2 1:3) | penalties(1.3) | dry(allowed=1) | top_p(0.9) | draw",
    "temperature(0.8) | penalties(repeat=1.2, frequency=0.1, scope=all) | min_p(0.01) | no_repeat_ngram(2) | draw",
    "top_k(50) | penalties(presence=0.4) | bregman(alpha=1.5, floor=0.01) | penalties(2) | gumbel",
];

fn rows() -> Vec<Vec<f32>> {
    let mut state = 11u64;
    let mut uniform = move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1u64 << 24) as f32
    };
    let mut rows = vec![vec![0.5; 3001], (0..5000).map(|i| i as f32 / 100.0).collect(), vec![-3.0]];
    rows.push((0..4096).map(|i| if i % 409 == 0 { 1.0 } else { f32::NEG_INFINITY }).collect());
    for (vocab, spread) in [(1000, 1.0), (32_000, 4.0), (50_257, 9.0), (4099, 100.0)] {
        rows.push((0..vocab).map(|_| (uniform() + uniform() + uniform() - 1.5) * spread).collect());
    }
    rows
}

/// Everything that a decode says, as bits.
fn answers(chain: &str, level: &str, row: &[f32]) -> (Vec<u64>, Vec<(u32, u64)>) {
    let want = Want { kept_mass: true, model_logprob: true, entropy: true, accept: false };
    let mut sampler = Sampler::new(chain, 3).unwrap().with_simd_level(level).unwrap();
    sampler.accept(&[0, 1, 2, 0, 1, 9, 256, 0, 1]).unwrap();
    let said: Vec<u64> = (0..5)
        .flat_map(|_| {
            let t = sampler.decode(Row::from_f32(row).unwrap(), want).unwrap();
            let figures = [t.p, t.kept_mass, t.model_logprob, t.entropy].map(f64::to_bits);
            [u64::from(t.token), t.support as u64].into_iter().chain(figures)
        })
        .collect();
    let many = sampler.draw_many(Row::from_f32(row).unwrap(), 7).unwrap();
    let many = many.iter().flat_map(|s| [u64::from(s.token), s.logprob.to_bits(), s.score.to_bits()]);
    let said = [said, many.collect()].concat();
    let law = sampler.distribution(Row::from_f32(row).unwrap()).unwrap();
    (said, law.into_iter().map(|(id, p)| (id, p.to_bits())).collect())
}

#[test]
fn the_whole_pipeline_is_bit_identical() {
    let rows = rows();
    for chain in CHAINS {
        for row in &rows {
            let reference = answers(chain, "scalar", row);
            for level in &simd_levels()[1..] {
                assert!(answers(chain, level, row) == reference, "`{chain}` differs on {level}, V = {}", row.len());
            }
        }
    }
}

/// What the machine has, asked in another way than the library does.
#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
#[test]
fn the_levels_are_those_of_the_processor() {
    let cpu = std::fs::read_to_string("/proc/cpuinfo").unwrap();
    let flags: Vec<&str> = cpu.lines().find(|l| l.starts_with("flags")).unwrap().split_whitespace().collect();
    let mut expected = vec!["scalar"];
    if ["avx2", "fma"].iter().all(|f| flags.contains(f)) {
        expected.push("avx2");
    }
    if ["avx512f", "avx512bw", "avx512dq", "avx512vl"].iter().all(|f| flags.contains(f)) {
        expected.push("avx512");
    }
    println!("levels: {}", simd_levels().join(", "));
    assert_eq!(simd_levels(), expected);
}

#[test]
fn the_environment_lowers_the_level() {
    // This process has decided already; its children decide anew.
    if let Ok(expected) = std::env::var("EXPECT_LEVEL") {
        let created = Sampler::new("draw", 0);
        match simd_level() {
            Ok(level) => assert!(level == expected && created.is_ok()),
            Err(e) => assert!(expected.is_empty() && e.to_string().contains("`mmx`") && created.is_err(), "{e}"),
        }
        return;
    }
    let child = |level: &str, expected: &str| {
        let done = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "the_environment_lowers_the_level"])
            .env("BREGMAN_SIMD", level)
            .env("EXPECT_LEVEL", expected)
            .output()
            .unwrap();
        assert!(done.status.success(), "BREGMAN_SIMD={level}: {}", String::from_utf8_lossy(&done.stdout));
    };
    for level in simd_levels() {
        child(level, level);
    }
    child("", simd_levels().last().unwrap());
    child("mmx", "");
}
