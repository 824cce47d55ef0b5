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


def test_drafts_on_sparse_rows_are_verified_by_the_match_rule_only(logits: np.ndarray) -> None:
    chain = "top_k(20) | draw"
    values, sparse = joined(logits)
    plain = [int(bregman.Sampler(chain, 3).decode(logits[0]).token)]
    for drafted in ([*plain, 7, 7, 7], [7, 7, 7, 7]):
        draft = bregman.Draft(drafted)
        ours, theirs = bregman.Sampler(chain, 3), bregman.Sampler(chain, 3)
        got = bregman.verify([ours], [draft], values, **sparse)
        want = bregman.verify([theirs], [draft], logits)
        assert got.accepted.tolist() == want.accepted.tolist()
        assert got.results["token"].tolist() == want.results["token"].tolist()
        assert ours.save() == theirs.save()
    for rule in (bregman.Rule.TOKEN, bregman.Rule.BLOCK):
        sampler = bregman.Sampler(chain, 3)
        with pytest.raises(bregman.UnsupportedError, match=r"verified by the match rule only: .* exact probability"):
            bregman.verify([sampler], [bregman.Draft([*plain, 7, 7, 7], rule)], values, **sparse)
        assert sampler.save() == bregman.Sampler(chain, 3).save()
    with pytest.raises(bregman.IncompleteError) as caught:
        bregman.verify([bregman.Sampler("draw", 3)], [bregman.Draft([7] * 4)], values, **sparse)
    assert caught.value.row == 0


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_distributions_and_model_answers_of_sparse_rows_are_the_whole_rows(
    logits: np.ndarray, dtype: type[np.generic]
) -> None:
    logits = logits.astype(dtype)
    values, sparse = joined(logits)
    values = values.astype(dtype)
    for more in ({}, {"row_index": [2, 0, 2, 4, 1]}, {"threads": 2}):
        got = bregman.distribution_batch(samplers("top_p(0.6) | draw"), values, **sparse, **more)
        want = bregman.distribution_batch(samplers("top_p(0.6) | draw"), logits, **more)
        assert got.offsets.tolist() == want.offsets.tolist()
        assert got.ids.tolist() == want.ids.tolist()
        np.testing.assert_allclose(got.p, want.p, rtol=1e-6)
        ours, theirs = (bregman.Answers.new(ROWS, top=3, given=2, given_ranks=True) for _ in range(2))
        for answers in (ours, theirs):
            assert answers.given_ids is not None
            answers.given_ids[:, 0] = got.ids[got.offsets[:-1]]
        bregman.model_answers(values, ours, **sparse, **more)
        bregman.model_answers(logits, theirs, **more)
        np.testing.assert_array_equal(ours.top_ids, theirs.top_ids)
        np.testing.assert_array_equal(ours.given_ranks, theirs.given_ranks)
        np.testing.assert_allclose(ours.top_logprobs, theirs.top_logprobs, rtol=2e-6)
        np.testing.assert_allclose(ours.given_logprobs, theirs.given_logprobs, rtol=2e-6)
    with pytest.raises(bregman.IncompleteError) as caught:
        bregman.distribution_batch(samplers("draw"), values, **sparse)
    assert caught.value.row == 0
    with pytest.raises(bregman.IncompleteError):
        bregman.model_answers(values, ours, **(sparse | {"log_rest": [np.inf] * ROWS}))
    assert np.isnan(ours.given_logprobs).all()
    for change in ({"lengths": [0] * ROWS}, {"bound": [0.0]}, {"ids": None}):
        with pytest.raises(bregman.InvalidArgumentError):
            bregman.distribution_batch(samplers("greedy"), values, **(sparse | change))
        with pytest.raises(bregman.InvalidArgumentError):
            bregman.model_answers(values, ours, **(sparse | change))
