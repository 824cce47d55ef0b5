"""Stand-ins for vLLM's two interfaces where vLLM is not installed, and for a tensor on another device.

Names and signatures are vLLM's. ci/vllm.sh runs the same tests with vLLM's own classes, and tests_vllm in its engine.
"""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from enum import Enum, auto
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np


class MoveDirectionality(Enum):
    UNIDIRECTIONAL = auto()
    SWAP = auto()


@dataclass(frozen=True)
class BatchUpdate:
    batch_size: int
    removed: list[int] = field(default_factory=list)
    added: list[tuple[int, Any, list[int] | None, list[int]]] = field(default_factory=list)
    moved: list[tuple[int, int, MoveDirectionality]] = field(default_factory=list)


class V1Interface(ABC):
    @classmethod
    def validate_params(cls, sampling_params: Any) -> None:
        return None

    @abstractmethod
    def __init__(self, vllm_config: Any, device: Any, is_pin_memory: bool) -> None: ...

    @abstractmethod
    def apply(self, logits: Any) -> Any: ...

    @abstractmethod
    def is_argmax_invariant(self) -> bool: ...

    @abstractmethod
    def update_state(self, batch_update: BatchUpdate | None) -> None: ...


class V2Interface(ABC):
    def __init__(self, vllm_config: Any, req_states: Any) -> None: ...

    @classmethod
    def validate_params(cls, sampling_params: Any) -> None: ...

    def add_request(self, req_idx: int, sampling_params: Any) -> bool:
        return True

    def apply_staged_writes(self) -> None: ...

    @abstractmethod
    def apply(self, logits: Any, ctx: Any) -> Any: ...


def params(chain: Any = None, **fields: Any) -> Any:
    """SamplingParams with or without a chain; vLLM's own stages are off unless `fields` say otherwise."""
    off = {"temperature": 1.0, "top_k": 0, "top_p": 1.0, "min_p": 0.0, "seed": None}
    penalties = {"repetition_penalty": 1.0, "presence_penalty": 0.0, "frequency_penalty": 0.0}
    extra_args = None if chain is None else {"bregman": chain}
    return SimpleNamespace(**{**off, **penalties, "extra_args": extra_args, **fields})


def config(speculative: Any = None, seed: int = 0, rank: int = 0) -> Any:
    """The part of VllmConfig that the processors read."""
    return SimpleNamespace(
        speculative_config=speculative,
        model_config=SimpleNamespace(seed=seed),
        parallel_config=SimpleNamespace(data_parallel_rank=rank),
    )


class V1Host:
    """The persistent batch of the V1 model runner, as far as a processor sees it."""

    def __init__(self, processor: Any, tensor: Any = np.asarray) -> None:
        self.processor, self._tensor = processor, tensor
        self.outputs: dict[int, list[int]] = {}

    def admit(self, row: int, requested: Any, prompt: list[int], output: list[int]) -> None:
        """Adds a request: a new one, or one that was preempted and has output."""
        self.outputs[row] = list(output)
        added = [(row, requested, prompt, self.outputs[row])]
        self.processor.update_state(batch_update(len(self.outputs), removed=[row], added=added))

    def write(self, row: int, *output: int) -> None:
        """Changes the request's output to this one."""
        self.outputs[row][:] = output

    def apply(self, logits: np.ndarray) -> None:
        """One step of all requests."""
        self.processor.apply(self._tensor(logits))


class V2Host:
    """The request slots of Model Runner V2, as far as a processor sees them."""

    def __init__(self, make: Any, tensor: Any = np.asarray) -> None:
        self._states, self._tensor = States(8, 2048, tensor), tensor
        self.processor = make(self._states)

    def admit(self, row: int, requested: Any, prompt: list[int], output: list[int]) -> None:
        """Adds a request: a new one, or one that was preempted and has output."""
        self.processor.add_request(row, requested)
        self._states.set(row, prompt, output)
        self.processor.apply_staged_writes()

    def write(self, row: int, *output: int) -> None:
        """Changes the request's output to this one."""
        prompt = self._states.tokens[row, : self._states.prompts[row]].tolist()
        self._states.set(row, prompt, list(output))

    def apply(self, logits: np.ndarray) -> None:
        """One step of all requests."""
        self.processor.apply(self._tensor(logits), context(list(range(len(logits))), self._tensor))


