"""The processor for vLLM's V1 interface; see `bregman.vllm`."""

from __future__ import annotations

from typing import Any

from vllm.v1.sample.logits_processor import LogitsProcessor as _Interface
from vllm.v1.sample.logits_processor import MoveDirectionality

from bregman._sampler import Sampler
from bregman.vllm._request import Request, check_params, process


class _Row(Request):
    """A request in the persistent batch."""

    def __init__(self, sampler: Sampler) -> None:
        super().__init__(sampler)
        self._prompt_length = 0
        self._output: list[int] = []

    def begin(self, prompt: list[int] | None, output: list[int]) -> None:
        """Accepts the prompt; `output` is vLLM's own list, which grows with the request."""
        self.accept(prompt or [])
        self._prompt_length = self.accepted
        self._output = output

    def follow(self) -> None:
        """Accepts what the request went on with."""
        self.accept(self._output[self.accepted - self._prompt_length :])


class LogitsProcessor(_Interface):
    """Decodes the rows of requests that ask for a chain in `extra_args["bregman"]`."""

    @classmethod
    def validate_params(cls, sampling_params: Any) -> None:
        """Raises ValueError for a chain that is none, before the request is admitted."""
        check_params(sampling_params)

    def __init__(self, vllm_config: Any, device: Any, is_pin_memory: bool) -> None:
        """Needs nothing of the engine's configuration."""
        del vllm_config, device, is_pin_memory
        self._rows: dict[int, _Row] = {}

    def is_argmax_invariant(self) -> bool:
        """False: so the chain is applied before vLLM's temperature, and to greedy requests as well."""
        return False

    def update_state(self, batch_update: Any) -> None:
        """Follows the persistent batch: removed, added, moved, in that order."""
        if batch_update is None:
            return
        for index in batch_update.removed:
            self._rows.pop(index, None)
        for index, params, prompt, output in batch_update.added:
            self._rows.pop(index, None)
            row = _Row.of(params)
            if row is not None:
                row.begin(prompt, output)
                self._rows[index] = row
        for source, target, direction in batch_update.moved:
            moved, replaced = self._rows.pop(source, None), self._rows.pop(target, None)
            if moved is not None:
                self._rows[target] = moved
            if replaced is not None and direction == MoveDirectionality.SWAP:
                self._rows[source] = replaced

    def apply(self, logits: Any) -> Any:
        """Processes the rows in place."""
        for row in self._rows.values():
            row.follow()
        process(logits, self._rows)
        return logits
