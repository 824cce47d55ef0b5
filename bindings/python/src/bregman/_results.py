"""Types of results, and the constants that select them."""

from __future__ import annotations

from enum import IntEnum, IntFlag
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from bregman import _arrays
from bregman._library import lib

#: One candidate of an engine's own array: `id` (int32), `logit` and `p` (float32), 12 bytes.
CANDIDATE = _arrays.struct_dtype("bregman_candidate")


class Want(IntFlag):
    """Optional fields of a `Result`; each costs time. Combine them with `|`."""

    NOTHING = 0
    KEPT_MASS = lib.BREGMAN_WANT_KEPT_MASS
    MODEL_LOGPROB = lib.BREGMAN_WANT_MODEL_LOGPROB
    ENTROPY = lib.BREGMAN_WANT_ENTROPY
    LN_KEPT = lib.BREGMAN_WANT_LN_KEPT


class Source(IntEnum):
    """The distribution that log-probabilities and ranks refer to."""

    #: The model's: the softmax of the untouched logits, without mask, bias or stages, at temperature 1.
    MODEL = lib.BREGMAN_OF_MODEL
    #: The decoded distribution: after mask, bias and all stages.
    DECODED = lib.BREGMAN_OF_DECODED


class Result(NamedTuple):
    """The result of one row; fields that were not asked for are NaN."""

    #: The token's id.
    token: int
    #: Its probability under the decoded distribution, in (0, 1].
    p: float
    #: Number of tokens with positive probability.
    support: int
    #: The model's probability of the support, at the temperature in force at the first truncating stage
    #: (`Want.KEPT_MASS`).
    kept_mass: float
    #: Natural logarithm of the token's probability under the untouched logits (`Want.MODEL_LOGPROB`).
    model_logprob: float
    #: Entropy of the decoded distribution in nats (`Want.ENTROPY`).
    entropy: float
    #: Natural logarithm of the model's probability of the support, under the untouched logits at the temperature of the
    #: first truncating stage; at most 0, and exact near it (`Want.LN_KEPT`).
    ln_kept_mass: float


class Distribution(NamedTuple):
    """A decoded distribution, in descending order of probability (ties: ascending id)."""

    #: Token ids, int32.
    ids: npt.NDArray[np.int32]
    #: Their probabilities, float32; they sum to 1 up to rounding.
    p: npt.NDArray[np.float32]


class Distributions(NamedTuple):
    """The decoded distributions of several rows, one after the other."""

    #: Row r has the elements offsets[r] to offsets[r + 1] - 1 of the others; uintp, one more than there are rows.
    offsets: npt.NDArray[np.uintp]
    #: Token ids, int32, in descending order of probability within a row (ties: ascending id).
    ids: npt.NDArray[np.int32]
    #: Their probabilities, float32.
    p: npt.NDArray[np.float32]


class Logprobs(NamedTuple):
    """The most likely tokens of a row, in descending order (ties: ascending id)."""

    #: Token ids, int32.
    ids: npt.NDArray[np.int32]
    #: Natural logarithms of their probabilities, float32.
    logprobs: npt.NDArray[np.float32]


class Draws(NamedTuple):
    """Different tokens of one row, in the order in which they were drawn."""

    #: Token ids, int32.
    ids: npt.NDArray[np.int32]
    #: Natural logarithms of their probabilities under the decoded distribution, float32.
    logprobs: npt.NDArray[np.float32]
    #: Log-probability plus the token's Gumbel noise, float32, in descending order: the order of the draws.
    scores: npt.NDArray[np.float32]


class Applied(NamedTuple):
    """The result of `Sampler.apply`."""

    #: A view of the candidates that are kept.
    candidates: npt.NDArray[Any]
    #: Index in `candidates` of the token that a drawing stage took; None for a chain without one.
    selected: int | None
    #: Whether the candidates are in descending order of logit.
    sorted: bool
