//! How rows are spread: whether those that are made up are like those that models leave. `ci/bench.sh --shape`.

use crate::common::marks::{self, Marked};
use crate::rows::{self, Kind};
use bregman::{Row, Sampler};
use std::fmt::Write;
use std::path::PathBuf;

/// Rows of each kind.
const ROWS: usize = 32;
/// The headline's rows at every size, and the others at its size.
const MADE_UP: [(Kind, usize); 6] = [
    (Kind::HEADLINE, 32_000),
    (Kind::HEADLINE, 128_256),
    (Kind::HEADLINE, 262_144),
    (Kind::Synth(16), 128_256),
    (Kind::Synth(48), 128_256),
    (Kind::Normal(25), 128_256),
];
/// Distances from the largest logit, within which tokens are counted.
const WITHIN: [f64; 4] = [1.0, 3.0, 5.0, 10.0];

/// What one row is like.
struct Shape {
    largest: f64,
    entropy: f64,
    /// Tokens that top-p keeps for a mass of 0.95.
    nucleus: f64,
    within: [f64; WITHIN.len()],
    /// The standard deviation of the logits.
    spread: f64,
}

impl Shape {
    fn of(row: &[f32]) -> Self {
        let mut logits: Vec<f64> = row.iter().map(|&l| f64::from(l)).filter(|l| l.is_finite()).collect();
        logits.sort_by(|a, b| b.total_cmp(a));
        let below: Vec<f64> = logits.iter().map(|l| logits[0] - l).collect();
        let total: f64 = below.iter().map(|d| (-d).exp()).sum();
        let mean = below.iter().sum::<f64>() / below.len() as f64;
        let variance = below.iter().map(|d| (d - mean).powi(2)).sum::<f64>() / below.len() as f64;
        Self {
            largest: 1.0 / total,
            entropy: total.ln() + below.iter().map(|d| d * (-d).exp()).sum::<f64>() / total,
            nucleus: nucleus(row) as f64,
            within: WITHIN.map(|most| below.partition_point(|d| *d <= most) as f64),
            spread: variance.sqrt(),
        }
    }
}

fn nucleus(row: &[f32]) -> usize {
    let mut sampler = Sampler::new("top_p(0.95)", 0).expect("a chain");
    sampler.distribution(Row::from_f32(row).expect("a row is not empty")).expect("a distribution").len()
}

/// The median of the rows, and the tenth and ninetieth hundredths.
fn spread(shapes: &[Shape], figure: impl Fn(&Shape) -> f64, digits: usize) -> String {
    let mut figures: Vec<f64> = shapes.iter().map(figure).collect();
    figures.sort_by(f64::total_cmp);
    let at = |share: f64| figures[((figures.len() - 1) as f64 * share).round() as usize];
    format!("{:.digits$} ({:.digits$} to {:.digits$})", at(0.5), at(0.1), at(0.9))
}

fn line(kind: Kind, vocab: usize) -> Result<String, String> {
    let rows = kind.rows(vocab, ROWS)?;
    let shapes: Vec<Shape> = (0..rows.count).map(|r| Shape::of(rows.row(r))).collect();
    let mut line = format!("| {} | {vocab}", kind.name());
    for i in 0..WITHIN.len() {
        write!(line, " | {}", spread(&shapes, |s| s.within[i], 0)).unwrap();
    }
    write!(line, " | {}", spread(&shapes, |s| s.largest, 2)).unwrap();
    write!(line, " | {}", spread(&shapes, |s| s.entropy, 2)).unwrap();
    write!(line, " | {}", spread(&shapes, |s| s.nucleus, 0)).unwrap();
    writeln!(line, " | {} |", spread(&shapes, |s| s.spread, 2)).unwrap();
    Ok(line)
}

fn table() -> Result<String, String> {
    let mut table = String::from("| rows | V");
    for most in WITHIN {
        write!(table, " | tokens within {most}").unwrap();
    }
    table += " | largest p | entropy, nats | top-p 0.95 keeps | spread of the logits |\n|---|--:";
    table += &"|--:".repeat(WITHIN.len() + 4);
    table += "|\n";
    for vocab in rows::real_vocabularies() {
        table += &line(Kind::Real, vocab)?;
    }
    for (kind, vocab) in MADE_UP {
        table += &line(kind, vocab)?;
    }
    Ok(table)
}

/// Prints the table, or puts it between its marks in a file.
pub fn write(into: &[PathBuf]) -> Result<(), String> {
    let marked = Marked { name: "shapes by `ci/bench.sh --shape`", table: Some(table()?) };
    marks::write(&[marked], into)
}