class States:
    """V2's LogitsProcRequestState: buffers of all slots, which the engine changes in place."""

    def __init__(self, slots: int, length: int, tensor: Any = np.asarray) -> None:
        self.tokens, self.lengths = np.zeros((slots, length), np.int32), np.zeros(slots, np.int32)
        self.prompts = np.zeros(slots, np.int32)
        self.all_token_ids = SimpleNamespace(gpu=tensor(self.tokens))
        self.total_len = SimpleNamespace(gpu=tensor(self.lengths))
        self.prompt_len = SimpleNamespace(np=self.prompts)

    def set(self, slot: int, prompt: list[int], output: list[int]) -> None:
        """Fills the slot with this sequence."""
        sequence = [*prompt, *output]
        self.tokens[slot, : len(sequence)] = sequence
        self.prompts[slot], self.lengths[slot] = len(prompt), len(sequence)


def context(slots: list[int], tensor: Any = np.asarray) -> Any:
    """V2's LogitsContext with one row for each of these slots."""
    return SimpleNamespace(expanded_idx_mapping=tensor(np.array(slots, np.int32)), idx_mapping_np=np.array(slots))


class DeviceTensor:
    """A tensor on another device: counts the rows that are copied to the CPU."""

    def __init__(self, array: np.ndarray) -> None:
        self.array, self.device = array, SimpleNamespace(type="cuda")
        self.dtype, self.ndim, self.shape = array.dtype, array.ndim, array.shape
        self.fetched = 0

    def __getitem__(self, rows: list[int]) -> DeviceTensor:
        self.fetched += len(rows)
        return DeviceTensor(self.array[rows])

    def __setitem__(self, rows: list[int], values: DeviceTensor) -> None:
        self.array[rows] = values.array

    def cpu(self) -> HostTensor:
        return self.array.copy().view(HostTensor)


class HostTensor(np.ndarray):
    """The result of `DeviceTensor.cpu`."""

    def to(self, device: Any) -> DeviceTensor:
        assert device.type == "cuda"
        return DeviceTensor(np.asarray(self))


def batch_update(size: int, removed: Any = (), added: Any = (), moved: Any = ()) -> Any:
    """V1's BatchUpdate."""
    made = import_module("vllm.v1.sample.logits_processor").BatchUpdate
    return made(size, removed=list(removed), added=list(added), moved=list(moved))


def moves() -> Any:
    """V1's MoveDirectionality."""
    return import_module("vllm.v1.sample.logits_processor").MoveDirectionality


V1_MODULE, V2_MODULE = "vllm.v1.sample.logits_processor", "vllm.v1.worker.gpu.sample.logits_processor"
#: Whether vLLM itself is installed; then its own classes are used.
REAL = find_spec("vllm") is not None


def install(monkeypatch: Any, *modules: str) -> None:
    """Puts the stand-ins where `bregman.vllm` imports vLLM from, in these modules alone."""
    members = {
        V1_MODULE: {
            "LogitsProcessor": V1Interface,
            "MoveDirectionality": MoveDirectionality,
            "BatchUpdate": BatchUpdate,
        },
        V2_MODULE: {"LogitsProcessor": V2Interface},
    }
    for name in modules:
        parts = name.split(".")
        for i in range(1, len(parts) + 1):
            parent = ".".join(parts[:i])
            if parent not in sys.modules:
                monkeypatch.setitem(sys.modules, parent, ModuleType(parent))
        for member, value in members[name].items():
            setattr(sys.modules[name], member, value)
    # These are bound to the stand-ins, and must not outlive them.
    for name in ("bregman.vllm._v1", "bregman.vllm._v2", "bregman.vllm._either"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    package = sys.modules.get("bregman.vllm")
    for name in ("_v1", "_v2", "_either"):
        if package is not None:
            monkeypatch.delattr(package, name, raising=False)
