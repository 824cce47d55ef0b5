"""The stages that transformers also has."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from transformers import (
    EpsilonLogitsWarper,
    EtaLogitsWarper,
    ExponentialDecayLengthPenalty,
    ForcedBOSTokenLogitsProcessor,
    ForcedEOSTokenLogitsProcessor,
    LogitsProcessorList,
    MinLengthLogitsProcessor,
    MinPLogitsWarper,
    NoBadWordsLogitsProcessor,
    NoRepeatNGramLogitsProcessor,
    RepetitionPenaltyLogitsProcessor,
    SequenceBiasLogitsProcessor,
    TemperatureLogitsWarper,
    TopHLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
    TypicalLogitsWarper,
)

#: Whether rounding to single precision, or the order of equal tokens, can decide if these tokens are kept.
Near = Callable[[np.ndarray, np.ndarray], bool]

#: Largest difference that rounding explains: relative for probabilities, absolute for masses.
CLOSE = 1e-5


def equal(p: np.ndarray, differing: np.ndarray) -> bool:
    """The tokens have equal probability at the threshold: transformers keeps all of these, bregman k in total."""
    return bool(np.ptp(p[differing]) <= CLOSE * p[differing].max() and _has_neighbour(p, differing))


def _has_neighbour(p: np.ndarray, differing: np.ndarray) -> bool:
    gap = np.abs(p[differing][:, None] - np.delete(p, differing)[None, :])
    return bool(gap.min() <= CLOSE * p[differing].max())


def down_to(level: Callable[[np.ndarray], float]) -> Near:
    """The probability is within rounding of the smallest that is kept."""
    return lambda p, differing: bool(np.all(np.abs(p[differing] / level(p) - 1) <= CLOSE))


def min_p(fraction: float) -> Near:
    """As `down_to` a fraction of the largest."""
    return down_to(lambda p: fraction * p.max())


def epsilon(cutoff: float) -> Near:
    """As `down_to` a fixed probability."""
    return down_to(lambda p: cutoff)


def eta(cutoff: float) -> Near:
    """As `down_to` a probability that falls with the entropy."""
    return down_to(lambda p: min(cutoff, np.sqrt(cutoff) * np.exp(-np.sum(_entropy_terms(p)))))


def _entropy_terms(p: np.ndarray) -> np.ndarray:
    return np.where(p > 0, -p * np.log(np.maximum(p, np.finfo(p.dtype).tiny)), 0)


def _surprise(p: np.ndarray) -> np.ndarray:
    with np.errstate(divide="ignore"):
        return -np.log(p)


def _atypicality(p: np.ndarray) -> np.ndarray:
    return np.abs(_surprise(p) - _entropy_terms(p).sum())


def _head_entropy(p: np.ndarray) -> np.ndarray:
    head = np.argsort(-p, kind="stable")[:100]
    terms = np.zeros_like(p)
    terms[head] = _entropy_terms(p[head] / p[head].sum())
    return terms


def share(
    target: float,
    key: Callable[[np.ndarray], np.ndarray] = _surprise,
    weight: Callable[[np.ndarray], np.ndarray] = lambda p: p,
) -> Near:
    """Tokens in ascending order of a key: the weight before the token is within rounding of the target."""

    def near(p: np.ndarray, differing: np.ndarray) -> bool:
        keys, weights = key(p), weight(p) / weight(p).sum()
        before = np.array([weights[keys < keys[token] - CLOSE].sum() for token in differing])
        tied = np.array([weights[np.abs(keys - keys[token]) <= CLOSE].sum() for token in differing])
        return bool(np.all((before - CLOSE <= target) & (target <= before + tied + CLOSE)))

    return near


def mass(target: float) -> Near:
    """The mass of the more likely tokens is within rounding of the target."""
    return share(target)


def typical(target: float) -> Near:
    """The mass of the more typical tokens is within rounding of the target."""
    return share(target, key=_atypicality)


def top_h(target: float) -> Near:
    """The entropy of the more likely of the first hundred tokens is within rounding of the target."""
    return share(target, weight=_head_entropy)


def never(p: np.ndarray, differing: np.ndarray) -> bool:
    """No token may differ."""
    return False


class Stage(NamedTuple):
    """A chain, transformers' processors for it, and when the two may keep different tokens."""

    chain: str
    theirs: LogitsProcessorList
    near: Near


def _stage(chain: str, *theirs: object, near: Near) -> Stage:
    return Stage(chain, LogitsProcessorList(theirs), near)


def history(row: np.ndarray) -> list[int]:
    """Eleven tokens, the row's most likely ones among them, that end with a pair which occurs before."""
    first, second, third = np.argsort(-row, kind="stable")[:3].tolist()
    return [first, 8, 6, second, third, first, first, 8, 6, 8, 6]


