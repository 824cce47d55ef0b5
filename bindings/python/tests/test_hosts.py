"""What the processors of all hosts share."""

from __future__ import annotations

import numpy as np
import pytest
from hosts import DeviceTensor

import bregman
from bregman._hosts import Follower, process_rows


class Recorder:
    """In the place of a sampler: what it was told."""

    def __init__(self) -> None:
        self.history: list[int] = []
        self.resets = 0

    def accept(self, tokens: np.ndarray) -> None:
        self.history += tokens.tolist()

    def reset(self) -> None:
        self.history, self.resets = [], self.resets + 1


def test_a_follower_accepts_what_is_new() -> None:
    recorder = Recorder()
    follower = Follower(recorder)  # type: ignore[arg-type]
    sequence = np.arange(10)
    for n in (3, 4, 4, 7):
        follower.follow(sequence[:n])
        assert recorder.history == list(range(n))
    assert recorder.resets == 0


@pytest.mark.parametrize("next_one", [[0, 1, 9, 3, 4], [7], [0, 1, 2], []])
def test_a_follower_begins_anew_with_another_sequence(next_one: list[int]) -> None:
    recorder = Recorder()
    follower = Follower(recorder)  # type: ignore[arg-type]
    reused = np.arange(4)
    follower.follow(reused)
    reused[:] = 0  # a host may use its buffer again
    follower.follow(np.array(next_one, np.int64))
    assert recorder.history == next_one
    assert recorder.resets == 1


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_the_first_failure_raises_if_nobody_listens(device: str) -> None:
    logits = np.zeros((2, 5), np.float32)
    logits[1, 3] = np.nan
    samplers = {0: bregman.Sampler("top_k(2)"), 1: bregman.Sampler("top_k(2)")}
    with pytest.raises(bregman.InvalidLogitsError, match="logit 3"):
        process_rows(logits if device == "cpu" else DeviceTensor(logits), samplers)
