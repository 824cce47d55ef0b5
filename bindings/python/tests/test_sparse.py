"""Shards reduced to lists, and sparse rows of them, compared with whole rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import bregman

ROWS, VOCAB, HALF, N = 5, 1000, 500, 64


@pytest.fixture
def logits(rng: np.random.Generator) -> np.ndarray:
    return (rng.normal(size=(ROWS, VOCAB)) * 3).astype(np.float32)


def samplers(chain: str) -> list[bregman.Sampler]:
    return [bregman.Sampler(chain, r) for r in range(ROWS)]


def joined(logits: np.ndarray) -> tuple[np.ndarray, dict[str, Any]]:
    """The lists of two shards, one behind the other."""
    a = bregman.reduce(logits[:, :HALF], N)
    b = bregman.reduce(logits[:, HALF:], N, first=HALF, threads=2)
    return np.hstack([a.logits, b.logits]), {
        "ids": np.hstack([a.ids, b.ids]),
        "log_rest": np.logaddexp(a.log_rest, b.log_rest),
        "bound": np.maximum(a.bound, b.bound),
    }


@pytest.mark.parametrize("chain", ["top_k(20) | temperature(0.8) | draw", "top_p(0.8) | draw", "greedy"])
def test_rows_of_two_shards_decode_as_whole_rows(logits: np.ndarray, chain: str) -> None:
    dense = bregman.decode_batch(samplers(chain), logits)
    values, sparse = joined(logits)
    options: list[dict[str, Any]] = [{}, {"lengths": [2 * N] * ROWS}]
    if "top_p" not in chain:  # with a mask the weight of the others is not known exactly
        options.append({"mask": bregman.pack_mask(np.ones((ROWS, VOCAB), bool))})
    for more in options:
        got = bregman.decode_batch(samplers(chain), values, **sparse, **more)
        np.testing.assert_array_equal(got["token"], dense["token"])
        np.testing.assert_array_equal(got["support"], dense["support"])
        np.testing.assert_allclose(got["p"], dense["p"], rtol=1e-6)
    index = [2, 0, 2, 4, 1]
    got = bregman.decode_batch(samplers(chain), values, **sparse, row_index=index)
    want = bregman.decode_batch(samplers(chain), logits, row_index=index)
    np.testing.assert_array_equal(got["token"], want["token"])


def test_a_list_has_the_largest_logits_and_the_rest(logits: np.ndarray) -> None:
    reduced = bregman.reduce(logits, N, first=7, temperature=0.5)
    order = np.argsort(-logits, axis=1, kind="stable")
    np.testing.assert_array_equal(reduced.ids, order[:, :N] + 7)
    np.testing.assert_array_equal(reduced.logits, np.take_along_axis(logits, order[:, :N], 1))
    others = np.take_along_axis(logits, order[:, N:], 1).astype(np.float64)
    np.testing.assert_allclose(reduced.log_rest, np.log(np.exp(others / 0.5).sum(1)), rtol=1e-6)
    assert (reduced.bound >= others.max(1)).all()
    assert bregman.reduce(logits[:0], 3).ids.shape == (0, 3)


def test_what_the_list_does_not_tell_is_incomplete(logits: np.ndarray) -> None:
    values, sparse = joined(logits)
    chain = samplers("typical(0.9) | draw")
    with pytest.raises(bregman.IncompleteError):
        bregman.decode_batch(chain, values, **sparse)
    # Nothing has moved: the whole rows give what they give to new samplers.
    again = bregman.decode_batch(chain, logits)
    assert again.tobytes() == bregman.decode_batch(samplers("typical(0.9) | draw"), logits).tobytes()


def test_wrong_arrays_are_refused(logits: np.ndarray) -> None:
    values, sparse = joined(logits)
    wrong: list[dict[str, Any]] = [
        {"ids": sparse["ids"][:, 1:]},
        {"ids": sparse["ids"][1:]},
        {"ids": None},
        {"log_rest": sparse["log_rest"][1:]},
        {"bound": sparse["bound"][1:]},
        {"lengths": [2 * N]},
        {"lengths": [0] * ROWS},
        {"rest_temperature": -1.0},
    ]
    for change in wrong:
        with pytest.raises(bregman.InvalidArgumentError):
            bregman.decode_batch(samplers("greedy"), values, **(sparse | change))
    with pytest.raises(TypeError):
        bregman.decode_batch(samplers("greedy"), values, **(sparse | {"ids": sparse["ids"].astype(np.int64)}))
    for n, first, temperature in [(0, 0, 1.0), (3, 1 << 31, 1.0), (3, 0, -1.0)]:
        with pytest.raises(bregman.InvalidArgumentError):
            bregman.reduce(logits, n, first=first, temperature=temperature)
    logits[1, 1] = np.nan
    with pytest.raises(bregman.InvalidLogitsError):
        bregman.reduce(logits, 3)
