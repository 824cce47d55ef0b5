"""bregman's stages compared with transformers', on real and random rows: the same tokens and probabilities."""

from __future__ import annotations

import copy
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from stages import STAGES, Stage, history

import bregman

#: Real logits: rows of models with 2 048 and 32 000 tokens.
REAL = Path(__file__).resolve().parents[3] / "tests/agreement/rows"
TOLERANCE = 1e-5


def real_rows() -> list[np.ndarray]:
    rows: list[np.ndarray] = []
    for name, vocab in (("kjv.f32", 2048), ("big32k.f32", 32_000)):
        if (REAL / name).exists():
            rows += list(np.fromfile(REAL / name, "<f4").reshape(-1, vocab))
    return rows


def random_rows() -> list[np.ndarray]:
    rng = np.random.default_rng(20250519)
    rows = [(rng.normal(size=vocab) * gain).astype(np.float32) for vocab in (3000, 32_000) for gain in (1, 2, 4)]
    rows += [(-rng.uniform(0.8, 2) * np.log(rng.permutation(vocab) + 1)).astype(np.float32) for vocab in (2000, 50_000)]
    # Coarse logits are full of ties.
    rows += [np.round(rng.normal(size=4000) * 2).astype(np.float32) for _ in range(3)]
    banned = rng.normal(size=5000).astype(np.float32) * 3
    banned[rng.random(5000) < 0.5] = -np.inf
    return [*rows, banned]


def compare(stage: Stage, row: np.ndarray) -> bool:
    """Whether both keep the same tokens; if not, rounding must explain each difference."""
    seen = history(row)
    ids, logits = torch.tensor([seen]), torch.from_numpy(row.copy())[None]
    # Some of transformers' processors remember the size of the first row.
    processors = copy.deepcopy(stage.theirs)
    theirs = torch.softmax(processors(ids, logits.clone()), -1)[0].numpy()
    ours = row.copy()
    with bregman.Sampler(stage.chain) as sampler:
        sampler.accept(seen)
        sampler.process(ours)
    ours = np.exp(ours)
    differing = np.flatnonzero((theirs > 0) != (ours > 0))
    if len(differing) == 0:
        assert np.abs(theirs - ours).max() <= TOLERANCE
        return True
    # The distribution before the last stage.
    for processor in processors[:-1]:
        logits = processor(ids, logits)
    p = torch.softmax(logits.double(), -1)[0].numpy()
    assert stage.near(p, differing), (stage.chain, differing, p[differing])
    return False


def test_the_real_rows_exist() -> None:
    if not real_rows():
        assert not os.environ.get("CI"), f"{REAL} is missing"
        pytest.skip(f"{REAL} is missing: only random rows are compared")


@pytest.mark.parametrize("stage", STAGES, ids=[stage.chain for stage in STAGES])
def test_a_stage_equals_transformers(stage: Stage) -> None:
    real, random = real_rows(), random_rows()
    same = [compare(stage, row) for row in real + random]
    print(f"{stage.chain}: the same tokens in {sum(same)} of {len(same)} rows, {len(real)} of them real")
    # A fourth of the random rows is full of ties; a lower share would show little.
    assert sum(same) >= 0.75 * len(same)
