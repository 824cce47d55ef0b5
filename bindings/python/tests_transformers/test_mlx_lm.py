"""The macro mlx_lm compared with mlx-lm's own sampler and processors, on the CPU."""

from __future__ import annotations

from typing import Any

import mlx.core as mx
import numpy as np
import pytest
from mlx_lm import sample_utils

import bregman

TOLERANCE = 1e-5

#: What the sampler takes, and what the processors take.
SAMPLERS: list[dict[str, Any]] = [
    {},
    {"temp": 1.0},
    {"temp": 0.7},
    {"temp": 1.4, "top_p": 0.8},
    {"temp": 0.9, "top_p": 1.0, "top_k": 40},
    {"temp": 1.0, "min_p": 0.05},
    {"temp": 1.0, "min_p": 0.9, "min_tokens_to_keep": 5},
    {"temp": 1.0, "xtc_probability": 1.0, "xtc_threshold": 0.05},
    {"temp": 1.0, "xtc_probability": 1.0, "xtc_threshold": 0.02, "xtc_special_tokens": list(range(0, 60, 3))},
    {"temp": 1.3, "top_p": 0.95, "min_p": 0.01, "top_k": 12},
    {"temp": 0.8, "top_p": 0.9, "xtc_probability": 1.0, "xtc_threshold": 0.1, "top_k": 5},
]
PROCESSORS: list[dict[str, Any]] = [
    {},
    {"repetition_penalty": 1.3},
    {"repetition_penalty": 0.8, "repetition_context_size": 3},
    {"presence_penalty": 0.5, "frequency_penalty": 0.25, "frequency_context_size": 6},
    {"logit_bias": {3: 2.5, 7: -1.5}, "repetition_penalty": 1.1},
]


def rows() -> list[np.ndarray]:
    rng = np.random.default_rng(20260901)
    plain = [(rng.normal(size=vocab) * gain).astype(np.float32) for vocab in (60, 3000) for gain in (1, 3, 6)]
    coarse = [np.round(rng.normal(size=800) * 3).astype(np.float32) for _ in range(2)]
    return [*plain, *coarse]


def history(row: np.ndarray) -> list[int]:
    """Thirty tokens, more than a window has, with the likeliest ones among them."""
    likely = np.argsort(-row, kind="stable")[:6].tolist()
    return [3, 7, *likely, 5, 3, *likely, *likely, 9, 11, 3, 7, likely[0], likely[1], 2, 3]


def law_of_mlx(
    monkeypatch: pytest.MonkeyPatch, row: np.ndarray, sampler: dict[str, Any], processors: dict[str, Any]
) -> np.ndarray:
    """What mlx-lm draws from: the argument of its last call, or the token that it takes."""
    drawn: list[tuple[mx.array, float]] = []

    def categorical(logits: mx.array, temp: float) -> mx.array:
        drawn.append((logits, temp))
        return mx.argmax(logits, axis=-1)

    monkeypatch.setattr(sample_utils, "categorical_sampling", categorical)
    logits = mx.array(row)[None]
    for processor in sample_utils.make_logits_processors(**processors):
        logits = processor(mx.array(history(row)), logits)
    token = sample_utils.make_sampler(**sampler)(logits - mx.logsumexp(logits, keepdims=True))
    if not drawn:
        return (np.arange(len(row)) == token.item()).astype(float)
    [(left, temp)] = drawn
    scaled = np.array(left)[0].astype(float) / temp
    weights = np.exp(scaled - scaled.max())
    return np.array(weights / weights.sum())


def text(values: dict[str, Any]) -> str:
    def one(value: Any) -> str:
        if isinstance(value, list):
            return " ".join(map(str, value))
        return " ".join(f"{token}:{bias}" for token, bias in value.items()) if isinstance(value, dict) else str(value)

    return ", ".join(f"{name}={one(value)}" for name, value in values.items())


@pytest.mark.parametrize("processors", PROCESSORS, ids=text)
@pytest.mark.parametrize("sampler", SAMPLERS, ids=text)
def test_the_macro_mlx_lm_equals_mlx_lm(
    monkeypatch: pytest.MonkeyPatch, sampler: dict[str, Any], processors: dict[str, Any]
) -> None:
    # A compiled function would need a compiler at run time.
    mx.disable_compile()
    for row in rows():
        expected = law_of_mlx(monkeypatch, row, sampler, processors)
        found = np.zeros(len(row))
        with bregman.Sampler(f"mlx_lm({text(sampler | processors)})") as ours:
            ours.accept(history(row))
            tokens, probabilities = ours.distribution(row)
            found[tokens] = probabilities
        if len(np.unique(row)) == len(row):
            assert np.abs(expected - found).max() <= TOLERANCE
        # Which of equal tokens stays is mlx-lm's sort; how many do, and with what probability, is not.
        elif not sampler.get("xtc_probability"):
            assert np.abs(np.sort(expected) - np.sort(found)).max() <= TOLERANCE
