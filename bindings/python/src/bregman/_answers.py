"""What a batch tells besides its tokens, and where that is written."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import combinations
from typing import Any, NamedTuple, SupportsIndex

import numpy as np
import numpy.typing as npt

from bregman import _arrays
from bregman._results import Source
from bregman._arguments import uint64
from bregman._library import ffi
from bregman.errors import InvalidArgumentError


class _Layout(NamedTuple):
    dtype: type[np.generic]
    dimensions: int
    #: What is in the places of a row that failed.
    nothing: float


_ARRAYS = {
    "logprobs": _Layout(np.float32, 1, np.nan),
    "ranks": _Layout(np.uint32, 1, 0),
    "top_ids": _Layout(np.int32, 2, -1),
    "top_logprobs": _Layout(np.float32, 2, np.nan),
    "kept_ids": _Layout(np.int32, 2, -1),
    "kept_mask": _Layout(np.uint32, 2, 0),
}


@dataclass(frozen=True, eq=False)
class Answers:
    """What `decode_batch(answers=)` is to tell besides the tokens, and the arrays that it writes that to.

    The arrays are the caller's own, or new ones from `Answers.new`; None asks for nothing. They have a row for each row
    of logits, are contiguous within a row, writable and apart from each other. The same `Answers` may serve any number
    of calls, one at a time. A row that fails leaves its places as they were.

    Raises:
        InvalidArgumentError: no array at all, a wrong shape, different numbers of rows, arrays that share memory.
        TypeError: a wrong dtype, or no array.
    """

    #: Whose log-probabilities and ranks.
    source: Source = Source.MODEL
    #: The log-probability of each row's token, float32; NaN if the untouched logits have none (NaN, +inf under a mask).
    logprobs: npt.NDArray[np.float32] | None = None
    #: How many tokens are at least as likely as each row's, itself among them, uint32; 0 where the logprob is NaN.
    ranks: npt.NDArray[np.uint32] | None = None
    #: Rows x n: the n most likely tokens in descending order (ties: ascending id), int32; -1 where there are no more.
    top_ids: npt.NDArray[np.int32] | None = None
    #: Their log-probabilities, float32, of the shape and strides of `top_ids`; -inf where there are no more.
    top_logprobs: npt.NDArray[np.float32] | None = None
    #: Rows x n: the first n tokens with positive probability, the most likely first, int32; -1 where there are no more.
    kept_ids: npt.NDArray[np.int32] | None = None
    #: Rows x words, C-contiguous: the same as masks of 32 tokens a word, uint32. Tokens beyond the words are left out.
    kept_mask: npt.NDArray[np.uint32] | None = None
    #: Number of rows.
    rows: int = field(init=False)
    _c: Any = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Checks the arrays, and makes the struct that every call hands over."""
        given = {
            name: _arrays.written_rows(getattr(self, name), layout.dtype, layout.dimensions, name)
            for name, layout in _ARRAYS.items()
            if getattr(self, name) is not None
        }
        counts = {rows.rows for rows in given.values()}
        if len(counts) != 1:
            raise InvalidArgumentError(f"answers need arrays that have the same number of rows: {sorted(counts)}")
        for (one, a), (other, b) in combinations(given.items(), 2):
            if np.shares_memory(a.owner, b.owner):
                raise InvalidArgumentError(f"{one} and {other} share memory")
        if "kept_mask" in given and given["kept_mask"].columns != given["kept_mask"].stride:
            raise InvalidArgumentError("kept_mask has gaps between its rows")
        if (
            len({(given[name].columns, given[name].stride) for name in ("top_ids", "top_logprobs") if name in given})
            > 1
        ):
            raise InvalidArgumentError("top_ids and top_logprobs differ in shape or strides")
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
        kept_mask: SupportsIndex = 0,
    ) -> Answers:
        """Answers in arrays of their own; until a row is told, it has -1, 0 and NaN in its places.

        Args:
            rows: how many rows of logits there will be.
            source: whose log-probabilities and ranks.
            logprobs: whether to tell each token's log-probability.
            ranks: whether to tell each token's rank.
            top: how many of the most likely tokens to tell, with their log-probabilities.
            kept: how many of the kept tokens to tell.
            kept_mask: the vocabulary's size, to tell the kept tokens as masks.
        """
        n, of_top = uint64(rows, "rows"), uint64(top, "top")
        words = (uint64(kept_mask, "kept_mask") + 31) // 32
        shapes: dict[str, tuple[bool | int, tuple[int, ...]]] = {
            "logprobs": (logprobs, (n,)),
            "ranks": (ranks, (n,)),
            "top_ids": (of_top, (n, of_top)),
            "top_logprobs": (of_top, (n, of_top)),
            "kept_ids": (uint64(kept, "kept"), (n, uint64(kept, "kept"))),
            "kept_mask": (words, (n, words)),
        }
        arrays: dict[str, Any] = {
            name: np.full(shape, _ARRAYS[name].nothing, _ARRAYS[name].dtype)
            for name, (wanted, shape) in shapes.items()
            if wanted
        }
        return cls(source, **arrays)

    def _for(self, rows: int, inputs: tuple[_arrays.Rows | None, ...]) -> Any:
        """The struct, for a batch of so many rows that reads these arrays."""
        if self.rows != rows:
            raise InvalidArgumentError(f"the answers have {self.rows} rows, the logits have {rows}")
        for name in _ARRAYS:
            array = getattr(self, name)
            if array is not None and any(read and np.shares_memory(array, read.owner) for read in inputs):
                raise InvalidArgumentError(f"{name} shares memory with the logits or the mask")
        return self._c


def _struct(source: Source, given: dict[str, _arrays.Rows]) -> Any:
    """A `bregman_answers` on these arrays, which it does not keep alive."""
    c = ffi.new("bregman_answers *")
    c.struct_size, c.source = ffi.sizeof("bregman_answers"), source
    fields = {name: info.type for name, info in ffi.typeof("bregman_answers").fields}
    for name, rows in given.items():
        setattr(c, name, ffi.cast(fields[name], rows.pointer))
        if name in ("top_ids", "top_logprobs"):
            c.top, c.top_stride = rows.columns, rows.stride
        elif name == "kept_ids":
            c.kept, c.kept_stride = rows.columns, rows.stride
        elif name == "kept_mask":
            c.kept_mask_stride = rows.stride
    return c
