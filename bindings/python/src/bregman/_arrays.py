"""numpy arrays and torch tensors as a pointer and strides, without a copy.

The library cannot check that a pointer leads to memory of the right type and length; that is checked here. Alignment
and ranges are checked by the library.
"""

from __future__ import annotations

import sys
from typing import Any, NamedTuple, Protocol, Union

import numpy as np
import numpy.typing as npt

from bregman._library import ffi, lib
from bregman.errors import InvalidArgumentError


class Tensor(Protocol):
    """The part of torch.Tensor that is used; torch itself is not imported."""

    @property
    def device(self) -> Any:
        """The tensor's device; only the CPU is accepted."""

    def detach(self) -> Any:
        """The same memory without a gradient."""

    def numpy(self) -> Any:
        """The same memory as a numpy array."""


#: A numpy array, or a torch tensor on the CPU.
Array = Union["npt.NDArray[Any]", Tensor]

F32 = np.dtype(np.float32)
_FLOATS, _UINT32S, _VOID = ffi.typeof("float[]"), ffi.typeof("uint32_t[]"), ffi.typeof("void *")
_MASKS = (np.dtype(np.uint32), np.dtype(np.int32))
_MASK_WORDS = "uint32 or int32, 32 tokens a word (bregman.pack_mask makes one)"
_DTYPES: dict[np.dtype[Any], int] = {
    F32: lib.BREGMAN_F32,
    np.dtype(np.float16): lib.BREGMAN_F16,
    np.dtype(np.uint16): lib.BREGMAN_BF16,
}
_SCALARS = {"int32_t": np.int32, "uint32_t": np.uint32, "float": np.float32}


def struct_dtype(struct: str) -> np.dtype[Any]:
    """The numpy dtype of a C struct of 4-byte scalars, without the reserved fields."""
    fields = [(name, field) for name, field in ffi.typeof(struct).fields if name != "reserved"]
    return np.dtype(
        {
            "names": [name for name, _ in fields],
            "formats": [_SCALARS[field.type.cname] for _, field in fields],
            "offsets": [field.offset for _, field in fields],
            "itemsize": ffi.sizeof(struct),
        }
    )


def as_numpy(array: Any, name: str) -> npt.NDArray[Any]:
    """The array itself, or a view of a CPU tensor; bfloat16 as its bits, in uint16."""
    if isinstance(array, np.ndarray):
        # ml_dtypes' bfloat16 is a dtype of its own (2: numpy's mark for those).
        foreign = array.dtype.isbuiltin == 2 and array.dtype.name == "bfloat16"
        return array.view(np.uint16) if foreign else array
    torch = sys.modules.get("torch")
    if torch is None or not isinstance(array, torch.Tensor):
        raise TypeError(f"{name} is a {type(array).__name__}: it must be a numpy array or a torch tensor")
    if array.device.type != "cpu":
        raise TypeError(f"{name} is on {array.device}: move it to the CPU first")
    array = array.detach()
    if array.dtype == torch.bfloat16:  # numpy has no such type
        return np.asarray(array.view(torch.int16).numpy()).view(np.uint16)
    return np.asarray(array.numpy())


def dtype_name(array: Any) -> str:
    """The name of an array's or tensor's dtype, such as "float32" or "bfloat16"."""
    return str(array.dtype).removeprefix("torch.")


def _wrong_dtype(array: Any, name: str, allowed: str) -> TypeError:
    return TypeError(f"{name} has dtype {dtype_name(array)}: it must be {allowed}")


def _not_contiguous(array: npt.NDArray[Any], name: str) -> InvalidArgumentError:
    return InvalidArgumentError(
        f"{name} is not contiguous: its elements of {array.itemsize} bytes are {array.strides[-1]} bytes apart "
        "(numpy.ascontiguousarray makes a copy that is)"
    )


def check_dimensions(array: Any, n: int, name: str) -> None:
    """Raises InvalidArgumentError unless the array or tensor has `n` dimensions."""
    if array.ndim != n:
        raise InvalidArgumentError(f"{name} has {array.ndim} dimensions, not {n}: its shape is {tuple(array.shape)}")


def f32_row(array: Any, name: str, *, writable: bool = False) -> Any:
    """One contiguous row of float32 as `float[]`, which keeps the array alive."""
    row = array if type(array) is np.ndarray else as_numpy(array, name)
    if row.dtype != F32:
        raise _wrong_dtype(array, name, "float32")
    check_dimensions(row, 1, name)
    if not row.flags.c_contiguous:
        raise _not_contiguous(row, name)
    if writable and (not row.flags.writeable or getattr(array, "requires_grad", False)):
        raise InvalidArgumentError(f"{name} is read-only or requires a gradient: it is changed in place")
    return ffi.from_buffer(_FLOATS, row)


class Rows(NamedTuple):
    """Rows of one array: a base pointer and a stride."""

    pointer: Any
    #: BREGMAN_F32, BREGMAN_F16 or BREGMAN_BF16; 0 for arrays of other types.
    dtype: int
    rows: int
    columns: int
    #: From one row to the next, in elements.
    stride: int
    #: Owns the memory.
    owner: npt.NDArray[Any]


