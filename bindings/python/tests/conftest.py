"""Shared by the tests."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NoReturn

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(20250519)


def missing(what: str) -> NoReturn:
    """Skips a test whose requirement is not installed; in CI it fails."""
    if os.environ.get("CI"):
        pytest.fail(what)
    pytest.skip(what)


def softmax(logits: np.ndarray, temperature: float = 1.0) -> np.ndarray:
    """In float64."""
    x = np.asarray(logits, np.float64) / temperature
    weights = np.exp(x - x.max())
    return weights / weights.sum()
