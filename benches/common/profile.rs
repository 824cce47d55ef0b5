//! Rows for large vocabularies from the profile of a real model's logits: heads and quantiles of 32 real rows of a
//! 32 000-token model (`benches/data/big32k_s.prof`), spread over the ids of any vocabulary.
//!
//! A profile is, all little endian: `BRGPROF1`; the words V0, R, H, B, N, S; S pairs (V, shift); B + 1 bin edges over
//! the source's ids; then R rows of H head entries (id, logit) and B·N quantile nodes. Logits are in units of 2⁻¹⁶.

pub struct Profile {
    source_vocab: u64,
    rows: usize,
    heads: usize,
    bins: usize,
    nodes: usize,
    shifts: Vec<(u64, i64)>,
    edges: Vec<u64>,
    data: Vec<i32>,
}

impl Profile {
    /// None if the bytes are no profile.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let (words, []) = bytes.strip_prefix(b"BRGPROF1")?.as_chunks::<4>() else { return None };
        let mut words = words.iter().map(|w| u32::from_le_bytes(*w));
        let [source_vocab, rows, heads, bins, nodes, shifts] =
            std::array::from_fn(|_| words.next().unwrap_or(0) as usize);
        let shifts =
            (0..shifts).map(|_| Some((u64::from(words.next()?), i64::from(words.next()?)))).collect::<Option<_>>()?;
        let edges: Vec<u64> = words.by_ref().take(bins + 1).map(u64::from).collect();
        let data: Vec<i32> = words.map(|w| w as i32).collect();
        let whole = edges.len() == bins + 1 && data.len() == rows * (2 * heads + bins * nodes);
        whole.then_some(Self { source_vocab: source_vocab as u64, rows, heads, bins, nodes, shifts, edges, data })
    }

    /// Row number `row` for a vocabulary of `out.len()`; `gain16` / 16 multiplies the logits. None if the profile has
    /// no such vocabulary.
    pub fn write(&self, seed: u64, row: u64, gain16: i64, out: &mut [f32]) -> Option<()> {
        let vocab = out.len() as u64;
        let shift = self.shifts.iter().find(|s| s.0 == vocab)?.1;
        let stride = 2 * self.heads + self.bins * self.nodes;
        let (head, quantiles) = self.data[row as usize % self.rows * stride..][..stride].split_at(2 * self.heads);
        let mut bin = 0;
        for (i, logit) in (0..).zip(out.iter_mut()) {
            let source = i * self.source_vocab / vocab;
            while source >= self.edges[bin + 1] {
                bin += 1;
            }
            let nodes = &quantiles[bin * self.nodes..][..self.nodes];
            let at = (random(seed, row << 32 | i) >> 40) * (self.nodes as u64 - 1);
            let (node, fraction) = ((at >> 24) as usize, (at >> 8 & 0xFFFF) as i64);
            let [low, high] = [nodes[node], nodes[node + 1]].map(i64::from);
            *logit = units((((low + (((high - low) * fraction) >> 16)) * gain16) >> 4) - shift);
        }
        for entry in head.chunks_exact(2) {
            let source = u64::from(entry[0] as u32);
            let [low, high] = [source, source + 1].map(|id| (id * vocab).div_ceil(self.source_vocab));
            let at = low + random(seed ^ 0xA5A5_A5A5_A5A5_A5A5, row << 32 | source) % (high - low);
            out[at as usize] = units((i64::from(entry[1]) * gain16) >> 4);
        }
        Some(())
    }
}

fn units(q: i64) -> f32 {
    q as f32 / 65536.0
}

/// The n-th output of splitmix64.
pub fn random(seed: u64, n: u64) -> u64 {
    let mut z = seed.wrapping_add((n.wrapping_add(1)).wrapping_mul(0x9E37_79B9_7F4A_7C15));
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}
