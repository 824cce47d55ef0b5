"""The state of a sequence, and the lifetime of a sampler."""

from __future__ import annotations

import copy
import gc
import pickle
from typing import Any, Callable

import numpy as np
import pytest

import bregman

CHAIN = "temperature(0.9) | bregman(alpha=1.5, floor=0.01) | draw"


@pytest.fixture
def logits(rng: np.random.Generator) -> np.ndarray:
    return rng.normal(size=1000).astype(np.float32) * 2


def tokens(sampler: bregman.Sampler, logits: np.ndarray, n: int) -> list[int]:
    return [sampler.decode(logits).token for _ in range(n)]


def test_the_same_seed_gives_the_same_tokens(logits: np.ndarray) -> None:
    assert tokens(bregman.Sampler(CHAIN, 5), logits, 40) == tokens(bregman.Sampler(CHAIN, seed=5), logits, 40)
    assert tokens(bregman.Sampler(CHAIN, 5), logits, 40) != tokens(bregman.Sampler(CHAIN, 6), logits, 40)
    assert tokens(bregman.Sampler(CHAIN), logits, 40) == tokens(bregman.Sampler(CHAIN, 0), logits, 40)


def test_reseed_resumes_at_a_position(logits: np.ndarray) -> None:
    all_of_them = tokens(bregman.Sampler(CHAIN, 2**64 - 1), logits, 30)
    later = bregman.Sampler(CHAIN, 1)
    later.reseed(2**64 - 1, 20)
    assert tokens(later, logits, 10) == all_of_them[20:]
    later.reset()
    assert tokens(later, logits, 5) == tokens(bregman.Sampler(CHAIN, 1), logits, 5)


def test_a_failed_call_advances_nothing(logits: np.ndarray) -> None:
    sampler = bregman.Sampler(CHAIN, 9)
    for bad in (np.nan, np.inf):
        with pytest.raises(bregman.InvalidLogitsError):
            sampler.decode(np.array([1, bad], np.float32))
    with pytest.raises(bregman.EmptySupportError):
        sampler.decode(np.full(4, -np.inf, np.float32))
    assert tokens(sampler, logits, 10) == tokens(bregman.Sampler(CHAIN, 9), logits, 10)


@pytest.mark.parametrize("duplicate", [bregman.Sampler.clone, copy.copy, copy.deepcopy])
def test_copies_are_independent_and_in_the_same_state(
    logits: np.ndarray, duplicate: Callable[[bregman.Sampler], bregman.Sampler]
) -> None:
    original = bregman.Sampler(CHAIN, 5)
    original.set_logit_bias({int(logits.argmax()): -np.inf})
    tokens(original, logits, 7)
    other = duplicate(original)
    assert other is not original
    expected = tokens(original, logits, 20)
    original.close()
    assert tokens(other, logits, 20) == expected


def test_a_logit_bias_is_replaced_as_a_whole(logits: np.ndarray) -> None:
    sampler = bregman.Sampler("greedy")
    first, second = np.argsort(-logits)[:2].tolist()
    sampler.set_logit_bias({first: -np.inf, 5000: 3.0})
    assert sampler.decode(logits).token == second
    sampler.set_logit_bias([(17, 100.0)])
    assert sampler.decode(logits).token == 17
    for wrong in ({-1: 0.0}, {3: np.nan}, {3: np.inf}, [(4, 1.0), (4, 2.0)]):
        with pytest.raises(bregman.InvalidArgumentError):
            sampler.set_logit_bias(wrong)
    assert sampler.decode(logits).token == 17
    sampler.set_logit_bias({})
    assert sampler.decode(logits).token == first


