//! Rows for lanes, tails, blocks and selection, computed with exact arithmetic: the same bits on every machine,
//! whatever its libm.

use crate::profile::{Profile, random};

pub struct Named {
    pub name: String,
    pub logits: Vec<f32>,
}

/// In [0, 1), a multiple of 2⁻²⁴.
fn unit(n: u64) -> f32 {
    (random(11, n) >> 40) as f32 / (1u64 << 24) as f32
}

/// A bell of three uniform numbers, as wide as `spread`.
fn bell(vocab: usize, spread: f32) -> Vec<f32> {
    let first = (vocab as u64) << 32;
    let one = |i: u64| (unit(first + 3 * i) + unit(first + 3 * i + 1) + unit(first + 3 * i + 2) - 1.5) * spread;
    (0..vocab as u64).map(one).collect()
}

fn named(name: &str, logits: Vec<f32>) -> Named {
    Named { name: format!("{name} {}", logits.len()), logits }
}

/// Rows that are short enough for emulators.
pub fn small() -> Vec<Named> {
    let mut rows = vec![];
    for vocab in [1, 2, 15, 16, 17, 31, 33, 63, 65, 255, 256, 257, 300, 511, 513, 1000, 1025] {
        rows.push(named("bell", bell(vocab, 9.0)));
    }
    adversarial(&mut |name: &str, logits| rows.push(named(name, logits)));
    rows
}

pub fn all() -> Vec<Named> {
    let mut rows = small();
    rows.extend([4095, 4097].map(|vocab| named("bell", bell(vocab, 9.0))));
    let profile = Profile::parse(include_bytes!("../../benches/data/big32k_s.prof")).expect("the profile is whole");
    for (row, gain16) in [(0, 16), (3, 24)] {
        let mut logits = vec![0.0; 32_000];
        profile.write(42, row, gain16, &mut logits).expect("the profile has this vocabulary");
        rows.push(named("real", logits));
    }
    rows
}

/// Rows that are hard for a selection by blocks or for a sum.
fn adversarial(add: &mut impl FnMut(&str, Vec<f32>)) {
    const N: usize = 1217;
    let bell = bell(N, 20.0);
    let mut sorted = bell.clone();
    sorted.sort_by(f32::total_cmp);
    add("rising", sorted.clone());
    sorted.reverse();
    add("falling", sorted);
    add("equal", vec![0.5; N]);
    let each = |f: &dyn Fn(usize, f32) -> f32| bell.iter().enumerate().map(|(i, &l)| f(i, l)).collect::<Vec<f32>>();
    add("two values", each(&|_, l| if l > 0.0 { 2.0 } else { -0.5 }));
    add("ties", each(&|_, l| l.trunc()));
    add("zeros", each(&|_, l| if l > 0.0 { 0.0 } else { -0.0 }));
    add("one high block", each(&|i, l| if i / 256 == 3 { l + 40.0 } else { l }));
    add("lonely", each(&|i, l| if i == 1003 { l } else { f32::NEG_INFINITY }));
    add("ten allowed", each(&|i, l| if i % 181 == 7 { l } else { f32::NEG_INFINITY }));
    add("half banned", each(&|i, l| if random(5, i as u64).is_multiple_of(2) { l } else { f32::NEG_INFINITY }));
    add("huge", each(&|_, l| l * 1e37));
    add("far", each(&|_, l| l * 100.0));
    add("tiny", each(&|_, l| l * 1e-39));
    add("edges of an exponential", each(&|i, l| if i % 3 == 0 { -87.3 + l / 8.0 } else { -l.abs() }));
}
