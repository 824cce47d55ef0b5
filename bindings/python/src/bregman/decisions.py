"""Decisions beside the decoder: among finished candidates, experts or answers instead of tokens.

    best = bregman.decisions.best_of_n(p, rewards, 8)
    arm = bregman.decisions.next_arm(means, pulls, seed=1, position=pulls.sum()).arm

Arguments are numpy arrays, or anything that numpy converts to float64; results are new arrays. The numbers have the
same bits on every machine and in every language. Functions are thread-safe. An argument out of its range raises
`bregman.InvalidArgumentError`. docs/decisions.md in the sources says what a chain over a row of rewards or router
logits does already.
"""

from __future__ import annotations

import operator
from enum import IntEnum
from typing import Any, NamedTuple, SupportsIndex

import numpy as np
import numpy.typing as npt

from bregman import errors
from bregman._arguments import uint64
from bregman._library import ffi, lib, text
from bregman.errors import InvalidArgumentError

__all__ = [
    "ArmRule",
    "BestOfN",
    "Bounds",
    "Calibration",
    "GateConvention",
    "NextArm",
    "RewardLaw",
    "Routes",
    "SoftValues",
    "Verdict",
    "abstain",
    "best_arm",
    "best_of_n",
    "best_of_n_bounds",
    "best_of_n_kl_estimates",
    "calibration_error",
    "distortion",
    "distortion_of_logprobs",
    "next_arm",
    "route",
    "soft_values",
]

_DOUBLES, _INT32S, _UINT32S = ffi.typeof("double[]"), ffi.typeof("int32_t[]"), ffi.typeof("uint32_t[]")
_UINT64S, _BYTES = ffi.typeof("uint64_t[]"), ffi.typeof("uint8_t[]")
_MESSAGE = 1024


class GateConvention(IntEnum):
    """How a model turns router logits h into experts and weights."""

    #: Softmax over all experts, the k largest, renormalised.
    MIXTRAL = lib.BREGMAN_GATE_MIXTRAL
    #: Qwen2-MoE: softmax over all experts, the k largest, not renormalised.
    QWEN2 = lib.BREGMAN_GATE_QWEN2
    #: Qwen3-MoE: as Mixtral.
    QWEN3 = lib.BREGMAN_GATE_QWEN3
    #: The k largest logits, softmax over these: the same weights as Mixtral's.
    GPT_OSS = lib.BREGMAN_GATE_GPT_OSS
    #: The k largest logits, the sigmoid of each.
    LLAMA4 = lib.BREGMAN_GATE_LLAMA4
    #: And GLM-4-MoE: s = sigmoid(h); the k largest s + bias within the best groups; weights s / (Σs + 1e-20) × scale.
    DEEPSEEK_V3 = lib.BREGMAN_GATE_DEEPSEEK_V3


class RewardLaw(IntEnum):
    """What the rewards of an arm are like."""

    #: Normal with a known standard deviation, the same for all arms.
    GAUSSIAN = lib.BREGMAN_REWARDS_GAUSSIAN
    #: 0 or 1.
    BERNOULLI = lib.BREGMAN_REWARDS_BERNOULLI


class ArmRule(IntEnum):
    """How the challenger of the leader is found."""

    #: Top-two Thompson sampling: the posterior is drawn again until another arm leads.
    TTTS = lib.BREGMAN_ARMS_TTTS
    #: The arm with the smallest transport cost from the leader; of several the draw decides.
    T3C = lib.BREGMAN_ARMS_T3C


class BestOfN(NamedTuple):
    """The law of best-of-n."""

    #: Probability of each outcome, float64.
    law: npt.NDArray[np.float64]
    #: Its Kullback-Leibler divergence from the law of one candidate, in nats.
    kl: float
    #: Probability that it beats one more candidate; ties count one half.
    win_rate: float


class Bounds(NamedTuple):
    """What best-of-n cannot exceed, whatever the model and the reward."""

    #: The largest divergence from the law of one candidate, in nats.
    kl: float
    #: The largest win rate against one candidate.
    win_rate: float


class SoftValues(NamedTuple):
    """Weights of candidates and their soft values."""

    #: float64, in the shape of the values; they sum to 1 in each row.
    weights: npt.NDArray[np.float64]
    #: One for each row, float64, in the unit of the values.
    values: npt.NDArray[np.float64]


class Routes(NamedTuple):
    """Experts and weights, in the shape of the logits with `top_k` for the last dimension."""

    #: The chosen experts, int32, in descending order of what they were chosen by (ties: ascending id).
    ids: npt.NDArray[np.int32]
    #: The weight of each, float64.
    weights: npt.NDArray[np.float64]


