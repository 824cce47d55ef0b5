"""decode_batch, compared with decode."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import pytest

import bregman

CHAINS = [
    "temperature(0.8) | bregman(alpha=1.5, floor=0.02) | draw",
    "top_k(40) | top_p(0.95) | min_p(0.05) | temperature(0.8) | draw",
    "bregman(alpha=2, mode=dual, floor=0.02) | draw",
    "draw",
    "greedy",
]
EVERYTHING = bregman.Want.KEPT_MASS | bregman.Want.MODEL_LOGPROB | bregman.Want.ENTROPY


def samplers(n: int) -> list[bregman.Sampler]:
    return [bregman.Sampler(CHAINS[r % len(CHAINS)], r) for r in range(n)]


def fields(result: Any) -> tuple[Any, ...]:
    return tuple(result[name] for name in bregman.Result._fields)


@pytest.mark.parametrize("threads", [0, 1, 2, 7])
@pytest.mark.parametrize("dtype", [np.float32, np.float16, ml_dtypes.bfloat16])
def test_a_batch_equals_its_rows_one_by_one(rng: np.random.Generator, dtype: type, threads: int) -> None:
    logits = (rng.normal(size=(20, 3000)) * 3).astype(dtype)
    mask = bregman.pack_mask(rng.random((20, 3000)) < 0.7)
    batch, single = samplers(20), samplers(20)
    for step in range(4):
        used = mask if step % 2 else None
        results = bregman.decode_batch(batch, logits, mask=used, want=EVERYTHING, threads=threads)
        assert results.dtype == bregman.RESULT
        for r, sampler in enumerate(single):
            row = sampler.decode(logits[r], mask=None if used is None else used[r], want=EVERYTHING)
            np.testing.assert_array_equal(fields(results[r]), row)
        assert not results["status"].any()


def test_rows_at_any_distance_equal_their_copies(rng: np.random.Generator) -> None:
    wide = rng.normal(size=(12, 500)).astype(np.float32) * 3
    words = rng.integers(0, 2**32, (12, 40), dtype=np.uint32) | np.uint32(1)
    for logits, mask in [(wide[:, :77], None), (wide[::3], None), (wide[2:9:2, 100:333], words[:4, 5:20])]:
        n = len(logits)
        copied = np.ascontiguousarray(logits)
        copied_mask = None if mask is None else np.ascontiguousarray(mask)
        assert not logits.flags.c_contiguous
        strided = bregman.decode_batch(samplers(n), logits, mask=mask)
        assert strided.tobytes() == bregman.decode_batch(samplers(n), copied, mask=copied_mask).tobytes()


def test_a_batch_of_one_row_ignores_its_stride(rng: np.random.Generator) -> None:
    logits = rng.normal(size=(3, 50)).astype(np.float32)
    result = bregman.decode_batch([bregman.Sampler("draw", 3)], logits[1:2])
    assert result["token"][0] == bregman.Sampler("draw", 3).decode(logits[1]).token


@pytest.mark.parametrize("threads", [0, 3])
def test_accept_appends_the_tokens_to_the_histories(rng: np.random.Generator, threads: int) -> None:
    logits = rng.normal(size=(5, 100)).astype(np.float32)
    # No token is drawn twice, so each sequence takes its row's tokens in descending order.
    batch = [bregman.Sampler("no_repeat_ngram(1) | greedy") for _ in logits]
    order = np.argsort(-logits, axis=1)
    for step in range(4):
        tokens = bregman.decode_batch(batch, logits, accept=True, threads=threads)["token"]
        np.testing.assert_array_equal(tokens, order[:, step])
    for _ in range(2):
        np.testing.assert_array_equal(bregman.decode_batch(batch, logits, threads=threads)["token"], order[:, 4])


def test_an_empty_batch_has_empty_results() -> None:
    results = bregman.decode_batch([], np.zeros((0, 10), np.float32))
    assert results.shape == (0,)
    assert results.dtype == bregman.RESULT


@pytest.mark.parametrize("threads", [0, 3])
def test_a_failed_row_does_not_affect_the_others(rng: np.random.Generator, threads: int) -> None:
    logits = rng.normal(size=(6, 40)).astype(np.float32)
    logits[2, 7] = np.nan
    logits[4] = -np.inf
    batch, alone = samplers(6), samplers(6)
    with pytest.raises(bregman.InvalidLogitsError, match="logit 7 is NaN") as caught:
        bregman.decode_batch(batch, logits, threads=threads)
    results = caught.value.results
    assert caught.value.row == 2
    assert results is not None
    assert results["status"].tolist() == [0, 0, 3, 0, 4, 0]
    assert results["token"][[2, 4]].tolist() == [-1, -1]
    assert "NaN" in batch[2].last_error
    assert "masked" in batch[4].last_error
    for r in (0, 1, 3, 5):
        assert results["token"][r] == alone[r].decode(logits[r]).token
    # The failed rows have not advanced.
    logits[2, 7], logits[4] = 0, 1
    again = bregman.decode_batch(batch, logits, threads=threads, check=False)
    for r in range(6):
        assert again["token"][r] == alone[r].decode(logits[r]).token
    assert not again["status"].any()


def test_without_check_a_failure_is_only_a_status() -> None:
    results = bregman.decode_batch([bregman.Sampler("draw")], np.full((1, 3), np.nan, np.float32), check=False)
    assert results["status"].tolist() == [bregman.Status.INVALID_LOGITS]


@pytest.mark.parametrize("n", [0, 1, 3])
def test_a_wrong_number_of_samplers_is_refused(n: int) -> None:
    with pytest.raises(ValueError, match=f"{n} samplers for 2 rows"):
        bregman.decode_batch(samplers(n), np.zeros((2, 10), np.float32))


def test_a_sampler_named_twice_fails_its_second_row() -> None:
    sampler = bregman.Sampler("draw", 3)
    logits = np.arange(20, dtype=np.float32).reshape(2, 10)
    with pytest.raises(ValueError, match=r"samplers\[1\] is samplers\[0\] again") as caught:
        bregman.decode_batch([sampler, sampler], logits)
    assert isinstance(caught.value, bregman.InvalidArgumentError)
    assert caught.value.row == 1
    assert caught.value.results is not None
    assert caught.value.results["token"][0] == bregman.Sampler("draw", 3).decode(logits[0]).token
    assert sampler.decode(logits[0]).token >= 0


@pytest.mark.parametrize("threads", [-1, 2**32])
def test_threads_out_of_range_are_refused(threads: int) -> None:
    with pytest.raises(ValueError, match="threads"):
        bregman.decode_batch([bregman.Sampler("draw")], np.zeros((1, 3), np.float32), threads=threads)


@pytest.mark.parametrize("want", [32, 8])
def test_unknown_flags_of_want_are_refused(want: Any) -> None:
    with pytest.raises(ValueError, match="want"):
        bregman.Sampler("draw").decode(np.zeros(3, np.float32), want=want)
