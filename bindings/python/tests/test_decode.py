"""Results of a sampler, compared with numpy and scipy."""

from __future__ import annotations

import math

import ml_dtypes
import numpy as np
import pytest
from conftest import softmax
from scipy.stats import chisquare, entropy

import bregman

CHAIN = "temperature(0.8) | bregman(alpha=1.5, floor=0.02) | draw"


def test_the_distribution_without_truncation_is_the_softmax(rng: np.random.Generator) -> None:
    logits = rng.normal(size=3000).astype(np.float32) * 3
    ids, p = bregman.Sampler("temperature(0.7)").distribution(logits)
    assert sorted(ids.tolist()) == list(range(3000))
    assert np.all(np.diff(p) <= 0)
    np.testing.assert_allclose(p, softmax(logits, 0.7)[ids], rtol=2e-6)


def test_top_k_top_p_and_min_p_equal_numpys(rng: np.random.Generator) -> None:
    for _ in range(50):
        logits = rng.normal(size=400).astype(np.float32) * 2
        p = softmax(logits)
        order = np.argsort(-p)
        kept = {
            "top_k(17)": order[:17],
            "top_p(0.8)": order[: np.searchsorted(np.cumsum(p[order]), 0.8) + 1],
            "min_p(0.05)": order[p[order] >= 0.05 * p.max()],
        }
        for chain, expected in kept.items():
            ids, q = bregman.Sampler(chain).distribution(logits)
            assert ids.tolist() == expected.tolist(), chain
            np.testing.assert_allclose(q, p[expected] / p[expected].sum(), rtol=2e-6)


def test_the_primal_at_alpha_2_adds_a_constant_to_each_token(rng: np.random.Generator) -> None:
    logits = rng.normal(size=100).astype(np.float32)
    p = softmax(logits)
    head = np.argsort(-p)[:7]
    ids, q = bregman.Sampler("bregman(alpha=2, k=7)").distribution(logits)
    assert ids.tolist() == head.tolist()
    np.testing.assert_allclose(q, p[head] + (1 - p[head].sum()) / 7, atol=1e-6)


def test_draws_follow_the_distribution() -> None:
    logits = np.array([2.0, 1.5, 0.3, -1.0, 1.9, -4.0], np.float32)
    with bregman.Sampler(CHAIN, 7) as sampler:
        ids, p = sampler.distribution(logits)
        counts = np.bincount([sampler.decode(logits).token for _ in range(20_000)], minlength=6)
    assert counts.sum() == counts[ids].sum()
    assert chisquare(counts[ids], p.astype(float) / p.sum(dtype=float) * 20_000).pvalue > 1e-6


def test_optional_fields_equal_numpys(rng: np.random.Generator) -> None:
    logits = rng.normal(size=500).astype(np.float32) * 3
    sampler = bregman.Sampler(CHAIN, 3)
    ids, p = sampler.distribution(logits)
    want = bregman.Want.KEPT_MASS | bregman.Want.MODEL_LOGPROB | bregman.Want.ENTROPY
    r = sampler.decode(logits, want=want)
    assert r.support == len(ids)
    assert r.p == p[ids.tolist().index(r.token)]
    assert math.isclose(r.kept_mass, softmax(logits, 0.8)[ids].sum(), rel_tol=1e-5)
    assert math.isclose(r.model_logprob, math.log(softmax(logits)[r.token]), rel_tol=1e-5)
    assert math.isclose(r.entropy, entropy(p), rel_tol=1e-5)
    only = sampler.decode(logits, want=bregman.Want.ENTROPY)
    assert math.isnan(only.kept_mass)
    assert math.isnan(only.model_logprob)
    assert not math.isnan(only.entropy)


@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16])
def test_half_formats_decode_as_float32_of_the_same_values(rng: np.random.Generator, dtype: type) -> None:
    half = (rng.normal(size=2000) * 3).astype(dtype)
    full = half.astype(np.float32)
    a, b = bregman.Sampler(CHAIN, 5), bregman.Sampler(CHAIN, 5)
    for _ in range(50):
        assert a.decode(half)[:3] == b.decode(full)[:3]


