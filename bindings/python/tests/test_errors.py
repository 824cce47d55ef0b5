"""Exceptions: classes, statuses and messages."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest

import bregman
from bregman.errors import error


@pytest.mark.parametrize(
    ("chain", "says"),
    [
        ("", "empty"),
        ("tempratur(0.8)", "did you mean `temperature`"),
        ("top_k(-1) | draw", "top_k"),
        ("top_p(1.5) | draw", "[0, 1]"),
        ("bregman(alpha=1.5) | draw", "lambda"),
        ("draw | greedy", "draw"),
    ],
)
def test_an_invalid_chain_raises_with_the_reason(chain: str, says: str) -> None:
    with pytest.raises(bregman.InvalidChainError) as caught:
        bregman.Sampler(chain)
    assert says in str(caught.value)
    assert caught.value.status is bregman.Status.INVALID_CHAIN
    assert caught.value.message == str(caught.value)
    assert isinstance(caught.value, ValueError)


def test_an_alpha_outside_the_solvers_range_is_unsupported() -> None:
    with pytest.raises(bregman.UnsupportedError) as caught:
        bregman.Sampler("bregman(alpha=100, floor=0.1)")
    assert caught.value.status is bregman.Status.UNSUPPORTED
    assert not isinstance(caught.value, ValueError)


def test_decode_without_a_drawing_stage_is_unsupported() -> None:
    with pytest.raises(bregman.UnsupportedError, match="draw"):
        bregman.Sampler("top_k(3)").decode(np.zeros(4, np.float32))


@pytest.mark.parametrize(("spoilt", "says"), [(np.nan, "logit 2 is NaN"), (np.inf, "logit 2 is inf")])
def test_last_error_is_the_message(spoilt: float, says: str) -> None:
    sampler = bregman.Sampler("draw")
    assert sampler.last_error == ""
    logits = np.array([0, 1, spoilt, 3], np.float32)
    for call in (sampler.decode, sampler.distribution, sampler.process):
        with pytest.raises(bregman.InvalidLogitsError, match=says):
            call(logits)
        assert says in sampler.last_error


@pytest.mark.parametrize("status", [s for s in bregman.Status if s])
def test_every_status_has_an_exception(status: bregman.Status) -> None:
    raised = error(status, "why")
    assert raised.status is status
    assert type(raised) is not bregman.BregmanError
    assert raised.message == "why"
    assert raised.row is None
    assert raised.results is None


def test_an_unknown_status_is_reported_as_a_defect() -> None:
    assert isinstance(error(99, "?"), bregman.InternalError)
    assert "99" in str(error(99, "?"))


def test_exceptions_can_be_pickled() -> None:
    samplers = [bregman.Sampler("draw"), bregman.Sampler("draw")]
    with pytest.raises(bregman.InvalidLogitsError) as caught:
        bregman.decode_batch(samplers, np.array([[1, 2], [3, np.nan]], np.float32))
    again: Any = pickle.loads(pickle.dumps(caught.value))
    assert type(again) is bregman.InvalidLogitsError
    assert again.message == caught.value.message
    assert again.row == 1
    assert again.results["token"][1] == -1


@pytest.mark.parametrize("chain", [None, 3, b"draw"])
def test_a_chain_that_is_no_str_is_refused(chain: Any) -> None:
    with pytest.raises(TypeError, match="str"):
        bregman.Sampler(chain)


def test_chains_that_are_long_or_have_a_nul_are_refused() -> None:
    with pytest.raises(bregman.InvalidChainError):
        bregman.Sampler("x" * 60_000)
    with pytest.raises(bregman.InvalidChainError, match="longer than 65536 bytes"):
        bregman.Sampler("x" * 100_000)
    with pytest.raises(bregman.InvalidArgumentError, match="NUL"):
        bregman.Sampler("draw\0")
