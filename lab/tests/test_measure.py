"""What is measured of a row, against plain numpy."""

import numpy as np
import pytest

from bregman_lab import measure
from bregman_lab.measure import DISTANCE, DUE, ENTROPY, LIKELIEST, SQUARES, SUPPORT, VARIATION

CHAINS = ["temperature(1.0)", "top_k(3)", "temperature(2.0) | top_p(0.7)", "min_p(0.1) | temperature(1.5)", "greedy"]


def _row() -> np.ndarray:
    return np.random.default_rng(1).normal(scale=2.0, size=50).astype(np.float16)


def _softmax(logits: np.ndarray) -> np.ndarray:
    weights = np.exp(logits - logits.max())
    return weights / weights.sum()


def _laws(row: np.ndarray) -> list[np.ndarray]:
    """The decoded distributions of CHAINS by their definitions."""
    logits = row.astype(np.float64)
    model, hot = _softmax(logits), _softmax(logits / 2)
    order = np.argsort(-logits, kind="stable")
    top = np.where(np.isin(np.arange(50), order[:3]), model, 0.0)
    size = int((hot[order].cumsum() < 0.7).sum()) + 1
    nucleus = np.where(np.isin(np.arange(50), order[:size]), hot, 0.0)
    near = np.where(model >= 0.1 * model.max(), _softmax(logits / 1.5), 0.0)
    return [model, top / top.sum(), nucleus / nucleus.sum(), near / near.sum(), np.eye(50)[order[0]]]


def _rows(n: int) -> np.ndarray:
    return np.random.default_rng(2).normal(scale=2.0, size=(n, 50)).astype(np.float16)


def test_an_answer_has_the_product_of_its_tokens_probabilities() -> None:
    rows = _rows(3)
    due = np.argsort(-rows.astype(float), axis=1)[:, 1]
    answering = measure.Answering(CHAINS)
    expected = np.prod([[law[token] for law in _laws(row)] for row, token in zip(rows, due, strict=True)], axis=0)
    assert (expected > measure.NEGLIGIBLE).sum() > 2
    expected[expected < measure.NEGLIGIBLE] = 0
    assert answering(rows, due, due)[:, 0] == pytest.approx(expected, abs=1e-6)
    # Nothing of one answer is left for the next.
    assert answering(rows[::-1], due[::-1], due)[:, 0] == pytest.approx(expected, abs=1e-6)


def test_supports_and_entropies_are_those_of_the_decoded_distributions() -> None:
    row = _row()
    found = measure.Opening(CHAINS)(row[None], np.array([0]), np.array([0]))
    for (support, entropy), law in zip(found, _laws(row), strict=True):
        positive = law[law > 0]
        assert support == len(positive)
        assert entropy == pytest.approx(-(positive * np.log(positive)).sum(), abs=1e-5)


def test_descriptions_are_those_of_the_decoded_distributions() -> None:
    row = _row()
    due, likeliest = int(np.argsort(-row.astype(float))[1]), int(row.argmax())
    model = _laws(row)[0]
    describing = measure.Describing(CHAINS)
    for found, law in zip(describing(row[None], np.array([due]), np.array([likeliest])), _laws(row), strict=True):
        positive = law[law > 0]
        assert found[SUPPORT] == len(positive)
        assert found[ENTROPY] == pytest.approx(-(positive * np.log(positive)).sum(), abs=1e-5)
        assert found[DUE] == pytest.approx(law[due], abs=1e-6)
        assert found[LIKELIEST] == pytest.approx(law[likeliest], abs=1e-6)
        assert found[SQUARES] == pytest.approx((law**2).sum(), rel=1e-5)
        assert found[VARIATION] == pytest.approx(np.abs(law - model).sum() / 2, abs=1e-6)
        assert found[DISTANCE] == pytest.approx(((law - model) ** 2).sum(), abs=1e-6)
