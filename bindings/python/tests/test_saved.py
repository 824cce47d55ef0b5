"""Saved states: bytes, pickles, copies, and going back."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys
import zlib
from typing import Any, Callable

import numpy as np
import pytest
from conftest import ROOT

import bregman

#: Chains that learn, draw with noise, look at the history, or have a key.
CHAINS = [
    "mirostat(tau=3, eta=0.2)",
    "mirostat_v2(tau=3, eta=0.2)",
    "adaptive_p(target=0.4)",
    "penalties(repeat=1.3) | temperature(0.9) | bregman(alpha=1.5, floor=0.01) | draw",
    "top_k(40) | gumbel",
    "no_repeat_ngram(2) | draw",
]


@pytest.fixture
def logits(rng: np.random.Generator) -> np.ndarray:
    return rng.normal(size=(40, 300)).astype(np.float32) * 2


def tokens(sampler: bregman.Sampler, rows: np.ndarray) -> list[int]:
    return [sampler.decode(row, accept=True).token for row in rows]


def loaded(sampler: bregman.Sampler) -> bregman.Sampler:
    return bregman.Sampler.load(sampler.save())


def pickled(sampler: bregman.Sampler) -> bregman.Sampler:
    found = pickle.loads(pickle.dumps(sampler))
    assert type(found) is bregman.Sampler
    return found


def rebuilt(sampler: bregman.Sampler) -> bregman.Sampler:
    return bregman.Sampler.load(memoryview(bytearray(sampler.save())))


@pytest.mark.parametrize("chain", CHAINS)
@pytest.mark.parametrize("move", [loaded, pickled, rebuilt, copy.copy, copy.deepcopy])
def test_a_sequence_goes_on_from_its_state(
    logits: np.ndarray, chain: str, move: Callable[[bregman.Sampler], bregman.Sampler]
) -> None:
    undisturbed, moved = bregman.Sampler(chain, 7), bregman.Sampler(chain, 7)
    for sampler in (undisturbed, moved):
        sampler.accept([1, 2, 3])
        sampler.set_logit_bias({5: -np.inf})
        sampler.set_mask(bregman.pack_mask(np.arange(300) % 7 != 0))
    expected = tokens(undisturbed, logits)
    found = []
    for row in logits:
        before, moved = moved, move(moved)
        assert before.save() == moved.save()
        before.close()
        found += tokens(moved, row[None])
    assert found == expected
    assert len(set(found)) > 5
    assert (moved.seed, moved.position, moved.prompt_length) == (7, 40, 3)
    assert moved.history.tolist() == [1, 2, 3, *expected]
    assert moved.save() == undisturbed.save()


@pytest.mark.parametrize("chain", CHAINS)
def test_rewind_takes_tokens_back(logits: np.ndarray, chain: str) -> None:
    sampler = bregman.Sampler(chain, 3)
    sampler.accept([4, 5])
    states = [sampler.save()]
    found = []
    for row in logits[:20]:
        found += tokens(sampler, row[None])
        states.append(sampler.save())
    for n in (0, 1, 5, 20):
        other = sampler.clone()
        other.rewind(n)
        assert other.position == 20 - n
        assert other.history.tolist() == [4, 5, *found[: 20 - n]]
        if n < 20:
            assert other.save() == states[20 - n]
        assert tokens(other, logits[20 - n : 20]) == found[20 - n :]
    for n, raised in ((23, ValueError), (-1, ValueError), (2**64, ValueError), (1.0, TypeError)):
        with pytest.raises(raised):
            sampler.rewind(n)  # type: ignore[arg-type]
    assert sampler.save() == states[20]


def test_where_a_sampler_is(logits: np.ndarray) -> None:
    sampler = bregman.Sampler("draw", 2**64 - 1)
    assert (sampler.seed, sampler.position, sampler.prompt_length) == (2**64 - 1, 0, 0)
    assert sampler.history.dtype == np.int32
    assert sampler.history.tolist() == []
    sampler.accept([7, 8, 2**31 - 1])
    assert sampler.prompt_length == 3
    sampler.decode(logits[0])
    sampler.accept(9)
    assert (sampler.prompt_length, sampler.position) == (3, 1)
    sampler.reseed(5, 2**64 - 1)
    assert (sampler.seed, sampler.position) == (5, 2**64 - 1)
    history = sampler.history
    history[:] = 0  # it is a copy
    assert sampler.history.tolist() == [7, 8, 2**31 - 1, 9]
    with pytest.raises(AttributeError):
        sampler.seed = 1  # type: ignore[misc]


@pytest.mark.parametrize("chain", CHAINS)
def test_staying_leaves_position_and_what_was_learnt(logits: np.ndarray, chain: str) -> None:
    sampler, plain = bregman.Sampler(chain, 11), bregman.Sampler(chain, 11)
    for row in logits:
        first = sampler.decode(row, stay=True)
        position = sampler.position
        assert sampler.decode(row, stay=True) == first or np.isnan(first.entropy)
        batch = bregman.decode_batch([sampler], row[None], stay=True)
        assert batch["token"][0] == first.token
        assert sampler.position == position
        assert sampler.decode(row, accept=True).token == first.token == plain.decode(row, accept=True).token
    with pytest.raises(bregman.InvalidArgumentError):
        sampler.decode(logits[0], stay=True, accept=True)


def test_golden_states_go_on_with_their_tokens() -> None:
    lines = (ROOT / "tests/golden/states-1.txt").read_text().splitlines()
    states = [bytes.fromhex(word) for line in lines for word in line.split() if len(word) > 100]
    assert len(states) >= 5
    for state in states:
        assert state.startswith(b"bregman\0")
        assert bregman.Sampler.load(state).save() == state


def square(x: Any) -> Any:
    return x * x / 2


def same(x: Any) -> Any:
    return x


def test_generators_are_passed_to_load_and_pickled(logits: np.ndarray) -> None:
    chain = "bregman(generator=mine, lambda=0.01) | draw"
    generator = bregman.Generator("mine", square, same, same)
    sampler = bregman.Sampler(chain, 1, generators=[generator])
    state = sampler.save()
    with pytest.raises(bregman.InvalidArgumentError, match="mine"):
        bregman.Sampler.load(state)
    others = [bregman.Sampler.load(state, generators=[generator]), pickle.loads(pickle.dumps(sampler))]
    expected = tokens(sampler, logits)
    for other in others:
        assert tokens(other, logits) == expected
    nameless = bregman.Generator("mine", square, lambda x: x, same)
    with pytest.raises((pickle.PicklingError, AttributeError)):
        pickle.dumps(bregman.Sampler(chain, 1, generators=[nameless]))


def test_a_pickle_goes_on_in_another_process(logits: np.ndarray) -> None:
    sampler = bregman.Sampler("mirostat_v2(tau=3)", 9)
    tokens(sampler, logits)
    program = (
        "import pickle, sys, numpy as np\n"
        "s, rows = pickle.load(sys.stdin.buffer)\n"
        "print([s.decode(row, accept=True).token for row in rows])\n"
    )
    given = pickle.dumps((sampler, logits))
    done = subprocess.run([sys.executable, "-c", program], input=given, capture_output=True, check=False)
    assert done.stdout.decode().strip() == str(tokens(sampler, logits)), done.stderr


def test_bytes_that_are_no_state_are_refused(logits: np.ndarray, rng: np.random.Generator) -> None:
    sampler = bregman.Sampler(CHAINS[0], 3)
    tokens(sampler, logits)
    state = sampler.save()
    wrong = [b"", state[:-1], state + b"\0", state[1:], bytes(100), b"bregman\0"]
    for place in rng.integers(len(state), size=100):
        changed = bytearray(state)
        changed[place] ^= 1 << int(rng.integers(8))
        wrong.append(bytes(changed))
    # With a checksum that fits: a later version of the format.
    later = bytearray(state[:-4])
    later[8] = 99
    wrong.append(bytes(later) + zlib.crc32(later).to_bytes(4, "little"))
    for bad in wrong:
        with pytest.raises(bregman.InvalidArgumentError, match="state"):
            bregman.Sampler.load(bad)
    for no_bytes in ("text", 3, None, [1, 2]):
        with pytest.raises(TypeError):
            bregman.Sampler.load(no_bytes)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="contiguous"):
        bregman.Sampler.load(memoryview(state)[::2])
