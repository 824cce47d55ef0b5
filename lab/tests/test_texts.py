"""How texts repeat themselves, against cases computed by hand."""

import numpy as np
import pytest

from bregman_lab import catalogue, texts


def test_repeated_is_the_share_of_ngrams_that_occurred_before() -> None:
    assert texts.repeated([1, 2, 1, 2, 1], 1) == pytest.approx(3 / 5)
    # 12, 21, 12, 21
    assert texts.repeated([1, 2, 1, 2, 1], 2) == pytest.approx(2 / 4)
    assert texts.repeated([1, 2, 3, 4, 5], 4) == 0


def test_a_circle_is_a_period_of_at_most_half_of_the_end() -> None:
    assert texts.circles([9, 8, 7] + [1, 2, 3] * 20)
    assert texts.circles([5] * texts.CIRCLE)
    assert texts.circles([*range(16), *range(16)])
    assert not texts.circles([*range(17), *range(15)])
    assert not texts.circles([1, 2, 3] * 20 + [4])


def test_bleu_by_hand() -> None:
    # 4 of 5 tokens, then (3 + 1) / (4 + 1), (2 + 1) / (3 + 1) and (1 + 1) / (2 + 1).
    expected = (4 / 5 * 4 / 5 * 3 / 4 * 2 / 3) ** 0.25
    assert texts.bleu([1, 2, 3, 4, 5], [[1, 2, 3, 4, 9]]) == pytest.approx(expected)
    assert texts.bleu([1, 2, 3, 4, 5], [[1, 2, 3, 4, 5]]) == pytest.approx(1)
    assert texts.bleu([1, 2, 3], [[4, 5, 6]]) == 0
    # A token counts as often as in the one other text that has it most often.
    assert texts.bleu([7, 7, 7, 7], [[7, 7, 1, 2], [7, 3, 4, 5]]) == pytest.approx((2 / 4 * 2 / 4 / 3 / 2) ** 0.25)


def test_a_record_has_means_over_prompts_with_intervals() -> None:
    writers = [catalogue.Writer("greedy", "", ""), catalogue.Writer("top_p(0.9)", "top-p", "usual")]
    written = np.zeros((4, 2, 2, 40, 2))
    written[:, 0, :, :, 0] = 5
    written[:, 0, :, :, 1] = np.log(2)
    written[:, 1, :, :, 0] = np.arange(4 * 2 * 40).reshape(4, 2, 40)
    written[:, 1, :, :, 1] = np.log([2, 4, 8, 16]).reshape(4, 1, 1)
    found = texts.record(written, writers, texts.Sizes(4, 2, 40))["chains"]
    same, different = found["greedy"], found["top_p(0.9)"]
    assert same["perplexity"] == [2, 2, 2]
    assert same["rep-4"][0] == pytest.approx(36 / 37, abs=1e-4)
    assert (same["circles"][0], same["self-BLEU"][0], same["4-grams shared"][0]) == (1, 1, 1)
    assert different["perplexity"][0] == pytest.approx(2**2.5, abs=0.01)
    assert different["perplexity"][1] < different["perplexity"][0] < different["perplexity"][2]
    assert (different["rep-4"][0], different["distinct-2 of all"][0], different["4-grams shared"][0]) == (0, 1, 0)


def test_no_chain_writes_twice() -> None:
    chosen = {"top-p": ["top_p(0.9)"], "min-p": ["min_p(0.05)", "min_p(0.1)"], "top-k": ["top_k(3)"]}
    writers = catalogue.writers(chosen)
    chains = [w.chain for w in writers]
    assert len(set(chains)) == len(chains)
    assert catalogue.Writer("top_p(0.9)", "top-p", "usual") in writers
    assert catalogue.Writer("min_p(0.05)", "min-p", "half") in writers
    assert "top_k(3)" not in chains
