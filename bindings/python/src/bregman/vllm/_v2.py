"""The processor for the interface of vLLM's Model Runner V2; see `bregman.vllm`."""

from __future__ import annotations

from typing import Any

from vllm.v1.worker.gpu.sample.logits_processor import LogitsProcessor as _Interface

from bregman.vllm._request import Request, Seeds, check_params, process


class LogitsProcessor(_Interface):
    """Decodes the rows of requests that name a chain in `extra_args["bregman"]`.

    Speculative decoding is refused: each row of a draft would need a history of its own.
    """

    @classmethod
    def validate_params(cls, sampling_params: Any) -> None:
        """Raises ValueError for a request that is refused, before it is admitted."""
        check_params(sampling_params)

    def __init__(self, vllm_config: Any, req_states: Any) -> None:
        """Keeps the engine's token buffers, which the engine changes in place.

        Raises:
            ValueError: the engine decodes speculatively.
        """
        if vllm_config.speculative_config is not None:
            raise ValueError("bregman does not support speculative decoding in vLLM")
        self._states = req_states
        self._seeds = Seeds(vllm_config)
        self._slots: dict[int, Request] = {}
        #: Slots whose prompt is not in the history yet: the engine writes its buffers after `add_request`.
        self._new: set[int] = set()

    def add_request(self, req_idx: int, sampling_params: Any) -> bool:
        """Replaces the slot's request; returns whether the new one names a chain.

        A request that was preempted is added again, with the output that it has.
        """
        self._slots.pop(req_idx, None)
        request = Request.of(sampling_params, self._seeds)
        if request is None:
            return False
        self._slots[req_idx] = request
        self._new.add(req_idx)
        return True

    def apply(self, logits: Any, ctx: Any) -> Any:
        """Processes, in place, the rows of the slots whose request names a chain."""
        if not any(slot in self._slots for slot in ctx.idx_mapping_np.tolist()):
            return logits
        slots = ctx.expanded_idx_mapping.tolist()
        rows = {row: self._slots[slot] for row, slot in enumerate(slots) if slot in self._slots}
        lengths = self._states.total_len.gpu.tolist()
        for row, request in rows.items():
            self._follow(slots[row], lengths[slots[row]], request)
        process(logits, rows)
        return logits

    def _follow(self, slot: int, length: int, request: Request) -> None:
        prompt = int(self._states.prompt_len.np[slot])
        tokens = self._states.all_token_ids.gpu[slot]
        if slot in self._new:
            self._new.discard(slot)
            request.begin(tokens[:prompt].tolist())
        request.follow(length - prompt, lambda i, j: tokens[prompt + i : prompt + j].tolist())
