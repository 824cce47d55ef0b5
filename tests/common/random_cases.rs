//! How many random cases a property gets, and which: the same ones on every run, so that a change is to blame when a
//! test fails. `PROPTEST_RNG_SEED=random` (or a number) explores others.

use proptest::test_runner::{Config, RngSeed};

pub fn config(cases: u32) -> Config {
    let default = Config { cases, failure_persistence: None, ..Config::default() };
    let explore = std::env::var_os("PROPTEST_RNG_SEED").is_some();
    if explore { default } else { Config { rng_seed: RngSeed::Fixed(20_261_123), ..default } }
}
