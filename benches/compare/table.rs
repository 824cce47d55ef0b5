//! Figures as Markdown: line by line while they are taken, and the README's table from a record.

use crate::common::facts::Facts;
use crate::common::figures::short;
use crate::common::marks::{self, Marked};
use crate::common::record;
use crate::record::Line;
use crate::work::{self, Work};
use std::fmt::Write;
use std::path::{Path, PathBuf};

/// The head of a table of one case: median and, after it, the minimum; all in reads of the row.
pub fn head(levels: &[&str]) -> String {
    let mut columns = vec!["work".to_owned()];
    columns.extend(levels.iter().map(|level| format!("raw, {level} (min)")));
    columns.extend(levels.iter().map(|level| format!("in chain, {level}")));
    let others = ["llama.cpp", "with fill", "candidates", "raw faster", "in chain faster", "floor µs"];
    columns.extend(others.map(String::from));
    format!("| {} |\n|{}", columns.join(" | "), "---|".repeat(columns.len()))
}

/// One piece of work.
pub fn line(work: &Work, lines: &[Line], levels: &[&str]) -> String {
    let find = |face: &str, level: &str| lines.iter().find(|l| l.face == face && l.level == level);
    let mut cells = vec![work.title.to_owned()];
    let figure = |x: Option<f64>| x.map_or("".into(), short);
    for level in levels {
        let cell = find("raw", level).map(|l| format!("{} ({})", short(l.floors), short(l.floors_min)));
        cells.push(cell.unwrap_or_default());
    }
    cells.extend(levels.iter().map(|level| figure(find("chain", level).and_then(|l| l.net_floors))));
    let llama = find("llama.cpp", "");
    cells.push(figure(llama.and_then(|l| l.net_floors)));
    cells.push(figure(llama.map(|l| l.floors)));
    cells.push(figure(["read", "read back"].iter().filter_map(|face| find(face, "")?.net_floors).reduce(f64::min)));
    let highest = levels.last().copied().unwrap_or_default();
    cells.extend(["raw", "chain"].map(|face| figure(find(face, highest).and_then(|l| l.faster))));
    cells.push(figure(lines.first().map(|l| l.floor_ns / 1000.0)));
    format!("| {} |", cells.join(" | "))
}

/// The tables of the documents from a record: the README's, and what in a chain is the reading of candidates.
pub fn write(csv: &Path, into: &[PathBuf]) -> Result<(), String> {
    let (facts, lines) = record::read(csv)?;
    let headline = Figures::of(&lines).map(|figures| figures.table() + &facts.source(figures.level, csv));
    let tables = [
        Marked { name: "candidates by `make bench-table`", table: candidates(&facts, &lines, csv) },
        Marked { name: "table by `make bench-table`", table: headline },
    ];
    marks::write(&tables, into)
}

/// Short truncations in the chain, and one read of the candidates: the highest level, on rows of gain 1.5 in the cache.
/// None if the record has no such read.
fn candidates(facts: &Facts, lines: &[Line], csv: &Path) -> Option<String> {
    const HEAD: &str = "| V | work | a read of the candidates, µs | GB/s | bregman as a stage, µs | of it the read | llama.cpp's own, µs | times as fast | with AVX2 | the most that is possible |\n|--:|---|--:|--:|--:|--:|--:|--:|--:|--:|\n";
    let (mut rows, shown) = (String::new(), shown(lines));
    for vocab in [32_000, 128_256, 262_144] {
        for work in work::ALL.iter().filter(|w| ["greedy", "top_k", "default", "min_p"].contains(&w.key)) {
            let of: Vec<&Line> = shown.iter().copied().filter(|l| l.vocab == vocab && l.work == work.key).collect();
            if let Some(cells) = candidates_of(&of) {
                writeln!(rows, "| {vocab} | {} | {} |", work.title, cells.join(" | ")).expect("text");
            }
        }
    }
    let (Facts { machine, date, bregman, commit, .. }, csv) = (facts, csv.display());
    (!rows.is_empty()).then(|| format!("{HEAD}{rows}\n{machine}, {date}; bregman {bregman} ({commit}): `{csv}`.\n"))
}