class NextArm(NamedTuple):
    """The arm to pull."""

    arm: int
    #: The leader: `arm` itself, or the arm that `arm` challenges.
    leader: int


class Verdict(NamedTuple):
    """Whether the best arm is known."""

    #: Whether `best` may be returned now.
    stop: bool
    #: The arm with the largest mean (ties: the lowest); 0 if no arm was pulled.
    best: int
    #: The evidence for it; 0 while an arm was not pulled, infinity for a single arm.
    statistic: float
    #: What the statistic must reach.
    threshold: float


class Calibration(NamedTuple):
    """The squared calibration error."""

    #: Number of cells with at least one sample.
    cells: int
    #: An unbiased estimate of the squared error of the binned probabilities; negative at times if that is near 0.
    squared_error: float
    #: Number of samples times the variance of `squared_error`, estimated.
    variance: float
    #: Lower end of the interval for the squared error, at least 0.
    lower: float
    #: Upper end of the interval.
    upper: float
    #: p-value of the test that the probabilities are calibrated; NaN without resamples.
    p_value: float


def _doubles(array: Any, name: str, dimensions: tuple[int, ...] = (1,)) -> npt.NDArray[np.float64]:
    """A contiguous array of float64 with one of these numbers of dimensions."""
    numbers = np.asarray(array)
    if numbers.dtype.kind not in "fiu" and numbers.size:
        raise TypeError(f"{name} has dtype {numbers.dtype}: it must be of real numbers")
    if numbers.ndim not in dimensions:
        expected = " or ".join(map(str, dimensions))
        raise InvalidArgumentError(
            f"{name} has {numbers.ndim} dimensions, not {expected}: its shape is {numbers.shape}"
        )
    return np.ascontiguousarray(numbers, np.float64)


def _counts(array: Any, name: str, dtype: type[np.unsignedinteger[Any]]) -> npt.NDArray[Any]:
    """A contiguous array of one dimension of whole numbers that are not negative."""
    numbers = np.asarray(array)
    if numbers.dtype.kind not in "iub" and numbers.size:
        raise TypeError(f"{name} has dtype {numbers.dtype}: it must be of whole numbers")
    if numbers.ndim != 1:
        raise InvalidArgumentError(f"{name} has {numbers.ndim} dimensions, not 1: its shape is {numbers.shape}")
    if numbers.size and (int(numbers.min()) < 0 or int(numbers.max()) > np.iinfo(dtype).max):
        raise InvalidArgumentError(f"{name} has a number that is negative or above {np.iinfo(dtype).max}")
    return np.ascontiguousarray(numbers, dtype)


def _same_length(a: npt.NDArray[Any], name: str, b: npt.NDArray[Any], other: str) -> None:
    if a.shape != b.shape:
        raise InvalidArgumentError(f"{name} has the shape {a.shape}, {other} has {b.shape}")


def _size(value: SupportsIndex, name: str, most: int = (1 << 63) - 1) -> int:
    number = operator.index(value)
    if not 0 <= number <= most:
        raise InvalidArgumentError(f"{name} is {number}: it must be from 0 to {most}")
    return number


def _pointer(array: npt.NDArray[Any], of: Any) -> Any:
    return ffi.from_buffer(of, array)


def _call(function: Any, *arguments: Any) -> None:
    message = ffi.new("char[]", _MESSAGE)
    status = function(*arguments, message, _MESSAGE)
    if status:
        raise errors.error(status, text(message))


def best_of_n(p: npt.ArrayLike, rewards: npt.ArrayLike, n: SupportsIndex) -> BestOfN:
    """The law of best-of-n: of `n` independent candidates the one with the highest reward is returned.

    For a host that reranks samples and wants to know what comes out. Not for choosing among candidates, which is a
    comparison of their rewards.

    Args:
        p: weights of the outcomes under the law of one candidate, not negative; they need not sum to 1.
        rewards: the reward of each, which may be infinite; equal ones are a tie, which the first candidate drawn wins.
        n: at least 1.

    Raises:
        InvalidArgumentError: an argument is out of its range or of another length.
        TypeError: an array is not of numbers.
    """
    weights, values = _doubles(p, "p"), _doubles(rewards, "rewards")
    _same_length(values, "rewards", weights, "p")
    law, kl, win_rate = np.empty_like(weights), ffi.new("double *"), ffi.new("double *")
    pointers = (_pointer(array, _DOUBLES) for array in (weights, values))
    _call(lib.bregman_best_of_n, *pointers, weights.size, uint64(n, "n"), _pointer(law, _DOUBLES), kl, win_rate)
    return BestOfN(law, kl[0], win_rate[0])


