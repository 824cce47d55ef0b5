"""Verification of drafts: how many of their tokens are accepted, and the token that follows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from bregman._arguments import Sparse, batch_of, flags_of, int32s
from bregman._arrays import Array, check_dimensions
from bregman._batch import RESULT, Results, entered
from bregman._library import ffi, lib
from bregman._results import Distribution, Distributions, Want
from bregman._sampler import Sampler
from bregman.errors import BregmanError, InvalidArgumentError

_IDS, _FLOATS, _SIZES = ffi.typeof("int32_t[]"), ffi.typeof("float[]"), ffi.typeof("size_t[]")


class Rule(IntEnum):
    """How it is decided which tokens of a draft are accepted."""

    #: The chain draws each token as it does without a draft, and a drafted token that differs ends the draft: the text
    #: is that of decoding without a draft, token for token. For every chain, and for trees.
    MATCH = lib.BREGMAN_RULE_MATCH
    #: Token x is accepted with probability min(1, p(x) / q(x)), else replaced by one drawn from max(p - q, 0) (arXiv
    #: 2211.17192, 2302.01318): the text has the distribution of decoding without a draft. Not for chains that learn.
    TOKEN = lib.BREGMAN_RULE_TOKEN
    #: The block rule (arXiv 2403.10444), which accepts at least as many tokens on average as TOKEN, with the same
    #: distribution of the text. Not for chains that learn.
    BLOCK = lib.BREGMAN_RULE_BLOCK


@dataclass(frozen=True, eq=False)
class Draft:
    """Tokens that a draft model, or a table of n-grams, proposes for one sequence. Copies what it is given.

    Args:
        tokens: n token ids; none decodes the one row of the sequence.
        rule: how it is decided which are accepted.
        parents: None for a line, in which each token follows the one before. Else (MATCH only) for each token of a tree
            the place of the token that it follows, -1 for the accepted text; a token stands after the one that it
            follows.
        laws: the distributions that the tokens were drawn from, after the draft's own chain: one for each token, as
            `Sampler.distribution` or `distribution_batch` returns them (tokens in any order, none twice, probabilities
            that sum to 1 within 0.001). None if the tokens were not drawn: each then had probability 1. Not read with
            MATCH.

    Raises:
        InvalidArgumentError: different numbers of tokens, parents and laws, or offsets that do not fit the entries.
        TypeError: tokens or parents that are not integers.
    """

    tokens: npt.ArrayLike
    rule: Rule = Rule.MATCH
    parents: npt.ArrayLike | None = None
    laws: Distributions | Sequence[Distribution] | None = None
    _c: dict[str, Any] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Copies the arrays and checks their lengths; the library checks what is in them."""
        tokens = int32s(self.tokens, "tokens").copy()
        tokens.flags.writeable = False
        object.__setattr__(self, "tokens", tokens)
        c: dict[str, Any] = {"rule": Rule(self.rule), "tokens": ffi.from_buffer(_IDS, tokens), "n": len(tokens)}
        if self.parents is not None:
            parents = int32s(self.parents, "parents").copy()
            if len(parents) != len(tokens):
                raise InvalidArgumentError(f"there are {len(parents)} parents for {len(tokens)} tokens")
            c["parents"] = ffi.from_buffer(_IDS, parents)
        if self.laws is not None:
            offsets, ids, p = _joined(self.laws)
            if len(offsets) != len(tokens) + 1:
                raise InvalidArgumentError(f"there are {len(offsets) - 1} laws for {len(tokens)} tokens")
            if len(ids) != len(p) or offsets[0] != 0 or np.any(offsets[1:] < offsets[:-1]) or offsets[-1] > len(ids):
                raise InvalidArgumentError(
                    f"laws has {len(ids)} ids and {len(p)} probabilities, and offsets that do not ascend from 0 to that"
                )
            c |= {
                "q_offsets": ffi.from_buffer(_SIZES, offsets),
                "q_ids": ffi.from_buffer(_IDS, ids),
                "q_probs": ffi.from_buffer(_FLOATS, p),
            }
        object.__setattr__(self, "_c", c)

    def __len__(self) -> int:
        """The number of tokens."""
        return int(self._c["n"])


def _joined(laws: Distributions | Sequence[Distribution]) -> tuple[npt.NDArray[Any], ...]:
    """New arrays: offsets, ids and probabilities."""
    if isinstance(laws, Distributions):
        offsets, ids, p = (np.asarray(array) for array in laws)
    else:
        lengths = [len(law.ids) for law in laws]
        offsets = np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)])
        ids = np.concatenate([np.empty(0, np.int32), *(law.ids for law in laws)])
        p = np.concatenate([np.empty(0, np.float32), *(law.p for law in laws)])
        if [len(law.p) for law in laws] != lengths:
            raise InvalidArgumentError("a law has different numbers of ids and probabilities")
    check_dimensions(offsets, 1, "the laws' offsets")
    check_dimensions(p, 1, "the laws' probabilities")
    if offsets.dtype.kind not in "iu":
        raise TypeError(f"the laws' offsets have dtype {offsets.dtype}: they must be integers")
    if offsets.size == 0 or offsets.min() < 0:
        raise InvalidArgumentError("the laws' offsets must begin with 0")
    return offsets.astype(np.uintp), int32s(ids, "the laws' ids").copy(), p.astype(np.float32)


