"""The stages that transformers has as well: one line each."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from transformers import (
    LogitsProcessorList,
    MinPLogitsWarper,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

#: Whether single precision, or the order of equal tokens, may decide if a token is kept.
Near = Callable[[np.ndarray, np.ndarray], bool]

#: How near is near: relative for probabilities, absolute for masses.
CLOSE = 1e-5


def equal(p: np.ndarray, differing: np.ndarray) -> bool:
    """Transformers keeps all tokens that tie at the cut, we keep k, the lower ids; or the threshold is that near."""
    return bool(np.ptp(p[differing]) <= CLOSE * p[differing].max() and _has_neighbour(p, differing))


def _has_neighbour(p: np.ndarray, differing: np.ndarray) -> bool:
    gap = np.abs(p[differing][:, None] - np.delete(p, differing)[None, :])
    return bool(gap.min() <= CLOSE * p[differing].max())


def threshold(fraction: float) -> Near:
    """The probability is that near to a fraction of the largest."""
    return lambda p, differing: bool(np.all(np.abs(p[differing] / (fraction * p.max()) - 1) <= CLOSE))


def mass(target: float) -> Near:
    """The mass before the token is that near to the target; equal tokens in any order."""

    def near(p: np.ndarray, differing: np.ndarray) -> bool:
        before = np.array([p[p > p[token] * (1 + CLOSE)].sum() for token in differing])
        tied = np.array([p[np.abs(p / p[token] - 1) <= CLOSE].sum() for token in differing])
        return bool(np.all((before - CLOSE <= target) & (target <= before + tied + CLOSE)))

    return near


def never(p: np.ndarray, differing: np.ndarray) -> bool:
    """No token may differ."""
    return False


class Stage(NamedTuple):
    """A chain, what transformers does for it, and when the two may keep different tokens."""

    chain: str
    theirs: LogitsProcessorList
    near: Near


def _stage(chain: str, *theirs: object, near: Near) -> Stage:
    return Stage(chain, LogitsProcessorList(theirs), near)


STAGES = [
    _stage("temperature(0.7)", TemperatureLogitsWarper(0.7), near=never),
    _stage("temperature(1.9)", TemperatureLogitsWarper(1.9), near=never),
    _stage("top_k(1)", TopKLogitsWarper(1), near=equal),
    _stage("top_k(40)", TopKLogitsWarper(40), near=equal),
    _stage("top_k(1500)", TopKLogitsWarper(1500), near=equal),
    _stage("top_p(0.5)", TopPLogitsWarper(0.5), near=mass(0.5)),
    _stage("top_p(0.95)", TopPLogitsWarper(0.95), near=mass(0.95)),
    _stage("top_p(0.1, min_keep=4)", TopPLogitsWarper(0.1, min_tokens_to_keep=4), near=equal),
    _stage("min_p(0.02)", MinPLogitsWarper(0.02), near=threshold(0.02)),
    _stage("min_p(0.2)", MinPLogitsWarper(0.2), near=threshold(0.2)),
    _stage("min_p(0.9, min_keep=3)", MinPLogitsWarper(0.9, min_tokens_to_keep=3), near=equal),
    _stage("temperature(0.6) | top_k(50)", TemperatureLogitsWarper(0.6), TopKLogitsWarper(50), near=equal),
    _stage("temperature(1.2) | top_p(0.9)", TemperatureLogitsWarper(1.2), TopPLogitsWarper(0.9), near=mass(0.9)),
    _stage("temperature(0.8) | min_p(0.1)", TemperatureLogitsWarper(0.8), MinPLogitsWarper(0.1), near=threshold(0.1)),
]