def _strided(array: npt.NDArray[Any], dtype: int, name: str) -> Rows:
    check_dimensions(array, 2, name)
    (rows, columns), (step, element) = array.shape, array.strides
    # The stride of a dimension with one element, or none, has no meaning.
    if array.size and columns > 1 and element != array.itemsize:
        raise _not_contiguous(array, name)
    stride, rest = divmod(step, array.itemsize) if array.size and rows > 1 else (columns, 0)
    if rest or stride < columns:
        raise InvalidArgumentError(
            f"{name} has rows {step} bytes apart: they overlap, are in reverse order or are not aligned"
        )
    # from_buffer is faster, but refuses gaps.
    pointer = ffi.from_buffer(array) if array.flags.c_contiguous else ffi.cast(_VOID, array.ctypes.data)
    return Rows(pointer, dtype, rows, columns, stride, array)


def logits_rows(array: Any, name: str) -> Rows:
    """Rows of float32, float16 or bfloat16: each contiguous, at any distance from each other."""
    rows = as_numpy(array, name)
    dtype = _DTYPES.get(rows.dtype)
    if dtype is None:
        raise _wrong_dtype(array, name, "float32, float16 or bfloat16 (ml_dtypes, torch, or its bits as uint16)")
    return _strided(rows, dtype, name)


def mask_rows(array: Any, name: str, rows: int, vocab: int | None) -> Rows:
    """Masks of 32 tokens a word in uint32 or int32, one for each row; the vocabulary of sparse rows is None."""
    words = as_numpy(array, name)
    if words.dtype not in _MASKS:
        raise _wrong_dtype(array, name, _MASK_WORDS)
    mask = _strided(words, 0, name)
    if mask.rows != rows:
        raise InvalidArgumentError(f"{name} has {mask.rows} rows, the logits have {rows}")
    # The library takes the stride for the number of words in a row, so it would read the words between two rows.
    if mask.columns < mask.stride and (vocab is None or mask.columns * 32 < vocab):
        raise InvalidArgumentError(
            f"{name} has {mask.columns} words in a row for {vocab or 'more'} tokens, and gaps between its rows"
        )
    return mask


def mask_row(array: Any, name: str) -> Any:
    """A mask of 32 tokens a word in uint32 or int32 as `uint32_t[]`, which keeps the array alive."""
    words = as_numpy(array, name)
    if words.dtype not in _MASKS:
        raise _wrong_dtype(array, name, _MASK_WORDS)
    check_dimensions(words, 1, name)
    if not words.flags.c_contiguous:
        raise _not_contiguous(words, name)
    return ffi.from_buffer(_UINT32S, words)


def row_indices(array: Any, name: str, rows: int) -> npt.NDArray[np.uintp]:
    """Integers from 0 to `rows` - 1 as contiguous size_t."""
    indices = np.asarray(array)
    if indices.size and indices.dtype.kind not in "iu":
        raise TypeError(f"{name} has dtype {indices.dtype}: row indices must be integers")
    check_dimensions(indices, 1, name)
    if indices.size and (indices.min() < 0 or indices.max() >= rows):
        raise InvalidArgumentError(f"{name} has indices that are not from 0 to {rows - 1}")
    return np.ascontiguousarray(indices, np.uintp)


def written_rows(array: Any, dtype: npt.DTypeLike, dimensions: int, name: str) -> Rows:
    """A caller's output array: one element (1 dimension) or one row of elements (2) for each row of logits."""
    if isinstance(array, np.ndarray) and array.dtype == dtype and not array.flags.writeable:
        check_dimensions(array, dimensions, name)
        raise InvalidArgumentError(f"{name} is read-only")
    return typed_rows(array, dtype, dimensions, name)


def typed_rows(array: Any, dtype: npt.DTypeLike, dimensions: int, name: str) -> Rows:
    """A numpy array of one dtype: one element (1 dimension) or one row of elements (2) for each row of logits."""
    if not isinstance(array, np.ndarray):
        raise TypeError(f"{name} is a {type(array).__name__}: it must be a numpy array")
    if array.dtype != dtype:
        raise _wrong_dtype(array, name, np.dtype(dtype).name)
    check_dimensions(array, dimensions, name)
    if dimensions == 1 and not array.flags.c_contiguous:
        raise _not_contiguous(array, name)
    return _strided(array[:, None] if dimensions == 1 else array, 0, name)


def pack_mask(allowed: Array) -> npt.NDArray[np.uint32]:
    """Packs booleans, True for an allowed token, into a mask for `decode`, `decode_batch` and `set_mask`.

    The layout is that of llguidance and xgrammar: token t is bit t % 32 of word t // 32.

    Args:
        allowed: booleans of shape (..., n), n the number of tokens.

    Returns:
        A new array of uint32, of shape (..., ceil(n / 32)).

    Raises:
        TypeError: no array, or not of booleans.
        InvalidArgumentError: no dimension at all.
    """
    flags = as_numpy(allowed, "allowed")
    if flags.dtype != np.bool_:
        raise _wrong_dtype(allowed, "allowed", "bool")
    if flags.ndim == 0:
        raise InvalidArgumentError("allowed must have at least one dimension, of tokens")
    padding = [(0, 0)] * (flags.ndim - 1) + [(0, -flags.shape[-1] % 32)]
    packed = np.packbits(np.pad(flags, padding), axis=-1, bitorder="little")
    return np.ascontiguousarray(packed).view("<u4").astype(np.uint32, copy=False)
