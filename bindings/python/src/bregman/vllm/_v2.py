"""The processor for the interface of vLLM's Model Runner V2; see `bregman.vllm`."""

from __future__ import annotations

from typing import Any

from vllm.v1.worker.gpu.sample.logits_processor import LogitsProcessor as _Interface

from bregman.vllm._request import Request, check_params, process


class LogitsProcessor(_Interface):
    """Decodes the rows of requests that ask for a chain in `extra_args["bregman"]`.

    Speculative decoding is refused: the rows of drafts would need a history each.
    """

    @classmethod
    def validate_params(cls, sampling_params: Any) -> None:
        """Raises ValueError for a chain that is none, before the request is admitted."""
        check_params(sampling_params)

    def __init__(self, vllm_config: Any, req_states: Any) -> None:
        """Keeps the engine's token history, which grows in place.

        Raises:
            ValueError: the engine decodes speculatively.
        """
        if vllm_config.speculative_config is not None:
            raise ValueError("bregman does not support speculative decoding in Model Runner V2")
        self._states = req_states
        self._slots: dict[int, Request] = {}

    def add_request(self, req_idx: int, sampling_params: Any) -> bool:
        """Replaces whatever the slot held; says whether the request asks for a chain."""
        self._slots.pop(req_idx, None)
        request = Request.of(sampling_params)
        if request is None:
            return False
        self._slots[req_idx] = request
        return True

    def apply(self, logits: Any, ctx: Any) -> Any:
        """Processes, in place, the rows of the slots that asked for it."""
        if not any(slot in self._slots for slot in ctx.idx_mapping_np.tolist()):
            return logits
        slots = ctx.expanded_idx_mapping.tolist()
        rows = {row: self._slots[slot] for row, slot in enumerate(slots) if slot in self._slots}
        lengths = self._states.total_len.gpu.tolist()
        for row, request in rows.items():
            slot = slots[row]
            request.accept(self._states.all_token_ids.gpu[slot, request.accepted : lengths[slot]].tolist())
        process(logits, rows)
        return logits
