"""Arrays and tensors as the library sees them: a pointer and strides, never a copy.

Everything that the library takes on trust is checked here: that there is memory of the said type and length behind a
pointer. What it checks itself (alignment, ranges) is left to it.
"""

from __future__ import annotations

import sys
from typing import Any, NamedTuple, Protocol, Union

import numpy as np
import numpy.typing as npt

from bregman._library import ffi, lib
from bregman.errors import InvalidArgumentError


class Tensor(Protocol):
    """What is used of a torch.Tensor; torch itself is not needed."""

    @property
    def device(self) -> Any:
        """Where the tensor is: it must be the CPU."""

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
    """The numpy dtype of a C struct of 4-byte scalars, without its reserved fields."""
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
    if array.dtype == torch.bfloat16:  # numpy has no such type, but its bits
        return np.asarray(array.view(torch.int16).numpy()).view(np.uint16)
    return np.asarray(array.numpy())


def _wrong_dtype(array: npt.NDArray[Any], name: str, allowed: str) -> TypeError:
    return TypeError(f"{name} has dtype {array.dtype}: it must be {allowed}")


def _not_contiguous(array: npt.NDArray[Any], name: str) -> InvalidArgumentError:
    return InvalidArgumentError(
        f"{name} is not contiguous: its elements of {array.itemsize} bytes are {array.strides[-1]} bytes apart "
        "(numpy.ascontiguousarray makes a copy that is)"
    )


def check_dimensions(array: npt.NDArray[Any], n: int, name: str) -> None:
    """Refuses an array that does not have `n` dimensions."""
    if array.ndim != n:
        raise InvalidArgumentError(f"{name} has {array.ndim} dimensions, not {n}: its shape is {array.shape}")


def f32_row(array: Any, name: str, *, writable: bool = False) -> Any:
    """One contiguous row of float32 as `float[]`, which keeps the array alive."""
    row = array if type(array) is np.ndarray else as_numpy(array, name)
    if row.dtype != F32:
        raise _wrong_dtype(row, name, "float32")
    check_dimensions(row, 1, name)
    if not row.flags.c_contiguous:
        raise _not_contiguous(row, name)
    if writable and (not row.flags.writeable or getattr(array, "requires_grad", False)):
        raise InvalidArgumentError(f"{name} is read-only or requires a gradient: it is changed in place")
    return ffi.from_buffer(_FLOATS, row)


class Rows(NamedTuple):
    """Rows of one base pointer and a stride in elements."""

    pointer: Any
    dtype: int
    rows: int
    columns: int
    stride: int
    #: What owns the memory.
    owner: npt.NDArray[Any]


def _strided(array: npt.NDArray[Any], dtype: int, name: str) -> Rows:
    check_dimensions(array, 2, name)
    (rows, columns), (step, element) = array.shape, array.strides
    # A stride over a single element, or none, is any number.
    if array.size and columns > 1 and element != array.itemsize:
        raise _not_contiguous(array, name)
    stride, rest = divmod(step, array.itemsize) if array.size and rows > 1 else (columns, 0)
    if rest or stride < columns:
        raise InvalidArgumentError(
            f"{name} has rows that are {step} bytes apart: they overlap, run backwards or are unaligned"
        )
    # from_buffer is the faster way, but takes no gaps.
    pointer = ffi.from_buffer(array) if array.flags.c_contiguous else ffi.cast(_VOID, array.ctypes.data)
    return Rows(pointer, dtype, rows, columns, stride, array)


def logits_rows(array: Any, name: str) -> Rows:
    """Rows of float32, float16 or bfloat16; each contiguous, any distance apart."""
    rows = as_numpy(array, name)
    dtype = _DTYPES.get(rows.dtype)
    if dtype is None:
        raise _wrong_dtype(rows, name, "float32, float16 or bfloat16 (ml_dtypes, torch, or its bits as uint16)")
    return _strided(rows, dtype, name)


def mask_rows(array: Any, name: str, rows: int, vocab: int) -> Rows:
    """Masks of 32 tokens a word in uint32 or int32, one a row."""
    words = as_numpy(array, name)
    if words.dtype not in _MASKS:
        raise _wrong_dtype(words, name, _MASK_WORDS)
    mask = _strided(words, 0, name)
    if mask.rows != rows:
        raise InvalidArgumentError(f"{name} has {mask.rows} rows, the logits have {rows}")
    # The library takes a stride for the words that a row has, and would read what stands between two rows.
    if mask.columns < mask.stride and mask.columns * 32 < vocab:
        raise InvalidArgumentError(
            f"{name} has {mask.columns} words a row for {vocab} tokens, and gaps between its rows"
        )
    return mask


def mask_row(array: Any, name: str) -> Any:
    """A mask of 32 tokens a word in uint32 or int32 as `uint32_t[]`, which keeps the array alive."""
    words = as_numpy(array, name)
    if words.dtype not in _MASKS:
        raise _wrong_dtype(words, name, _MASK_WORDS)
    check_dimensions(words, 1, name)
    if not words.flags.c_contiguous:
        raise _not_contiguous(words, name)
    return ffi.from_buffer(_UINT32S, words)


def written_rows(array: Any, dtype: npt.DTypeLike, dimensions: int, name: str) -> Rows:
    """A caller's array of one element or one row of them a row of logits, for the library to write to."""
    if not isinstance(array, np.ndarray):
        raise TypeError(f"{name} is a {type(array).__name__}: it must be a numpy array")
    if array.dtype != dtype:
        raise _wrong_dtype(array, name, np.dtype(dtype).name)
    check_dimensions(array, dimensions, name)
    if not array.flags.writeable:
        raise InvalidArgumentError(f"{name} is read-only")
    if dimensions == 1 and not array.flags.c_contiguous:
        raise _not_contiguous(array, name)
    return _strided(array[:, None] if dimensions == 1 else array, 0, name)


def pack_mask(allowed: Array) -> npt.NDArray[np.uint32]:
    """Packs booleans, True for an allowed token, into the masks that `decode` and `decode_batch` take.

    The last dimension of n tokens becomes ceil(n / 32) words of uint32: token t is bit t % 32 of word t // 32, which
    is the layout of llguidance and xgrammar.
    """
    flags = as_numpy(allowed, "allowed")
    if flags.dtype != np.bool_:
        raise _wrong_dtype(flags, "allowed", "bool")
    if flags.ndim == 0:
        raise InvalidArgumentError("allowed has no dimensions: it needs at least one, of tokens")
    padding = [(0, 0)] * (flags.ndim - 1) + [(0, -flags.shape[-1] % 32)]
    packed = np.packbits(np.pad(flags, padding), axis=-1, bitorder="little")
    return np.ascontiguousarray(packed).view("<u4").astype(np.uint32, copy=False)
