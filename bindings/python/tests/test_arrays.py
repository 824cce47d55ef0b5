"""What is taken without a copy, and what is refused: a wrong array is an exception, never a wrong read."""

from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np
import pytest

import bregman

F32 = np.float32


@pytest.fixture
def sampler() -> bregman.Sampler:
    return bregman.Sampler("draw", 1)


def zeros(*shape: int) -> np.ndarray:
    return np.zeros(shape, F32)


def test_the_stride_12_view_of_a_candidate_array_is_refused(sampler: bregman.Sampler) -> None:
    # llama-cpp-python hands this to logits processors.
    view = np.zeros(50, bregman.CANDIDATE)["logit"]
    assert view.strides == (12,)
    for call in (sampler.decode, sampler.distribution, sampler.process):
        with pytest.raises(ValueError, match="12 bytes apart"):
            call(view)


@pytest.mark.parametrize("logits", [[1.0, 2.0], (1.0,), None, 3.0, "abc", b"abcd", object()])
def test_what_is_no_array_is_refused(sampler: bregman.Sampler, logits: Any) -> None:
    for call in (sampler.decode, sampler.distribution, sampler.process):
        with pytest.raises(TypeError, match="numpy array"):
            call(logits)


@pytest.mark.parametrize("dtype", ["f8", ">f4", "i4", "u4", "i2", "?", "c8", "O", "u1"])
def test_other_numbers_are_refused(sampler: bregman.Sampler, dtype: str) -> None:
    with pytest.raises(TypeError, match="has dtype"):
        sampler.decode(np.zeros(8, dtype))
    with pytest.raises(TypeError, match="has dtype"):
        bregman.decode_batch([sampler], np.zeros((1, 8), dtype))


def test_distribution_and_process_take_float32_alone(sampler: bregman.Sampler) -> None:
    for call in (sampler.distribution, sampler.process):
        with pytest.raises(TypeError, match="float16"):
            call(np.zeros(8, np.float16))


@pytest.mark.parametrize("shape", [(), (1, 8), (2, 2, 2)])
def test_a_row_has_one_dimension(sampler: bregman.Sampler, shape: tuple[int, ...]) -> None:
    for call in (sampler.decode, sampler.distribution, sampler.process):
        with pytest.raises(ValueError, match="dimensions"):
            call(np.zeros(shape, F32))


def test_an_empty_row_is_refused(sampler: bregman.Sampler) -> None:
    for call in (sampler.decode, sampler.distribution, sampler.process):
        with pytest.raises(bregman.InvalidArgumentError, match="vocab is 0"):
            call(zeros(0))
    with pytest.raises(bregman.InvalidArgumentError, match="vocab is 0"):
        bregman.decode_batch([sampler], zeros(1, 0))


def test_reversed_and_unaligned_rows_are_refused(sampler: bregman.Sampler) -> None:
    with pytest.raises(ValueError, match="not contiguous"):
        sampler.decode(zeros(8)[::-1])
    unaligned = np.zeros(33, np.uint8)[1:].view(F32)
    with pytest.raises(ValueError, match="aligned"):
        sampler.decode(unaligned)
    with pytest.raises(ValueError, match="aligned"):
        bregman.decode_batch([sampler], unaligned[None])


def test_in_place_needs_writable_memory(sampler: bregman.Sampler) -> None:
    row = zeros(8)
    row.flags.writeable = False
    assert sampler.decode(row).token >= 0
    with pytest.raises(ValueError, match="read-only"):
        sampler.process(row)
    candidates = np.zeros(8, bregman.CANDIDATE)
    candidates.flags.writeable = False
    with pytest.raises(ValueError, match="read-only"):
        sampler.apply(candidates)


@pytest.mark.parametrize(
    "candidates", [np.zeros(4, F32), [(1, 2.0, 0.0)], np.zeros(4, [("id", "i4"), ("logit", "f4")])]
)
def test_candidates_have_their_dtype(sampler: bregman.Sampler, candidates: Any) -> None:
    with pytest.raises(TypeError, match="CANDIDATE"):
        sampler.apply(candidates)


