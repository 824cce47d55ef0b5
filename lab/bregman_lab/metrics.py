"""Scores of decoded distributions, and intervals for them.

`q` is always the probability that a decoder gives to the token that was right.
"""

from __future__ import annotations

import numpy as np

#: ε of the ε-perplexity, arXiv 2004.02644.
EPSILON = 1e-5


def brier(q: np.ndarray, squares: np.ndarray) -> np.ndarray:
    """The sum of squared differences from the one-hot truth; the sparsemax score is 1 less half of it."""
    return 1 - 2 * q.astype(np.float64) + squares


def log_score(q: np.ndarray) -> np.ndarray:
    """-ln q in nats; infinite where the token that was right was dropped."""
    with np.errstate(divide="ignore"):
        return -np.log(q.astype(np.float64))


def epsilon_log_score(q: np.ndarray, n_vocab: int, epsilon: float = EPSILON) -> np.ndarray:
    """-ln of (q + ε) / (1 + ε V); e to its mean is the ε-perplexity."""
    return -np.log((q.astype(np.float64) + epsilon) / (1 + epsilon * n_vocab))


def jensen_shannon(q: np.ndarray) -> np.ndarray:
    """The Jensen-Shannon divergence of a distribution from the one-hot truth, in nats."""
    q = q.astype(np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        own = np.where(q > 0, q * np.log(2 * q / (1 + q)), 0.0)
    return (np.log(2) - np.log1p(q) + (1 - q) * np.log(2) + own) / 2


def counts(strata: np.ndarray, resamples: int = 1000, seed: int = 1) -> np.ndarray:
    """How often each unit is drawn in each resample, (resamples, units): with replacement, within its stratum."""
    rng = np.random.default_rng(seed)
    drawn = np.zeros((resamples, len(strata)))
    for stratum in np.unique(strata):
        members = np.flatnonzero(strata == stratum)
        drawn[:, members] = rng.multinomial(len(members), np.full(len(members), 1 / len(members)), size=resamples)
    return drawn


def interval(drawn: np.ndarray, level: float = 0.95) -> tuple[np.ndarray, np.ndarray]:
    """The percentile interval of a statistic's resampled values, which are along axis 0."""
    low, high = np.nanquantile(drawn, [(1 - level) / 2, (1 + level) / 2], axis=0)
    return low, high


def bootstrap_mean(
    values: np.ndarray, strata: np.ndarray | None = None, resamples: int = 1000, seed: int = 1
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The mean over axis 0, whose units are independent, and its 95 % percentile interval."""
    values = np.asarray(values, np.float64)
    drawn = counts(np.zeros(len(values)) if strata is None else strata, resamples, seed)
    flat = values.reshape(len(values), -1)
    low, high = interval((drawn @ flat / len(values)).reshape(resamples, *values.shape[1:]))
    return values.mean(axis=0), low, high


def by_item(values: np.ndarray, item: np.ndarray) -> np.ndarray:
    """Means over the rows of each item, which are not independent of each other; items ascending."""
    edges = np.flatnonzero(np.r_[True, item[1:] != item[:-1]])
    sums = np.add.reduceat(values.astype(np.float64), edges, axis=0)
    sizes = np.diff(np.r_[edges, len(item)])
    return sums / sizes.reshape(-1, *[1] * (values.ndim - 1))


def at_equal_support(support: np.ndarray, score: np.ndarray, target: float) -> float:
    """The score at a mean support of `target`, by interpolation in ln support between measured parameters.

    NaN outside of the measured range.
    """
    order = np.argsort(support, kind="stable")
    x, y = np.log(support[order]), score[order]
    if not x[0] - 1e-9 <= np.log(target) <= x[-1] + 1e-9:
        return float("nan")
    return float(np.interp(np.log(target), x, y))


def frontier(gain: np.ndarray, accuracy: np.ndarray) -> np.ndarray:
    """The points that no other beats in both: indices, by ascending gain."""
    order = np.lexsort((-accuracy, -gain))
    best, kept = -np.inf, []
    for i in order:
        if accuracy[i] > best:
            kept.append(i)
            best = accuracy[i]
    return np.array(kept[::-1], int)


def best_of(accuracy: np.ndarray, gain: np.ndarray, least_gain: float) -> int:
    """The most accurate configuration with at least this gain; -1 if there is none."""
    allowed = np.flatnonzero(gain >= least_gain)
    return int(allowed[np.argmax(accuracy[allowed])]) if len(allowed) else -1


def expected_best(values: np.ndarray, budget: int) -> float:
    """The expected maximum over `budget` configurations drawn without replacement: what tuning with a budget buys."""
    ranked = np.sort(values)
    n = len(ranked)
    # Probability that the i-th smallest is the largest of the draw: C(i, budget - 1) / C(n, budget).
    i = np.arange(n)
    weights = np.zeros(n)
    for j in i[budget - 1 :]:
        weights[j] = np.prod([(j - m) / (m + 1) for m in range(budget - 1)])
    return float(weights @ ranked / weights.sum())