/// The lines of the rows that the tables are about: of gain 1.5, in the cache, one thread.
fn shown(lines: &[Line]) -> Vec<&Line> {
    let is_shown = |l: &&Line| (&*l.rows, &*l.heat, &*l.dtype, l.batch, l.threads) == ("synth-1.5", "hot", "f32", 1, 1);
    lines.iter().filter(is_shown).collect()
}

/// The figures of one piece of work; none where the record lacks one.
fn candidates_of(lines: &[&Line]) -> Option<[String; 8]> {
    let of =
        |face: &str| lines.iter().filter(|l| l.face == face).max_by_key(|l| LEVELS.iter().position(|x| *x == l.level));
    let (chain, llama, fill) = (of("chain")?, of("llama.cpp")?, of("fill")?);
    // The direction that is faster is the bound.
    let [one, other] = [of("read")?, of("read back")?];
    let read = if one.net_floors <= other.net_floors { one } else { other };
    let avx2 = lines.iter().find(|l| l.face == "chain" && l.level == "avx2");
    let us = |l: &Line| (l.median_ns - fill.median_ns) / 1000.0;
    let bytes = 12.0 * chain.vocab as f64;
    Some([
        short(us(read)),
        short(bytes / us(read) / 1000.0),
        short(us(chain)),
        format!("{:.0} %", 100.0 * read.net_floors? / chain.net_floors?),
        short(us(llama)),
        short(chain.faster?),
        avx2.and_then(|l| l.faster).map_or("-".into(), short),
        short(read.faster?),
    ])
}

/// From the lowest to the highest.
const LEVELS: [&str; 4] = ["scalar", "neon", "avx2", "avx512"];

/// What the README shows of a record: V = 128 256.
struct Figures<'a> {
    lines: Vec<&'a Line>,
    /// The record's highest instruction set.
    level: &'static str,
}

impl<'a> Figures<'a> {
    /// None if the record has no decode of such a row.
    fn of(lines: &'a [Line]) -> Option<Self> {
        let lines: Vec<&Line> = shown(lines).into_iter().filter(|l| l.vocab == 128_256).collect();
        let decoded = |level: &&str| lines.iter().any(|l| l.face == "raw" && l.level == *level);
        let level = LEVELS.into_iter().rev().find(decoded)?;
        Some(Self { lines, level })
    }

    /// The median in microseconds.
    fn time(&self, work: &str, face: &str) -> Option<f64> {
        let level = if ["raw", "chain"].contains(&face) { self.level } else { "" };
        let line = self.lines.iter().find(|l| l.work == work && l.face == face && l.level == level)?;
        Some(line.median_ns / 1000.0)
    }

    /// The same without the filling of the candidate array.
    fn time_in_chain(&self, work: &str, face: &str) -> Option<f64> {
        Some(self.time(work, face)? - self.time(work, "fill")?)
    }

    fn table(&self) -> String {
        let mut t = String::from(
            "| median, µs | bregman, raw logits | llama.cpp, raw logits | ratio | bregman, as a stage | llama.cpp's own | ratio |\n\
             |---|--:|--:|--:|--:|--:|--:|\n",
        );
        for work in work::ALL.iter().filter(|w| w.headline) {
            let mut cells = vec![work.title.to_owned()];
            let raw = [self.time(work.key, "raw"), self.time(work.key, "llama.cpp")];
            let chain = [self.time_in_chain(work.key, "chain"), self.time_in_chain(work.key, "llama.cpp")];
            for [ours, theirs] in [raw, chain] {
                let ratio = ours.zip(theirs).map(|(ours, theirs)| theirs / ours);
                cells.extend([ours, theirs, ratio].map(|x| x.map_or("".into(), short)));
            }
            writeln!(t, "| {} |", cells.join(" | ")).expect("text");
        }
        t
    }
}
