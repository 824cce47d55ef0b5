//! Figures as Markdown: line by line while they are taken, and the README's tables from a record.

use crate::record::{self, Line};
use crate::work::{self, Work};
use std::fmt::Write;
use std::path::Path;

const END: &str = "<!-- end -->";

/// The head of a table of one case: median and, after it, the minimum; all in reads of the row.
pub fn head(levels: &[&str]) -> String {
    let mut columns = vec!["work".to_owned()];
    columns.extend(levels.iter().map(|level| format!("raw, {level} (min)")));
    columns.extend(levels.iter().map(|level| format!("in chain, {level}")));
    columns.extend(["llama.cpp", "with fill", "raw faster", "in chain faster", "floor µs"].map(String::from));
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
    let highest = levels.last().copied().unwrap_or_default();
    cells.extend(["raw", "chain"].map(|face| figure(find(face, highest).and_then(|l| l.faster))));
    cells.push(figure(lines.first().map(|l| l.floor_ns / 1000.0)));
    format!("| {} |", cells.join(" | "))
}

/// The README's two tables from a record: the headline's few rows, and all that are marked for it.
pub fn headline(csv: &Path, into: Option<&Path>) -> Result<(), String> {
    let lines = record::read(csv).map_err(|e| format!("{}: {e}", csv.display()))?;
    let figures = Figures::of(&lines)?;
    let tables = [("headline", figures.headline()), ("table", figures.table(csv))];
    let Some(path) = into else {
        tables.iter().for_each(|(_, table)| println!("{table}"));
        return Ok(());
    };
    let mut text = std::fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()))?;
    for (name, table) in tables {
        let begin = format!("<!-- {name} by `make bench-table` -->\n");
        let (before, rest) = text.split_once(&begin).ok_or(format!("{} has no line {begin}", path.display()))?;
        let (_, after) = rest.split_once(END).ok_or(format!("{} has no line {END}", path.display()))?;
        text = format!("{before}{begin}{table}{END}{after}");
    }
    std::fs::write(path, text).map_err(|e| format!("{}: {e}", path.display()))
}

/// The lines of a record that the README shows: V = 128 256 on rows of gain 1.5, in the cache, one thread.
struct Figures<'a> {
    lines: Vec<&'a Line>,
    /// The record's highest instruction set.
    level: &'static str,
}

impl<'a> Figures<'a> {
    fn of(lines: &'a [Line]) -> Result<Self, String> {
        let shown = |l: &&Line| {
            (l.vocab, &*l.rows, &*l.heat, &*l.dtype, l.batch, l.threads) == (128_256, "synth-1.5", "hot", "f32", 1, 1)
        };
        let lines: Vec<&Line> = lines.iter().filter(shown).collect();
        let highest =
            ["avx512", "avx2", "neon", "scalar"].into_iter().find(|level| lines.iter().any(|l| l.level == *level));
        let level = highest.ok_or("the record lacks V = 128256 on rows of gain 1.5")?;
        Ok(Self { lines, level })
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

    fn headline(&self) -> String {
        let mut t = format!(
            "| one token from 128 256 logits; {}, one thread | bregman | llama.cpp, with the filling of its array | |\n|---|--:|--:|--:|\n",
            self.machine()
        );
        for work in work::ALL.iter().filter(|w| ["default", "top_p", "alpha_1.5"].contains(&w.key)) {
            let (ours, llama) = (self.time(work.key, "raw"), self.time(work.key, "llama.cpp"));
            let Some(ours) = ours else { continue };
            let theirs = llama.map_or("does not have it".into(), |llama| format!("{} µs", short(llama)));
            let times = llama.map_or(String::new(), |llama| format!("{:.0} times as fast", llama / ours));
            writeln!(t, "| `{}` | {} µs | {theirs} | {times} |", work.chain.replace('|', "\\|"), short(ours))
                .expect("text");
        }
        t
    }

    fn table(&self, csv: &Path) -> String {
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
        let first = self.lines[0];
        writeln!(
            t,
            "\n{}, {}, {}; bregman {} ({}), llama.cpp from {}, rustc {}. All figures: `{}`.",
            first.machine,
            self.level,
            first.date,
            first.bregman,
            first.commit,
            first.llama,
            first.rustc,
            csv.display()
        )
        .expect("text");
        t
    }

    fn machine(&self) -> String {
        let level = match self.level {
            "avx512" => "AVX-512",
            "avx2" => "AVX2",
            "neon" => "NEON",
            other => other,
        };
        format!("{}, {level}", self.lines[0].machine)
    }
}

/// Three digits.
fn short(x: f64) -> String {
    match x.abs() {
        a if a >= 100.0 => format!("{x:.0}"),
        a if a >= 10.0 => format!("{x:.1}"),
        _ => format!("{x:.2}"),
    }
}
