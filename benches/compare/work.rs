//! What is measured: each piece of work as a chain of bregman's and, where it has one, as llama.cpp's samplers.

use crate::llama::Stage;

/// A piece of work.
pub struct Work {
    /// Its name in the record.
    pub key: &'static str,
    /// Its name in a table.
    pub title: &'static str,
    pub chain: &'static str,
    /// The same in llama.cpp; empty where it has nothing of the kind.
    pub llama: &'static [Stage],
    /// Where the table of the headline shows it.
    pub headline: bool,
}

pub const ALL: [Work; 36] = [
    Work { key: "greedy", title: "greedy", chain: "greedy", llama: &[Stage::Greedy], headline: true },
    Work {
        key: "top_k",
        title: "top-k 40 + draw",
        chain: "top_k(40) | draw",
        llama: &[Stage::TopK(40), Stage::Dist],
        headline: true,
    },
    Work {
        key: "default",
        title: "llama.cpp's default chain",
        chain: "top_k(40) | top_p(0.95) | min_p(0.05) | temperature(0.8) | draw",
        llama: &[Stage::TopK(40), Stage::TopP(0.95), Stage::MinP(0.05), Stage::Temp(0.8), Stage::Dist],
        headline: true,
    },
    Work {
        key: "min_p",
        title: "min-p 0.05 first + draw",
        chain: "min_p(0.05) | draw",
        llama: &[Stage::MinP(0.05), Stage::Dist],
        headline: true,
    },
    Work {
        key: "adaptive",
        title: "adaptive top-k (α = 1) + draw",
        chain: "top_k(floor=0.01) | draw",
        llama: &[],
        headline: true,
    },
    Work {
        key: "alpha_1.5",
        title: "Bregman α = 1.5, adaptive, + draw",
        chain: "bregman(alpha=1.5, floor=0.01) | draw",
        llama: &[],
        headline: true,
    },
    Work {
        key: "alpha_2",
        title: "Bregman α = 2, adaptive, + draw",
        chain: "bregman(alpha=2, floor=0.01) | draw",
        llama: &[],
        headline: true,
    },
    Work {
        key: "alpha_0.5",
        title: "Bregman α = 0.5, adaptive, + draw",
        chain: "bregman(alpha=0.5, floor=0.01) | draw",
        llama: &[],
        headline: false,
    },
    Work {
        key: "dual_2",
        title: "Bregman dual α = 2, adaptive, + draw",
        chain: "bregman(alpha=2, mode=dual, floor=0.01) | draw",
        llama: &[],
        headline: true,
    },
    Work {
        key: "k_100",
        title: "Bregman α = 3, k = 100, + draw",
        chain: "bregman(alpha=3, k=100) | draw",
        llama: &[],
        headline: true,
    },
    Work {
        key: "temperature",
        title: "temperature 0.8 + draw",
        chain: "temperature(0.8) | draw",
        llama: &[Stage::Temp(0.8), Stage::Dist],
        headline: true,
    },
    Work {
        key: "top_p",
        title: "top-p 0.95 first + draw",
        chain: "top_p(0.95) | draw",
        llama: &[Stage::TopP(0.95), Stage::Dist],
        headline: true,
    },
    Work {
        key: "typical",
        title: "typical 0.95 + draw",
        chain: "typical(0.95) | draw",
        llama: &[Stage::Typical(0.95), Stage::Dist],
        headline: true,
    },
    Work {
        key: "top_k_1000",
        title: "top-k 1000 + draw",
        chain: "top_k(1000) | draw",
        llama: &[Stage::TopK(1000), Stage::Dist],
        headline: false,
    },
    Work {
        key: "top_k_100000",
        title: "top-k 100 000 + draw",
        chain: "top_k(100000) | draw",
        llama: &[Stage::TopK(100_000), Stage::Dist],
        headline: false,
    },
    Work {
        key: "top_n_sigma",
        title: "top-nσ 1 first + draw",
        chain: "top_n_sigma(1) | draw",
        llama: &[Stage::TopNSigma(1.0), Stage::Dist],
        headline: false,
    },
    Work { key: "top_a", title: "top-a 0.2 first + draw", chain: "top_a(0.2) | draw", llama: &[], headline: false },
    Work {
        key: "epsilon", title: "ε 3e-4 first + draw", chain: "epsilon(0.0003) | draw", llama: &[], headline: false
    },
    Work { key: "eta", title: "η 2e-3 first + draw", chain: "eta(0.002) | draw", llama: &[], headline: false },
    Work { key: "p_less", title: "p-less first + draw", chain: "p_less | draw", llama: &[], headline: false },
    Work { key: "top_h", title: "top-H 0.4 first + draw", chain: "top_h(0.4) | draw", llama: &[], headline: false },
    Work {
        key: "tail_free",
        title: "tail-free 0.95 first + draw",
        chain: "tail_free(0.95) | draw",
        llama: &[],
        headline: false,
    },
    Work {
        key: "xtc",
        title: "XTC 0.5, averaged, first + draw",
        chain: "xtc(0.5, mode=average) | draw",
        llama: &[],
        headline: false,
    },
    Work {
        key: "dynamic_temperature",
        title: "dynamic temperature + draw",
        chain: "dynamic_temperature(0.8, delta=0.3) | draw",
        llama: &[Stage::TempExt(0.8, 0.3, 1.0), Stage::Dist],
        headline: false,
    },
    Work {
        key: "smoothing",
        title: "quadratic smoothing + draw",
        chain: "smoothing(0.2) | draw",
        llama: &[],
        headline: false,
    },
    Work { key: "mirostat", title: "mirostat v1", chain: "mirostat(5)", llama: &[], headline: false },
    Work { key: "mirostat_v2", title: "mirostat v2", chain: "mirostat_v2(5)", llama: &[], headline: false },
    Work {
        key: "adaptive_p",
        title: "top-k 40 + adaptive-p",
        chain: "top_k(40) | adaptive_p(0.4)",
        llama: &[],
        headline: false,
    },
    Work {
        key: "penalties",
        title: "penalties, then top-k 40 + draw",
        chain: "penalties(1.1) | top_k(40) | draw",
        llama: &[],
        headline: false,
    },
    Work { key: "gumbel", title: "Gumbel-max over the vocabulary", chain: "gumbel", llama: &[], headline: false },
    Work {
        key: "mass",
        title: "Bregman α = 1.5, mass 0.95, + draw",
        chain: "bregman(alpha=1.5, mass=0.95, k_max=1000) | draw",
        llama: &[],
        headline: false,
    },
    Work { key: "entmax_1.5", title: "1.5-entmax + draw", chain: "entmax(1.5) | draw", llama: &[], headline: false },
    Work { key: "sparsemax", title: "sparsemax + draw", chain: "entmax(2) | draw", llama: &[], headline: false },
    Work {
        key: "watermark",
        title: "top-k 40 + watermark",
        chain: "top_k(40) | watermark(key=42)",
        llama: &[],
        headline: false,
    },
    Work {
        key: "synthid",
        title: "top-k 40 + SynthID, 30 layers, + draw",
        chain: "top_k(40) | synthid(keys=42, hash=vllm, layers=30) | draw",
        llama: &[],
        headline: false,
    },
    Work {
        key: "green_list",
        title: "top-k 40 + green list + draw",
        chain: "top_k(40) | green_list(key=15485863) | draw",
        llama: &[],
        headline: false,
    },
];
