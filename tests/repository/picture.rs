//! `docs/decoders.svg`: a row of a real model, and what decoders make of it at the same floor. `make picture` draws it.

use crate::{check_generated, root};
use bregman::{Row, Sampler};
use std::fmt::Write;

const PATH: &str = "docs/decoders.svg";

/// The model in the repository, and logits that it computed for held-out text.
const MODEL: &str = "models/kjv-1.4m/kjv-1.4m-q8_0.gguf";
const ROWS: &str = "tests/agreement/rows/kjv.f32";
const VOCAB: usize = 2048;
const ROW: usize = 20;

const FLOOR: &str = "0.05";
const ALPHAS: [&str; 4] = ["0.5", "1", "1.5", "2"];

/// Tokens that are shown one by one.
const SHOWN: usize = 12;

const MARGIN: f64 = 16.0;
const LABELS: f64 = 64.0;
const PANEL: f64 = 156.0;
const BAR: f64 = 200.0;
const LINE: f64 = 22.0;
const TOP: f64 = 108.0;

const STYLE: &str = "\
    text{font:13px system-ui,sans-serif;fill:#1f2328}\
    .title{font-size:16px;font-weight:600}.head{font-weight:600}.small{font-size:12px;fill:#59636e}\
    .end{text-anchor:end}.paper{fill:#fff}.kept{fill:#4c78b8}.more{fill:#f0883e}\
    .dropped{fill:#c8ced6}\
    @media(prefers-color-scheme:dark){\
    text{fill:#e6edf3}.small{fill:#9198a1}.paper{fill:#0d1117}.kept{fill:#6ea0e0}.dropped{fill:#484f58}}";

/// The texts of a GGUF file's tokens: the array of strings under `tokenizer.ggml.tokens`.
fn token_texts() -> Vec<String> {
    const KEY: &[u8] = b"tokenizer.ggml.tokens";
    let file = std::fs::read(root().join(MODEL)).expect("the model");
    let key = file.windows(KEY.len()).position(|bytes| bytes == KEY).expect("the key");
    // After the key: two u32 (array, of strings), then u64 lengths: of the array, and before each string.
    let mut rest = &file[key + KEY.len() + 8..];
    let length = |rest: &mut &[u8]| {
        let (bytes, after) = rest.split_first_chunk().expect("a length");
        *rest = after;
        u64::from_le_bytes(*bytes) as usize
    };
    let count = length(&mut rest);
    let mut texts = Vec::with_capacity(count);
    for _ in 0..count {
        let (text, after) = {
            let bytes = length(&mut rest);
            rest.split_at(bytes)
        };
        rest = after;
        // U+2581 stands for a space before a word.
        texts.push(String::from_utf8_lossy(text).trim_start_matches('\u{2581}').to_owned());
    }
    texts
}

fn logits() -> Vec<f32> {
    let bytes = std::fs::read(root().join(ROWS)).expect("the rows");
    let (words, _) = bytes.as_chunks::<4>();
    words[ROW * VOCAB..][..VOCAB].iter().map(|word| f32::from_le_bytes(*word)).collect()
}

/// The tokens that a chain keeps with their probabilities, the likeliest first.
fn distribution(chain: &str, logits: &[f32]) -> Vec<(u32, f64)> {
    let mut sampler = Sampler::new(chain, 0).expect("a chain");
    sampler.distribution(Row::from_f32(logits).expect("logits")).expect("a distribution")
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}

