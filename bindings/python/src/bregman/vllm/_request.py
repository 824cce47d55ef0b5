"""One request of vLLM: its parameters, its sampler and its sequence. Shared by both interfaces."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, Callable

from bregman._hosts import HostSequence, Tokens, derived_seed, process_rows, refuse_learning
from bregman._sampler import Sampler
from bregman.errors import BregmanError

#: The key in SamplingParams.extra_args (over HTTP: vllm_xargs); its value is the chain.
ARGUMENT = "bregman"

#: vLLM's own stages that run after the chain (temperature, truncations) or beside it (penalties), and the values that
#: switch them off. temperature=0 takes the most likely token of the chain's distribution.
_OFF: dict[str, tuple[float, ...]] = {
    "temperature": (1, 0),
    "top_k": (0, -1),
    "top_p": (1,),
    "min_p": (0,),
    "repetition_penalty": (1,),
    "presence_penalty": (0,),
    "frequency_penalty": (0,),
}

_log = logging.getLogger("bregman.vllm")


def sampler_of(params: Any) -> Sampler | None:
    """The sampler for a request's SamplingParams; None if they name no chain.

    Raises:
        ValueError: the chain is invalid or cannot work in vLLM, or the request also uses vLLM's own stages.
    """
    chain = (params.extra_args or {}).get(ARGUMENT)
    if chain is None:
        return None
    where = f"extra_args[{ARGUMENT!r}]"
    if not isinstance(chain, str):
        raise ValueError(f"{where} is a {type(chain).__name__}: it must be a chain, as text")
    for name, off in _OFF.items():
        value = getattr(params, name, off[0])
        if value not in off:
            raise ValueError(
                f"{name}={value} cannot be combined with the chain in {where}: write it into the chain and send "
                f"{name}={off[0]} (a server takes what a request leaves out from the model's generation_config.json; "
                "--generation-config vllm switches that off)"
            )
    try:
        sampler = Sampler(chain)
        refuse_learning(sampler)
    except BregmanError as e:
        raise ValueError(f"{where}: {e}") from e
    return sampler


def check_params(params: Any) -> None:
    """Raises ValueError as `sampler_of` does."""
    sampler = sampler_of(params)
    if sampler is not None:
        sampler.close()


class Seeds:
    """The seed of each request: its own, or one that is different for every request that has none."""

    def __init__(self, vllm_config: Any) -> None:
        """Starts at the engine's seed and its data-parallel rank, so that the ranks of one engine agree."""
        self._engine = vllm_config.model_config.seed or 0
        self._rank = getattr(vllm_config.parallel_config, "data_parallel_rank", 0)
        self._count = 0

    def of(self, params: Any) -> int:
        """The request's `seed`, or a new one from the engine's seed and the number of requests without one so far."""
        if params.seed is not None:
            return int(params.seed) & 0xFFFF_FFFF_FFFF_FFFF
        self._count += 1
        return derived_seed(self._engine & 0xFFFF_FFFF_FFFF_FFFF, self._rank, self._count)


class Request:
    """A request that names a chain, and its sampler."""

    def __init__(self, sampler: Sampler, seed: int) -> None:
        """Takes over the sampler."""
        self.sampler = sampler
        self._sequence = HostSequence(sampler)
        self._seed = seed
        self._last = -1
        self._warned: set[str] = set()

    @classmethod
    def of(cls, params: Any, seeds: Seeds) -> Request | None:
        """The request's state; None if it names no chain, or one that is refused."""
        try:
            sampler = sampler_of(params)
        except ValueError:  # vLLM has validated the parameters before; raising here would stop the engine
            _log.exception("a request's chain is refused: its logits stay as they are")
            return None
        return None if sampler is None else cls(sampler, seeds.of(params))

    def begin(self, prompt: Tokens) -> None:
        """Starts the sequence with the prompt alone."""
        self._sequence.begin(prompt, self._seed)

    def follow(self, length: int, tokens: Callable[[int, int], list[int]]) -> None:
        """Brings the history and the random position up to date.

        vLLM may have fewer output tokens than before: it cuts them back after a failed transfer of its cache and
        decodes them again. The history is then built again.

        An asynchronous scheduler writes -1 for a token that is not known yet. Neither that nor a token behind it is
        accepted; the next call accepts them, once they are known. A row decoded before that has an incomplete history,
        which is logged.

        Args:
            length: number of output tokens, those that are not known yet included.
            tokens: tokens(i, j) are the output tokens i to j - 1.
        """
        sequence = self._sequence
        accepted = sequence.outputs
        if accepted and (length < accepted or tokens(accepted - 1, accepted) != [self._last]):
            sequence.rewind()
            accepted = 0
        output = tokens(accepted, length)
        known = next((i for i, token in enumerate(output) if token < 0), len(output))
        if known < len(output):
            self.warn(
                "placeholder",
                f"the history lacks the last {len(output) - known} output tokens, which vLLM has not filled in "
                "(name the processor in --logits-processors, which makes vLLM fill them in; a plug-in does not)",
            )
        if known:
            sequence.accept(output[:known])
            self._last = output[known - 1]
        sequence.move_to(length)

    def warn(self, kind: str, message: object) -> None:
        """Logs the first warning of its kind for this request."""
        if kind not in self._warned:
            self._warned.add(kind)
            _log.warning("%s (not logged again for this request)", message)


def process(logits: Any, requests: Mapping[int, Request]) -> None:
    """Processes the rows of these requests in place."""
    samplers = {row: request.sampler for row, request in requests.items()}
    process_rows(logits, samplers, lambda row, error: requests[row].warn("row", f"a row stays as it is: {error}"))
