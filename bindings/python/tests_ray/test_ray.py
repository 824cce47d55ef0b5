"""Samplers in a real Ray on one machine: as objects, as arguments of actors, and as requests that move."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import bregman

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "examples" / "ray"))
import move_requests  # noqa: E402

ray = move_requests.ray

#: One chain for every stage of the catalogue, those of the Rust tests.
CHAINS = re.findall(r'^    "(.+)",$', (ROOT / "tests" / "common" / "chains.rs").read_text(), re.MULTILINE)


@pytest.fixture(scope="module", autouse=True)
def cluster() -> Iterator[None]:
    move_requests.start()
    yield
    ray.shutdown()


def used(chain: str) -> bregman.Sampler:
    sampler = bregman.Sampler(chain, 9)
    sampler.accept([1, 2, 3])
    for row in np.random.default_rng(1).normal(size=(5, 400)).astype(np.float32) * 2:
        sampler.decode(row, accept=True)
    return sampler


def test_the_chains_have_every_stage() -> None:
    text = " ".join(CHAINS)
    assert len(CHAINS) > 40
    assert [stage.name for stage in bregman.stages() if not re.search(rf"\b{stage.name}\b", text)] == []


@pytest.mark.parametrize("chain", CHAINS)
def test_a_sampler_is_an_object_of_the_store(chain: str) -> None:
    sampler = used(chain)
    found = ray.get(ray.put(sampler))
    assert found is not sampler
    assert found.save() == sampler.save()


@ray.remote(num_cpus=1)
class Keeper:
    """Has a sampler, of a constructor's argument, and decodes rows that come as arguments."""

    def __init__(self, sampler: bregman.Sampler) -> None:
        self.sampler = sampler

    def decode(self, rows: np.ndarray) -> list[int]:
        return [self.sampler.decode(row, accept=True).token for row in rows]

    def give(self) -> bregman.Sampler:
        return self.sampler


@pytest.mark.parametrize("how", ["argument", "reference"])
def test_a_sampler_is_an_argument_and_a_result_of_actors(how: str) -> None:
    rows = np.random.default_rng(2).normal(size=(20, 400)).astype(np.float32) * 2
    expected = used("mirostat_v2(3)")
    tokens = [expected.decode(row, accept=True).token for row in rows]
    sampler = used("mirostat_v2(3)")
    first = Keeper.remote(sampler if how == "argument" else ray.put(sampler))
    assert ray.get(first.decode.remote(rows[:10])) == tokens[:10]
    # From one actor to the next, without coming here.
    second = Keeper.remote(first.give.remote())
    assert ray.get(second.decode.remote(rows[10:])) == tokens[10:]
    assert ray.get(second.give.remote()).save() == expected.save()
    # The copies here have stayed where they were.
    assert sampler.save() == used("mirostat_v2(3)").save()
    for actor in (first, second):
        ray.kill(actor)


def test_requests_that_move_write_the_texts_of_an_undisturbed_run() -> None:
    lines = move_requests.compare(CHAINS, rounds=3, n=6)
    assert [chain for chain, _, same in lines if not same] == []
    assert len({text for _, text, _ in lines}) > 30
