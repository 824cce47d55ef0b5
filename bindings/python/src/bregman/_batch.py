"""Many rows in one call."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from bregman import _arrays
from bregman._results import Want
from bregman._arguments import batch_of
from bregman._arrays import Array
from bregman._library import ffi, lib
from bregman._sampler import Sampler
from bregman._answers import Answers
from bregman.errors import BregmanError, InvalidArgumentError

#: One row's answer: `token`, `status`, `support`, `p`, `kept_mass`, `model_logprob`, `entropy`.
RESULT = _arrays.struct_dtype("bregman_result")

#: An array of `RESULT`, one element a row.
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
    """Decodes each row of logits with the sampler of its own, in one call without the interpreter's lock.

    No row's failure is another's; neither the rows' order nor the number of threads changes a token.

    Args:
        samplers: one a row, each another: of one that stands twice only the first row is decoded.
        logits: rows x vocabulary of float32, float16 or bfloat16 (ml_dtypes, torch, or its bits as uint16). Each row is
            contiguous; rows may be any distance apart. Nothing is copied.
        mask: rows x words of uint32 or int32, as in `Sampler.decode`.
        want: what to work out beyond the tokens.
        accept: whether each drawn token is accepted into its sampler's history.
        threads: 0 or 1 decodes in the caller's thread; n on up to n threads of a pool of the library's own.
        check: whether to raise if a row failed. The exception is the first failed row's, and has `row` and `results`.

        answers: what to tell besides, and the arrays to write it to. The tokens are the same with and without.

    Returns:
        An array of dtype `RESULT`. Of a row that failed (with `check=False`) the token is -1, its `status` says why,
        and its sampler's `last_error` has the message; it has advanced nothing.

    Raises:
        InvalidArgumentError: wrong shapes or strides, not one sampler a row, or one that is closed or in use; answers
            of another number of rows, or in the memory of the logits or the mask. Then nothing was decoded.
        BregmanError: as `Sampler.decode`, for the first row that failed.
        TypeError: wrong dtype, or no array.
    """
    batch, owners = batch_of(logits, mask, want, accept, threads)
    if len(samplers) != batch.rows:
        raise InvalidArgumentError(f"{len(samplers)} samplers for {batch.rows} rows: each row has its own")
    told = None if answers is None else answers._for(batch.rows, owners)
    results: Results = np.zeros(batch.rows, RESULT)
    if not samplers:
        return results
    entered: dict[int, Sampler] = {}
    failure: BregmanError | None = None
    try:
        handles = ffi.new("bregman_sampler *[]", [_enter(s, row, entered) for row, s in enumerate(samplers)])
        out = ffi.from_buffer("bregman_result[]", results)
        if told is None:
            status = lib.bregman_decode_batch(handles, batch, out)
        else:
            status = lib.bregman_decode_batch_answers(handles, batch, out, told)
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
    if id(sampler) in entered:  # the library says what it thinks of that
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
