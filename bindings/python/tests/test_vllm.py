"""The processors for vLLM's two interfaces, with stand-ins for them; with torch tensors where torch is installed.

Where vLLM is installed (ci/vllm.sh) its own classes are used.
"""

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
    REAL,
    V1_MODULE,
    V2_MODULE,
    DeviceTensor,
    States,
    V1Host,
    V2Host,
    batch_update,
    config,
    context,
    install,
    moves,
    params,
)

import bregman

CHAIN = "temperature(0.8) | top_k(5)"
OTHER = "bregman(alpha=2, k=3)"


@pytest.fixture(autouse=True)
def vllm(monkeypatch: pytest.MonkeyPatch) -> None:
    if not REAL:
        install(monkeypatch, V1_MODULE, V2_MODULE)


def _torch(array: np.ndarray) -> Any:
    import torch  # noqa: PLC0415

    return torch.from_numpy(array)


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


def processor_class() -> Any:
    return import_module("bregman.vllm").LogitsProcessor


def v1(seed: int = 0, rank: int = 0) -> Any:
    return processor_class()(config(seed=seed, rank=rank), None, False)


def v2(states: States, seed: int = 0, rank: int = 0) -> Any:
    return processor_class()(config(seed=seed, rank=rank), states)


@pytest.fixture(params=["v1", "v2"])
def host(request: pytest.FixtureRequest, tensor: Callable[[np.ndarray], Any]) -> Any:
    return V1Host(v1(), tensor) if request.param == "v1" else V2Host(v2, tensor)


def check_rows(logits: np.ndarray, before: np.ndarray, chains: list[str | None]) -> None:
    for row, was, chain in zip(logits, before, chains):
        np.testing.assert_array_equal(row, was if chain is None else processed(was, chain))


def test_v1_processes_the_rows_of_requests_with_a_chain(
    logits: np.ndarray, tensor: Callable[[np.ndarray], Any]
) -> None:
    processor = v1()
    assert isinstance(processor, import_module(V1_MODULE).LogitsProcessor)
    assert not processor.is_argmax_invariant()
    added = [
        (0, params(CHAIN), [1, 2], []),
        (1, params(), [3], []),
        (2, params(OTHER), None, []),
        (3, params(), [], []),
    ]
    processor.update_state(batch_update(4, added=added))
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
        ({"removed": [0]}, [None, OTHER, None]),
        ({"removed": [0], "moved": [(1, 0, "UNIDIRECTIONAL")]}, [OTHER, None, None]),
        ({"moved": [(0, 1, "SWAP")]}, [OTHER, CHAIN, None]),
        ({"moved": [(0, 2, "SWAP")]}, [None, OTHER, CHAIN]),
        ({"moved": [(2, 0, "SWAP")]}, [None, OTHER, CHAIN]),
        ({"moved": [(2, 0, "UNIDIRECTIONAL")]}, [None, OTHER, None]),
        ({"added": [(0, params(), [], [])]}, [None, OTHER, None]),
        ({"added": [(0, params(OTHER), [], [])]}, [OTHER, OTHER, None]),
        (
            {"removed": [1], "added": [(1, params(CHAIN), [], [])], "moved": [(1, 2, "UNIDIRECTIONAL")]},
            [CHAIN, None, CHAIN],
        ),
        ({"removed": [7]}, [CHAIN, OTHER, None]),
    ],
)
def test_v1_follows_the_persistent_batch(logits: np.ndarray, update: dict[str, Any], chains: list[str | None]) -> None:
    processor = v1()
    processor.update_state(batch_update(2, added=[(0, params(CHAIN), [1], []), (1, params(OTHER), [2], [])]))
    moved = [(source, target, moves()[direction]) for source, target, direction in update.get("moved", [])]
    processor.update_state(batch_update(2, **{**update, "moved": moved}))
    before = logits[:3].copy()
    check_rows(processor.apply(logits[:3]), before, chains)


def test_v2_processes_the_rows_of_slots_with_a_chain(logits: np.ndarray, tensor: Callable[[np.ndarray], Any]) -> None:
    states = States(8, 16, tensor)
    processor = v2(states)
    assert isinstance(processor, import_module(V2_MODULE).LogitsProcessor)
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
    # A slot that is used again keeps nothing of its last request.
    assert not processor.add_request(5, params())
    before = logits.copy()
    check_rows(processor.apply(logits, context([5, 2, 0, 1])), before, [None, OTHER, None, None])


def test_v2_reads_nothing_from_the_device_in_a_step_without_chains(logits: np.ndarray) -> None:
    processor = v2(States(4, 4))
    processor.add_request(3, params(CHAIN))
    ctx = SimpleNamespace(idx_mapping_np=np.array([0, 1]))  # reading another field would be an error
    assert processor.apply(logits, ctx) is logits


def test_v2_refuses_speculative_decoding() -> None:
    with pytest.raises(ValueError, match="speculative"):
        processor_class()(config(speculative=object()), States(1, 1))


