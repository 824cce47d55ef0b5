//! Figures as Markdown: of a case while it is measured, and the tables of the documents from a record.

use crate::common::facts::Facts;
use crate::common::figures::{short, significant};
use crate::common::marks::{self, Marked};
use crate::common::record;
use crate::contest::When;
use crate::plan::WORKS;
use crate::record::Line;
use std::fmt::Write;
use std::path::{Path, PathBuf};

/// One case, line by line.
pub fn of_case(lines: &[Line]) -> String {
    let mut t = String::from(
        "| when | who | threads | step, µs | 99th percentile | wait for a token, µs | 99th percentile | touches | times as fast as llama.cpp |\n|---|---|--:|--:|--:|--:|--:|--:|--:|\n",
    );
    for l in lines {
        let cell = |x: Option<f64>| x.map_or(String::new(), short);
        let cells =
            [Some(l.step_us), Some(l.step_p99_us), l.wait_us, l.wait_p99_us, Some(l.touches), l.faster].map(cell);
        writeln!(t, "| {} | {} | {} | {} |", l.when, l.who, l.threads, cells.join(" | ")).expect("text");
    }
    t
}

/// The tables of the documents.
pub fn write(csv: &Path, into: &[PathBuf]) -> Result<(), String> {
    let (facts, lines) = record::read::<Line>(csv)?;
    let (steps, level) = (Step::all(&lines), &*lines[0].level);
    let tables = [
        ("headline by `make bench-server-table`", headline(&steps, &facts, level)),
        ("steps by `make bench-server-table`", table(&steps) + &facts.source(level, csv)),
        ("waits by `make bench-server-table`", waits(&steps)),
    ];
    marks::write(&tables.map(|(name, table)| Marked { name, table: Some(table) }), into)
}

/// All contestants' lines of one case.
struct Step<'a> {
    lines: Vec<&'a Line>,
}

/// Who, and with how many threads, in the order of the columns.
const COLUMNS: [(&str, usize); 5] = [("llama.cpp", 1), ("stage", 1), ("batch", 1), ("batch", 2), ("touch", 1)];

impl<'a> Step<'a> {
    fn all(lines: &'a [Line]) -> Vec<Self> {
        let case = |l: &Line| (l.vocab, l.rows.clone(), l.slots, l.work.clone());
        let mut steps: Vec<Self> = vec![];
        for line in lines {
            match steps.iter_mut().find(|step| case(step.first()) == case(line)) {
                Some(step) => step.lines.push(line),
                None => steps.push(Self { lines: vec![line] }),
            }
        }
        steps
    }

    fn first(&self) -> &'a Line {
        self.lines[0]
    }

    fn line(&self, (who, threads): (&str, usize), when: When) -> Option<&'a Line> {
        self.lines.iter().copied().find(|l| l.who == who && l.threads == threads && l.when == when.name())
    }

    /// One figure of each column.
    fn cells(&self, columns: &[(&str, usize)], when: When, figure: impl Fn(&Line) -> Option<f64>) -> Vec<String> {
        let ms = |us: f64| significant(us / 1000.0);
        columns.iter().map(|&c| self.line(c, when).and_then(&figure).map_or("-".into(), ms)).collect()
    }

    /// The least that one of ours gains; infinite where llama.cpp has nothing to compare with.
    fn worst(&self) -> f64 {
        let gains = self.lines.iter().filter(|l| l.when == When::AfterModel.name()).filter_map(|l| l.faster);
        gains.fold(f64::INFINITY, f64::min)
    }

    fn rows(&self) -> String {
        let Line { vocab, rows, .. } = self.first();
        let rows = if rows == "real" { "a model's" } else { "made up" };
        format!("{vocab}, {rows}")
    }
}

/// Every number of slots of the first chain, and of the others one; the least gain first.
fn table(steps: &[Step<'_>]) -> String {
    let mut t = String::from(
        "| V, rows | slots | chain | llama.cpp's samplers | bregman, a stage in its chain | bregman's batch, 1 thread | 2 threads | touching the rows | stage, times as fast | batch, 1 thread | 2 threads |\n|---|--:|---|--:|--:|--:|--:|--:|--:|--:|--:|\n",
    );
    let mut shown: Vec<_> = steps.iter().filter(|s| s.first().work == WORKS[0].key || s.first().slots == 32).collect();
    shown.sort_by(|a, b| a.worst().total_cmp(&b.worst()));
    for step in shown {
        let Line { slots, work, .. } = step.first();
        let title = WORKS.iter().find(|w| w.key == *work).map_or(&**work, |w| w.title);
        let mut cells = vec![step.rows(), slots.to_string(), title.into()];
        let medians = step.cells(&COLUMNS, When::AfterModel, |l| Some(l.step_us));
        let tails = step.cells(&COLUMNS, When::AfterModel, |l| Some(l.step_p99_us));
        let both = medians.into_iter().zip(tails).map(|(m, p)| if m == "-" { m } else { format!("{m} ({p})") });
        cells.extend(both);
        let gain = |c| step.line(c, When::AfterModel).and_then(|l| l.faster).map_or("-".into(), short);
        cells.extend(COLUMNS[1..4].iter().map(|&c| gain(c)));
        writeln!(t, "| {} |", cells.join(" | ")).expect("text");
    }
    t
}

/// What a single token waits for, and what a step costs right after another.
fn waits(steps: &[Step<'_>]) -> String {
    let mut t = String::from(
        "| V, rows | slots | wait for a token, 99th percentile: llama.cpp | stage | batch, 1 thread | 2 threads | again at once: llama.cpp | stage | batch, 1 thread | 2 threads | touching the rows |\n|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|\n",
    );
    for step in steps.iter().filter(|s| s.first().work == WORKS[0].key) {
        let mut cells = vec![step.rows(), step.first().slots.to_string()];
        cells.extend(step.cells(&COLUMNS[..4], When::AfterModel, |l| l.wait_p99_us));
        cells.extend(step.cells(&COLUMNS, When::Again, |l| Some(l.step_us)));
        writeln!(t, "| {} |", cells.join(" | ")).expect("text");
    }
    t
}

/// The README's few lines.
fn headline(steps: &[Step<'_>], facts: &Facts, level: &str) -> String {
    let level = match level {
        "avx512" => "AVX-512",
        "avx2" => "AVX2",
        "neon" => "NEON",
        other => other,
    };
    let mut t = format!(
        "| the tokens of a server's step, ms; {}, {level} | llama.cpp's samplers | bregman in its chains | bregman's batch, 1 thread | 2 threads | touching the rows |\n|---|--:|--:|--:|--:|--:|\n",
        facts.machine
    );
    for (slots, vocab) in [(1, 128_256), (32, 128_256), (64, 262_144)] {
        let is = |l: &Line| (l.slots, l.vocab, &*l.rows, &*l.work) == (slots, vocab, "synth-1.5", WORKS[0].key);
        let Some(step) = steps.iter().find(|step| is(step.first())) else { continue };
        let cells = step.cells(&COLUMNS, When::AfterModel, |l| Some(l.step_us));
        let s = if slots == 1 { "" } else { "s" };
        writeln!(t, "| {slots} row{s} of {vocab} logits | {} |", cells.join(" | ")).expect("text");
    }
    t
}
