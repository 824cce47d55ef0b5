"""The known source, and divergences from it."""

import re
from pathlib import Path

import numpy as np
import pytest
from scipy import stats
from scipy.spatial.distance import jensenshannon

from bregman_lab import llama, truth


def test_the_source_is_sparse_and_samples_follow_its_law() -> None:
    source = truth.Source()
    triples = truth.triples_of(source.sequences(512, 80, seed=3))
    law = source.law(triples[:, 0], triples[:, 1])
    assert law.sum(axis=1) == pytest.approx(1)
    assert ((law > 0).sum(axis=1) <= 60).all()
    # The probability integral transform of every draw, with a uniform share of its own step, is uniform.
    c = triples[:, 2]
    rows = np.arange(len(c))
    below = law.cumsum(axis=1)[rows, c] - law[rows, c]
    u = below + np.random.default_rng(4).random(len(c)) * law[rows, c]
    assert stats.kstest(u, "uniform").pvalue > 1e-3


def test_divergences_are_scipys() -> None:
    rng = np.random.default_rng(1)
    p, q = rng.dirichlet(np.ones(6), 4), rng.dirichlet(np.ones(6), 4)
    p[0, 2:4] = 0
    p[0] /= p[0].sum()
    found = truth.divergences(p, q)
    assert found["JS"] == pytest.approx([jensenshannon(a, b) ** 2 for a, b in zip(p, q, strict=True)])
    floor = 0.999 * q + 0.001 / 6
    assert found["KL"] == pytest.approx([stats.entropy(a, b) for a, b in zip(p, floor, strict=True)])
    assert found["TV"] == pytest.approx(np.abs(p - q).sum(axis=1) / 2)
    assert found["mass on false tokens"][0] == pytest.approx(q[0, 2:4].sum())


def test_models_of_the_source_are_nearer_to_it_than_none() -> None:
    source = truth.Source()
    triples = truth.triples_of(source.sequences(512, 120, seed=2))
    a, b, _ = source.sequences(500, 3, seed=5).T
    law = source.law(a, b)
    logits = truth.network(triples, epochs=2)(a, b)
    weights = np.exp(logits - logits.max(axis=1, keepdims=True))
    trained = truth.divergences(law, weights / weights.sum(axis=1, keepdims=True))["TV"].mean()
    flat = truth.divergences(law, np.full(law.shape, 1 / truth.VOCAB))["TV"].mean()
    counts = np.exp(truth.counted(triples, a, b))
    assert counts.sum(axis=1) == pytest.approx(1)
    assert trained < 0.7 * flat
    assert truth.divergences(law, counts)["TV"].mean() < 0.7 * flat


def test_the_llamas_logits_are_those_that_it_was_trained_with(tmp_path: Path) -> None:
    sequences = truth.Source().sequences(32, 100, seed=6)
    llama.train(sequences, tmp_path, seed=1, steps=3)
    # The recipe's own figure for the held-out tokens.
    log = (tmp_path / "train.log").read_text()
    theirs = float(re.search(r"done val (\S+)", log)[1])
    held_out = np.load(tmp_path / "val.npy").astype(int)
    n = (len(held_out) - 1) // llama.CONTEXT
    tokens = np.stack([held_out[i * llama.CONTEXT :][: llama.CONTEXT + 1] for i in range(n)])
    logits = llama.every_logit(tmp_path / "model.bin", tokens[:, :-1])
    due = np.take_along_axis(logits, tokens[:, 1:, None], axis=2)[..., 0]
    surprise = np.log(np.exp(logits).sum(axis=2)) - due
    assert surprise.mean() == pytest.approx(theirs, abs=1e-4)
    assert llama.logits(tmp_path / "model.bin", tokens[:, :-1]) == pytest.approx(logits[:, -1])