def test_one_class_is_accepted_for_both_interfaces() -> None:
    for module in (V1_MODULE, V2_MODULE):
        assert issubclass(processor_class(), import_module(module).LogitsProcessor)


@pytest.mark.skipif(REAL, reason="vLLM is installed, with both interfaces")
def test_a_vllm_without_model_runner_v2_is_supported(monkeypatch: pytest.MonkeyPatch, logits: np.ndarray) -> None:
    for name in [name for name in sys.modules if name.startswith("vllm")]:
        monkeypatch.delitem(sys.modules, name)
    install(monkeypatch, V1_MODULE)
    processor = v1()
    processor.update_state(batch_update(1, added=[(0, params(CHAIN), [1], [])]))
    before = logits.copy()
    check_rows(processor.apply(logits), before, [CHAIN, None, None, None])


def step(host: Any, n: int = 8) -> np.ndarray:
    """Row 0 of a step with equal logits, processed: ln p."""
    logits = np.zeros((1, n), np.float32)
    host.apply(logits)
    return logits[0]


#: Chains that see the output alone, and how a row of 8 equal logits looks after the prompt [0, 1] and the output
#: [4, 4, 4]: what is true of ln p.
SEES_OUTPUT: list[tuple[str, Callable[[np.ndarray], bool]]] = [
    ("min_tokens(3, stop=5)", lambda p: bool(np.isfinite(p[5]))),
    ("min_tokens(4, stop=5)", lambda p: not np.isfinite(p[5])),
    ("penalties(presence=2, scope=output)", lambda p: bool(np.isclose(p[4] - p[5], -2) and p[0] == p[5])),
    ("penalties(frequency=1, scope=output)", lambda p: bool(np.isclose(p[4] - p[5], -3) and p[1] == p[5])),
    ("bad_words(4 3, scope=output)", lambda p: not np.isfinite(p[3])),
    ("bad_words(1 4 3, scope=output)", lambda p: bool(np.isfinite(p[3]))),
]


@pytest.mark.parametrize(("chain", "holds"), SEES_OUTPUT, ids=[chain for chain, _ in SEES_OUTPUT])
def test_output_stays_output(host: Any, chain: str, holds: Callable[[np.ndarray], bool]) -> None:
    host.admit(0, params(chain), [0, 1], [])
    step(host)
    for n in (1, 2, 3):
        host.write(0, *[4] * n)
        row = step(host)
    assert holds(row)
    # A request that was preempted, or not scheduled for a step, is added again with the output that it has.
    host.admit(0, params(chain), [0, 1], [4, 4, 4])
    assert holds(step(host))
    np.testing.assert_array_equal(step(host), row)


@pytest.mark.parametrize("output", [[1, 7, 6], [1, 2, 4], [7, 2, 3], [1]])
def test_output_that_was_cut_back_leaves_the_history(host: Any, output: list[int]) -> None:
    host.admit(0, params("penalties(presence=2, scope=output)"), [5], [])
    for n in range(4):
        host.write(0, *[1, 2, 3][:n])
        step(host)
    kept = next((i for i in range(3) if output[i : i + 1] != [1, 2, 3][i : i + 1]), 3)
    for n in range(kept, len(output) + 1):
        host.write(0, *output[:n])
        row = step(host)
    assert {token for token in range(8) if row[token] < row[5]} == set(output)


def test_placeholders_are_never_accepted(host: Any, caplog: pytest.LogCaptureFixture) -> None:
    host.admit(0, params("penalties(presence=2, scope=output)"), [5], [])
    with caplog.at_level(logging.WARNING, "bregman.vllm"):
        for output, seen in [
            ([1], {1}),
            ([1, -1], {1}),
            ([1, -1, 3], {1}),
            ([1, 2, 3], {1, 2, 3}),
            ([1, 2, -1], {1, 2}),
        ]:
            host.write(0, *output)
            row = step(host)
            assert {token for token in range(8) if row[token] < row[5]} == seen
    assert [record.getMessage().count("which vLLM has not filled in") for record in caplog.records] == [1]


P = np.array([0.4, 0.3, 0.2, 0.05, 0.05])
XTC = "xtc(probability=0.5, threshold=0.1)"


def acts(host: Any, steps: int) -> list[bool]:
    """Where xtc takes away the most likely token of `P`, in a sequence of so many steps."""
    acted = []
    for n in range(steps):
        host.write(0, *[n % 5] * n)
        logits = np.log(P).astype(np.float32)[None]
        host.apply(logits)
        acted.append(not np.isfinite(logits[0, 0]))
    return acted


def coins(seed: int, steps: int) -> list[bool]:
    sampler = bregman.Sampler(f"{XTC} | greedy", seed)
    return [sampler.decode(np.log(P).astype(np.float32)).token != 0 for _ in range(steps)]


@pytest.mark.parametrize("seed", [0, 7, 2**63, -2])
def test_xtc_acts_by_the_seed_and_the_number_of_output_tokens(host: Any, seed: int) -> None:
    host.admit(0, params(XTC, seed=seed), [1, 2], [])
    acted = acts(host, 1000)
    assert abs(sum(acted) - 500) < 5 * np.sqrt(250)
    assert acted == coins(seed % 2**64, 1000)


