"""The state of one sequence: how it is kept, changed, copied and saved."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence
from types import TracebackType
from typing import Any, SupportsIndex, TypeVar, Union

import numpy as np
import numpy.typing as npt

from bregman import _arrays, _generator
from bregman._arguments import int32s, uint64
from bregman._arrays import Array
from bregman._generator import Generator
from bregman._library import ffi, lib, text
from bregman.errors import BregmanError, InvalidArgumentError, error

_LONGEST_MESSAGE = 4096
_IDS, _FLOATS, _WORDS = ffi.typeof("int32_t[]"), ffi.typeof("float[]"), ffi.typeof("uint32_t *")

_S = TypeVar("_S", bound="State")
_Bytes = Union[bytes, bytearray, memoryview]


class State:
    """The part of a `Sampler` that decodes nothing."""

    __slots__ = ("__weakref__", "_generators", "_handle", "_lock", "_out")

    _handle: Any
    _generators: tuple[Generator, ...]

    def _prepare(self) -> None:
        self._handle = None
        self._generators = ()
        # Every call takes it without waiting: a second thread gets an error.
        self._lock = threading.Lock()
        self._out = ffi.new("bregman_result *")

    def _own(self, handle: Any, generators: tuple[Generator, ...]) -> None:
        self._handle = ffi.gc(handle, lib.bregman_sampler_free)
        self._generators = generators

    def _enter(self) -> Any:
        """The handle, for one call; the caller must call `self._lock.release()` after it."""
        if not self._lock.acquire(False):
            raise InvalidArgumentError("the sampler is in use by another call")
        if self._handle is None:
            self._lock.release()
            raise InvalidArgumentError("the sampler is closed")
        return self._handle

    def _failure(self, status: int) -> BregmanError:
        """The exception for a call that failed; the lock must still be held."""
        failure = error(status, text(lib.bregman_sampler_error(self._handle)))
        failure.__cause__ = _generator.first_error(self._generators)
        return failure

    def _call(self, function: Any, *arguments: Any) -> None:
        handle = self._enter()
        try:
            status = function(handle, *arguments)
            if status:
                raise self._failure(status)
        finally:
            self._lock.release()

    def accept(self, tokens: SupportsIndex | Sequence[int] | npt.NDArray[Any]) -> None:
        """Appends one token or several to the history, which stages about repetition read.

        Accept the prompt, and then each token of the output (`decode(accept=True)` accepts the one it draws). Tokens
        accepted before the first row is decoded or processed are the prompt; `set_prompt_length` changes that.

        Args:
            tokens: a token id, or a sequence or array of them, from 0 to 2**31 - 1. Copied.

        Raises:
            InvalidArgumentError: an id is out of its range; then none is appended.
            TypeError: they are not integers.
        """
        ids = int32s(tokens, "tokens")
        self._call(lib.bregman_sampler_accept, ffi.from_buffer(_IDS, ids), len(ids))

    def reset(self) -> None:
        """Starts another sequence: the seed of creation, position 0, no history, nothing learnt.

        The logit bias and the mask stay.
        """
        self._call(lib.bregman_sampler_reset)

    def reseed(self, seed: SupportsIndex, position: SupportsIndex = 0) -> None:
        """Continues with the random numbers of `seed` at `position`.

        The position is the number of calls of `decode`, `apply` and `draw_many` that succeeded. To continue a sequence
        elsewhere, use `save` and `load`, or pickle the sampler: the seed and the position alone do not restore what
        stages that learn (`Stage.learns`) have learnt.

        Raises:
            InvalidArgumentError: a number is not from 0 to 2**64 - 1.
        """
        self._call(lib.bregman_sampler_reseed, uint64(seed, "seed"), uint64(position, "position"))

    def rewind(self, n: SupportsIndex) -> None:
        """Takes the last `n` tokens of the history back, as if they had not been decoded yet.

        Takes back the history, the random position with the rows that those tokens took and those decoded since, and
        what the chain has learnt: the same logits then give the same tokens. Seed, logit bias and mask stay. If the
        prompt is cut, or all output is taken back, tokens accepted before the next row are prompt again. For exact
        steps accept each token before the next row is decoded.

        Raises:
            InvalidArgumentError: `n` is negative or above the length of the history; then nothing is changed.
        """
        self._call(lib.bregman_sampler_rewind, uint64(n, "n"))

    @property
    def seed(self) -> int:
        """The seed of the next row's random numbers."""
        return self._where()[0]

    @property
    def position(self) -> int:
        """The position of the next row's random numbers."""
        return self._where()[1]

    @property
    def prompt_length(self) -> int:
        """The number of tokens of the history that are the prompt: all of them before the first row."""
        return self._where()[3]

    @property
    def history(self) -> npt.NDArray[np.int32]:
        """The tokens of the history, prompt first, in a new array."""
        handle, length = self._enter(), ffi.new("size_t *")
        try:
            lib.bregman_sampler_history(handle, ffi.NULL, 0, length)
            tokens = np.empty(length[0], np.int32)
            status = lib.bregman_sampler_history(handle, ffi.from_buffer(_IDS, tokens), len(tokens), length)
            if status:
                raise self._failure(status)
        finally:
            self._lock.release()
        return tokens

    def _where(self) -> tuple[int, int, int, int]:
        numbers, lengths = ffi.new("uint64_t[2]"), ffi.new("size_t[2]")
        self._call(lib.bregman_sampler_where, numbers, numbers + 1, lengths, lengths + 1)
        return numbers[0], numbers[1], lengths[0], lengths[1]

    def set_logit_bias(self, bias: Mapping[int, float] | Iterable[tuple[int, float]]) -> None:
        """Replaces the logit bias, which is added to the logits of its tokens before any stage.

        Args:
            bias: a mapping from id to bias, or pairs of them. -inf bans the token whatever its logit is; an empty
                mapping removes the bias. Ids beyond a row's vocabulary have no effect on that row.

        Raises:
            InvalidArgumentError: an id is negative or named twice, or a bias is NaN or +inf; then the old bias stays.
        """
        pairs = list(bias.items() if isinstance(bias, Mapping) else bias)
        ids = int32s([token for token, _ in pairs], "ids")
        values = np.array([value for _, value in pairs], np.float32)
        ids_c, values_c = ffi.from_buffer(_IDS, ids), ffi.from_buffer(_FLOATS, values)
        self._call(lib.bregman_sampler_set_logit_bias, ids_c, values_c, len(ids))

    def set_mask(self, mask: Array | None) -> None:
        """Allows only the tokens of this mask, in all rows and candidate arrays after this call.

        Args:
            mask: shape (words,), as in `decode`; copied. Tokens beyond it are banned. A token must also be allowed by
                the mask passed to `decode` or `decode_batch`, if there is one. None allows all tokens.

        Raises:
            InvalidArgumentError: no words, or not contiguous; then the old mask stays.
            TypeError: a wrong dtype, or no array.
        """
        words = ffi.NULL if mask is None else _arrays.mask_row(mask, "mask")
        self._call(lib.bregman_sampler_set_mask, ffi.cast(_WORDS, words), 0 if mask is None else len(words))

    def set_prompt_length(self, n: SupportsIndex) -> None:
        """Makes the first `n` tokens of the history the prompt, and the others output.

        For a sequence that is continued without a saved state: stages with scope=output read the output only. Without
        this call the prompt is what was accepted before the first row since creation or the last `reset`.

        Raises:
            InvalidArgumentError: the history has fewer than `n` tokens.
        """
        self._call(lib.bregman_sampler_set_prompt_length, uint64(n, "n"))

    def describe(self) -> str:
        """The chain in its canonical form, which creates an equal chain unless a key is `hidden` in it."""
        handle = self._enter()
        try:
            length = lib.bregman_sampler_describe(handle, ffi.NULL, 0)
            chain = ffi.new("char[]", length + 1)
            lib.bregman_sampler_describe(handle, chain, length + 1)
            return text(chain)
        finally:
            self._lock.release()

    @property
    def last_error(self) -> str:
        """The message of the last call on this sampler that failed; "" if there is none."""
        handle = self._enter()
        try:
            return text(lib.bregman_sampler_error(handle))
        finally:
            self._lock.release()

    def clone(self: _S) -> _S:
        """An independent sampler in the same state: chain, seed, position, history, logit bias and mask included."""
        out = ffi.new("bregman_sampler **")
        self._call(lib.bregman_sampler_clone, out)
        return self._made(out[0], self._generators)

    @classmethod
    def _made(cls: type[_S], handle: Any, generators: tuple[Generator, ...]) -> _S:
        """A sampler that owns the handle."""
        sampler = object.__new__(cls)
        sampler._prepare()
        sampler._own(handle, generators)
        return sampler

    def __copy__(self: _S) -> _S:
        """As `clone`."""
        return self.clone()

    def __deepcopy__(self: _S, memo: dict[int, Any]) -> _S:
        """As `clone`; only the generators are shared, which are functions."""
        return self.clone()

    def save(self) -> bytes:
        """The sampler as bytes, of which `load` makes one that goes on as this one would.

        They have the chain, the seed, the position, the history, the length of the prompt, the logit bias, the mask,
        and what the chain has learnt; not the functions of generators, only their names. The same state gives the
        same bytes, in every language and on every machine. docs/state.md describes them. They contain the keys of
        watermarks.

        Raises:
            InvalidArgumentError: the sampler is closed or in use.
        """
        length = ffi.new("size_t *")
        handle = self._enter()
        try:
            lib.bregman_sampler_save(handle, ffi.NULL, 0, length)
            state = bytearray(length[0])
            status = lib.bregman_sampler_save(handle, ffi.from_buffer(state), len(state), length)
            if status:
                raise self._failure(status)
        finally:
            self._lock.release()
        return bytes(state)

    @classmethod
    def load(cls: type[_S], state: _Bytes, *, generators: Iterable[Generator] = ()) -> _S:
        """A sampler from the bytes of `save`, of this or an earlier version, from any language and machine.

        They may come from anywhere: bytes that are not a state are refused. (The checksum in them does not prove who
        wrote them. `pickle`, unlike this, runs code that the bytes name: use `load` for bytes from others.)

        Args:
            state: bytes, or another contiguous buffer of them. Not needed after the call.
            generators: at least those that the chain names.

        Raises:
            InvalidArgumentError: the bytes are not a state, or a generator is missing.
            UnsupportedError: BREGMAN_SIMD names a level that this machine does not have.
            TypeError: `state` is no buffer.
        """
        given = tuple(generators)
        array, names = _generator.to_c(given)
        view = memoryview(state)
        if not view.c_contiguous:
            raise InvalidArgumentError("state is not contiguous")
        handle, message = ffi.new("bregman_sampler **"), ffi.new("char[]", _LONGEST_MESSAGE)
        status = lib.bregman_sampler_load(
            ffi.from_buffer(view), view.nbytes, array, len(given), handle, message, len(message)
        )
        del names  # the library has copied them
        if status:
            raise error(status, text(message)) from _generator.first_error(given)
        return cls._made(handle[0], given)

    def __reduce__(self) -> tuple[Any, ...]:
        """A pickle has the bytes of `save` and the generators, whose functions must then be picklable, too."""
        return _unpickled, (type(self), self.save(), self._generators)

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._handle is None

    def close(self) -> None:
        """Frees the sampler; later calls on it raise InvalidArgumentError. Closing it twice is allowed."""
        if self._handle is None:
            return
        handle = self._enter()
        try:
            self._handle = None
            ffi.release(handle)
        finally:
            self._lock.release()

    def _give_up(self) -> None:
        """Closes the sampler without freeing the handle, which has a new owner."""
        ffi.gc(self._handle, None)
        self._handle = None

    def __enter__(self: _S) -> _S:
        """The sampler itself; the end of the block closes it."""
        if self._handle is None:
            raise InvalidArgumentError("the sampler is closed")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Closes the sampler."""
        self.close()

    def __repr__(self) -> str:
        try:
            return f"<bregman.Sampler {self.describe()!r}>"
        except InvalidArgumentError as e:
            return f"<bregman.Sampler: {e}>"


def _unpickled(cls: type[_S], state: bytes, generators: tuple[Generator, ...]) -> _S:
    return cls.load(state, generators=generators)
