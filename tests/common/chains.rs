//! Chains that have every stage of the catalogue in them, for tests of what must hold whatever the chain.

/// A stage that is new in the catalogue needs a chain here: [`missing`] says so.
pub const CHAINS: [&str; 18] = [
    "draw",
    "greedy",
    "temperature(0.7) | draw",
    "temperature(0) | draw",
    "top_k(40) | draw",
    "top_k(floor=0.01) | draw",
    "top_k(lambda=0.01) | draw",
    "top_k(600) | temperature(1.3) | draw",
    "top_p(0.95) | draw",
    "min_p(0.05) | draw",
    "temperature(1.5) | min_p(0.002, min_keep=3) | draw",
    "bregman(alpha=1.5, floor=0.01) | draw",
    "bregman(alpha=0.5, lambda=0.001) | draw",
    "bregman(alpha=inf, floor=0.01) | draw",
    "bregman(alpha=3, k=20) | draw",
    "bregman(alpha=2.5, mode=dual, floor=0.01, k_max=100) | draw",
    "top_k(40) | top_p(0.95) | min_p(0.05) | temperature(0.8) | draw",
    "temperature(0.8) | bregman(alpha=1.5, floor=0.02) | temperature(1.2) | top_p(0.9) | greedy",
];

/// The stages that stand in no chain above.
pub fn missing() -> Vec<&'static str> {
    let stands_in = |chain: &str, name: &str| chain.split(['|', '(', ' ']).any(|word| word == name);
    let names = bregman::stages().iter().map(|stage| stage.name);
    names.filter(|name| !CHAINS.iter().any(|chain| stands_in(chain, name))).collect()
}
