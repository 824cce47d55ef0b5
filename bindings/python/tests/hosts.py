"""Mirrors of the hosts' interfaces, as far as they matter here: vLLM's two, and a tensor on another device.

The names, signatures and lifecycles are vLLM's (V1: 2025-08 on; Model Runner V2: 2026-09 on); so is the rule that a
processor must be a subclass of the interface.
"""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from enum import Enum, auto
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


def params(chain: Any = None) -> Any:
    """SamplingParams with or without our argument."""
    return SimpleNamespace(extra_args=None if chain is None else {"bregman": chain})


class States:
    """V2's LogitsProcRequestState: buffers of all slots, which the engine changes in place."""

    def __init__(self, slots: int, length: int, tensor: Any = np.asarray) -> None:
        self.tokens, self.lengths = np.zeros((slots, length), np.int32), np.zeros(slots, np.int32)
        self.all_token_ids = SimpleNamespace(gpu=tensor(self.tokens))
        self.total_len = SimpleNamespace(gpu=tensor(self.lengths))

    def append(self, slot: int, *tokens: int) -> None:
        begin = self.lengths[slot]
        self.tokens[slot, begin : begin + len(tokens)] = tokens
        self.lengths[slot] += len(tokens)


def context(slots: list[int], tensor: Any = np.asarray) -> Any:
    """V2's LogitsContext for one row a slot."""
    return SimpleNamespace(expanded_idx_mapping=tensor(np.array(slots, np.int32)), idx_mapping_np=np.array(slots))


class DeviceTensor:
    """A tensor on another device: rows are fetched, and brought back."""

    def __init__(self, array: np.ndarray) -> None:
        self.array, self.device = array, SimpleNamespace(type="cuda")
        self.fetched = 0

    def __getitem__(self, rows: list[int]) -> DeviceTensor:
        self.fetched += len(rows)
        return DeviceTensor(self.array[rows])

    def __setitem__(self, rows: list[int], values: DeviceTensor) -> None:
        self.array[rows] = values.array

    def cpu(self) -> HostTensor:
        return self.array.copy().view(HostTensor)


class HostTensor(np.ndarray):
    """What `DeviceTensor.cpu` gives."""

    def to(self, device: Any) -> DeviceTensor:
        assert device.type == "cuda"
        return DeviceTensor(np.asarray(self))


def install(monkeypatch: Any) -> None:
    """Puts the mirrors where `bregman.vllm` imports vLLM from."""
    modules = {
        "vllm.v1.sample.logits_processor": {"LogitsProcessor": V1Interface, "MoveDirectionality": MoveDirectionality},
        "vllm.v1.worker.gpu.sample.logits_processor": {"LogitsProcessor": V2Interface},
    }
    for name, members in modules.items():
        parts = name.split(".")
        for i in range(1, len(parts) + 1):
            parent = ".".join(parts[:i])
            if parent not in sys.modules:
                monkeypatch.setitem(sys.modules, parent, ModuleType(parent))
        for member, value in members.items():
            setattr(sys.modules[name], member, value)
    # They are bound to these mirrors, and must not outlive them.
    for name in ("bregman.vllm.v1", "bregman.vllm.v2"):
        monkeypatch.delitem(sys.modules, name, raising=False)
