//! Rows of logits of the kinds that are measured, each beginning on a cache line.

use super::profile::{Profile, random};
use std::path::PathBuf;

/// The seed of everything that is made up.
const SEED: u64 = 42;

/// A kind of row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A real model's logits in a vocabulary of any size, times 16ths.
    Synth(i64),
    /// Logits as a model left them, where `ci/rows.sh` has written some for this vocabulary.
    Real,
    /// Independent normal logits with this standard deviation in tenths: 25 needs a fifth of the vocabulary for a mass of
    /// 0.95, 10 three quarters.
    Normal(i64),
}

impl Kind {
    /// The rows of most tables: a real model's logits times 1.5.
    pub const HEADLINE: Kind = Kind::Synth(24);

    pub fn name(self) -> String {
        match self {
            Kind::Synth(gain16) => format!("synth-{}", gain16 as f64 / 16.0),
            Kind::Real => "real".into(),
            Kind::Normal(sigma) => format!("normal-{}", sigma as f64 / 10.0),
        }
    }

    /// So many rows, or why there are none.
    pub fn rows(self, vocab: usize, count: usize) -> Result<Rows<f32>, String> {
        let mut rows = Rows::new(vocab, count, 0.0);
        match self {
            Kind::Synth(gain16) => {
                let profile = Profile::parse(include_bytes!("../data/big32k_s.prof")).expect("the profile is whole");
                for r in 0..count {
                    let written = profile.write(SEED, r as u64, gain16, rows.row_mut(r));
                    written.ok_or_else(|| format!("the profile has no vocabulary of {vocab}"))?;
                }
            }
            Kind::Real => {
                let path = real_folder().join(format!("{vocab}.f32"));
                let bytes = std::fs::read(&path).map_err(|e| format!("{}: {e}", path.display()))?;
                let (words, _) = bytes.as_chunks::<4>();
                if words.len() < vocab {
                    return Err(format!("{} has no row of {vocab} logits", path.display()));
                }
                for r in 0..count {
                    let source = &words[r % (words.len() / vocab) * vocab..];
                    rows.row_mut(r).iter_mut().zip(source).for_each(|(l, w)| *l = f32::from_le_bytes(*w));
                }
            }
            Kind::Normal(sigma) => {
                for r in 0..count {
                    let row = rows.row_mut(r);
                    (0..).zip(row).for_each(|(i, l)| *l = (normal((r as u64) << 32 | i) * sigma as f64 / 10.0) as f32);
                }
            }
        }
        Ok(rows)
    }
}

/// The folder of real rows: for each vocabulary V a file `V.f32` of rows of V little-endian f32.
fn real_folder() -> PathBuf {
    let usual = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target/rows");
    std::env::var_os("BREGMAN_REAL_ROWS").map_or(usual, PathBuf::from)
}

/// The vocabularies of which there are real rows, in ascending order.
pub fn real_vocabularies() -> Vec<usize> {
    let files = std::fs::read_dir(real_folder()).into_iter().flatten().flatten();
    let names = files.filter_map(|file| file.file_name().into_string().ok());
    let mut found: Vec<usize> = names.filter_map(|name| name.strip_suffix(".f32")?.parse().ok()).collect();
    found.sort_unstable();
    found
}

fn normal(n: u64) -> f64 {
    let unit = |n| ((random(SEED, n) >> 12) as f64 + 0.5) * f64::EPSILON;
    (-2.0 * unit(2 * n).ln()).sqrt() * (std::f64::consts::TAU * unit(2 * n + 1)).cos()
}

/// Rows one after another; the first begins on a cache line, and so do the others if a row is a multiple of one.
pub struct Rows<T> {
    memory: Vec<T>,
    start: usize,
    pub vocab: usize,
    pub count: usize,
}

impl<T: Copy> Rows<T> {
    pub fn new(vocab: usize, count: usize, blank: T) -> Self {
        let line = 64 / size_of::<T>();
        let memory = vec![blank; vocab * count + line];
        let start = memory.as_ptr().align_offset(64);
        Self { memory, start, vocab, count }
    }

    pub fn row(&self, r: usize) -> &[T] {
        &self.memory[self.start + r * self.vocab..][..self.vocab]
    }

    /// All rows, one after another.
    pub fn all(&self) -> &[T] {
        &self.memory[self.start..][..self.vocab * self.count]
    }

    pub fn row_mut(&mut self, r: usize) -> &mut [T] {
        &mut self.memory[self.start + r * self.vocab..][..self.vocab]
    }

    /// The same rows in another number format.
    pub fn map<U: Copy>(&self, blank: U, convert: impl Fn(T) -> U) -> Rows<U> {
        let mut rows = Rows::new(self.vocab, self.count, blank);
        for r in 0..self.count {
            rows.row_mut(r).iter_mut().zip(self.row(r)).for_each(|(u, &t)| *u = convert(t));
        }
        rows
    }
}
