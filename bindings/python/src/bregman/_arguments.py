"""Conversion of arguments to C types."""

from __future__ import annotations

import operator
from typing import Any, NamedTuple, SupportsIndex

import numpy as np
import numpy.typing as npt

from bregman import _arrays
from bregman._arrays import Array
from bregman._library import ffi, lib
from bregman._results import Want
from bregman.errors import InvalidArgumentError

_BATCH, _WORDS, _SIZES = ffi.typeof("bregman_batch *"), ffi.typeof("uint32_t *"), ffi.typeof("size_t[]")
_BATCH_SIZE = ffi.sizeof("bregman_batch")
#: The arrays of sparse rows besides the ids: one number for each row.
_SPARSE = {"lengths": np.uint32, "log_rest": np.float64, "bound": np.float32}
_KNOWN = int(Want.KEPT_MASS | Want.MODEL_LOGPROB | Want.ENTROPY | Want.LN_KEPT)


class Sparse(NamedTuple):
    """What makes rows sparse: arguments of `decode_batch`."""

    ids: Any
    lengths: Any
    log_rest: Any
    bound: Any
    rest_temperature: float


def uint64(value: SupportsIndex, name: str) -> int:
    """The integer, which must be from 0 to 2**64 - 1, or InvalidArgumentError."""
    number = operator.index(value)
    if not 0 <= number < 1 << 64:
        raise InvalidArgumentError(f"{name} is {number}: it must be from 0 to 2**64 - 1")
    return number


def int32s(tokens: Any, name: str) -> npt.NDArray[np.int32]:
    """One token id or several as contiguous int32; other types and values raise."""
    ids = np.atleast_1d(np.asarray(tokens))
    if ids.size == 0:
        return np.empty(0, np.int32)
    if ids.dtype.kind not in "iu":
        raise TypeError(f"{name} has dtype {ids.dtype}: token ids must be integers")
    _arrays.check_dimensions(ids, 1, name)
    if ids.dtype != np.int32 and not (np.iinfo(np.int32).min <= ids.min() and ids.max() <= np.iinfo(np.int32).max):
        raise InvalidArgumentError(f"{name} has ids that do not fit 32 bits")
    return np.ascontiguousarray(ids, np.int32)


def flags_of(want: Want, accept: bool, stay: bool) -> int:
    """The flags of a `bregman_batch`."""
    flags = operator.index(want)
    if flags & ~_KNOWN:
        raise InvalidArgumentError(f"want is {want!r}: it must be a combination of the members of bregman.Want")
    return flags | (lib.BREGMAN_ACCEPT if accept else 0) | (lib.BREGMAN_STAY if stay else 0)


def batch_of(
    logits: Array,
    mask: Array | None,
    flags: int,
    threads: int,
    row_index: Any = None,
    *,
    sparse: Sparse | None = None,
) -> tuple[Any, Any]:
    """A `bregman_batch` of these rows, and the arrays that own the memory it points to."""
    rows = _arrays.logits_rows(logits, "logits")
    if not 0 <= operator.index(threads) < 1 << 32:
        raise InvalidArgumentError(f"threads is {threads}: it must be from 0 to 2**32 - 1")
    batch = ffi.new(_BATCH)
    batch.struct_size = _BATCH_SIZE
    batch.dtype = rows.dtype
    batch.logits, batch.rows, batch.vocab, batch.row_stride = rows.pointer, rows.rows, rows.columns, rows.stride
    batch.flags = flags
    batch.threads = threads
    owners: list[_arrays.Rows] = [rows]
    if mask is not None:
        dense = sparse is None or sparse.ids is None
        words = _arrays.mask_rows(mask, "mask", rows.rows, rows.columns if dense else None)
        batch.mask, batch.mask_stride = ffi.cast(_WORDS, words.pointer), words.stride
        owners.append(words)
    if sparse is not None:
        owners += _sparse(batch, rows, sparse)
    if row_index is not None:
        indices = _arrays.row_indices(row_index, "row_index", rows.rows)
        batch.rows, batch.row_index = len(indices), ffi.from_buffer(_SIZES, indices)
        owners.append(_arrays.Rows(batch.row_index, 0, 1, len(indices), len(indices), indices))
    return batch, owners


def _sparse(batch: Any, logits: _arrays.Rows, sparse: Sparse) -> list[_arrays.Rows]:
    """Sets the fields of sparse rows, and returns the arrays that own their memory."""
    given = {name: getattr(sparse, name) for name in _SPARSE if getattr(sparse, name) is not None}
    if sparse.ids is None:
        if given:
            raise InvalidArgumentError(f"{' and '.join(given)} without ids: only sparse rows have them")
        return []
    ids = _arrays.typed_rows(sparse.ids, np.int32, 2, "ids")
    if (ids.rows, ids.columns) != (logits.rows, logits.columns):
        raise InvalidArgumentError(
            f"ids has shape {(ids.rows, ids.columns)}, the logits have {(logits.rows, logits.columns)}"
        )
    if ids.rows > 1 and ids.stride != logits.stride:
        raise InvalidArgumentError(f"ids has rows {ids.stride} elements apart, the logits have {logits.stride}")
    batch.ids, batch.rest_temperature = ffi.cast("int32_t *", ids.pointer), sparse.rest_temperature
    owners = [ids]
    fields = {name: info.type for name, info in ffi.typeof("bregman_batch").fields}
    for name, array in given.items():
        numbers = _arrays.typed_rows(np.ascontiguousarray(array, _SPARSE[name]), _SPARSE[name], 1, name)
        if numbers.rows != logits.rows:
            raise InvalidArgumentError(f"{name} has {numbers.rows} elements, the logits have {logits.rows} rows")
        setattr(batch, name, ffi.cast(fields[name], numbers.pointer))
        owners.append(numbers)
    return owners