def best_of_n_bounds(n: SupportsIndex) -> Bounds:
    """The bounds ln n - (n - 1) / n and n / (n + 1) for best of `n`, at least 1.

    For a host that reports how far a reranker can depart from the model.

    Raises:
        InvalidArgumentError: `n` is 0.
    """
    kl, win_rate = ffi.new("double *"), ffi.new("double *")
    _call(lib.bregman_best_of_n_bounds, uint64(n, "n"), kl, win_rate)
    return Bounds(kl[0], win_rate[0])


def best_of_n_kl_estimates(log_epsilons: npt.ArrayLike, n: SupportsIndex) -> npt.NDArray[np.float64]:
    """Estimates of the divergence of best-of-n from the model, in nats, one for each prompt.

    For a report on a reranker, which states their mean.

    Args:
        log_epsilons: ln of the probability of each returned answer under the model, at most 0; of a sequence, the sum
            of its tokens' log-probabilities.
        n: the number of candidates of each prompt, at least 1.

    Raises:
        InvalidArgumentError: an argument is out of its range.
        TypeError: `log_epsilons` is not of numbers.
    """
    logs = _doubles(log_epsilons, "log_epsilons")
    estimates = np.empty_like(logs)
    arrays = _pointer(logs, _DOUBLES), logs.size, uint64(n, "n"), _pointer(estimates, _DOUBLES)
    _call(lib.bregman_best_of_n_kl_estimates, *arrays)
    return estimates


def soft_values(values: npt.ArrayLike, alpha: float, log_ratios: npt.ArrayLike | None = None) -> SoftValues:
    """Weights w ∝ exp(v / α + l) of candidates, and the soft value α ln of the mean of exp(v / α + l).

    For a host that steers a generation by a value of its continuations. Not for drawing one: `draw` over ln w does.

    Args:
        values: one row of values, or rows of them; finite or -infinity.
        alpha: positive and finite, in the unit of the values.
        log_ratios: None if the candidates were drawn from the model; otherwise, for each, ln of its probability under
            the model less ln of that under the proposal from which it was drawn.

    Returns:
        Weights in the shape of the values, and one soft value for each row.

    Raises:
        InvalidArgumentError: an argument is out of its range or of another shape, or a row has no positive weight.
        TypeError: an array is not of numbers.
    """
    v = _doubles(values, "values", (1, 2))
    ratios = ffi.NULL
    if log_ratios is not None:
        given = _doubles(log_ratios, "log_ratios", (1, 2))
        _same_length(given, "log_ratios", v, "values")
        ratios = _pointer(given, _DOUBLES)
    rows = 1 if v.ndim == 1 else v.shape[0]
    weights, soft = np.empty_like(v), np.empty(rows)
    arrays = _pointer(v, _DOUBLES), ratios, rows, v.shape[-1], float(alpha)
    _call(lib.bregman_soft_values, *arrays, _pointer(weights, _DOUBLES), _pointer(soft, _DOUBLES))
    return SoftValues(weights, soft)


def route(
    logits: npt.ArrayLike,
    convention: GateConvention,
    top_k: SupportsIndex,
    *,
    groups: SupportsIndex = 0,
    top_groups: SupportsIndex = 0,
    scale: float = 0.0,
    bias: npt.ArrayLike | None = None,
) -> Routes:
    """Routes rows of router logits to experts by the convention of a model.

    For routing on the CPU, or as a reference for another implementation. Not for a GPU, where the gate is part of a
    kernel.

    Args:
        logits: one row with a logit for each expert, or rows of them; finite or -infinity.
        convention: one of the models'.
        top_k: number of experts for each row, from 1 to the number that can be chosen.
        groups: DEEPSEEK_V3: number of groups of consecutive experts; 0 for 1.
        top_groups: DEEPSEEK_V3: number of groups from which experts are chosen; 0 for all.
        scale: DEEPSEEK_V3: factor of the weights; 0 for 1.
        bias: DEEPSEEK_V3: correction of each expert for the choice alone; None for none.

    Raises:
        InvalidArgumentError: an argument is out of its range; a row of a convention with softmax has only -infinity.
        TypeError: an array is not of numbers.
    """
    h = _doubles(logits, "logits", (1, 2))
    correction = None if bias is None else _doubles(bias, "bias")
    if correction is not None and correction.size != h.shape[-1]:
        raise InvalidArgumentError(f"bias has {correction.size} elements, there are {h.shape[-1]} experts")
    options = ffi.new("bregman_gate_options *")
    options.struct_size = ffi.sizeof("bregman_gate_options")
    options.convention = _size(convention, "convention", (1 << 32) - 1)
    options.experts, options.top_k = h.shape[-1], _size(top_k, "top_k")
    options.groups, options.top_groups = _size(groups, "groups"), _size(top_groups, "top_groups")
    options.scale = float(scale)
    # A top_k that is too large fails before anything is written.
    shape = (*h.shape[:-1], min(options.top_k, options.experts))
    ids, weights = np.empty(shape, np.int32), np.empty(shape)
    _call(
        lib.bregman_route,
        options,
        ffi.NULL if correction is None else _pointer(correction, _DOUBLES),
        _pointer(h, _DOUBLES),
        1 if h.ndim == 1 else h.shape[0],
        _pointer(ids, _INT32S),
        _pointer(weights, _DOUBLES),
    )
    return Routes(ids, weights)


