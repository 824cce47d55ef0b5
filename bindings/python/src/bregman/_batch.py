"""Decoding many rows in one call."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple, SupportsIndex

import numpy as np
import numpy.typing as npt

from bregman import _arrays
from bregman._answers import Answers
from bregman._arguments import Sparse, batch_of, flags_of, uint64
from bregman._arrays import Array
from bregman._library import ffi, lib, text
from bregman._results import Distributions, Want
from bregman._sampler import Sampler
from bregman.errors import BregmanError, InvalidArgumentError, error

#: The result of one row: `token`, `status`, `support`, `p`, `kept_mass`, `model_logprob`, `entropy`, `ln_kept_mass`.
RESULT = _arrays.struct_dtype("bregman_result")

_FIRST_CAPACITY = 1024

#: An array of `RESULT`, one element for each row.
Results = npt.NDArray[np.void]


def decode_batch(
    samplers: Sequence[Sampler],
    logits: Array,
    *,
    mask: Array | None = None,
    want: Want = Want.NOTHING,
    accept: bool = False,
    stay: bool = False,
    threads: int = 0,
    check: bool = True,
    answers: Answers | None = None,
    row_index: npt.ArrayLike | None = None,
    ids: npt.NDArray[np.int32] | None = None,
    lengths: npt.ArrayLike | None = None,
    log_rest: npt.ArrayLike | None = None,
    bound: npt.ArrayLike | None = None,
    rest_temperature: float = 1.0,
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
        stay: whether positions, and what chains have learnt, stay as they are; as in `Sampler.decode`.
        threads: 0 or 1 decodes in the calling thread, n in up to n threads: the calling one, and idle ones of the
            library's own pool.
        check: whether to raise if a row failed. The exception is that of the first failed row, with `row` and
            `results`.
        answers: optional outputs. They do not change the tokens.
        row_index: None if sampler i reads row i; else sampler i reads row row_index[i], with its mask. Several samplers
            may read one row, and rows may be left out. Results and answers are then those of the samplers.
        ids: None for whole rows: element i of a row is the logit of token i. Else the rows are sparse: int32, with the
            shape and strides of `logits`, the token of each element, in any order, each token once; -1 for none.
            Masks are by token. Not copied. `reduce` makes such arrays.
        lengths: shape (rows,): the number of elements of each sparse row; what follows them is not read. None: all.
        log_rest: shape (rows,), float64: ln of the sum of exp(l / rest_temperature) over the tokens that a sparse row
            does not list; -inf if none of them can be sampled, +inf if the sum is not known. None: there are none.
        bound: shape (rows,), float32: a number that no logit of a token that is not listed exceeds. None: the smallest
            finite logit that is listed. Not read without `log_rest`.
        rest_temperature: the temperature of `log_rest`.

    A sparse row gives what the whole row would give: the same token and support, probabilities to 1e-6. If that takes
    more than is known of the tokens that are not listed, the row fails with `IncompleteError` and nothing moves.
    Figures that the row does not tell are NaN, such ranks 0.

    Returns:
        An array of dtype `RESULT`, one element for each row. For a row that failed (with `check=False`) `token` is -1,
        `status` is not 0, its sampler's `last_error` is the message, and its sampler is unchanged.

    Raises:
        InvalidArgumentError: wrong shapes or strides, a wrong number of samplers, a sampler that is closed or in use;
            answers with another number of rows, or in the memory of the logits or the mask. Then no row was decoded.
        BregmanError: as `Sampler.decode`, for the first row that failed.
        TypeError: a wrong dtype, or no array.
    """
    sparse = Sparse(ids, lengths, log_rest, bound, rest_temperature)
    batch, owners = batch_of(logits, mask, flags_of(want, accept, stay), threads, row_index, sparse=sparse)
    if len(samplers) != batch.rows:
        raise InvalidArgumentError(f"{len(samplers)} samplers for {batch.rows} rows: each row needs its own")
    outputs = None if answers is None else answers._for(batch.rows, owners)
    results: Results = np.zeros(batch.rows, RESULT)
    if not samplers:
        return results
    failure: BregmanError | None = None
    with entered(samplers, "row") as handles:
        out = ffi.from_buffer("bregman_result[]", results)
        if outputs is None:
            status = lib.bregman_decode_batch(handles, batch, out)
        else:
            status = lib.bregman_decode_batch_answers(handles, batch, out, outputs)
        del owners
        if check and status:
            failure = _first_failure(samplers, results)
    if failure is not None:
        failure.results = results
        raise failure
    return results


