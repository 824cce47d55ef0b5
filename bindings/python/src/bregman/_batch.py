"""Decoding many rows in one call."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from bregman import _arrays
from bregman._answers import Answers
from bregman._arguments import batch_of
from bregman._arrays import Array
from bregman._library import ffi, lib
from bregman._results import Want
from bregman._sampler import Sampler
from bregman.errors import BregmanError, InvalidArgumentError

#: The result of one row: `token`, `status`, `support`, `p`, `kept_mass`, `model_logprob`, `entropy`.
RESULT = _arrays.struct_dtype("bregman_result")

#: An array of `RESULT`, one element for each row.
Results = npt.NDArray[np.void]


def decode_batch(
    samplers: Sequence[Sampler],
    logits: Array,
    *,
    mask: Array | None = None,
    want: Want = Want.NOTHING,
    accept: bool = False,
    threads: int = 0,
    check: bool = True,
    answers: Answers | None = None,
) -> Results:
    """Decodes each row of logits with its own sampler, in one call that releases the interpreter's lock.

    Rows are independent: a row that fails does not affect the others, and neither the order of the rows nor the number
    of threads changes a token. While the call runs, no other thread may use the samplers or change the arrays.

    Args:
        samplers: a different one for each row. If one is named twice, its second row fails.
        logits: shape (rows, vocabulary), float32, float16 or bfloat16 (ml_dtypes, torch, or its bits as uint16). Each
            row is contiguous, and rows may be at any distance. Not copied.
        mask: shape (rows, words), uint32 or int32, as in `Sampler.decode`; None allows all tokens. Not copied.
        want: the optional fields of the results.
        accept: whether each drawn token is appended to its sampler's history.
        threads: 0 or 1 decodes in the calling thread, n on up to n threads of the library's own pool.
        check: whether to raise if a row failed. The exception is that of the first failed row, with `row` and
            `results`.
        answers: optional outputs. They do not change the tokens.

    Returns:
        An array of dtype `RESULT`, one element for each row. For a row that failed (with `check=False`) `token` is -1,
        `status` is not 0, its sampler's `last_error` is the message, and its sampler is unchanged.

    Raises:
        InvalidArgumentError: wrong shapes or strides, a wrong number of samplers, a sampler that is closed or in use;
            answers with another number of rows, or in the memory of the logits or the mask. Then no row was decoded.
        BregmanError: as `Sampler.decode`, for the first row that failed.
        TypeError: a wrong dtype, or no array.
    """
    batch, owners = batch_of(logits, mask, want, accept, threads)
    if len(samplers) != batch.rows:
        raise InvalidArgumentError(f"{len(samplers)} samplers for {batch.rows} rows: each row needs its own")
    outputs = None if answers is None else answers._for(batch.rows, owners)
    results: Results = np.zeros(batch.rows, RESULT)
    if not samplers:
        return results
    entered: dict[int, Sampler] = {}
    failure: BregmanError | None = None
    try:
        handles = ffi.new("bregman_sampler *[]", [_enter(s, row, entered) for row, s in enumerate(samplers)])
        out = ffi.from_buffer("bregman_result[]", results)
        if outputs is None:
            status = lib.bregman_decode_batch(handles, batch, out)
        else:
            status = lib.bregman_decode_batch_answers(handles, batch, out, outputs)
        del owners
        if check and status:
            failure = _first_failure(samplers, results)
    finally:
        for sampler in entered.values():
            sampler._lock.release()
    if failure is not None:
        failure.results = results
        raise failure
    return results


def _enter(sampler: Sampler, row: int, entered: dict[int, Sampler]) -> Any:
    if id(sampler) in entered:  # the library reports it, as the error of this row
        return sampler._handle
    try:
        handle = sampler._enter()
    except InvalidArgumentError as e:
        raise InvalidArgumentError(f"row {row}: {e}") from None
    entered[id(sampler)] = sampler
    return handle


def _first_failure(samplers: Sequence[Sampler], results: Results) -> BregmanError:
    row = int(np.flatnonzero(results["status"])[0])
    failure = samplers[row]._failure(int(results["status"][row]))
    failure.row = row
    return failure