class Verified(NamedTuple):
    """The result of `verify`. Sequence s has the rows first[s] to first[s + 1] - 1."""

    #: Number of accepted drafted tokens, one for each sequence; uint32.
    accepted: npt.NDArray[np.uint32]
    #: One result for each row, of dtype `RESULT`: of each sequence's the first accepted + 1 are its new tokens in
    #: order, the others have token -1 and status 0.
    results: Results
    #: One number for each row, int32: of each sequence's the first accepted are the places of the accepted tokens in
    #: its draft, the others -1.
    path: npt.NDArray[np.int32]
    #: The first row of each sequence, and the number of rows; int64.
    first: npt.NDArray[np.int64]

    def tokens(self, sequence: int) -> npt.NDArray[np.int32]:
        """The new tokens of a sequence in order: the accepted ones, and the one that follows; none if it failed."""
        new = self.results[self.first[sequence] : self.first[sequence + 1]]["token"][: self.accepted[sequence] + 1]
        return np.asarray(new[new >= 0])


def verify(
    samplers: Sequence[Sampler],
    drafts: Sequence[Draft],
    logits: Array,
    *,
    mask: Array | None = None,
    want: Want = Want.NOTHING,
    accept: bool = False,
    threads: int = 0,
    check: bool = True,
    ids: npt.NDArray[np.int32] | None = None,
    lengths: npt.ArrayLike | None = None,
    log_rest: npt.ArrayLike | None = None,
    bound: npt.ArrayLike | None = None,
    rest_temperature: float = 1.0,
) -> Verified:
    """Finds how many tokens of each draft are accepted, and draws the token that follows them, in one call.

    Sequence s has len(drafts[s]) + 1 consecutive rows of logits: first those after its accepted text, then those after
    each drafted token and what it follows. Before each row is decoded the tokens accepted so far are in the history of
    the sampler. Afterwards the accepted drafted tokens are in it, and the position has moved by accepted + 1; the last
    new token is appended with `accept`, else call `Sampler.accept` with it.

    With `Rule.MATCH` tokens and results are those of decoding one row after the other. With the other rules the random
    numbers are independent of those of `decode`, so a draft that was drawn with the same seed does no harm.

    Sequences are independent: one that fails changes nothing in its sampler and does not affect the others. Their order
    and the number of threads change no token. While the call runs (it releases the interpreter's lock), no other thread
    may use the samplers or change the arrays.

    Args:
        samplers: a different one for each sequence. If one is named twice, its second sequence fails.
        drafts: one for each sequence.
        logits: shape (sum of len(draft) + 1, vocabulary), as in `decode_batch`.
        mask: one row for each row of logits, as in `decode_batch`.
        want: the optional fields of the results.
        accept: whether the last new token of each sequence is appended to its history.
        threads: as in `decode_batch`.
        check: whether to raise if a sequence failed. The exception is that of the first, with `row` (its number) and
            `results`.
        ids: None for whole rows; else the rows are sparse, with `lengths`, `log_rest`, `bound` and `rest_temperature`,
            all as in `decode_batch`. For `Rule.MATCH` only: the other rules accept a token by its exact probability,
            which a sparse row gives to 1e-6.
        lengths: see `ids`.
        log_rest: see `ids`.
        bound: see `ids`.
        rest_temperature: see `ids`.

    Raises:
        InvalidArgumentError: wrong shapes or numbers, a sampler that is closed or in use: then nothing was verified.
            Also a draft that is invalid, such as a token with probability 0 under its own law.
        UnsupportedError: a chain that learns, or sparse rows, with another rule than MATCH.
        BregmanError: as `Sampler.decode`, for the first sequence that failed.
        TypeError: a wrong dtype, or no array.
    """
    if len(drafts) != len(samplers):
        raise InvalidArgumentError(f"there are {len(samplers)} samplers and {len(drafts)} drafts")
    sparse = Sparse(ids, lengths, log_rest, bound, rest_temperature)
    batch, owners = batch_of(logits, mask, flags_of(want, accept, False), threads, sparse=sparse)
    first = np.concatenate([[0], np.cumsum([len(draft) + 1 for draft in drafts], dtype=np.int64)])
    if batch.rows != first[-1]:
        raise InvalidArgumentError(f"there are {batch.rows} rows of logits: the drafts need {first[-1]}")
    accepted, path = np.zeros(len(samplers), np.uint32), np.full(batch.rows, -1, np.int32)
    results: Results = np.zeros(batch.rows, RESULT)
    verified = Verified(accepted, results, path, first)
    if not samplers:
        return verified
    array = ffi.new("bregman_draft[]", len(drafts))
    for c, draft in zip(array, drafts):
        c.struct_size = ffi.sizeof("bregman_draft")
        for name, value in draft._c.items():
            setattr(c, name, value)
    failure: BregmanError | None = None
    with entered(samplers, "sequence") as handles:
        outputs = ffi.from_buffer("uint32_t[]", accepted), ffi.from_buffer(_IDS, path)
        status = lib.bregman_verify(
            handles, array, len(samplers), batch, *outputs, ffi.from_buffer("bregman_result[]", results)
        )
        del owners
        if check and status:
            statuses = results["status"][first[:-1]]
            sequence = int(np.flatnonzero(statuses)[0])
            failure = samplers[sequence]._failure(int(statuses[sequence]))
            failure.row, failure.results = sequence, results
    if failure is not None:
        raise failure
    return verified
