"""The rows of the benchmarks' generator: heads and quantiles of a real model with 32 000 tokens, for any vocabulary.

benches/common/profile.rs has the same in Rust. The token that is due is drawn from the row itself, so that here the
model is right about everything.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from bregman_lab.dumps import Dump, read

PROFILE = Path(__file__).parents[2] / "benches" / "data" / "big32k_s.prof"
VOCAB, SEED, ROWS = 32_000, 42, 192


def _mixed(seed: int, n: np.ndarray) -> np.ndarray:
    """Output number n of splitmix64."""
    z = np.uint64(seed) + (n + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def rows(count: int, vocab: int = VOCAB, seed: int = SEED) -> np.ndarray:
    """The first rows of the stream, as measured (gain 1), float32."""
    data = PROFILE.read_bytes()
    source, kinds, heads, bins, nodes, shifts = np.frombuffer(data, "<u4", 6, 8).astype(int)
    at = 32
    shift = dict(np.frombuffer(data, "<u4", 2 * shifts, at).reshape(-1, 2).astype(int).tolist())[vocab]
    at += 8 * shifts
    edges = np.frombuffer(data, "<u4", bins + 1, at).astype(np.int64)
    at += 4 * (bins + 1)
    profile = np.frombuffer(data, "<i4", offset=at).reshape(kinds, 2 * heads + bins * nodes).astype(np.int64)
    tokens = np.arange(vocab)
    bin_of = np.searchsorted(edges, tokens * source // vocab, "right") - 1
    out = np.empty((count, vocab), np.float32)
    for r in range(count):
        head, quantiles = np.split(profile[r % kinds], [2 * heads])
        ids, values = head.reshape(heads, 2).T
        quantiles = quantiles.reshape(bins, nodes)
        place = (_mixed(seed, np.uint64(r << 32) | tokens.astype(np.uint64)) >> np.uint64(40)).astype(np.int64) * (
            nodes - 1
        )
        node, share = place >> 24, place >> 8 & 0xFFFF
        low, high = quantiles[bin_of, node], quantiles[bin_of, node + 1]
        out[r] = (low + ((high - low) * share >> 16) - shift).astype(np.float32) * np.float32(2.0**-16)
        first, end = -(-ids * vocab // source), -(-(ids + 1) * vocab // source)
        spread = _mixed(seed ^ 0xA5A5A5A5A5A5A5A5, np.uint64(r << 32) | ids.astype(np.uint64))
        where = first + (spread % (end - first).astype(np.uint64)).astype(np.int64)
        out[r, where] = values.astype(np.float32) * np.float32(2.0**-16)
    return out


def make(folder: Path, count: int = ROWS) -> Dump:
    """The rows as a dump of "text", each an item of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    half = rows(count).astype(np.float16)
    half.tofile(folder / "rows.f16")
    logits = half.astype(np.float64)
    p = np.exp(logits - logits.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    u = np.random.default_rng(SEED).random(count)
    due = np.minimum((p.cumsum(axis=1) < u[:, None]).sum(axis=1), VOCAB - 1)
    lines = (f"{i}\t0\t{d}\t{b}\n" for i, (d, b) in enumerate(zip(due, p.argmax(axis=1), strict=True)))
    (folder / "index.tsv").write_text("".join(lines))
    (folder / "vocab").write_text(str(VOCAB))
    return read(folder, ["text"] * count)