def test_uint16_is_read_as_the_bits_of_bfloat16(rng: np.random.Generator) -> None:
    half = (rng.normal(size=2000) * 3).astype(ml_dtypes.bfloat16)
    assert bregman.Sampler(CHAIN, 5).decode(half)[:3] == bregman.Sampler(CHAIN, 5).decode(half.view(np.uint16))[:3]


@pytest.mark.parametrize("dtype", [np.uint32, np.int32])
@pytest.mark.parametrize("vocab", [31, 32, 33, 1000])
def test_a_mask_bans_tokens(rng: np.random.Generator, vocab: int, dtype: type) -> None:
    logits = rng.normal(size=vocab).astype(np.float32)
    allowed = rng.random(vocab) < 0.4
    allowed[-1] = True
    mask = bregman.pack_mask(allowed)
    assert mask.shape == (-(-vocab // 32),)
    for token in (0, vocab // 2, vocab - 1):
        assert bool(mask[token // 32] >> (token % 32) & 1) == allowed[token]
    banned = np.where(allowed, logits, -np.inf).astype(np.float32)
    masked, plain = bregman.Sampler("draw", 11), bregman.Sampler("draw", 11)
    for _ in range(30):
        assert masked.decode(logits, mask=mask.view(dtype))[:3] == plain.decode(banned)[:3]


def test_tokens_beyond_the_mask_are_banned() -> None:
    logits = np.arange(100, dtype=np.float32)
    assert bregman.Sampler("greedy").decode(logits, mask=np.array([0xFFFFFFFF, 3], np.uint32)).token == 33


def test_pack_mask_packs_every_row(rng: np.random.Generator) -> None:
    allowed = rng.random((3, 5, 70)) < 0.5
    packed = bregman.pack_mask(allowed)
    assert packed.shape == (3, 5, 3)
    assert packed.dtype == np.uint32
    assert packed[2, 4].tolist() == bregman.pack_mask(allowed[2, 4]).tolist()


def test_process_writes_the_logarithms_of_the_distribution(rng: np.random.Generator) -> None:
    logits = rng.normal(size=300).astype(np.float32) * 2
    before = logits.copy()
    sampler = bregman.Sampler(CHAIN, 1)
    ids, p = sampler.distribution(logits)
    np.testing.assert_array_equal(logits, before)
    sampler.process(logits)
    assert set(np.flatnonzero(logits > -np.inf).tolist()) == set(ids.tolist())
    np.testing.assert_allclose(np.exp(logits[ids]), p, rtol=1e-6)
    # Neither call draws: the next token is that of a new sampler.
    assert sampler.decode(before) == pytest.approx(bregman.Sampler(CHAIN, 1).decode(before), nan_ok=True)


def test_apply_gives_candidates_the_distribution_and_the_token(rng: np.random.Generator) -> None:
    logits = rng.normal(size=200).astype(np.float32) * 2
    candidates = np.zeros(200, bregman.CANDIDATE)
    candidates["id"], candidates["logit"] = rng.permutation(200), 0
    candidates["logit"] = logits[candidates["id"]]
    ids, p = bregman.Sampler("temperature(0.9) | top_k(12)").distribution(logits)
    left = bregman.Sampler("temperature(0.9) | top_k(12)").apply(candidates.copy())
    assert left.candidates["id"].tolist() == ids.tolist()
    np.testing.assert_allclose(left.candidates["p"], p, rtol=1e-5)
    assert left.selected is None
    assert left.sorted

    drawn = bregman.Sampler("temperature(0.9) | top_k(12) | draw", 5).apply(candidates)
    assert drawn.selected is not None
    token = bregman.Sampler("temperature(0.9) | top_k(12) | draw", 5).decode(logits).token
    assert drawn.candidates["id"][drawn.selected] == token
    assert np.shares_memory(drawn.candidates, candidates)
