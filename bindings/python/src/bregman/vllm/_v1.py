"""The processor for the interface of vLLM's V1 model runner; see `bregman.vllm`."""

from __future__ import annotations

from typing import Any

from vllm.v1.sample.logits_processor import LogitsProcessor as _Interface
from vllm.v1.sample.logits_processor import MoveDirectionality

from bregman.vllm._request import Request, Seeds, check_params, process


class LogitsProcessor(_Interface):
    """Decodes the rows of requests that name a chain in `extra_args["bregman"]`."""

    @classmethod
    def validate_params(cls, sampling_params: Any) -> None:
        """Raises ValueError for a request that is refused, before it is admitted."""
        check_params(sampling_params)

    def __init__(self, vllm_config: Any, device: Any, is_pin_memory: bool) -> None:
        """Takes the engine's seed from `vllm_config`."""
        del device, is_pin_memory
        self._seeds = Seeds(vllm_config)
        #: By index in the batch: the request, and vLLM's own list of its output, which vLLM changes in place.
        self._rows: dict[int, tuple[Request, list[int]]] = {}

    def is_argmax_invariant(self) -> bool:
        """False: the chain is applied before vLLM's temperature, and to greedy requests as well."""
        return False

    def update_state(self, batch_update: Any) -> None:
        """Follows the persistent batch: requests removed, added and moved, in that order.

        A request that was preempted is added again, with the output that it has.
        """
        if batch_update is None:
            return
        for index in batch_update.removed:
            self._rows.pop(index, None)
        for index, params, prompt, output in batch_update.added:
            self._rows.pop(index, None)
            request = Request.of(params, self._seeds)
            if request is not None:
                request.begin(prompt or [])  # there is no prompt if it was given as embeddings
                self._rows[index] = request, output
        for source, target, direction in batch_update.moved:
            moved, replaced = self._rows.pop(source, None), self._rows.pop(target, None)
            if moved is not None:
                self._rows[target] = moved
            if replaced is not None and direction == MoveDirectionality.SWAP:
                self._rows[source] = replaced

    def apply(self, logits: Any) -> Any:
        """Processes the rows in place."""
        for request, output in self._rows.values():
            request.follow(len(output), lambda i, j, output=output: output[i:j])  # type: ignore[misc]
        process(logits, {index: request for index, (request, _) in self._rows.items()})
        return logits