def _arms(means: npt.ArrayLike, pulls: npt.ArrayLike) -> tuple[Any, Any, int]:
    m, n = _doubles(means, "means"), _counts(pulls, "pulls", np.uint64)
    _same_length(n, "pulls", m, "means")
    return _pointer(m, _DOUBLES), _pointer(n, _UINT64S), m.size


def next_arm(
    means: npt.ArrayLike,
    pulls: npt.ArrayLike,
    *,
    seed: SupportsIndex,
    position: SupportsIndex,
    rule: ArmRule = ArmRule.T3C,
    rewards: RewardLaw = RewardLaw.BERNOULLI,
    sigma: float = 0.0,
    beta: float = 0.5,
    redraws: SupportsIndex = 0,
) -> NextArm:
    """The arm to pull next to find the one with the largest mean reward: a candidate to judge, a prompt to try.

    For a host that pays for every answer of a judge. Not for rewards on the way. An arm without pulls comes first,
    the lowest one.

    Args:
        means: the mean reward of each arm so far; not read for an arm without pulls.
        pulls: how often each was pulled.
        seed: with `position`, the random numbers, from 0 to 2**64 - 1.
        position: the number of pulls so far, so that no two calls use the same random numbers.
        rule: how the challenger of the leader is found.
        rewards: what the rewards are like; for BERNOULLI the means are from 0 to 1.
        sigma: GAUSSIAN: the standard deviation of one reward, positive. BERNOULLI: 0.
        beta: probability of pulling the leader, above 0 and at most 1.
        redraws: TTTS: after so many draws with the same leader the challenger is T3C's; 0 for 1000. T3C: 0.

    Raises:
        InvalidArgumentError: an argument is out of its range, or there are no arms.
        TypeError: an array is not of numbers.
    """
    options = ffi.new("bregman_arm_options *")
    options.struct_size = ffi.sizeof("bregman_arm_options")
    most = (1 << 32) - 1
    options.rule, options.rewards = _size(rule, "rule", most), _size(rewards, "rewards", most)
    options.redraws, options.sigma, options.beta = _size(redraws, "redraws", most), float(sigma), float(beta)
    arm, leader = ffi.new("size_t *"), ffi.new("size_t *")
    numbers = uint64(seed, "seed"), uint64(position, "position")
    _call(lib.bregman_next_arm, options, *_arms(means, pulls), *numbers, arm, leader)
    return NextArm(arm[0], leader[0])


def best_arm(
    means: npt.ArrayLike,
    pulls: npt.ArrayLike,
    delta: float,
    *,
    rewards: RewardLaw = RewardLaw.BERNOULLI,
    sigma: float = 0.0,
) -> Verdict:
    """Whether the arms were pulled often enough to return the best one.

    Args:
        means: as for `next_arm`.
        pulls: as for `next_arm`.
        delta: the accepted probability of a wrong arm, above 0 and below 1.
        rewards: as for `next_arm`.
        sigma: as for `next_arm`.

    Raises:
        InvalidArgumentError: an argument is out of its range, or there are no arms.
        TypeError: an array is not of numbers.
    """
    out = ffi.new("bregman_verdict *")
    out.struct_size = ffi.sizeof("bregman_verdict")
    law = _size(rewards, "rewards", (1 << 32) - 1), float(sigma)
    _call(lib.bregman_best_arm, *law, *_arms(means, pulls), float(delta), out)
    return Verdict(bool(out.stop), out.best, out.statistic, out.threshold)


