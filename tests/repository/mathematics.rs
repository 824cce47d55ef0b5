//! The tables of `docs/mathematics.md` are the decoder's: its claims in figures, docs/mathematics.md, 4, 10 and 16.

use crate::read;
use bregman::bregman::{Alpha, Decoder, Family, Limits, Mode, Size, objective};

const P10: [f64; 10] = [0.5, 0.2, 0.1, 0.08, 0.05, 0.03, 0.02, 0.01, 0.005, 0.005];

fn decode(mode: Mode, alpha: f64, size: Size) -> Vec<f64> {
    let decoder = Decoder::new(Family::Alpha(alpha), mode, size, Limits::default()).expect("parameters within range");
    decoder.decode(&P10).expect("a distribution").p_hat
}

/// The divergence that a row names: "primal 1.5", "dual 3", "primal = dual 2", "primal infinity", "primal 1 (top-k)".
fn divergence(name: &str) -> Option<(Mode, f64)> {
    let mode = if name.starts_with("dual") { Mode::Dual } else { Mode::Primal };
    let name = name.strip_prefix("primal").or(name.strip_prefix("dual"))?.trim_start_matches(" = dual").trim();
    let alpha = name.split_whitespace().next()?;
    Some((mode, if alpha == "infinity" { f64::INFINITY } else { alpha.parse().ok()? }))
}

fn numbers(cell: &str) -> Vec<f64> {
    cell.split_whitespace().map(|number| number.parse().unwrap_or_else(|_| panic!("{number} is no number"))).collect()
}

/// The rows of the first table after a line that contains `before`, each with its divergence.
fn table(before: &str) -> Vec<((Mode, f64), Vec<String>)> {
    let page = read("docs/mathematics.md");
    let (_, rest) = page.split_once(before).unwrap_or_else(|| panic!("the page has no {before:?}"));
    let lines = rest.lines().skip_while(|line| !line.starts_with('|')).take_while(|line| line.starts_with('|'));
    let cells =
        lines.map(|line| line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect::<Vec<_>>());
    cells.filter_map(|cells| Some((divergence(&cells[0])?, cells[1..].to_vec()))).collect()
}

fn are_close(ours: &[f64], theirs: &[f64], relative: f64, absolute: f64) -> bool {
    let close = |(a, b): (&f64, &f64)| (a - b).abs() <= relative * b.abs() + absolute;
    ours.len() == theirs.len() && ours.iter().zip(theirs).all(close)
}

#[test]
fn the_table_of_gains_is_the_objectives() {
    let rows = table("g_1 to g_9:");
    assert_eq!(rows.len(), 5);
    for ((mode, alpha), cells) in rows {
        let cost = |k: usize| {
            let mut x = decode(mode, alpha, Size::Fixed(k));
            x.resize(P10.len(), 0.0);
            objective(&Alpha::new(alpha), mode, 0.0, &x, &P10)
        };
        let gains: Vec<f64> = (1..10).map(|k| cost(k) - cost(k + 1)).collect();
        assert!(are_close(&gains, &numbers(&cells[0]), 1e-7, 1e-16), "{mode:?} {alpha}: {gains:?}");
    }
}

#[test]
fn the_table_of_solutions_is_the_decoders() {
    let rows = table("x for p10 of section 4:");
    assert_eq!(rows.len(), 12);
    for ((mode, alpha), cells) in rows {
        for (k, cell) in [3, 5].into_iter().zip(&cells) {
            let x = decode(mode, alpha, Size::Fixed(k));
            assert!(are_close(&x, &numbers(cell), 0.0, 5.01e-6), "{mode:?} {alpha}, k {k}: {x:?}");
        }
    }
}

#[test]
fn the_table_of_sizes_is_the_decoders() {
    let rows = table("k* on p10:");
    assert_eq!(rows.len(), 8);
    for ((mode, alpha), cells) in rows {
        let sizes = [1.0, 0.3, 0.1, 0.03, 0.01, 3e-3, 1e-3, 1e-4, 1e-5];
        let sizes = sizes.map(|lambda| decode(mode, alpha, Size::Lambda(lambda)).len().to_string());
        assert_eq!(sizes[..], cells[..], "{mode:?} {alpha}");
    }
}

#[test]
fn the_table_of_sizes_by_mass_is_the_decoders() {
    let rows = table("k* on p10 of section 4:");
    assert_eq!(rows.len(), 9);
    for ((mode, alpha), cells) in rows {
        let sizes = [0.45, 0.65, 0.75, 0.85, 0.9, 0.95, 0.97, 0.985, 0.992];
        let sizes = sizes.map(|mass| decode(mode, alpha, Size::Mass(mass)).len().to_string());
        assert_eq!(sizes[..], cells[..], "{mode:?} {alpha}");
    }
}

#[test]
fn floors_keep_the_sizes_that_the_page_says() {
    let modes = [(Mode::Primal, 0.5), (Mode::Primal, 1.0), (Mode::Primal, 1.5), (Mode::Primal, 2.0)];
    for (floor, k) in [(0.05, 5), (0.02, 7), (0.01, 8), (0.005, 10)] {
        for (mode, alpha) in modes.into_iter().chain([(Mode::Dual, 1.5), (Mode::Dual, 3.0)]) {
            let k = if (mode, alpha, floor) == (Mode::Dual, 3.0, 0.005) { 9 } else { k };
            assert_eq!(decode(mode, alpha, Size::Floor(floor)).len(), k, "{mode:?} {alpha}, floor {floor}");
        }
    }
}