def test_candidates_are_contiguous_and_some(sampler: bregman.Sampler) -> None:
    with pytest.raises(ValueError, match="contiguous"):
        sampler.apply(np.zeros(8, bregman.CANDIDATE)[::2])
    with pytest.raises(ValueError, match="dimensions"):
        sampler.apply(np.zeros((2, 2), bregman.CANDIDATE))
    with pytest.raises(bregman.EmptySupportError):
        sampler.apply(np.zeros(0, bregman.CANDIDATE))


@pytest.mark.parametrize(
    "rows",
    [
        np.broadcast_to(zeros(8), (2, 8)),  # the same row twice
        zeros(2, 8)[::-1],
        np.lib.stride_tricks.as_strided(zeros(64), (2, 8), (16, 4)),
        np.lib.stride_tricks.as_strided(zeros(64), (2, 8), (34, 4)),
        np.asfortranarray(zeros(2, 8)),
        zeros(2, 16)[:, ::2],
    ],
    ids=["repeated", "backwards", "overlapping", "unaligned", "fortran", "every other"],
)
def test_rows_that_do_not_follow_each_other_are_refused(rows: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"contiguous|apart"):
        bregman.decode_batch([bregman.Sampler("draw"), bregman.Sampler("draw")], rows)


def test_a_batch_has_two_dimensions(sampler: bregman.Sampler) -> None:
    for shape in [(8,), (1, 1, 8)]:
        with pytest.raises(ValueError, match="dimensions"):
            bregman.decode_batch([sampler], np.zeros(shape, F32))


@pytest.mark.parametrize("dtype", ["f4", "i8", "u1", "?"])
def test_masks_are_words_of_32_bits(sampler: bregman.Sampler, dtype: str) -> None:
    with pytest.raises(TypeError, match="pack_mask"):
        sampler.decode(zeros(64), mask=np.ones(2, dtype))


def test_masks_fit_their_rows(sampler: bregman.Sampler) -> None:
    two = [sampler, sampler.clone()]
    words = np.full((2, 4), -1, np.int32)
    with pytest.raises(ValueError, match="rows"):
        bregman.decode_batch(two, zeros(2, 64), mask=words[:1])
    with pytest.raises(ValueError, match="dimensions"):
        bregman.decode_batch(two, zeros(2, 64), mask=words[0])
    with pytest.raises(ValueError, match="dimensions"):
        sampler.decode(zeros(64), mask=words[:1])
    with pytest.raises(ValueError, match="not contiguous"):
        sampler.decode(zeros(64), mask=words[0, ::2])
    with pytest.raises(bregman.InvalidArgumentError, match="mask_stride"):
        sampler.decode(zeros(64), mask=words[0, :0])
    # A view whose rows are too short for the vocabulary: the words behind them are not the mask's.
    with pytest.raises(ValueError, match="gaps"):
        bregman.decode_batch(two, zeros(2, 128), mask=words[:, :3])
    assert bregman.decode_batch(two, zeros(2, 96), mask=words[:, :3])["support"].tolist() == [96, 96]


@pytest.mark.parametrize("rows", [1, 8])
def test_nothing_is_copied(rows: int) -> None:
    logits = np.zeros((rows, 128_256), F32)
    samplers = [bregman.Sampler("top_k(4) | draw", seed) for seed in range(rows)]
    mask = np.full((rows, 128_256 // 32), 0xFFFFFFFF, np.uint32)
    bregman.decode_batch(samplers, logits, mask=mask)
    tracemalloc.start()
    try:
        bregman.decode_batch(samplers, logits, mask=mask)
        samplers[0].decode(logits[0])
        samplers[0].decode(logits[0].astype(np.float16, copy=True), mask=mask[0])
        samplers[0].process(logits[0])
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    # The float16 row of this test, and less than a row's float32 beyond it.
    assert peak < 128_256 * 2 + 100_000


def test_pack_mask_takes_booleans() -> None:
    with pytest.raises(TypeError, match="bool"):
        bregman.pack_mask(np.ones(8))
    with pytest.raises(ValueError, match="dimensions"):
        bregman.pack_mask(np.array(True))