def test_a_preempted_request_continues_with_its_coins(host: Any) -> None:
    host.admit(0, params(XTC, seed=3), [1, 2], [])
    before = acts(host, 40)
    host.admit(0, params(XTC, seed=3), [1, 2], [1] * 20)
    assert acts(host, 40) == before == coins(3, 40)


@pytest.mark.parametrize("make", [lambda *of: V1Host(v1(*of)), lambda *of: V2Host(lambda s: v2(s, *of))])
def test_requests_without_a_seed_have_seeds_of_the_engine(make: Callable[..., Any]) -> None:
    def sequences(*of: int) -> list[tuple[bool, ...]]:
        host, acted = make(*of), []
        for _ in range(5):
            host.admit(0, params(XTC), [1, 2], [])
            acted.append(tuple(acts(host, 50)))
        return acted

    first = sequences(0, 0)
    assert len(set(first)) == 5
    assert sequences(0, 0) == first  # so the ranks of a tensor-parallel engine agree
    assert not set(first) & set(sequences(1, 0))
    assert not set(first) & set(sequences(0, 1))


def test_params_are_validated_before_a_request_is_admitted() -> None:
    processor = processor_class()
    processor.validate_params(params())
    processor.validate_params(params(CHAIN))
    processor.validate_params(params(CHAIN, temperature=0, top_k=-1))
    processor.validate_params(params(top_p=0.5))
    processor.validate_params(SimpleNamespace(extra_args={"another": 3}))
    for wrong in ("top_k(", "tempratur(1)", 3, ["draw"]):
        with pytest.raises(ValueError, match=r"extra_args\['bregman'\].*(chain|stage)"):
            processor.validate_params(params(wrong))
    # Errors that are no ValueError would stop the engine.
    with pytest.raises(ValueError, match="alpha"):
        processor.validate_params(params("bregman(alpha=100, floor=0.1)"))


@pytest.mark.parametrize(
    "field",
    [
        {"temperature": 0.7},
        {"top_k": 5},
        {"top_p": 0.9},
        {"min_p": 0.1},
        {"repetition_penalty": 1.1},
        {"presence_penalty": 0.5},
        {"frequency_penalty": -0.5},
    ],
)
def test_vllms_own_stages_are_refused_beside_a_chain(field: dict[str, float]) -> None:
    ((name, value),) = field.items()
    with pytest.raises(ValueError, match=f"{name}={value} cannot be combined with the chain"):
        processor_class().validate_params(params(CHAIN, **field))


@pytest.mark.parametrize("chain", ["mirostat(5)", "temperature(0.7) | mirostat_v2(tau=4)", "adaptive_p(0.3)"])
def test_stages_that_learn_from_their_draws_are_refused(chain: str) -> None:
    with pytest.raises(ValueError, match=r"`(mirostat|mirostat_v2|adaptive_p)` learns from the tokens"):
        processor_class().validate_params(params(chain))


def test_a_refused_chain_that_was_not_validated_stops_no_engine(
    logits: np.ndarray, host: Any, caplog: pytest.LogCaptureFixture
) -> None:
    before = logits.copy()
    with caplog.at_level(logging.ERROR, "bregman.vllm"):
        for row, chain in enumerate(("no chain", "mirostat(5)", "bregman(alpha=100, floor=0.1)")):
            host.admit(row, params(chain), [1], [])
    assert len(caplog.records) == 3
    host.apply(logits)
    np.testing.assert_array_equal(logits, before)


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_a_row_that_cannot_be_decoded_stops_no_engine(
    logits: np.ndarray, caplog: pytest.LogCaptureFixture, device: str
) -> None:
    processor = v1()
    processor.update_state(batch_update(4, added=[(r, params(CHAIN), [], []) for r in (0, 2, 3)]))
    logits[2, 5] = np.nan
    before = logits.copy()
    with caplog.at_level(logging.WARNING, "bregman.vllm"):
        for _ in range(3):
            logits[:] = before
            processor.apply(logits if device == "cpu" else DeviceTensor(logits))
    check_rows(logits, before, [CHAIN, None, None, CHAIN])
    assert [record.getMessage().count("logit 5 is NaN") for record in caplog.records] == [1]


def test_only_the_rows_with_a_chain_are_copied_from_another_device(logits: np.ndarray) -> None:
    processor = v1()
    processor.update_state(batch_update(4, added=[(1, params(CHAIN), [], []), (3, params(OTHER), [], [])]))
    before = logits.copy()
    there = DeviceTensor(logits)
    assert processor.apply(there) is there
    check_rows(there.array, before, [None, CHAIN, None, OTHER])
    assert there.fetched == 2


def test_importing_the_package_imports_no_host() -> None:
    program = (
        "import bregman, bregman.vllm, sys\n"
        "print({'torch', 'transformers', 'vllm', 'llama_cpp', 'ml_dtypes'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