fn text(svg: &mut String, (x, y): (f64, f64), class: &str, text: &str) {
    writeln!(svg, r#"<text x="{x:.1}" y="{y:.1}" class="{class}">{}</text>"#, escaped(text)).unwrap();
}

fn bar(svg: &mut String, (x, y): (f64, f64), width: f64, class: &str) {
    writeln!(svg, r#"<rect x="{x:.1}" y="{y:.1}" width="{width:.1}" height="14" class="{class}"/>"#).unwrap();
}

/// One panel: `p` are the model's probabilities of the shown tokens, `kept` those after decoding.
fn panel(svg: &mut String, x: f64, [head, chain, summary]: [&str; 3], p: &[(u32, f64)], kept: &[(u32, f64)]) {
    text(svg, (x, TOP - 44.0), "head", head);
    text(svg, (x, TOP - 28.0), "small", chain);
    text(svg, (x, TOP - 12.0), "small", summary);
    for (i, &(id, p)) in p.iter().take(SHOWN).enumerate() {
        let y = TOP + i as f64 * LINE;
        let (width, label) = match kept.iter().find(|(kept, _)| *kept == id) {
            Some(&(_, p_hat)) => {
                bar(svg, (x, y), p * BAR, "kept");
                bar(svg, (x + p * BAR, y), (p_hat - p) * BAR, "more");
                (p_hat * BAR, format!("{:.1} %", 100.0 * p_hat))
            }
            None => {
                bar(svg, (x, y), p * BAR, "dropped");
                (p * BAR, String::new())
            }
        };
        text(svg, (x + width + 5.0, y + 11.5), "small", &label);
    }
}

fn picture() -> String {
    let (logits, texts) = (logits(), token_texts());
    let p = distribution("temperature(1)", &logits);
    let shown: f64 = p[..SHOWN].iter().map(|(_, p)| p).sum();
    let bottom = TOP + SHOWN as f64 * LINE;
    let (width, height) = (2.0 * MARGIN + LABELS + PANEL * (1 + ALPHAS.len()) as f64, bottom + 62.0);
    let mut svg = String::new();
    writeln!(
        svg,
        r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0} {height:.0}" role="img" aria-labelledby="title">"#
    )
    .unwrap();
    writeln!(svg, "<title id=\"title\">A row of a real model, decoded with floor={FLOOR} and four alphas</title>")
        .unwrap();
    writeln!(svg, "<style>{STYLE}</style>").unwrap();
    writeln!(svg, r#"<rect width="{width:.0}" height="{height:.0}" rx="8" class="paper"/>"#).unwrap();
    text(&mut svg, (MARGIN, 30.0), "title", &format!("One row of a real model, decoded with floor={FLOOR}"));
    for (i, &(id, _)) in p[..SHOWN].iter().enumerate() {
        text(&mut svg, (MARGIN + LABELS - 10.0, TOP + i as f64 * LINE + 11.5), "end", &texts[id as usize]);
    }
    let left = MARGIN + LABELS;
    panel(&mut svg, left, ["model", "softmax of the logits", &format!("{} tokens", p.len())], &p, &p);
    for (i, alpha) in ALPHAS.iter().enumerate() {
        let kept = distribution(&format!("bregman(alpha={alpha}, floor={FLOOR})"), &logits);
        let mass: f64 = p[..kept.len()].iter().map(|(_, p)| p).sum();
        let head = if *alpha == "1" { "alpha = 1 (top-k)".to_owned() } else { format!("alpha = {alpha}") };
        let summary = format!("drops {:.0} % of the mass", 100.0 - 100.0 * mass);
        let x = left + PANEL * (i + 1) as f64;
        panel(&mut svg, x, [&head, &format!("keeps {} tokens", kept.len()), &summary], &p, &kept);
    }
    let rest = format!("{} more tokens: {:.1} %", p.len() - SHOWN, 100.0 * (1.0 - shown));
    text(&mut svg, (left, bottom + 10.0), "small", &rest);
    let mut x = left;
    for (class, label, width) in
        [("kept", "model's probability", 160.0), ("more", "added by renormalising", 180.0), ("dropped", "dropped", 0.0)]
    {
        bar(&mut svg, (x, bottom + 32.0), 22.0, class);
        text(&mut svg, (x + 28.0, bottom + 43.5), "", label);
        x += width + 28.0;
    }
    svg + "</svg>\n"
}

#[test]
fn the_picture_is_current() {
    check_generated(PATH, &picture());
}
