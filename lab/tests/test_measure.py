"""What is measured of a row, against plain numpy."""

import numpy as np
import pytest

from bregman_lab.measure import DISTANCE, DUE, ENTROPY, LIKELIEST, SQUARES, SUPPORT, VARIATION, Answering, Shaping

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


def test_answers_are_those_of_the_decoded_distributions() -> None:
    row = _row()
    due, likeliest = int(np.argsort(-row.astype(float))[1]), int(row.argmax())
    measured = Answering(CHAINS)(row, due, likeliest)
    for found, law in zip(measured, _laws(row), strict=True):
        positive = law[law > 0]
        assert found[DUE] == pytest.approx(law[due], abs=1e-6)
        assert found[LIKELIEST] == pytest.approx(law[likeliest], abs=1e-6)
        assert found[SUPPORT] == len(positive)
        assert found[ENTROPY] == pytest.approx(-(positive * np.log(positive)).sum(), abs=1e-5)


def test_a_measured_row_changes_nothing_for_the_next() -> None:
    measure, row = Answering(CHAINS), _row()
    first = measure(row, 3, int(row.argmax()))
    measure(row[::-1].copy(), 4, 5)
    assert (measure(row, 3, int(row.argmax())) == first).all()


def test_shapes_are_those_of_the_decoded_distributions() -> None:
    row = _row()
    chains = CHAINS[:4]
    model = _laws(row)[0]
    for found, law in zip(Shaping(chains)(row, 0, 0), _laws(row), strict=False):
        assert found[SQUARES] == pytest.approx((law**2).sum(), rel=1e-5)
        assert found[VARIATION] == pytest.approx(np.abs(law - model).sum() / 2, abs=1e-6)
        assert found[DISTANCE] == pytest.approx(((law - model) ** 2).sum(), abs=1e-6)