def abstain(max_p: npt.ArrayLike, ratios: npt.ArrayLike, c_in: float, c_out: float) -> npt.NDArray[np.bool_]:
    """Whether to reject each input: (1 - c_in - c_out)(1 - max p) + c_out ρ > c_in.

    For a host that returns "I do not know" or asks a larger model. Not a detector: max p and ρ are the caller's.

    Args:
        max_p: the probability of the most likely answer, from 0 to 1.
        ratios: an estimate of ρ, how much likelier the input is under the other inputs than under those that the model
            was made for; not negative, infinity allowed.
        c_in: the cost of rejecting an input of the model's own.
        c_out: the cost of answering another one; an error on an own input costs 1 - c_in - c_out.

    Raises:
        InvalidArgumentError: an argument is out of its range or of another length.
        TypeError: an array is not of numbers.
    """
    p, rho = _doubles(max_p, "max_p"), _doubles(ratios, "ratios")
    _same_length(rho, "ratios", p, "max_p")
    rejects = np.empty(p.size, np.bool_)
    costs = float(c_in), float(c_out)
    pointers = _pointer(p, _DOUBLES), _pointer(rho, _DOUBLES), p.size
    _call(lib.bregman_abstain, *pointers, *costs, _pointer(rejects.view(np.uint8), _BYTES))
    return rejects


def calibration_error(
    probabilities: npt.ArrayLike,
    ranks: npt.ArrayLike,
    bins: SupportsIndex,
    *,
    level: float = 0.9,
    resamples: SupportsIndex = 0,
    seed: SupportsIndex = 0,
) -> Calibration:
    """The ℓ2 calibration error of the most likely classes, with an interval and a test.

    For a host that reports whether probabilities can be trusted. Not for small sets, where a cell of one sample says
    nothing. The ℓ2 error itself is the square root of `squared_error`, or 0 if that is negative.

    Args:
        probabilities: one confidence for each sample, or a row of the probabilities of its k most likely classes; from
            0 to 1, with a sum of at most 1 in a row.
        ranks: for each sample 1 if the first of these classes was right, 2 if the second was, and so on, 0 if none was;
            for confidences, whether the answer was right.
        bins: number of bins of the same width into which each probability is sorted.
        level: coverage of the interval, above 0 and below 1.
        resamples: sets of outcomes that the test draws, such as 999; 0 for no test.
        seed: the random numbers of the test, from 0 to 2**64 - 1.

    Raises:
        InvalidArgumentError: an argument is out of its range or of another length, or there are no samples.
        TypeError: an array is not of numbers.
    """
    z, hits = _doubles(probabilities, "probabilities", (1, 2)), _counts(ranks, "ranks", np.uint32)
    if hits.size != z.shape[0]:
        raise InvalidArgumentError(f"ranks has {hits.size} elements, probabilities has {z.shape[0]} rows")
    out = ffi.new("bregman_calibration *")
    out.struct_size = ffi.sizeof("bregman_calibration")
    shape = hits.size, 1 if z.ndim == 1 else z.shape[1], _size(bins, "bins")
    test = _size(resamples, "resamples", (1 << 32) - 1), uint64(seed, "seed")
    _call(
        lib.bregman_calibration_error,
        _pointer(z, _DOUBLES),
        _pointer(hits, _UINT32S),
        *shape,
        float(level),
        *test,
        out,
    )
    return Calibration(out.cells, out.squared_error, out.variance, out.lower, out.upper, out.p_value)


def distortion(log_kept: npt.ArrayLike) -> float:
    """The sum ln q - ln p = -Σ ln S of a sequence that was decoded by truncation and renormalisation, in nats.

    For a host that compares samples with the model's own law. Not a measure of quality.

    Args:
        log_kept: ln of the mass that was kept for each token, at most 0. The mass itself, in float32, has lost what is
            added up here.

    Raises:
        InvalidArgumentError: a number is out of its range.
        TypeError: `log_kept` is not of numbers.
    """
    logs, out = _doubles(log_kept, "log_kept"), ffi.new("double *")
    _call(lib.bregman_distortion, _pointer(logs, _DOUBLES), logs.size, out)
    return float(out[0])


def distortion_of_logprobs(decoded: npt.ArrayLike, model: npt.ArrayLike) -> float:
    """Σ (ln p̂ - ln p) over the tokens of a sequence, in nats: `distortion` for any decoder.

    Args:
        decoded: ln of each token's probability under the decoded distribution, at most 0.
        model: the same under the model.

    Raises:
        InvalidArgumentError: a number is out of its range, or the lengths differ.
        TypeError: an array is not of numbers.
    """
    first, second, out = _doubles(decoded, "decoded"), _doubles(model, "model"), ffi.new("double *")
    _same_length(second, "model", first, "decoded")
    arrays = _pointer(first, _DOUBLES), _pointer(second, _DOUBLES), first.size
    _call(lib.bregman_distortion_of_logprobs, *arrays, out)
    return float(out[0])