def test_penalties_read_the_history(logits: np.ndarray) -> None:
    sampler = bregman.Sampler("penalties(repeat=1.5, frequency=0.3, presence=0.2, scope=all) | greedy")
    history: list[int] = [3, 3, 7]
    sampler.accept(history)
    for _ in range(30):
        counts = np.bincount(history, minlength=len(logits))
        x = logits.astype(np.float64)
        x = np.where(counts == 0, x, np.where(x > 0, x / 1.5, x * 1.5) - 0.3 * counts - 0.2)
        token = sampler.decode(logits, accept=True).token
        assert token == x.argmax()
        history.append(token)
    assert len(set(history)) > 10
    sampler.reset()
    assert sampler.decode(logits).token == logits.argmax()


def test_tokens_before_the_first_row_are_the_prompt(logits: np.ndarray) -> None:
    order = np.argsort(-logits).tolist()
    sampler = bregman.Sampler("no_repeat_ngram(1, scope=output) | greedy")
    sampler.accept(order[:3])
    assert sampler.decode(logits, accept=True).token == order[0]
    assert sampler.decode(logits).token == order[1]
    # A resumed sequence: one token of the prompt, then output.
    resumed = bregman.Sampler("no_repeat_ngram(1, scope=output) | greedy")
    resumed.accept(order[:3])
    resumed.set_prompt_length(1)
    assert resumed.decode(logits).token == order[0]
    resumed.set_prompt_length(0)
    assert resumed.decode(logits).token == order[3]
    for n in (4, -1, 2**64):
        with pytest.raises(bregman.InvalidArgumentError):
            resumed.set_prompt_length(n)
    with pytest.raises(TypeError):
        resumed.set_prompt_length(1.0)  # type: ignore[arg-type]
    assert resumed.decode(logits).token == order[3]


@pytest.mark.parametrize("dtype", [np.uint32, np.int32])
def test_a_mask_stays_until_it_is_replaced(rng: np.random.Generator, logits: np.ndarray, dtype: type) -> None:
    sampler = bregman.Sampler("greedy")
    allowed = rng.random(len(logits)) < 0.2
    words = bregman.pack_mask(allowed).view(dtype)
    sampler.set_mask(words)
    words[:] = 0  # it was copied
    best = int(np.where(allowed, logits, -np.inf).argmax())
    candidates = np.zeros(len(logits), bregman.CANDIDATE)
    candidates["id"], candidates["logit"] = np.arange(len(logits)), logits
    applied = bregman.Sampler("greedy").clone()
    applied.set_mask(bregman.pack_mask(allowed))
    done = applied.apply(candidates)
    assert done.selected is not None
    assert done.candidates["id"][done.selected] == best
    for _ in range(2):
        assert sampler.decode(logits).token == sampler.clone().decode(logits).token == best
    # A token must also be allowed by the call's own mask.
    both = allowed & (rng.random(len(logits)) < 0.5)
    assert both.any()
    token = sampler.decode(logits, mask=bregman.pack_mask(both | ~allowed)).token
    assert token == np.where(both, logits, -np.inf).argmax()
    # Tokens beyond the mask are banned.
    sampler.set_mask(np.full(2, -1, np.int32))
    assert sampler.decode(logits).token == logits[:64].argmax()
    for wrong in (np.zeros(0, np.uint32), np.zeros((1, 3), np.uint32), np.zeros(8, np.uint32)[::2]):
        with pytest.raises(bregman.InvalidArgumentError):
            sampler.set_mask(wrong)
    for wrong in (allowed, [1, 2], np.zeros(3, np.int64)):
        with pytest.raises(TypeError, match="mask"):
            sampler.set_mask(wrong)
    assert sampler.decode(logits).token == logits[:64].argmax()
    sampler.set_mask(None)
    assert sampler.decode(logits).token == logits.argmax()
    sampler.set_mask(bregman.pack_mask(allowed))
    sampler.reset()
    assert sampler.decode(logits).token == best


@pytest.mark.parametrize(
    "accepted", [3, [1, 2, 3], (1,), [], np.array([1, 2], np.int64), np.uint8(9), np.array([], float)]
)
def test_accept_takes_integers_of_any_kind(accepted: Any) -> None:
    bregman.Sampler(CHAIN).accept(accepted)


