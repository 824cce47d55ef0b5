"""Metrics against cases computed by hand, scipy and enumeration."""

from itertools import combinations

import numpy as np
import pytest
from scipy import stats
from scipy.spatial.distance import jensenshannon

from bregman_lab import metrics

LAWS = np.array([[0.5, 0.3, 0.2, 0.0], [0.0, 0.9, 0.1, 0.0], [0.25, 0.25, 0.25, 0.25]])


@pytest.mark.parametrize("due", range(4))
def test_brier_and_jensen_shannon_are_those_of_the_one_hot_truth(due: int) -> None:
    truth = np.eye(4)[due]
    q, squares = LAWS[:, due], (LAWS**2).sum(axis=1)
    assert metrics.brier(q, squares) == pytest.approx(((LAWS - truth) ** 2).sum(axis=1))
    expected = [jensenshannon(law, truth) ** 2 for law in LAWS]
    assert metrics.jensen_shannon(q) == pytest.approx(expected)


def test_log_scores_by_hand() -> None:
    assert metrics.log_score(np.array([0.5, 0.0])).tolist() == [pytest.approx(np.log(2)), np.inf]
    # (0 + .01) / (1 + .01 * 100) = .005
    assert metrics.epsilon_log_score(np.array([0.0]), 100, 0.01)[0] == pytest.approx(-np.log(0.005))


def test_means_by_item_are_over_the_rows_of_each() -> None:
    assert metrics.by_item(np.array([1.0, 3.0, 5.0]), np.array([2, 2, 4])).tolist() == [2.0, 5.0]


def test_the_interval_of_a_mean_agrees_with_scipys_bootstrap() -> None:
    values = np.random.default_rng(1).gamma(2.0, size=200)
    mean, low, high = metrics.bootstrap_mean(values, resamples=4000)
    theirs = stats.bootstrap((values,), np.mean, n_resamples=4000, method="percentile", rng=np.random.default_rng(2))
    assert mean == pytest.approx(values.mean())
    assert low == pytest.approx(theirs.confidence_interval.low, abs=0.02)
    assert high == pytest.approx(theirs.confidence_interval.high, abs=0.02)


def test_intervals_of_a_mean_cover_it_as_often_as_they_say() -> None:
    rng = np.random.default_rng(3)
    covered = 0
    for seed in range(200):
        _, low, high = metrics.bootstrap_mean(rng.normal(size=60), resamples=200, seed=seed)
        covered += low <= 0 <= high
    assert 0.88 <= covered / 200 <= 0.99


def test_resamples_stay_within_their_strata() -> None:
    strata = np.array(["a", "a", "b", "b", "b"])
    drawn = metrics.counts(strata, 50)
    assert (drawn[:, :2].sum(axis=1) == 2).all()
    assert (drawn[:, 2:].sum(axis=1) == 3).all()


def test_scores_at_equal_support_are_interpolated_in_its_logarithm() -> None:
    support, score = np.array([100.0, 1.0, 10.0]), np.array([3.0, 1.0, 2.0])
    assert metrics.at_equal_support(support, score, np.sqrt(10)) == pytest.approx(1.5)
    assert metrics.at_equal_support(support, score, 100) == pytest.approx(3.0)
    assert np.isnan(metrics.at_equal_support(support, score, 101))


def test_the_frontier_is_what_no_other_point_beats_in_both() -> None:
    gain, accuracy = np.array([1, 2, 3, 2, 0.5]), np.array([0.9, 0.5, 0.4, 0.6, 0.8])
    assert metrics.frontier(gain, accuracy).tolist() == [0, 3, 2]
    assert metrics.best_of(accuracy, gain, 1.5) == 3
    assert metrics.best_of(accuracy, gain, 4) == -1


def test_the_expected_best_of_n_is_the_mean_over_all_choices() -> None:
    values = np.array([0.3, 0.9, 0.1, 0.5, 0.5])
    for n in range(1, 6):
        expected = np.mean([max(c) for c in combinations(values, n)])
        assert metrics.expected_best(values, n) == pytest.approx(expected)
