"""Arrays that are accepted without a copy, and arrays that are refused."""

from __future__ import annotations

import tracemalloc
from typing import Any

import ml_dtypes
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
    # llama-cpp-python passes this to logits processors.
    view = np.zeros(50, bregman.CANDIDATE)["logit"]
    assert view.strides == (12,)
    for call in (sampler.decode, sampler.distribution, sampler.process):
        with pytest.raises(ValueError, match="12 bytes apart"):
            call(view)


@pytest.mark.parametrize("logits", [[1.0, 2.0], (1.0,), None, 3.0, "abc", b"abcd", object()])
def test_other_types_than_arrays_are_refused(sampler: bregman.Sampler, logits: Any) -> None:
    for call in (sampler.decode, sampler.distribution, sampler.process):
        with pytest.raises(TypeError, match="numpy array"):
            call(logits)


@pytest.mark.parametrize("dtype", ["f8", ">f4", "i4", "u4", "i2", "?", "c8", "O", "u1"])
def test_other_dtypes_are_refused(sampler: bregman.Sampler, dtype: str) -> None:
    with pytest.raises(TypeError, match="has dtype"):
        sampler.decode(np.zeros(8, dtype))
    with pytest.raises(TypeError, match="has dtype"):
        bregman.decode_batch([sampler], np.zeros((1, 8), dtype))


def test_calls_on_float32_rows_refuse_half_formats_by_name(sampler: bregman.Sampler) -> None:
    calls: list[Any] = [sampler.distribution, sampler.process]
    calls += [lambda row: sampler.top_logprobs(row, 2), lambda row: sampler.draw_many(row, 2)]
    for call in calls:
        for dtype in (np.float16, ml_dtypes.bfloat16):
            with pytest.raises(TypeError, match=f"has dtype {np.dtype(dtype).name}: it must be float32"):
                call(np.zeros(8, dtype))


@pytest.mark.parametrize("shape", [(), (1, 8), (2, 2, 2)])
def test_rows_with_other_than_one_dimension_are_refused(sampler: bregman.Sampler, shape: tuple[int, ...]) -> None:
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


def test_read_only_arrays_are_refused_in_place(sampler: bregman.Sampler) -> None:
    row = zeros(8)
    row.flags.writeable = False
    assert sampler.decode(row).token >= 0
    with pytest.raises(ValueError, match="read-only"):
        sampler.process(row)
    candidates = np.zeros(8, bregman.CANDIDATE)
    candidates.flags.writeable = False
    with pytest.raises(ValueError, match="contiguous and writable"):
        sampler.apply(candidates)


@pytest.mark.parametrize(
    "candidates", [np.zeros(4, F32), [(1, 2.0, 0.0)], np.zeros(4, [("id", "i4"), ("logit", "f4")])]
)
def test_candidates_of_another_dtype_are_refused(sampler: bregman.Sampler, candidates: Any) -> None:
    with pytest.raises(TypeError, match="CANDIDATE"):
        sampler.apply(candidates)


def test_candidates_that_are_strided_or_empty_are_refused(sampler: bregman.Sampler) -> None:
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
def test_overlapping_reversed_and_unaligned_rows_are_refused(rows: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"contiguous|apart"):
        bregman.decode_batch([bregman.Sampler("draw"), bregman.Sampler("draw")], rows)


def test_batches_with_other_than_two_dimensions_are_refused(sampler: bregman.Sampler) -> None:
    for shape in [(8,), (1, 1, 8)]:
        with pytest.raises(ValueError, match="dimensions"):
            bregman.decode_batch([sampler], np.zeros(shape, F32))


@pytest.mark.parametrize("dtype", ["f4", "i8", "u1", "?"])
def test_masks_of_another_dtype_are_refused(sampler: bregman.Sampler, dtype: str) -> None:
    with pytest.raises(TypeError, match="pack_mask"):
        sampler.decode(zeros(64), mask=np.ones(2, dtype))


def test_masks_that_do_not_fit_their_rows_are_refused(sampler: bregman.Sampler) -> None:
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
    # A view with too few words in a row for the vocabulary: the words after them are not the mask's.
    with pytest.raises(ValueError, match="gaps"):
        bregman.decode_batch(two, zeros(2, 128), mask=words[:, :3])
    assert bregman.decode_batch(two, zeros(2, 96), mask=words[:, :3])["support"].tolist() == [96, 96]


@pytest.mark.parametrize("rows", [1, 8])
def test_logits_and_masks_are_not_copied(rows: int) -> None:
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
    # The float16 row of this test, and less than a float32 row in addition.
    assert peak < 128_256 * 2 + 100_000


def test_pack_mask_refuses_other_arrays_than_of_booleans() -> None:
    with pytest.raises(TypeError, match="bool"):
        bregman.pack_mask(np.ones(8))
    with pytest.raises(ValueError, match="at least one dimension"):
        bregman.pack_mask(np.array(True))
