"""The processors for vLLM, under mirrors of its two interfaces; with torch tensors where torch is installed."""

from __future__ import annotations

import logging
import subprocess
import sys
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hosts import (
    BatchUpdate,
    DeviceTensor,
    MoveDirectionality,
    States,
    V1Interface,
    V2Interface,
    context,
    install,
    params,
)

import bregman

CHAIN = "temperature(0.8) | top_k(5)"
OTHER = "bregman(alpha=2, k=3)"
SWAP, ONE_WAY = MoveDirectionality.SWAP, MoveDirectionality.UNIDIRECTIONAL


@pytest.fixture(autouse=True)
def vllm(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch)


def _torch(array: np.ndarray) -> Any:
    import torch  # noqa: PLC0415

    return torch.from_numpy(array)


# ci/transformers.sh runs this with torch.
@pytest.fixture(params=[np.asarray, _torch] if find_spec("torch") else [np.asarray])
def tensor(request: pytest.FixtureRequest) -> Callable[[np.ndarray], Any]:
    made: Callable[[np.ndarray], Any] = request.param
    return made


@pytest.fixture
def logits(rng: np.random.Generator) -> np.ndarray:
    return rng.normal(size=(4, 64)).astype(np.float32)


def processed(row: np.ndarray, chain: str) -> np.ndarray:
    with bregman.Sampler(chain) as sampler:
        row = row.copy()
        sampler.process(row)
        return row


def v1() -> Any:
    return import_module("bregman.vllm.v1").LogitsProcessor(None, None, False)


def v2(states: States, speculative: Any = None) -> Any:
    config = SimpleNamespace(speculative_config=speculative)
    return import_module("bregman.vllm.v2").LogitsProcessor(config, states)


def check_rows(logits: np.ndarray, before: np.ndarray, chains: list[str | None]) -> None:
    for row, was, chain in zip(logits, before, chains):
        np.testing.assert_array_equal(row, was if chain is None else processed(was, chain))


def test_v1_processes_the_rows_that_ask_for_it(logits: np.ndarray, tensor: Callable[[np.ndarray], Any]) -> None:
    processor = v1()
    assert isinstance(processor, V1Interface)
    assert not processor.is_argmax_invariant()
    added = [
        (0, params(CHAIN), [1, 2], []),
        (1, params(), [3], []),
        (2, params(OTHER), None, []),
        (3, params(), [], []),
    ]
    processor.update_state(BatchUpdate(4, added=added))
    before = logits.copy()
    given = tensor(logits)
    assert processor.apply(given) is given
    check_rows(logits, before, [CHAIN, None, OTHER, None])
    processor.update_state(None)
    logits[:] = before
    processor.apply(tensor(logits))
    check_rows(logits, before, [CHAIN, None, OTHER, None])


@pytest.mark.parametrize(
    ("update", "chains"),
    [
        (BatchUpdate(2, removed=[0]), [None, OTHER, None]),
        (BatchUpdate(2, removed=[0], moved=[(1, 0, ONE_WAY)]), [OTHER, None, None]),
        (BatchUpdate(2, moved=[(0, 1, SWAP)]), [OTHER, CHAIN, None]),
        (BatchUpdate(2, moved=[(0, 2, SWAP)]), [None, OTHER, CHAIN]),
        (BatchUpdate(2, moved=[(2, 0, SWAP)]), [None, OTHER, CHAIN]),
        (BatchUpdate(2, moved=[(2, 0, ONE_WAY)]), [None, OTHER, None]),
        (BatchUpdate(2, added=[(0, params(), [], [])]), [None, OTHER, None]),
        (BatchUpdate(2, added=[(0, params(OTHER), [], [])]), [OTHER, OTHER, None]),
        (
            BatchUpdate(2, removed=[1], added=[(1, params(CHAIN), [], [])], moved=[(1, 2, ONE_WAY)]),
            [CHAIN, None, CHAIN],
        ),
        (BatchUpdate(2, removed=[7]), [CHAIN, OTHER, None]),
    ],
)
def test_v1_follows_the_persistent_batch(logits: np.ndarray, update: BatchUpdate, chains: list[str | None]) -> None:
    processor = v1()
    processor.update_state(BatchUpdate(2, added=[(0, params(CHAIN), [1], []), (1, params(OTHER), [2], [])]))
    processor.update_state(update)
    before = logits[:3].copy()
    check_rows(processor.apply(logits[:3]), before, chains)


def test_v1_accepts_what_the_request_went_on_with(monkeypatch: pytest.MonkeyPatch, logits: np.ndarray) -> None:
    accepted: list[list[int]] = []
    monkeypatch.setattr(bregman.Sampler, "accept", lambda _, tokens: accepted.append(list(tokens)))
    processor, output = v1(), [9]
    processor.update_state(BatchUpdate(1, added=[(0, params(CHAIN), [1, 2], output)]))
    processor.apply(logits[:1])
    output += [4, -1]  # an asynchronous scheduler does not know the last one yet
    processor.apply(logits[:1])
    output[-1:] = [5, 6]
    processor.update_state(BatchUpdate(1, moved=[(0, 3, ONE_WAY)]))
    processor.apply(logits)
    assert [tokens for tokens in accepted if tokens] == [[1, 2], [9], [4], [5, 6]]


