//! Decisions beside the decoder against published values, enumeration and simulation.

#[path = "../common/chi_square.rs"]
mod chi_square;

mod abstention;
mod arms;
mod best_of_n;
mod calibration;
mod distortion;
mod gates;
mod soft_value;

use bregman::{Error, Result};

/// Random numbers for test data, the same on every run (splitmix64).
pub struct Random(pub u64);

impl Random {
    pub fn unit(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 * 2f64.powi(-53)
    }

    pub fn below(&mut self, n: usize) -> usize {
        (self.unit() * n as f64) as usize
    }

    /// A number with roughly normal tails.
    pub fn bell(&mut self) -> f64 {
        (0..12).map(|_| self.unit()).sum::<f64>() - 6.0
    }

    /// A distribution, some of whose probabilities are 0.
    pub fn distribution(&mut self, k: usize) -> Vec<f64> {
        let weights: Vec<f64> = (0..k).map(|_| if self.below(6) == 0 { 0.0 } else { self.unit().powi(3) }).collect();
        let total: f64 = weights.iter().sum();
        if total > 0.0 { weights.iter().map(|w| w / total).collect() } else { self.distribution(k) }
    }
}

#[track_caller]
pub fn close(ours: &[f64], theirs: &[f64], tolerance: f64) {
    let is_close = |(a, b): (&f64, &f64)| a == b || (a - b).abs() <= tolerance * b.abs().max(1.0);
    assert!(ours.len() == theirs.len() && ours.iter().zip(theirs).all(is_close), "{ours:?} is not {theirs:?}");
}

/// The call is refused with a message that begins like this.
#[track_caller]
pub fn refused<T: std::fmt::Debug>(result: Result<T>, beginning: &str) {
    match result {
        Err(Error::InvalidArgument(message)) if message.starts_with(beginning) => {}
        other => panic!("{other:?} does not say: {beginning}"),
    }
}
