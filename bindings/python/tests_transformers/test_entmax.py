"""The stage entmax compared with its authors' package of that name, which computes in double precision here."""

from __future__ import annotations

import entmax
import numpy as np
import pytest
import torch

import bregman

#: Of probabilities. bregman reads logits in single precision and solves in double.
TOLERANCE = 1e-6

ALPHAS = (1.0, 1.25, 1.5, 2.0, 3.0)


def theirs(row: np.ndarray, alpha: float) -> np.ndarray:
    # Their sums of squares take -infinity for no number; so far below the largest nothing is kept.
    logits = torch.from_numpy(np.where(np.isfinite(row), row, row.max() - 1e4).astype(np.float64))
    exact = {1.0: torch.softmax, 1.5: entmax.entmax15, 2.0: entmax.sparsemax}
    if alpha in exact:
        return exact[alpha](logits, dim=-1).numpy()
    return entmax.entmax_bisect(logits, alpha=alpha, n_iter=100).numpy()


def ours(row: np.ndarray, chain: str) -> np.ndarray:
    p = np.zeros(len(row))
    with bregman.Sampler(chain) as sampler:
        tokens, probabilities = sampler.distribution(row)
        p[tokens] = probabilities
    return p


def rows() -> list[np.ndarray]:
    rng = np.random.default_rng(20260815)
    found = [(rng.normal(size=vocab) * gain).astype(np.float32) for vocab in (7, 500, 20_000) for gain in (0.05, 1, 4)]
    # Ties; a few values; one token far ahead; all equal; one token.
    found += [np.round(rng.normal(size=3000)).astype(np.float32), rng.choice([0.0, 0.25, 0.5], 400).astype(np.float32)]
    found += [
        np.append(rng.normal(size=200), 60).astype(np.float32),
        np.full(33, -2.5, np.float32),
        np.ones(1, np.float32),
    ]
    banned = rng.normal(size=1000).astype(np.float32)
    banned[rng.random(1000) < 0.5] = -np.inf
    # Exactly where sparsemax and 1.5-entmax end: one and two below the largest.
    edge = np.array([3, 2, 1, 0, 3 - 0.5, -4], np.float32)
    return [*found, banned, edge, -edge]


@pytest.mark.parametrize("alpha", ALPHAS)
def test_entmax_equals_its_authors_package(alpha: float) -> None:
    apart = 0.0
    supports = 0
    for row in rows():
        expected, found = theirs(row, alpha), ours(row, f"entmax({alpha})")
        apart = max(apart, np.abs(expected - found).max())
        # A token at the end of the support has a probability near 0 in both, which may be 0 in one.
        differing = (expected > 0) != (found > 0)
        supports += bool(differing.any())
        assert np.all(np.maximum(expected, found)[differing] <= TOLERANCE), (alpha, len(row))
        assert abs(found.sum() - 1) <= TOLERANCE
    print(
        f"entmax({alpha}): largest difference {apart:.1e} in {len(rows())} rows, {supports} supports differ at the end"
    )
    assert apart <= TOLERANCE


def test_temperature_divides_the_logits_of_entmax() -> None:
    row = rows()[4]
    for alpha in ALPHAS:
        scaled = (row.astype(np.float64) / 0.5).astype(np.float32)
        assert np.abs(theirs(scaled, alpha) - ours(row, f"temperature(0.5) | entmax({alpha})")).max() <= TOLERANCE
