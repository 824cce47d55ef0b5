"""Decisions beside the decoder against their definitions in numpy and scipy, on random inputs."""

from __future__ import annotations

import subprocess
import sys
from typing import Any, Callable

import numpy as np
import pytest
from conftest import ROOT
from scipy import special, stats

import bregman
from bregman import decisions

Random = np.random.Generator


def law_of_best(p: np.ndarray, rewards: np.ndarray, n: int) -> np.ndarray:
    at_most = np.array([p[rewards <= r].sum() for r in rewards])
    below = np.array([p[rewards < r].sum() for r in rewards])
    equal = np.array([p[rewards == r].sum() for r in rewards])
    return (at_most**n - below**n) * p / equal


def kl_estimate(epsilon: float, n: int) -> float:
    chosen = 1 - (1 - epsilon) ** n
    others = (1 - epsilon) ** n * (np.log(n) + (n - 1) * np.log1p(-epsilon) - (n - 1) / n)
    return float(others + chosen * np.log(chosen / epsilon))


def test_best_of_n_is_its_definition(rng: Random) -> None:
    for _ in range(300):
        k, n = rng.integers(1, 30), int(rng.integers(1, 40))
        p = rng.dirichlet(np.full(k, 0.5))
        rewards = rng.integers(0, 8, k).astype(float)
        law, kl, win_rate = decisions.best_of_n(p, rewards, n)
        expected = law_of_best(p, rewards, n)
        np.testing.assert_allclose(law, expected, rtol=1e-9, atol=1e-14)
        np.testing.assert_allclose(kl, special.rel_entr(expected, p).sum(), rtol=1e-9, atol=1e-12)
        wins = [p[rewards < r].sum() + p[rewards == r].sum() / 2 for r in rewards]
        np.testing.assert_allclose(win_rate, expected @ wins, rtol=1e-9)
        bounds = decisions.best_of_n_bounds(n)
        np.testing.assert_allclose(bounds, (np.log(n) - (n - 1) / n, n / (n + 1)), rtol=1e-12, atol=1e-15)
        estimates = decisions.best_of_n_kl_estimates(np.log(p), n)
        inside = (p > 1e-6) & (p < 1 - 1e-6)
        exact = [kl_estimate(e, n) for e in p[inside]]
        np.testing.assert_allclose(estimates[inside], exact, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("with_ratios", [False, True])
def test_soft_values_are_their_definition(rng: Random, *, with_ratios: bool) -> None:
    for _ in range(200):
        v = rng.normal(size=(rng.integers(1, 5), rng.integers(1, 20)))
        ratios = rng.normal(size=v.shape) if with_ratios else None
        alpha = float(rng.uniform(0.05, 3))
        x = v / alpha + (0 if ratios is None else ratios)
        soft = decisions.soft_values(v, alpha, ratios)
        np.testing.assert_allclose(soft.weights, special.softmax(x, axis=1), rtol=1e-12)
        expected = alpha * (special.logsumexp(x, axis=1) - np.log(v.shape[1]))
        np.testing.assert_allclose(soft.values, expected, rtol=1e-11, atol=1e-12)
        one = decisions.soft_values(v[0], alpha, None if ratios is None else ratios[0])
        assert np.array_equal(one.weights, soft.weights[0])


def top(x: np.ndarray, k: int) -> np.ndarray:
    return np.argsort(-x, kind="stable")[:k]


def softmax_of_chosen(h: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    return top(h, k), special.softmax(h[top(h, k)])


GATES: dict[decisions.GateConvention, Callable[[np.ndarray, int], tuple[np.ndarray, np.ndarray]]] = {
    decisions.GateConvention.MIXTRAL: softmax_of_chosen,
    decisions.GateConvention.QWEN2: lambda h, k: (top(h, k), special.softmax(h)[top(h, k)]),
    decisions.GateConvention.QWEN3: softmax_of_chosen,
    decisions.GateConvention.GPT_OSS: softmax_of_chosen,
    decisions.GateConvention.LLAMA4: lambda h, k: (top(h, k), special.expit(h[top(h, k)])),
}


def test_routes_are_the_models(rng: Random) -> None:
    for _ in range(100):
        h = 2 * rng.normal(size=(rng.integers(1, 4), 16))
        for convention, gate in GATES.items():
            routes = decisions.route(h, convention, 4)
            for row, ids, weights in zip(h, *routes):
                expected = gate(row, 4)
                assert np.array_equal(ids, expected[0])
                np.testing.assert_allclose(weights, expected[1], rtol=1e-13)


def test_routes_in_groups_are_deepseeks(rng: Random) -> None:
    for _ in range(200):
        h, bias = 2 * rng.normal(size=16), 0.3 * rng.normal(size=16)
        s = special.expit(h)
        choice = (s + bias).reshape(4, 4)
        best = top(np.sort(choice)[:, -2:].sum(1), 2)
        masked = np.full_like(choice, -np.inf)
        masked[best] = choice[best]
        ids = top(masked.ravel(), 3)
        routes = decisions.route(
            h, decisions.GateConvention.DEEPSEEK_V3, 3, groups=4, top_groups=2, scale=2.5, bias=bias
        )
        assert np.array_equal(routes.ids, ids)
        np.testing.assert_allclose(routes.weights, s[ids] / (s[ids].sum() + 1e-20) * 2.5, rtol=1e-13)


def transport(rewards: decisions.RewardLaw, mu: np.ndarray, n: np.ndarray, i: int, j: int) -> float:
    if mu[i] <= mu[j]:
        return 0.0
    if rewards == decisions.RewardLaw.GAUSSIAN:
        return float((mu[i] - mu[j]) ** 2 / (2 * 0.3**2 * (1 / n[i] + 1 / n[j])))
    x = (n[i] * mu[i] + n[j] * mu[j]) / (n[i] + n[j])
    divergence = special.rel_entr(mu, x) + special.rel_entr(1 - mu, 1 - x)
    return float(n[i] * divergence[i] + n[j] * divergence[j])


@pytest.mark.parametrize("rewards", decisions.RewardLaw)
def test_verdicts_are_their_definition(rng: Random, rewards: decisions.RewardLaw) -> None:
    sigma = 0.3 if rewards == decisions.RewardLaw.GAUSSIAN else 0.0
    for _ in range(200):
        k = int(rng.integers(2, 7))
        mu, n = rng.uniform(size=k), rng.integers(1, 300, k)
        verdict = decisions.best_arm(mu, n, 0.05, rewards=rewards, sigma=sigma)
        costs = [[transport(rewards, mu, n, i, j) for j in range(k) if j != i] for i in range(k)]
        np.testing.assert_allclose(verdict.statistic, max(map(min, costs)), rtol=1e-10)
        threshold = np.log((1 + np.log(n.sum())) / 0.05)
        np.testing.assert_allclose(verdict.threshold, threshold, rtol=1e-12)
        assert verdict.stop == (verdict.statistic >= verdict.threshold)
        assert verdict.best == mu.argmax()
        arm = decisions.next_arm(mu, n, seed=1, position=n.sum(), rewards=rewards, sigma=sigma)
        assert arm == decisions.next_arm(mu, n, seed=1, position=int(n.sum()), rewards=rewards, sigma=sigma)


def test_abstention_is_its_definition(rng: Random) -> None:
    p, rho = rng.uniform(size=1000), rng.exponential(size=1000)
    rejects = decisions.abstain(p, rho, 0.2, 0.3)
    assert rejects.dtype == np.bool_
    assert np.array_equal(rejects, 0.5 * (1 - p) + 0.3 * rho > 0.2)


def calibration(y: np.ndarray, z: np.ndarray, bins: int) -> tuple[float, float]:
    n, k = z.shape
    index = np.minimum((z * bins).astype(int), bins - 1)
    key = (index * bins ** np.arange(k)[::-1]).sum(1)
    u = y - z
    statistic = first = second = 0.0
    for cell in np.unique(key):
        of_cell = u[key == cell]
        m, total, mean = len(of_cell), of_cell.sum(0), of_cell.mean(0)
        if m > 1:
            statistic += (total @ total - (of_cell**2).sum()) / (m - 1)
        first += m / n * (4 * mean @ (of_cell.T @ of_cell / m) @ mean - 3 * (mean @ mean) ** 2)
        second += m / n * (mean @ mean)
    return statistic / n, first - second**2


@pytest.mark.parametrize("k", [1, 2, 3])
def test_calibration_is_its_definition(rng: Random, k: int) -> None:
    for _ in range(50):
        n, bins = int(rng.integers(20, 400)), int(rng.integers(1, 12))
        z = rng.dirichlet(np.full(k + 1, 0.7), n)[:, :k]
        ranks = rng.integers(0, k + 1, n)
        y = (ranks[:, None] == np.arange(1, k + 1)).astype(float)
        found = decisions.calibration_error(z, ranks, bins, level=0.9, resamples=19, seed=1)
        t, variance = calibration(y, z, bins)
        np.testing.assert_allclose((found.squared_error, found.variance), (t, variance), rtol=1e-9, atol=1e-12)
        deviation, at_least = np.sqrt(max(variance, 0) / n), max(t, 0.0)
        one, two = stats.norm.ppf(0.9) * deviation, stats.norm.ppf(0.95) * deviation
        lower = at_least - two if at_least >= 2 * two else at_least / 2 if at_least >= 2 * one else at_least - one
        np.testing.assert_allclose((found.lower, found.upper), (max(lower, 0), at_least + two), rtol=1e-8, atol=1e-12)
        assert 0 < found.p_value <= 1
    confident = decisions.calibration_error(z[:, 0], ranks == 1, bins)
    assert confident[1:3] == decisions.calibration_error(z[:, :1], (ranks == 1).astype(int), bins)[1:3]


def test_distortions_are_sums(rng: Random) -> None:
    decoded, model = -rng.exponential(size=100), -rng.exponential(size=100)
    np.testing.assert_allclose(decisions.distortion(decoded), -decoded.sum(), rtol=1e-12)
    np.testing.assert_allclose(decisions.distortion_of_logprobs(decoded, model), (decoded - model).sum(), rtol=1e-9)
    assert decisions.distortion([]) == 0.0


def test_lists_and_other_types_are_numbers() -> None:
    law = decisions.best_of_n([4, 3, 2, 1], np.array([0, 1, 2, 3], np.int8), 2).law
    np.testing.assert_allclose(law, [0.16, 0.33, 0.32, 0.19], rtol=1e-12)
    strided = np.arange(8, dtype=np.float32)[::2]
    assert decisions.soft_values(strided, 1.0).weights.shape == (4,)


REFUSED: list[tuple[Callable[[], Any], type[Exception], str]] = [
    (lambda: decisions.best_of_n([1], [1, 2], 2), bregman.InvalidArgumentError, "rewards has the shape"),
    (lambda: decisions.best_of_n([1], [1], 0), bregman.InvalidArgumentError, "n is 0"),
    (lambda: decisions.best_of_n([1], [1], -1), bregman.InvalidArgumentError, "n is -1"),
    (lambda: decisions.best_of_n(["a"], [1], 1), TypeError, "p has dtype"),
    (lambda: decisions.best_of_n([[1]], [1], 1), bregman.InvalidArgumentError, "p has 2 dimensions"),
    (lambda: decisions.best_of_n_kl_estimates([0.5], 2), bregman.InvalidArgumentError, r"log_epsilons\[0\] is 0.5"),
    (lambda: decisions.soft_values([[1, 2]], 0), bregman.InvalidArgumentError, "alpha is 0"),
    (lambda: decisions.soft_values([1, 2], 1, [1]), bregman.InvalidArgumentError, "log_ratios has the shape"),
    (lambda: decisions.route([1, 2], decisions.GateConvention.QWEN2, 3), bregman.InvalidArgumentError, "top_k is 3"),
    (lambda: decisions.route([1, 2], 6, 1), bregman.InvalidArgumentError, "options->convention is 6"),  # type: ignore[arg-type]
    (
        lambda: decisions.route([1, 2], decisions.GateConvention.DEEPSEEK_V3, 1, bias=[1]),
        bregman.InvalidArgumentError,
        "bias has 1 elements",
    ),
    (lambda: decisions.next_arm([1], [-1], seed=1, position=1), bregman.InvalidArgumentError, "pulls has a number"),
    (lambda: decisions.next_arm([1], [0.5], seed=1, position=1), TypeError, "pulls has dtype"),
    (lambda: decisions.next_arm([], [], seed=1, position=1), bregman.InvalidArgumentError, "the number of arms is 0"),
    (lambda: decisions.best_arm([0.5], [3], 2), bregman.InvalidArgumentError, "delta is 2"),
    (lambda: decisions.abstain([0.5], [0.5], 0.7, 0.7), bregman.InvalidArgumentError, "c_in . c_out is 1.4"),
    (lambda: decisions.calibration_error([0.5], [1, 0], 9), bregman.InvalidArgumentError, "ranks has 2 elements"),
    (lambda: decisions.calibration_error([0.5], [2], 9), bregman.InvalidArgumentError, r"ranks\[0\] is 2"),
    (lambda: decisions.distortion([0.5]), bregman.InvalidArgumentError, r"log_kept\[0\] is 0.5"),
]


@pytest.mark.parametrize(("call", "error", "message"), REFUSED)
def test_arguments_out_of_range_are_refused(call: Callable[[], Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=f"^{message}"):
        call()


def run(program: str, *arguments: str) -> str:
    path = ROOT / "examples" / "decisions" / program
    return subprocess.run([sys.executable, str(path), *arguments], capture_output=True, text=True, check=True).stdout


def test_recipes_print_the_published_values() -> None:
    assert run("recipes.py") == (
        "reward softmax: 0.062039 0.375317 0.168641 0.018686 0.375317, KL 0.32681, ESS 3.18103\n"
        "SVDD: 0.080176 0.883798 0.036026\n"
        "Mixtral: 1 0.481024, 4 0.291756, 7 0.227220\n"
    )


def test_best_of_8_on_a_real_model_reports_judges_and_abstains() -> None:
    lines = run("best_of_8.py").splitlines()
    rewards = [float(line.split("reward ")[1].split(",")[0]) for line in lines[:8]]
    best = int(np.argmax(rewards)) + 1
    assert lines[8] == f"the best of 8 is {best}"
    # Of texts of 30 tokens the estimate is the bound.
    assert lines[9].startswith("divergence from the model: 1.2044 nats estimated, at most 1.2044")
    assert lines[10].endswith(f"best is text {best}, with an error probability of 0.1")
    assert lines[11].startswith("at the beginning of a text")
    assert lines[11].endswith(": answer")
    assert lines[12].startswith("a row of noise")
    assert lines[12].endswith(": abstain")