def test_v2_processes_the_rows_of_slots_that_ask(logits: np.ndarray, tensor: Callable[[np.ndarray], Any]) -> None:
    states = States(8, 16, tensor)
    processor = v2(states)
    assert isinstance(processor, V2Interface)
    assert processor.add_request(5, params(CHAIN))
    assert not processor.add_request(0, params())
    assert processor.add_request(2, params(OTHER))
    processor.apply_staged_writes()
    for slots, chains in [([0, 2, 5, 7], [None, OTHER, CHAIN, None]), ([5, 5, 2, 0], [CHAIN, CHAIN, OTHER, None])]:
        before = logits.copy()
        given = tensor(logits)
        assert processor.apply(given, context(slots, tensor)) is given
        check_rows(logits, before, chains)
        logits[:] = before
    # A slot that is used again has nothing of its last request.
    assert not processor.add_request(5, params())
    before = logits.copy()
    check_rows(processor.apply(logits, context([5, 2, 0, 1])), before, [None, OTHER, None, None])


def test_v2_accepts_the_slots_tokens(monkeypatch: pytest.MonkeyPatch, logits: np.ndarray) -> None:
    accepted: list[list[int]] = []
    monkeypatch.setattr(bregman.Sampler, "accept", lambda _, tokens: accepted.append(list(tokens)))
    states = States(4, 16)
    processor = v2(states)
    states.append(3, 1, 2, 3)
    states.append(1, 7)
    processor.add_request(3, params(CHAIN))
    processor.apply(logits[:1], context([3]))
    states.append(3, 4)
    states.append(1, 8)
    processor.apply(logits[:2], context([1, 3]))
    states.append(3, 5, 6)
    processor.apply(logits[:2], context([3, 1]))
    assert [tokens for tokens in accepted if tokens] == [[1, 2, 3], [4], [5, 6]]


def test_v2_asks_the_device_for_nothing_if_no_request_of_the_step_asks(logits: np.ndarray) -> None:
    processor = v2(States(4, 4))
    processor.add_request(3, params(CHAIN))
    ctx = SimpleNamespace(idx_mapping_np=np.array([0, 1]))  # reading anything else would be an error
    assert processor.apply(logits, ctx) is logits


def test_v2_refuses_speculative_decoding() -> None:
    with pytest.raises(ValueError, match="speculative"):
        v2(States(1, 1), speculative=object())


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_params_are_validated_before_the_request_is_admitted(version: str) -> None:
    processor = import_module(f"bregman.vllm.{version}").LogitsProcessor
    processor.validate_params(params())
    processor.validate_params(params(CHAIN))
    processor.validate_params(SimpleNamespace(extra_args={"another": 3}))
    for wrong in ("top_k(", "tempratur(1)", 3, ["draw"]):
        with pytest.raises(ValueError, match=r"chain|stage"):
            processor.validate_params(params(wrong))


def test_a_chain_that_was_not_validated_ends_nothing(logits: np.ndarray, caplog: pytest.LogCaptureFixture) -> None:
    one, two = v1(), v2(States(4, 4))
    before = logits.copy()
    with caplog.at_level(logging.ERROR, "bregman.vllm"):
        one.update_state(BatchUpdate(1, added=[(0, params("no chain"), [], [])]))
        assert not two.add_request(0, params("no chain"))
    assert len(caplog.records) == 2
    one.apply(logits)
    two.apply(logits, context([0, 1, 2, 3]))
    np.testing.assert_array_equal(logits, before)


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_a_row_that_cannot_be_decoded_ends_nothing(
    logits: np.ndarray, caplog: pytest.LogCaptureFixture, device: str
) -> None:
    processor = v1()
    processor.update_state(BatchUpdate(4, added=[(r, params(CHAIN), [], []) for r in (0, 2, 3)]))
    logits[2, 5] = np.nan
    before = logits.copy()
    with caplog.at_level(logging.WARNING, "bregman.vllm"):
        for _ in range(3):
            logits[:] = before
            processor.apply(logits if device == "cpu" else DeviceTensor(logits))
    check_rows(logits, before, [CHAIN, None, None, CHAIN])
    assert [record.getMessage().count("logit 5 is NaN") for record in caplog.records] == [1]


def test_on_another_device_only_the_rows_that_ask_travel(logits: np.ndarray) -> None:
    processor = v1()
    processor.update_state(BatchUpdate(4, added=[(1, params(CHAIN), [], []), (3, params(OTHER), [], [])]))
    before = logits.copy()
    there = DeviceTensor(logits)
    assert processor.apply(there) is there
    check_rows(there.array, before, [None, CHAIN, None, OTHER])
    assert there.fetched == 2


def test_the_package_loads_no_host() -> None:
    program = (
        "import bregman, sys; print({'torch', 'transformers', 'vllm', 'llama_cpp', 'ml_dtypes'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
