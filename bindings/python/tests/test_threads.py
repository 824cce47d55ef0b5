"""Many samplers on many threads, and one sampler on two."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Callable

import numpy as np
import pytest

import bregman

CHAIN = "temperature(0.9) | bregman(alpha=1.5, floor=0.01) | draw"


def decode_many(seed: int, logits: np.ndarray, n: int) -> list[int]:
    with bregman.Sampler(CHAIN, seed) as sampler:
        return [sampler.decode(row).token for row in logits for _ in range(n)]


def test_samplers_on_many_threads_draw_the_tokens_of_one_thread(rng: np.random.Generator) -> None:
    logits = rng.normal(size=(20, 2000)).astype(np.float32) * 2
    alone = [decode_many(seed, logits, 20) for seed in range(16)]
    with ThreadPoolExecutor(16) as pool:
        assert list(pool.map(lambda seed: decode_many(seed, logits, 20), range(16))) == alone


def test_concurrent_batches_share_the_pool(rng: np.random.Generator) -> None:
    logits = rng.normal(size=(10, 2000)).astype(np.float32) * 2

    def batches(first: int) -> list[list[int]]:
        samplers = [bregman.Sampler(CHAIN, first + r) for r in range(10)]
        return [bregman.decode_batch(samplers, logits, threads=2)["token"].tolist() for _ in range(20)]

    alone = [batches(first) for first in range(0, 80, 10)]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(batches, range(0, 80, 10))) == alone


def test_the_interpreters_lock_is_released() -> None:
    logits = np.random.default_rng(1).normal(size=(64, 128_256)).astype(np.float32)
    samplers = [bregman.Sampler("draw", r) for r in range(64)]
    ticks, done = 0, threading.Event()

    def tick() -> None:
        nonlocal ticks
        while not done.is_set():
            ticks += 1
            time.sleep(0)

    other = threading.Thread(target=tick)
    other.start()
    try:
        time.sleep(0.01)
        most = 0
        for _ in range(30):
            before = ticks
            bregman.decode_batch(samplers, logits)
            most = max(most, ticks - before)
    finally:
        done.set()
        other.join()
    # If the call held the lock, there would be one or two ticks, before and after it.
    assert most > 10


def test_two_threads_on_one_sampler_are_refused() -> None:
    logits = np.random.default_rng(1).normal(size=(32, 128_256)).astype(np.float32)
    samplers = [bregman.Sampler("draw", r) for r in range(32)]
    shared = samplers[5]
    here: set[str] = set()
    there: set[str] = set()

    def call(function: Callable[[], object], refusals: set[str]) -> None:
        try:
            function()
        except bregman.InvalidArgumentError as e:
            refusals.add(str(e))

    done, deadline = threading.Event(), time.monotonic() + 60

    def batches() -> None:
        while not done.is_set():
            call(lambda: bregman.decode_batch(samplers, logits), there)

    other = threading.Thread(target=batches)
    other.start()
    calls = [lambda: shared.decode(logits[0]), shared.reset, shared.clone, shared.describe, lambda: shared.last_error]
    try:
        while not here and time.monotonic() < deadline:
            for function in calls:
                call(function, here)
    finally:
        done.set()
        other.join()
    assert here == {"the sampler is in use by another call"}
    # The batch may also be the second of the two.
    assert there <= {"row 5: the sampler is in use by another call"}
    assert not bregman.decode_batch(samplers, logits)["status"].any()


def test_closing_a_sampler_in_use_is_refused() -> None:
    logits = np.zeros((1, 10), np.float32)
    inside, leave = threading.Event(), threading.Event()

    def f(x: np.ndarray) -> np.ndarray:
        if armed:
            inside.set()
            leave.wait(30)
        return x

    armed = False
    generator = bregman.Generator("mine", lambda x: x * x / 2, f, lambda y: y)
    sampler = bregman.Sampler("bregman(generator=mine, lambda=0.01) | draw", generators=[generator])
    armed = True
    with ThreadPoolExecutor(1) as pool:
        token = pool.submit(lambda: sampler.decode(logits[0]).token)
        assert inside.wait(30)
        for call in (sampler.close, sampler.reset, lambda: bregman.decode_batch([sampler], logits)):
            with pytest.raises(bregman.InvalidArgumentError, match="in use"):
                call()
        assert not sampler.closed
        leave.set()
        assert token.result() >= 0
    sampler.close()
    assert sampler.closed
