"""Several tokens of one row: drawn without replacement, or the most likely ones."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from conftest import softmax

import bregman

CHAIN = "temperature(0.8) | top_k(12)"


@pytest.fixture
def logits(rng: np.random.Generator) -> np.ndarray:
    return rng.normal(size=400).astype(np.float32) * 2


def test_draw_many_draws_different_tokens_of_the_support(logits: np.ndarray) -> None:
    decoded = dict(zip(*bregman.Sampler(CHAIN).distribution(logits)))
    sampler, gumbel = bregman.Sampler(CHAIN, 3), bregman.Sampler(CHAIN + " | gumbel", 3)
    firsts = set()
    for n in (1, 2, 5, 12, 13, 10**6):
        ids, logprobs, scores = sampler.draw_many(logits, n)
        assert len(ids) == len(logprobs) == len(scores) == min(n, 12)
        assert (ids.dtype, logprobs.dtype, scores.dtype) == (np.int32, np.float32, np.float32)
        assert len(set(ids.tolist())) == len(ids)
        np.testing.assert_allclose(np.exp(logprobs), [decoded[i] for i in ids], rtol=1e-5)
        assert np.all(np.diff(scores) <= 0)
        # The first is the token of a chain with `gumbel` at this position, and each call advances by one.
        assert ids[0] == gumbel.decode(logits).token
        firsts.add(int(ids[0]))
    assert len(firsts) > 1


def test_a_larger_n_appends_to_the_draws(logits: np.ndarray) -> None:
    few, many = bregman.Sampler(CHAIN, 8).draw_many(logits, 4), bregman.Sampler(CHAIN, 8).draw_many(logits, 9)
    for a, b in zip(few, many):
        np.testing.assert_array_equal(a, b[:4])


def test_draws_are_in_proportion_without_replacement() -> None:
    logits = np.log(np.array([0.5, 0.3, 0.2], np.float32))
    sampler, n = bregman.Sampler("draw", 1), 20_000
    pairs = np.array([sampler.draw_many(logits, 2).ids for _ in range(n)])
    p = np.array([0.5, 0.3, 0.2])
    for i in range(3):
        for j in {0, 1, 2} - {i}:
            expected = p[i] * p[j] / (1 - p[i])
            seen = np.mean((pairs == (i, j)).all(axis=1))
            assert abs(seen - expected) < 5 * np.sqrt(expected / n)


def test_top_logprobs_of_the_model_equal_numpys(logits: np.ndarray) -> None:
    logits[17] = -np.inf
    sampler = bregman.Sampler(CHAIN + " | draw", 2)
    order = np.argsort(-logits, kind="stable")
    p = softmax(logits)
    for n in (0, 1, 20, 399, 400, 10**9):
        ids, logprobs = sampler.top_logprobs(logits, n)
        assert len(ids) == len(logprobs) == min(n, 399)
        np.testing.assert_array_equal(ids, order[: len(ids)])
        np.testing.assert_allclose(logprobs, np.log(p[ids]), atol=1e-5)
    # Nothing was drawn.
    other = bregman.Sampler(CHAIN + " | draw", 2)
    assert [sampler.decode(logits).token for _ in range(9)] == [other.decode(logits).token for _ in range(9)]


def test_top_logprobs_of_the_decoded_distribution_are_its_first(logits: np.ndarray) -> None:
    sampler = bregman.Sampler(CHAIN)
    decoded = sampler.distribution(logits)
    for n in (5, 12, 50):
        ids, logprobs = sampler.top_logprobs(logits, n, bregman.Source.DECODED)
        np.testing.assert_array_equal(ids, decoded.ids[:n])
        np.testing.assert_allclose(np.exp(logprobs), decoded.p[:n], rtol=1e-5)


@pytest.mark.parametrize("n", [0, -1, 2**64])
def test_n_out_of_range_is_refused(logits: np.ndarray, n: int) -> None:
    sampler = bregman.Sampler(CHAIN, 5)
    with pytest.raises(bregman.InvalidArgumentError, match="n is"):
        sampler.draw_many(logits, n)
    assert sampler.draw_many(logits, 3).ids.tolist() == bregman.Sampler(CHAIN, 5).draw_many(logits, 3).ids.tolist()


def test_wrong_rows_are_refused(logits: np.ndarray) -> None:
    sampler = bregman.Sampler(CHAIN)
    calls: list[Any] = [lambda row: sampler.draw_many(row, 2), lambda row: sampler.top_logprobs(row, 2)]
    for call in calls:
        for row in ([1.0], logits.astype(np.float64), logits.astype(np.float16)):
            with pytest.raises(TypeError, match="logits"):
                call(row)
        for row in (logits[::2], logits[None], logits[:0]):
            with pytest.raises(bregman.InvalidArgumentError):
                call(row)
        with pytest.raises(bregman.InvalidLogitsError):
            call(np.array([1, np.nan], np.float32))
        with pytest.raises(bregman.EmptySupportError):
            call(np.full(5, -np.inf, np.float32))
    with pytest.raises(bregman.InvalidArgumentError, match="n is -1"):
        sampler.top_logprobs(logits, -1)
    with pytest.raises(ValueError, match="Source"):
        sampler.top_logprobs(logits, 1, 7)  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        sampler.draw_many(logits, 1.5)  # type: ignore[arg-type]
