"""The parts that the processors of all hosts share."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import pytest
from hosts import DeviceTensor

import bregman
from bregman._hosts import HostSequence, derived_seed, process_rows, refuse_learning


def history_of(sampler: bregman.Sampler) -> set[int]:
    """The tokens that the sampler's penalty sees."""
    p = np.zeros(16, np.float32)
    sampler.process(p)
    return {token for token in range(16) if p[token] < p.max()}


def sequence(chain: str = "penalties(presence=1, scope=output)") -> HostSequence:
    return HostSequence(bregman.Sampler(chain))


def test_a_sequence_accepts_output_and_rewinds_to_its_prompt() -> None:
    followed = sequence()
    followed.begin(np.array([1, 2, 3]), 5)
    assert (history_of(followed.sampler), followed.outputs) == (set(), 0)
    followed.accept([4, 5])
    followed.accept([6])
    assert (history_of(followed.sampler), followed.outputs) == ({4, 5, 6}, 3)
    followed.rewind()
    assert (history_of(followed.sampler), followed.outputs) == (set(), 0)
    followed.accept([7])
    followed.begin([7], 5)
    assert (history_of(followed.sampler), followed.outputs) == (set(), 0)


def test_output_before_the_first_row_is_not_prompt() -> None:
    followed = sequence()
    followed.begin([1, 2, 3], 0)
    followed.accept([4])
    assert history_of(followed.sampler) == {4}


def test_random_numbers_are_those_of_the_seed_and_the_position() -> None:
    chain, row = "xtc(probability=0.5, threshold=0.1)", np.log(np.array([0.5, 0.3, 0.2], np.float32))
    reference = bregman.Sampler(f"{chain} | greedy", 9)
    expected = [reference.decode(row).token == 0 for _ in range(100)]
    followed = sequence(chain)
    followed.begin([1], 9)
    for position in np.random.default_rng(1).permutation(100).tolist():
        followed.move_to(position)
        p = row.copy()
        followed.sampler.process(p)
        assert bool(np.isfinite(p[0])) == expected[position]


def test_derived_seeds_differ_and_repeat() -> None:
    paths = [(seed, *path) for seed in (0, 1, 2**32, 2**64 - 1) for path in [(0, 0), (0, 1), (1, 0), (2, 0), (0,)]]
    seeds = [derived_seed(*path) for path in paths]
    assert len(set(seeds)) == len(paths)
    assert seeds == [derived_seed(*path) for path in paths]
    assert all(0 <= seed < 2**64 for seed in seeds)


@pytest.mark.parametrize("stage", [stage for stage in bregman.stages() if stage.draws], ids=lambda stage: stage.name)
def test_only_stages_that_need_their_own_draws_are_refused(stage: bregman.Stage) -> None:
    needed = [p for p in stage.parameters if p.required]
    required = ", ".join(f"{p.name}={0.5 if p.kind is bregman.Kind.NUMBER and p.max <= 1 else 5}" for p in needed)
    sampler = bregman.Sampler(f"top_k(3) | {stage.name}" + (f"({required})" if required else ""))
    assert stage.learns == (stage.name in {"mirostat", "mirostat_v2", "adaptive_p"})
    if stage.learns:
        with pytest.raises(bregman.UnsupportedError, match=f"`{stage.name}` learns from the tokens"):
            refuse_learning(sampler)
    elif stage.name == "watermark":
        with pytest.raises(bregman.UnsupportedError, match="`watermark` marks the tokens that it draws"):
            refuse_learning(sampler)
    else:
        refuse_learning(sampler)
    with pytest.raises(bregman.UnsupportedError, match="`mirostat_v2` learns"):
        refuse_learning(bregman.Sampler("llama_cpp(mirostat=2)"))


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_the_first_failure_raises_without_a_handler(device: str) -> None:
    logits = np.zeros((2, 5), np.float32)
    logits[1, 3] = np.nan
    samplers = {0: bregman.Sampler("top_k(2)"), 1: bregman.Sampler("top_k(2)")}
    with pytest.raises(bregman.InvalidLogitsError, match="logit 3"):
        process_rows(logits if device == "cpu" else DeviceTensor(logits), samplers)


@pytest.mark.parametrize(
    ("logits", "raised", "says"),
    [
        (np.zeros(5, np.float32), ValueError, "logits has 1 dimensions, not 2"),
        (np.zeros((1, 1, 5), np.float32), ValueError, "logits has 3 dimensions, not 2"),
        (np.zeros((1, 5)), TypeError, "logits has dtype float64: it must be float32"),
        (np.zeros((1, 5), np.float16), TypeError, "logits has dtype float16: it must be float32"),
        (np.zeros((1, 5), ml_dtypes.bfloat16), TypeError, "logits has dtype bfloat16: it must be float32"),
        (np.zeros((0, 5), np.float32), ValueError, "logits has 0 rows, none with index 0"),
    ],
)
def test_logits_of_another_shape_or_dtype_are_refused(logits: Any, raised: type[Exception], says: str) -> None:
    with pytest.raises(raised, match=says):
        process_rows(logits, {0: bregman.Sampler("top_k(2)")})