STAGES = [
    _stage("temperature(0.7)", TemperatureLogitsWarper(0.7), near=never),
    _stage("temperature(1.9)", TemperatureLogitsWarper(1.9), near=never),
    _stage("top_k(1)", TopKLogitsWarper(1), near=equal),
    _stage("top_k(40)", TopKLogitsWarper(40), near=equal),
    _stage("top_k(1500)", TopKLogitsWarper(1500), near=equal),
    _stage("top_p(0.5)", TopPLogitsWarper(0.5), near=mass(0.5)),
    _stage("top_p(0.95)", TopPLogitsWarper(0.95), near=mass(0.95)),
    _stage("top_p(0.1, min_keep=4)", TopPLogitsWarper(0.1, min_tokens_to_keep=4), near=equal),
    _stage("min_p(0.02)", MinPLogitsWarper(0.02), near=min_p(0.02)),
    _stage("min_p(0.2)", MinPLogitsWarper(0.2), near=min_p(0.2)),
    _stage("min_p(0.9, min_keep=3)", MinPLogitsWarper(0.9, min_tokens_to_keep=3), near=equal),
    _stage("typical(0.2)", TypicalLogitsWarper(0.2), near=typical(0.2)),
    _stage("typical(0.9)", TypicalLogitsWarper(0.9), near=typical(0.9)),
    _stage("epsilon(3e-4)", EpsilonLogitsWarper(3e-4), near=epsilon(3e-4)),
    _stage("epsilon(0.02)", EpsilonLogitsWarper(0.02), near=epsilon(0.02)),
    _stage("epsilon(0.9, min_keep=3)", EpsilonLogitsWarper(0.9, min_tokens_to_keep=3), near=never),
    _stage("eta(3e-4)", EtaLogitsWarper(3e-4), near=eta(3e-4)),
    _stage("eta(0.02)", EtaLogitsWarper(0.02), near=eta(0.02)),
    _stage("top_h(0.4)", TopHLogitsWarper(0.4), near=top_h(0.4)),
    _stage("top_h(0.9)", TopHLogitsWarper(0.9), near=top_h(0.9)),
    _stage("penalties(1.3, scope=all)", RepetitionPenaltyLogitsProcessor(1.3), near=never),
    _stage("penalties(0.7, scope=all)", RepetitionPenaltyLogitsProcessor(0.7), near=never),
    _stage("no_repeat_ngram(1)", NoRepeatNGramLogitsProcessor(1), near=never),
    _stage("no_repeat_ngram(2)", NoRepeatNGramLogitsProcessor(2), near=never),
    _stage("no_repeat_ngram(3)", NoRepeatNGramLogitsProcessor(3), near=never),
    _stage(
        "bad_words(5; 6 7; 8 6 9; 7 6 10)", NoBadWordsLogitsProcessor([[5], [6, 7], [8, 6, 9], [7, 6, 10]]), near=never
    ),
    _stage("min_tokens(12, stop=2 3, scope=all)", MinLengthLogitsProcessor(12, [2, 3]), near=never),
    _stage("min_tokens(11, stop=2 3, scope=all)", MinLengthLogitsProcessor(11, [2, 3]), near=never),
    *(
        # Of eleven tokens: raised, raised beyond the sign of negative logits, lowered.
        _stage(
            f"length_decay(start=5, factor={factor}, stop=2 3 11, scope=all)",
            ExponentialDecayLengthPenalty((5, factor), [2, 3, 11], input_ids_seq_length=0),
            near=never,
        )
        for factor in (1.05, 1.5, 0.8)
    ),
    _stage(
        "length_decay(start=11, factor=1.5, stop=2, scope=all)",
        ExponentialDecayLengthPenalty((11, 1.5), 2, input_ids_seq_length=0),
        near=never,
    ),
    _stage(
        "sequence_bias(sequences=5; 8 6; 6 8 6 9; 7 6 10, bias=2.5)",
        SequenceBiasLogitsProcessor([[[5], 2.5], [[8, 6], 2.5], [[6, 8, 6, 9], 2.5], [[7, 6, 10], 2.5]]),
        near=never,
    ),
    _stage(
        "sequence_bias(sequences=6 9; 9, bias=-1.5) | sequence_bias(sequences=8 6 9; 10, bias=4)",
        SequenceBiasLogitsProcessor([[[6, 9], -1.5], [[9], -1.5], [[8, 6, 9], 4.0], [[10], 4.0]]),
        near=never,
    ),
    _stage("forced_tokens(n=11, tokens=9, scope=all)", ForcedEOSTokenLogitsProcessor(12, 9, "cpu"), near=never),
    _stage("forced_tokens(n=12, tokens=9, scope=all)", ForcedEOSTokenLogitsProcessor(13, 9, "cpu"), near=never),
    _stage("forced_tokens(n=1, tokens=9, scope=all)", ForcedBOSTokenLogitsProcessor(9), near=never),
    _stage("temperature(0.6) | top_k(50)", TemperatureLogitsWarper(0.6), TopKLogitsWarper(50), near=equal),
    _stage("temperature(1.2) | top_p(0.9)", TemperatureLogitsWarper(1.2), TopPLogitsWarper(0.9), near=mass(0.9)),
    _stage("temperature(0.8) | min_p(0.1)", TemperatureLogitsWarper(0.8), MinPLogitsWarper(0.1), near=min_p(0.1)),
]
