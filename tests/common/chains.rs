// Chains that have every stage of the catalogue in them, for tests of properties that hold for every chain. (The
// library's own tests include this file.)

/// A new stage of the catalogue needs a chain here: tests fail with the names in [`missing`].
pub const CHAINS: [&str; 54] = [
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
    "bregman(alpha=1.5, mass=0.9) | draw",
    "bregman(mass=0.9) | draw",
    "temperature(0.8) | bregman(alpha=2.5, mode=dual, mass=0.8, k_max=60) | bregman(alpha=3, top_p=0.9) | draw",
    "top_k(40) | top_p(0.95) | min_p(0.05) | temperature(0.8) | draw",
    "temperature(0.8) | bregman(alpha=1.5, floor=0.02) | temperature(1.2) | top_p(0.9) | greedy",
    "typical(0.9) | draw",
    "temperature(2) | typical(0.7, rule=exceed) | draw",
    "top_n_sigma(1.5, ddof=1) | epsilon(0.001) | eta(0.01) | top_a(0.1) | draw",
    "eta(0.001) | top_a(0.1) | draw",
    "p_less(norm) | tail_free(0.95) | top_h(0.5) | draw",
    "tail_free(0.97) | draw",
    "top_k(30, ties=keep) | top_p(0.9, rule=ties) | typical(0.8) | draw",
    "xtc(0.5) | dynamic_temperature(1, delta=0.5) | smoothing(0.2, curve=1.5) | draw",
    "xtc(0.5, threshold=0.05, mode=average) | draw",
    "mirostat(3)",
    "mirostat_v2(3)",
    "smoothing(0.2) | adaptive_p(0.4)",
    "gumbel",
    "top_p(0.9) | gumbel",
    "logit_bias(1:2 7:-inf) | penalties(1.2) | dry(breakers=9; 4 5) | bad_words(3; 4 5) | top_k(40) | draw",
    "no_repeat_ngram(2) | min_tokens(n=9, stop=2) | temperature(0.7) | penalties(repeat=1.2, scope=all) | gumbel",
    "top_k(300) | penalties(frequency=0.3, scope=output) | dry(scope=all) | no_repeat_ngram(n=1, scope=output) | draw",
    "temperature(0.8) | penalties(repeat=1.2, frequency=0.1, scope=all) | min_p(0.01) | no_repeat_ngram(2) | draw",
    "allowed_tokens(0 1 2 3 5 8 13 21 34 55 89 144 233) | draw",
    "top_k(300) | allowed_tokens(tokens=0 1 2 3 5 8 13 21 34 55 89 144, yield=true) | greedy",
    "entmax(1.5) | draw",
    "temperature(2) | entmax(3) | entmax(1.2) | draw",
    "reasoning_budget(start=5, end=7, n=3, message=9 4) | forced_tokens(n=5000, tokens=2 3) | draw",
    "sequence_bias(sequences=3; 4 5, bias=-1) | penalties(repeat=1.5, exempt=3 4) | dry(exempt=3) | draw",
    "temperature(0.9) | watermark(0x9d3c55aa10f2e671, width=2)",
    "top_p(0.9) | watermark(42)",
    "top_k(40) | synthid(keys=654 400 836 123 340) | draw",
    "synthid(keys=7, hash=vllm, layers=4) | green_list(key=15485863, scheme=selfhash, width=3) | draw",
    "green_list(15485863) | top_k(500) | green_list(key=3, delta=1) | gumbel",
    "ban_invalid | length_decay(start=2, factor=1.5, stop=3 5) | top_k(40) | draw",
    "ban_invalid | penalties(repeat=1.2, scope=output, last_n=3) | dry(scope=output, last_n=4) | draw",
    "xtc(probability=0.5, threshold=0.01, exempt=3 5, rule=others) | xtc(probability=0.9, exempt=7, mode=average) | draw",
    "smoothing(0.1) | penalties(1.5) | xtc(0.9, threshold=0.01) | logit_bias(5:3) | draw",
];

/// The stages of the catalogue that are in none of these chains.
pub fn missing() -> Vec<&'static str> {
    let stands_in = |chain: &str, name: &str| chain.split(['|', '(', ' ']).any(|word| word == name);
    let names = bregman::stages().iter().map(|stage| stage.name);
    names.filter(|name| !CHAINS.iter().any(|chain| stands_in(chain, name))).collect()
}
