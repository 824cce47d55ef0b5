"""A chain of stages with the state of one sequence."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, SupportsIndex

import numpy as np
import numpy.typing as npt

from bregman import _arrays, _generator
from bregman._arguments import batch_of, flags_of, uint64
from bregman._arrays import Array
from bregman._generator import Generator
from bregman._library import ffi, lib, text
from bregman._results import CANDIDATE, Applied, Distribution, Draws, Logprobs, Result, Source, Want
from bregman._state import State
from bregman.errors import BufferTooSmallError, InvalidArgumentError, error

#: First guess of the size of a support; if it is too small, the library returns the size that is needed.
_FIRST_CAPACITY = 1024
_LONGEST_MESSAGE = 4096

_HANDLES = ffi.typeof("bregman_sampler *[]")
_IDS, _FLOATS = ffi.typeof("int32_t[]"), ffi.typeof("float[]")


class Sampler(State):
    """A chain of stages and the state of one sequence: random seed and position, history, logit bias, mask.

    One thread at a time may use a sampler: a call that finds it in use raises `InvalidArgumentError` and changes
    nothing. Different samplers, copies included, are independent. Calls release the interpreter's lock. `close`, the
    end of a `with` block and the garbage collector free the memory. `clone` and `copy.copy` make an independent sampler
    in the same state; `save`, `load` and `pickle` take it to another process. A sampler with generators can be pickled
    if their functions can (those of a module can, lambdas cannot).

    Args:
        chain: the stages, such as "temperature(0.8) | bregman(alpha=1.5, floor=0.01) | draw".
        seed: from 0 to 2**64 - 1. The same seed always gives the same tokens; there is no random seed.
        generators: divergences defined in Python that the chain names.

    Raises:
        InvalidChainError: the chain does not parse, or a parameter is out of its range.
        UnsupportedError: an alpha outside the range of the solver, or BREGMAN_SIMD names a level that this machine
            does not have.
        InvalidArgumentError: the seed is out of its range, or the chain contains a NUL.
        TypeError: the chain is no str, or the seed no integer.
    """

    __slots__ = ()

    def __init__(self, chain: str, seed: SupportsIndex = 0, *, generators: Iterable[Generator] = ()) -> None:
        """Creates the sampler at position 0 of the random numbers of `seed`."""
        self._prepare()
        if not isinstance(chain, str):
            raise TypeError(f"chain is a {type(chain).__name__}: it must be a str")
        if "\0" in chain:
            raise InvalidArgumentError("chain has a NUL in it")
        given = tuple(generators)
        array, names = _generator.to_c(given)
        handle = ffi.new("bregman_sampler **")
        message = ffi.new("char[]", _LONGEST_MESSAGE)
        status = lib.bregman_sampler_new_with_generators(
            chain.encode(), uint64(seed, "seed"), array, len(given), handle, message, len(message)
        )
        del names  # the library has copied them
        if status:
            raise error(status, text(message)) from _generator.first_error(given)
        self._own(handle[0], given)

    def decode(
        self,
        logits: Array,
        *,
        mask: Array | None = None,
        want: Want = Want.NOTHING,
        accept: bool = False,
        stay: bool = False,
    ) -> Result:
        """Decodes one row of logits into a token and advances the random position by one.

        Args:
            logits: shape (vocabulary,), contiguous, float32, float16 or bfloat16 (ml_dtypes, torch, or its bits as
                uint16). Not copied.
            mask: shape (words,), uint32 or int32: token t is bit t % 32 of word t // 32, and a set bit allows it.
                Tokens beyond the mask are banned. `pack_mask` makes one from booleans. None allows all tokens.
            want: the optional fields of the result.
            accept: whether the token is appended to the history.
            stay: whether the random position, and what the chain has learnt, stay as they are: for a grammar that is
                checked after the draw. If the token is banned, draw again with the mask; if it stands, decode the row
                once more without `stay`, which gives the same token. Not together with `accept`.

        Returns:
            The token, its probability and the size of the support; fields that `want` does not name are NaN.

        Raises:
            InvalidLogitsError: a logit is NaN or +inf.
            EmptySupportError: every token is masked or -inf.
            NoConvergenceError: a `Generator` led to no solution.
            UnsupportedError: the chain has no drawing stage.
            InvalidArgumentError: a wrong shape, or not contiguous; the sampler is closed or in use.
            TypeError: a wrong dtype, or no array.
        """
        if mask is None and want == 0 and not (accept or stay) and getattr(logits, "dtype", None) == _arrays.F32:
            row = _arrays.f32_row(logits, "logits")
            self._enter()
            try:
                return self._decoded(lib.bregman_decode(self._handle, row, len(row), self._out))
            finally:
                self._lock.release()
        return self._decode_one_of_a_batch(logits, mask, flags_of(want, accept, stay))

    def _decoded(self, status: int) -> Result:
        if status:
            raise self._failure(status)
        out = self._out
        return Result(out.token, out.p, out.support, out.kept_mass, out.model_logprob, out.entropy, out.ln_kept_mass)

    def _decode_one_of_a_batch(self, logits: Array, mask: Array | None, flags: int) -> Result:
        row = _arrays.as_numpy(logits, "logits")
        _arrays.check_dimensions(row, 1, "logits")
        words = None
        if mask is not None:
            words = _arrays.as_numpy(mask, "mask")
            _arrays.check_dimensions(words, 1, "mask")
            words = words[None]
        batch, owners = batch_of(row[None], words, flags, 0)
        handle = self._enter()
        try:
            status = lib.bregman_decode_batch(ffi.new(_HANDLES, [handle]), batch, self._out)
            del owners
            return self._decoded(status)
        finally:
            self._lock.release()

    def distribution(self, logits: Array) -> Distribution:
        """The decoded distribution of one row: what a drawing stage at the chain's end draws from.

        Changes nothing. It sorts the support, which is the whole vocabulary for a chain that drops no token.

        Args:
            logits: shape (vocabulary,), contiguous, float32.

        Returns:
            Ids and probabilities of the support, in new arrays.

        Raises as `decode` does.
        """
        row = _arrays.f32_row(logits, "logits")
        length = ffi.new("size_t *")
        capacity = min(max(len(row), 1), _FIRST_CAPACITY)
        while True:
            ids, p = np.empty(capacity, np.int32), np.empty(capacity, np.float32)
            ids_c, p_c = ffi.from_buffer(_IDS, ids), ffi.from_buffer(_FLOATS, p)
            try:
                self._call(lib.bregman_distribution, row, len(row), ids_c, p_c, capacity, length)
            except BufferTooSmallError:
                capacity = length[0]
                continue
            return Distribution(ids[: length[0]], p[: length[0]])

    def process(self, logits: Array) -> None:
        """Replaces one row, in place, by ln p of the decoded distribution, -inf off its support.

        For hosts that draw the token themselves. It does not advance the random position: set it with
        `reseed(seed, number of output tokens)` before each row if the chain has a stage that draws random numbers
        (`xtc`). Stages that learn from the tokens that they draw (`Stage.learns`: mirostat, mirostat_v2,
        adaptive_p) do not learn here.
        The temperature belongs into the chain, not after it.

        Args:
            logits: shape (vocabulary,), contiguous, float32, writable.

        Raises as `decode` does; the logits are then unchanged.
        """
        row = _arrays.f32_row(logits, "logits", writable=True)
        self._call(lib.bregman_process, row, len(row))

    def draw_many(self, logits: Array, n: SupportsIndex) -> Draws:
        """Draws `n` different tokens from one row without replacement, or the whole support if it is smaller.

        Each is drawn in proportion to its probability among the tokens not drawn yet: for best-of-n and sampled beams.
        The first is the token that the same chain with `gumbel` at its end decodes at this position; a larger `n`
        appends to the draws of a smaller one. A drawing stage at the chain's end draws nothing here (`greedy` still
        leaves only one token). Advances the random position by one and leaves the history as it is.

        Args:
            logits: shape (vocabulary,), contiguous, float32.
            n: number of tokens, at least 1.

        Returns:
            Ids, log-probabilities and scores, in new arrays, in the order of the draws.

        Raises as `decode` does, and InvalidArgumentError if `n` is less than 1.
        """
        row = _arrays.f32_row(logits, "logits")
        most = min(uint64(n, "n"), max(len(row), 1))
        ids, logprobs, scores = np.empty(most, np.int32), np.empty(most, np.float32), np.empty(most, np.float32)
        pointers = ffi.from_buffer(_IDS, ids), ffi.from_buffer(_FLOATS, logprobs), ffi.from_buffer(_FLOATS, scores)
        length = ffi.new("size_t *")
        self._call(lib.bregman_draw_many, row, len(row), most, *pointers, length)
        return Draws(ids[: length[0]], logprobs[: length[0]], scores[: length[0]])

    def top_logprobs(self, logits: Array, n: SupportsIndex, source: Source = Source.MODEL) -> Logprobs:
        """The `n` most likely tokens of one row, or all tokens with a positive probability if they are fewer.

        Changes nothing.

        Args:
            logits: shape (vocabulary,), contiguous, float32.
            n: number of tokens, 0 or more.
            source: the model's distribution (the chain is not applied) or the decoded one.

        Returns:
            Ids and log-probabilities, in new arrays, in descending order (ties: ascending id).

        Raises as `decode` does, and InvalidArgumentError if `n` is negative.
        """
        row = _arrays.f32_row(logits, "logits")
        most = min(uint64(n, "n"), len(row))
        ids, logprobs = np.empty(most, np.int32), np.empty(most, np.float32)
        pointers = ffi.from_buffer(_IDS, ids), ffi.from_buffer(_FLOATS, logprobs)
        length = ffi.new("size_t *")
        self._call(lib.bregman_top_logprobs, row, len(row), Source(source), most, *pointers, length)
        return Logprobs(ids[: length[0]], logprobs[: length[0]])

    def apply(self, candidates: npt.NDArray[Any]) -> Applied:
        """Applies the chain to an engine's candidates in place, and advances the random position by one.

        Args:
            candidates: shape (n,), n at least 1, dtype `CANDIDATE`, contiguous and writable; any subset of the
                vocabulary in any order. `p` is not read. See bregman_apply in include/bregman.h for their state after
                the call.

        Returns:
            A view of the candidates that are kept, and the index of the token that was taken, if the chain draws.

        Raises as `decode` does, but a chain without a drawing stage is allowed.
        """
        if not isinstance(candidates, np.ndarray) or candidates.dtype != CANDIDATE:
            raise TypeError("candidates must be a numpy array of dtype bregman.CANDIDATE")
        _arrays.check_dimensions(candidates, 1, "candidates")
        if not candidates.flags.c_contiguous or not candidates.flags.writeable:
            raise InvalidArgumentError("candidates must be contiguous and writable: they are changed in place")
        memory = ffi.from_buffer("bregman_candidate[]", candidates)
        array = ffi.new("bregman_candidates *", {"data": memory, "size": len(candidates), "selected": -1})
        self._call(lib.bregman_apply, array)
        selected = int(array.selected)
        return Applied(candidates[: array.size], selected if selected >= 0 else None, bool(array.sorted))
