"""Optional outputs of `decode_batch`, and the arrays that receive them."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import combinations
from typing import Any, NamedTuple, SupportsIndex

import numpy as np
import numpy.typing as npt

from bregman import _arrays
from bregman._arguments import uint64
from bregman._library import ffi
from bregman._results import Source
from bregman.errors import InvalidArgumentError


class _Layout(NamedTuple):
    dtype: type[np.generic]
    dimensions: int
    #: The initial value of `Answers.new`.
    initial: float


_ARRAYS = {
    "logprobs": _Layout(np.float32, 1, np.nan),
    "ranks": _Layout(np.uint32, 1, 0),
    "top_ids": _Layout(np.int32, 2, -1),
    "top_logprobs": _Layout(np.float32, 2, np.nan),
    "kept_ids": _Layout(np.int32, 2, -1),
    "kept_mask": _Layout(np.uint32, 2, 0),
    "kept_offsets": _Layout(np.uintp, 1, 0),
    "given_ids": _Layout(np.int32, 2, -1),
    "given_logprobs": _Layout(np.float32, 2, np.nan),
    "given_ranks": _Layout(np.uint32, 2, 0),
    "other_logprobs": _Layout(np.float32, 1, np.nan),
    "other_top_logprobs": _Layout(np.float32, 2, np.nan),
}
#: Arrays that have one number of columns and one stride in the library.
_TOP, _GIVEN = ("top_ids", "top_logprobs", "other_top_logprobs"), ("given_ids", "given_logprobs", "given_ranks")


@dataclass(frozen=True, eq=False)
class Answers:
    """Optional outputs of `decode_batch` and `model_answers`, and the arrays that receive them.

    The arrays are yours, or new ones from `Answers.new`. Each output whose array is None is not computed. An array has
    one row for each row of logits; it is writable, each of its rows is contiguous, and no two arrays share memory. The
    same `Answers` can be used for any number of calls, one at a time, and keeps its arrays alive. The rows of the
    arrays that belong to a failed row of the batch are not written.

    Raises:
        InvalidArgumentError: no array at all, a wrong shape, different numbers of rows, arrays that share memory.
        TypeError: a wrong dtype, or no numpy array.
    """

    #: The distribution that log-probabilities and ranks refer to.
    source: Source = Source.MODEL
    #: Log-probability of each row's token, float32, shape (rows,). NaN if the untouched logits define none (NaN, or
    #: +inf under a mask).
    logprobs: npt.NDArray[np.float32] | None = None
    #: Rank of each row's token, uint32, shape (rows,): the number of tokens at least as likely, itself included. 0
    #: where the log-probability is NaN.
    ranks: npt.NDArray[np.uint32] | None = None
    #: The n most likely tokens, int32, shape (rows, n), in descending order (ties: ascending id); -1 fills the rest.
    top_ids: npt.NDArray[np.int32] | None = None
    #: Their log-probabilities, float32, with the shape and strides of `top_ids`; -inf fills the rest.
    top_logprobs: npt.NDArray[np.float32] | None = None
    #: The n most likely tokens of the support, int32, shape (rows, n), in descending order; -1 fills the rest.
    kept_ids: npt.NDArray[np.int32] | None = None
    #: None, or makes one list of the kept tokens of all rows: uintp, shape (rows + 1,). Those of row r are then the
    #: elements kept_offsets[r] to kept_offsets[r + 1] - 1 of `kept_ids.ravel()`, whose shape is still (rows, n),
    #: C-contiguous, with n the largest number for a row; a row that fails has none. `Answers.kept` returns them.
    kept_offsets: npt.NDArray[np.uintp] | None = None
    #: The support as masks of 32 tokens a word, uint32, shape (rows, words), C-contiguous. Tokens beyond the last word
    #: are left out.
    kept_mask: npt.NDArray[np.uint32] | None = None
    #: An input, read at each call: tokens whose log-probabilities are asked for, int32, shape (rows, n); -1 asks for
    #: none. An id that is not in the vocabulary fails its row.
    given_ids: npt.NDArray[np.int32] | None = None
    #: Log-probabilities of these tokens, float32, with the shape and strides of `given_ids`: -inf for a token that
    #: cannot be sampled, NaN for -1.
    given_logprobs: npt.NDArray[np.float32] | None = None
    #: Their ranks, uint32, as `ranks`; 0 where there is no probability. With `Source.MODEL` each reads the row once.
    given_ranks: npt.NDArray[np.uint32] | None = None
    #: Log-probability of each row's token under the other source, float32, shape (rows,).
    other_logprobs: npt.NDArray[np.float32] | None = None
    #: Log-probabilities of `top_ids` under the other source, float32, with their shape and strides.
    other_top_logprobs: npt.NDArray[np.float32] | None = None
    #: Number of rows.
    rows: int = field(init=False)
    _c: Any = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Checks the arrays, and makes the C struct that every call passes."""
        given = {
            name: _arrays.written_rows(getattr(self, name), layout.dtype, layout.dimensions, name)
            for name, layout in _ARRAYS.items()
            if getattr(self, name) is not None
        }
        counts = {rows.rows - (name == "kept_offsets") for name, rows in given.items()}
        if len(counts) != 1:
            raise InvalidArgumentError(f"answers need arrays that have the same number of rows: {sorted(counts)}")
        for (one, a), (other, b) in combinations(given.items(), 2):
            if np.shares_memory(a.owner, b.owner):
                raise InvalidArgumentError(f"{one} and {other} share memory")
        if "kept_mask" in given and given["kept_mask"].columns != given["kept_mask"].stride:
            raise InvalidArgumentError("kept_mask has gaps between its rows")
        if "kept_offsets" in given:
            if "kept_ids" not in given:
                raise InvalidArgumentError("kept_offsets are offsets into kept_ids, which is None")
            if given["kept_ids"].columns != given["kept_ids"].stride:
                raise InvalidArgumentError("kept_ids has gaps between its rows: with kept_offsets it is one list")
        for group in (_TOP, _GIVEN):
            named = [name for name in group if name in given]
            if len({(given[name].columns, given[name].stride) for name in named}) > 1:
                raise InvalidArgumentError(f"{' and '.join(named)} differ in shape or strides")
        object.__setattr__(self, "rows", counts.pop())
        object.__setattr__(self, "_c", _struct(Source(self.source), given))

    @classmethod
    def new(
        cls,
        rows: SupportsIndex,
        *,
        source: Source = Source.MODEL,
        logprobs: bool = False,
        ranks: bool = False,
        top: SupportsIndex = 0,
        kept: SupportsIndex = 0,
        kept_offsets: bool = False,
        kept_mask: SupportsIndex = 0,
        given: SupportsIndex = 0,
        given_ranks: bool = False,
        other: bool = False,
    ) -> Answers:
        """Answers with new arrays, filled with -1 (ids), 0 (ranks, masks) and NaN (log-probabilities).

        Args:
            rows: number of rows of logits.
            source: the distribution that log-probabilities and ranks refer to.
            logprobs: whether to return each token's log-probability.
            ranks: whether to return each token's rank.
            top: number of the most likely tokens to return, with their log-probabilities; 0 for none.
            kept: largest number of tokens of the support to return for a row; 0 for none.
            kept_offsets: whether those of all rows are one list, with offsets.
            kept_mask: size of the vocabulary, to return the support as masks; 0 for none.
            given: number of tokens for each row whose log-probabilities are returned; write them into `given_ids`.
            given_ranks: whether to return the ranks of these tokens, too.
            other: whether to return the log-probabilities that are asked for under the other source, too.

        Raises:
            InvalidArgumentError: no output is asked for, or a number is negative.
        """
        n, of_top = uint64(rows, "rows"), uint64(top, "top")
        of_given = uint64(given, "given")
        words = (uint64(kept_mask, "kept_mask") + 31) // 32
        shapes: dict[str, tuple[bool | int, tuple[int, ...]]] = {
            "logprobs": (logprobs, (n,)),
            "ranks": (ranks, (n,)),
            "top_ids": (of_top, (n, of_top)),
            "top_logprobs": (of_top, (n, of_top)),
            "kept_ids": (uint64(kept, "kept"), (n, uint64(kept, "kept"))),
            "kept_offsets": (kept_offsets, (n + 1,)),
            "kept_mask": (words, (n, words)),
            "given_ids": (of_given, (n, of_given)),
            "given_logprobs": (of_given, (n, of_given)),
            "given_ranks": (of_given and given_ranks, (n, of_given)),
            "other_logprobs": (other and logprobs, (n,)),
            "other_top_logprobs": (of_top and other, (n, of_top)),
        }
        arrays: dict[str, Any] = {
            name: np.full(shape, _ARRAYS[name].initial, _ARRAYS[name].dtype)
            for name, (wanted, shape) in shapes.items()
            if wanted
        }
        return cls(source, **arrays)

    def kept(self, row: int) -> npt.NDArray[np.int32]:
        """The kept tokens of a row after a call, the most likely first: of `kept_ids`, which must not be None."""
        if self.kept_ids is None:
            raise InvalidArgumentError("the answers have no kept_ids")
        ids: npt.NDArray[np.int32] = self.kept_ids[row]
        if self.kept_offsets is None:
            return ids[ids >= 0]
        start, end = self.kept_offsets[range(self.rows)[row] :][:2]
        ids = self.kept_ids.reshape(-1)
        return ids[start:end]

    def _for(self, rows: int, inputs: list[_arrays.Rows]) -> Any:
        """The C struct, for a batch of `rows` rows that reads the arrays `inputs`."""
        if self.rows != rows:
            raise InvalidArgumentError(f"the answers have {self.rows} rows, the logits have {rows}")
        for name in _ARRAYS:
            array = getattr(self, name)
            if array is not None and any(np.shares_memory(array, read.owner) for read in inputs):
                raise InvalidArgumentError(f"{name} shares memory with an input of the batch")
        return self._c


def _struct(source: Source, given: dict[str, _arrays.Rows]) -> Any:
    """A `bregman_answers` that points to these arrays; it does not keep them alive."""
    c = ffi.new("bregman_answers *")
    c.struct_size, c.source = ffi.sizeof("bregman_answers"), source
    fields = {name: info.type for name, info in ffi.typeof("bregman_answers").fields}
    for name, rows in given.items():
        setattr(c, name, ffi.cast(fields[name], rows.pointer))
        if name in _TOP:
            c.top, c.top_stride = rows.columns, rows.stride
        elif name in _GIVEN:
            c.given, c.given_stride = rows.columns, rows.stride
        elif name == "kept_ids":
            c.kept, c.kept_stride = rows.columns, rows.stride
        elif name == "kept_mask":
            c.kept_mask_stride = rows.stride
    return c
