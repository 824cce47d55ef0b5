"""Divergences defined in Python."""

from __future__ import annotations

import gc
from typing import Any

import numpy as np
import pytest

import bregman


def alpha(name: str, a: float, *, dual: bool = False) -> bregman.Generator:
    """A member of the built-in family of alpha, as a Generator."""
    return bregman.Generator(
        name,
        phi=lambda x: x**a / (a * (a - 1)),
        f=lambda x: x ** (a - 1) / (a - 1),
        f_inverse=lambda y: ((a - 1) * y) ** (1 / (a - 1)),
        f_prime=(lambda x: x ** (a - 2)) if dual else None,
    )


@pytest.fixture
def logits(rng: np.random.Generator) -> np.ndarray:
    return rng.normal(size=(8, 1000)).astype(np.float32) * 2


@pytest.mark.parametrize(("a", "mode"), [(1.5, "primal"), (3.0, "primal"), (3.0, "dual")])
def test_a_generator_equals_the_built_in_one_of_the_same_function(logits: np.ndarray, a: float, mode: str) -> None:
    mine = bregman.Sampler(
        f"bregman(generator=mine, mode={mode}, lambda=0.001) | draw",
        1,
        generators=[alpha("mine", a, dual=mode == "dual")],
    )
    theirs = bregman.Sampler(f"bregman(alpha={a}, mode={mode}, lambda=0.001) | draw", 1)
    for row in logits:
        (ids, p), (their_ids, their_p) = mine.distribution(row), theirs.distribution(row)
        assert ids.tolist() == their_ids.tolist()
        np.testing.assert_allclose(p, their_p, atol=1e-7)


def test_generators_outlive_the_first_sampler(logits: np.ndarray) -> None:
    first = bregman.Sampler("bregman(generator=b, lambda=0.001) | draw", 1, generators=[alpha("a", 2), alpha("b", 1.5)])
    second = first.clone()
    expected = [first.decode(row).token for row in logits]
    first.close()
    del first
    gc.collect()
    assert [second.decode(row).token for row in logits] == expected


def test_a_batch_with_threads_calls_generators(logits: np.ndarray) -> None:
    generator = alpha("mine", 1.5)

    def batch(threads: int) -> bytes:
        chain = "bregman(generator=mine, lambda=0.001) | draw"
        samplers = [bregman.Sampler(chain, r, generators=[generator]) for r in range(8)]
        return bregman.decode_batch(samplers, logits, threads=threads).tobytes()

    assert batch(4) == batch(0)


def test_an_exception_in_a_generator_is_the_cause(logits: np.ndarray) -> None:
    angry = False

    def f(x: Any) -> Any:
        if angry:
            raise LookupError("no f today")
        return x

    generator = bregman.Generator("mine", lambda x: x * x / 2, f, lambda y: y)
    sampler = bregman.Sampler("bregman(generator=mine, lambda=0.001) | draw", 1, generators=[generator])
    assert sampler.decode(logits[0]).token >= 0
    angry = True
    with pytest.raises(bregman.NoConvergenceError) as caught:
        sampler.decode(logits[0])
    assert isinstance(caught.value.__cause__, LookupError)
    with pytest.raises(bregman.InvalidChainError) as refused:
        bregman.Sampler("bregman(generator=mine, lambda=0.001) | draw", 1, generators=[generator])
    assert isinstance(refused.value.__cause__, LookupError)
    angry = False
    assert sampler.decode(logits[0]).token >= 0


@pytest.mark.parametrize(
    "f", [lambda x: -x, lambda x: x[:0], lambda x: "text", lambda x: np.full_like(x, np.nan)], ids=range(4)
)
def test_an_invalid_generator_is_refused(f: Any) -> None:
    generator = bregman.Generator("mine", lambda x: x * x / 2, f, lambda y: y)
    with pytest.raises(bregman.InvalidChainError):
        bregman.Sampler("bregman(generator=mine, lambda=0.001)", 1, generators=[generator])


def test_the_argument_of_a_generator_is_read_only() -> None:
    def f(x: Any) -> Any:
        x[0] = 1
        return x

    generator = bregman.Generator("mine", lambda x: x * x / 2, f, lambda y: y)
    with pytest.raises(bregman.InvalidChainError) as caught:
        bregman.Sampler("bregman(generator=mine, lambda=0.001)", 1, generators=[generator])
    assert isinstance(caught.value.__cause__, ValueError)


def test_an_unknown_generator_in_a_chain_is_refused() -> None:
    with pytest.raises(bregman.InvalidChainError, match="mine"):
        bregman.Sampler("bregman(generator=mine, lambda=0.001)", 1)
    assert repr(alpha("mine", 2)) == "Generator('mine')"


def test_a_generator_that_uses_its_sampler_is_refused(logits: np.ndarray) -> None:
    samplers: list[bregman.Sampler] = []

    def f(x: Any) -> Any:
        if samplers:
            samplers[0].decode(logits[0])
        return x

    generator = bregman.Generator("mine", lambda x: x * x / 2, f, lambda y: y)
    samplers.append(bregman.Sampler("bregman(generator=mine, lambda=0.001) | draw", 1, generators=[generator]))
    with pytest.raises(bregman.NoConvergenceError) as caught:
        samplers[0].decode(logits[0])
    assert "in use" in str(caught.value.__cause__)