class Reduced(NamedTuple):
    """What sparse rows are made of, from `reduce`: arguments of `decode_batch`."""

    #: The tokens with the n largest logits of each row, int32, shape (rows, n), in descending order of logit (ties:
    #: ascending id); -1 where there are no more.
    ids: npt.NDArray[np.int32]
    #: Their logits, float32; -inf where there are no more.
    logits: npt.NDArray[np.float32]
    #: ln of the sum of exp(l / temperature) over the other tokens, float64, shape (rows,).
    log_rest: npt.NDArray[np.float64]
    #: A number that no logit of the other tokens exceeds, float32, shape (rows,).
    bound: npt.NDArray[np.float32]


def reduce(
    logits: Array, n: SupportsIndex, *, first: SupportsIndex = 0, temperature: float = 1.0, threads: int = 0
) -> Reduced:
    """Reduces each row, a shard of a vocabulary or a whole one, to its `n` largest logits and the sum of the others.

    For tensor parallelism, where each rank has the logits of a part of the vocabulary. To decode, concatenate the `ids`
    and `logits` of all ranks along the rows; `log_rest` is the `numpy.logaddexp` of theirs, `bound` the maximum. The
    tokens are those of the whole row, or `decode_batch` fails with `IncompleteError`; then gather and decode the whole
    row. Thread-safe; releases the interpreter's lock.

    Args:
        logits: as in `decode_batch`.
        n: number of logits to keep of each row, at least 1.
        first: the token of the first element of each row.
        temperature: that at which the chain first needs probabilities (`rest_temperature` of `decode_batch`).
        threads: as in `decode_batch`.

    Raises:
        InvalidArgumentError: wrong shapes or numbers.
        InvalidLogitsError: a row has NaN or +inf.
        TypeError: a wrong dtype, or no array.
    """
    batch, owners = batch_of(logits, None, 0, threads)
    count, token = uint64(n, "n"), uint64(first, "first")
    if not 1 <= count < 1 << 31 or token >= 1 << 31:
        raise InvalidArgumentError(f"n is {count} and first is {token}: they must be from 1 and 0 to 2**31 - 1")
    rows = batch.rows
    reduced = Reduced(
        np.empty((rows, count), np.int32),
        np.empty((rows, count), np.float32),
        np.empty(rows),
        np.empty(rows, np.float32),
    )
    if rows == 0:
        return reduced
    types = ("int32_t[]", "float[]", "double[]", "float[]")
    outputs = [ffi.from_buffer(kind, array) for kind, array in zip(types, reduced)]
    status = lib.bregman_reduce(batch, token, count, temperature, *outputs)
    del owners
    if status:
        raise error(status, text(lib.bregman_status_text(status)))
    return reduced


def distribution_batch(
    samplers: Sequence[Sampler],
    logits: Array,
    *,
    mask: Array | None = None,
    threads: int = 0,
    row_index: npt.ArrayLike | None = None,
    ids: npt.NDArray[np.int32] | None = None,
    lengths: npt.ArrayLike | None = None,
    log_rest: npt.ArrayLike | None = None,
    bound: npt.ArrayLike | None = None,
    rest_temperature: float = 1.0,
) -> Distributions:
    """The decoded distribution of each row under its own sampler, in one call that releases the interpreter's lock.

    Changes nothing. A `Draft` takes the result as the distributions that its tokens were drawn from.

    Args:
        samplers: a different one for each row. If one is named twice, its second row fails.
        logits: as in `decode_batch`.
        mask: as in `decode_batch`.
        threads: as in `decode_batch`; with more than 1 every row is decoded twice.
        row_index: as in `decode_batch`.
        ids: None for whole rows; else the rows are sparse, with `lengths`, `log_rest`, `bound` and `rest_temperature`,
            all as in `decode_batch`. A row that does not hold enough fails.
        lengths: see `ids`.
        log_rest: see `ids`.
        bound: see `ids`.
        rest_temperature: see `ids`.

    Raises:
        InvalidArgumentError: as `decode_batch`.
        BregmanError: as `Sampler.distribution`, for the first row that failed, with `row`.
        TypeError: a wrong dtype, or no array.
    """
    sparse = Sparse(ids, lengths, log_rest, bound, rest_temperature)
    batch, owners = batch_of(logits, mask, 0, threads, row_index, sparse=sparse)
    if len(samplers) != batch.rows:
        raise InvalidArgumentError(f"{len(samplers)} samplers for {batch.rows} rows: each row needs its own")
    if batch.vocab == 0:
        raise InvalidArgumentError("logits has rows of no tokens")
    offsets = np.zeros(batch.rows + 1, np.uintp)
    capacity = _FIRST_CAPACITY
    with entered(samplers, "row") as handles:
        while True:
            entries, p = np.empty(capacity, np.int32), np.empty(capacity, np.float32)
            pointers = ffi.from_buffer("int32_t[]", entries), ffi.from_buffer("float[]", p)
            status = lib.bregman_distribution_batch(
                handles, batch, ffi.from_buffer("size_t[]", offsets), *pointers, capacity
            )
            if offsets[-1] <= capacity:
                break
            capacity = int(offsets[-1])
        del owners
        if status:
            # A row that did not fail has at least one token.
            row = int(np.flatnonzero(np.diff(offsets) == 0)[0])
            failure = samplers[row]._failure(status)
            failure.row = row
            raise failure
    return Distributions(offsets, entries[: offsets[-1]], p[: offsets[-1]])