@pytest.mark.parametrize(
    ("accepted", "raised"),
    [
        (-1, ValueError),
        ([1, -1], ValueError),
        (2**31, ValueError),
        ([2**40], ValueError),
        (np.array([2**32 - 1], np.uint32), ValueError),
        ([[1, 2]], ValueError),
        (1.5, TypeError),
        ([1.0], TypeError),
        ("ab", TypeError),
        (None, TypeError),
        ([True, False], TypeError),
    ],
)
def test_accept_refuses_other_values(accepted: Any, raised: type[Exception]) -> None:
    with pytest.raises(raised):
        bregman.Sampler(CHAIN).accept(accepted)


@pytest.mark.parametrize("seed", [-1, 2**64, 10**30])
def test_seeds_out_of_64_bits_are_refused(seed: int) -> None:
    with pytest.raises(ValueError, match="seed"):
        bregman.Sampler(CHAIN, seed)
    with pytest.raises(ValueError, match="seed"):
        bregman.Sampler(CHAIN).reseed(seed)
    with pytest.raises(ValueError, match="position"):
        bregman.Sampler(CHAIN).reseed(0, seed)


@pytest.mark.parametrize("seed", [1.5, "1", None])
def test_seeds_that_are_no_integers_are_refused(seed: Any) -> None:
    with pytest.raises(TypeError):
        bregman.Sampler(CHAIN, seed)


def test_describe_gives_the_canonical_chain() -> None:
    sampler = bregman.Sampler(" temp( 0.9 )|nucleus(p=0.50)|topk(k = 3)|dist ")
    assert sampler.describe() == "temperature(0.9) | top_p(0.5) | top_k(3) | draw"
    assert bregman.Sampler(sampler.describe()).describe() == sampler.describe()
    assert sampler.describe() in repr(sampler)


def test_a_closed_sampler_refuses_everything(logits: np.ndarray) -> None:
    with bregman.Sampler(CHAIN) as sampler:
        assert not sampler.closed
    assert sampler.closed
    sampler.close()
    calls: list[Callable[[], object]] = [
        lambda: sampler.decode(logits),
        lambda: sampler.decode(logits, accept=True),
        lambda: sampler.distribution(logits),
        lambda: sampler.process(logits),
        lambda: sampler.apply(np.zeros(3, bregman.CANDIDATE)),
        lambda: sampler.accept(1),
        sampler.reset,
        lambda: sampler.reseed(1),
        lambda: sampler.set_logit_bias({}),
        lambda: sampler.set_mask(None),
        lambda: sampler.set_prompt_length(0),
        lambda: sampler.draw_many(logits, 3),
        lambda: sampler.top_logprobs(logits, 3),
        sampler.describe,
        lambda: sampler.last_error,
        sampler.clone,
        sampler.save,
        lambda: pickle.dumps(sampler),
        lambda: sampler.rewind(0),
        lambda: sampler.seed,
        lambda: sampler.history,
        lambda: bregman.verify([sampler], [bregman.Draft([])], logits[None]),
        lambda: bregman.distribution_batch([sampler], logits[None]),
        sampler.__enter__,
        lambda: bregman.decode_batch([sampler], logits[None]),
        lambda: bregman.decode_batch([bregman.Sampler(CHAIN), sampler], np.stack([logits, logits])),
    ]
    for call in calls:
        with pytest.raises(bregman.InvalidArgumentError, match="closed"):
            call()
    assert "closed" in repr(sampler)


def test_an_exception_in_the_block_closes_the_sampler() -> None:
    with pytest.raises(ZeroDivisionError), bregman.Sampler(CHAIN) as sampler:
        1 / 0  # noqa: B018
    assert sampler.closed


def test_a_sampler_that_was_not_created_can_be_collected() -> None:
    for chain in ("no chain", None, "a\0b"):
        with pytest.raises((ValueError, TypeError)):
            bregman.Sampler(chain)  # type: ignore[arg-type]
    gc.collect()