def model_answers(
    logits: Array,
    answers: Answers,
    *,
    threads: int = 0,
    row_index: npt.ArrayLike | None = None,
    ids: npt.NDArray[np.int32] | None = None,
    lengths: npt.ArrayLike | None = None,
    log_rest: npt.ArrayLike | None = None,
    bound: npt.ArrayLike | None = None,
    rest_temperature: float = 1.0,
) -> None:
    """Answers about the model's distribution of each row, without samplers: for prompts, and for scoring choices.

    Of `answers`, whose source is `Source.MODEL`, the most likely tokens (`top_ids`, `top_logprobs`) and the answers
    about given tokens may be asked for; the others are about a decoded token. Thread-safe; releases the interpreter's
    lock.

    Args:
        logits: as in `decode_batch`.
        answers: receives them. A row that fails has NaN log-probabilities, ranks 0 and ids -1.
        threads: as in `decode_batch`.
        row_index: as in `decode_batch`.
        ids: None for whole rows; else the rows are sparse, with `lengths`, `log_rest`, `bound` and `rest_temperature`,
            all as in `decode_batch`. A given token that is not listed has NaN.
        lengths: see `ids`.
        log_rest: see `ids`.
        bound: see `ids`.
        rest_temperature: see `ids`; `log_rest` tells of the model at temperature 1 only.

    Raises:
        InvalidArgumentError: wrong shapes, another output or source; then nothing is written. Or a given id that is not
            in the vocabulary.
        InvalidLogitsError, EmptySupportError: a row has a NaN or +inf, or -inf only.
        IncompleteError: a sparse row does not tell the weight of all tokens.
        TypeError: a wrong dtype, or no array.
    """
    sparse = Sparse(ids, lengths, log_rest, bound, rest_temperature)
    batch, owners = batch_of(logits, None, 0, threads, row_index, sparse=sparse)
    status = lib.bregman_model_answers(batch, answers._for(batch.rows, owners))
    del owners
    if status:
        raise error(status, text(lib.bregman_status_text(status)))


@contextmanager
def entered(samplers: Sequence[Sampler], what: str) -> Iterator[Any]:
    """The handles of the samplers, entered for one call; a failure names the place with the word `what`."""
    taken: dict[int, Sampler] = {}
    handles = ffi.new("bregman_sampler *[]", len(samplers))
    try:
        for place, sampler in enumerate(samplers):
            if id(sampler) not in taken:  # the library reports one that stands twice
                try:
                    sampler._enter()
                except InvalidArgumentError as e:
                    raise InvalidArgumentError(f"{what} {place}: {e}") from None
                taken[id(sampler)] = sampler
            handles[place] = sampler._handle
        yield handles
    finally:
        for sampler in taken.values():
            sampler._lock.release()


def _first_failure(samplers: Sequence[Sampler], results: Results) -> BregmanError:
    row = int(np.flatnonzero(results["status"])[0])
    failure = samplers[row]._failure(int(results["status"][row]))
    failure.row = row
    return failure
