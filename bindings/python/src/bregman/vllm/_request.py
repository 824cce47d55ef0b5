"""A request's chain and its sequence: what both interfaces share."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from bregman._hosts import process_rows
from bregman._sampler import Sampler
from bregman.errors import BregmanError

#: The key in SamplingParams.extra_args, whose value is the chain.
ARGUMENT = "bregman"

_R = TypeVar("_R", bound="Request")
_log = logging.getLogger("bregman.vllm")


def sampler_of(sampling_params: Any) -> Sampler | None:
    """The sampler that a request asks for, or None. Raises ValueError for a chain that is none."""
    chain = (sampling_params.extra_args or {}).get(ARGUMENT)
    if chain is None:
        return None
    if not isinstance(chain, str):
        raise ValueError(f"extra_args[{ARGUMENT!r}] is a {type(chain).__name__}: it must be a chain as text")
    return Sampler(chain)


def check_params(sampling_params: Any) -> None:
    """Raises ValueError for a chain that is none."""
    sampler = sampler_of(sampling_params)
    if sampler is not None:
        sampler.close()


class Request:
    """The sampler of one request, and how much of its sequence it has accepted."""

    def __init__(self, sampler: Sampler) -> None:
        """Takes over the sampler."""
        self.sampler = sampler
        #: Tokens accepted so far.
        self.accepted = 0
        self._warned = False

    @classmethod
    def of(cls: type[_R], sampling_params: Any) -> _R | None:
        """The request's state, or None if it does not ask for a chain, or for one that is none."""
        try:
            sampler = sampler_of(sampling_params)
        except ValueError:  # vLLM validates before; raising here would end the engine
            _log.exception("a request's chain is refused: its logits stay as they are")
            return None
        return None if sampler is None else cls(sampler)

    def accept(self, tokens: Sequence[int]) -> None:
        """Accepts the tokens that follow those accepted so far.

        An asynchronous scheduler writes -1 where a token is not known yet: those and what follows are left for later.
        """
        known = next((i for i, token in enumerate(tokens) if token < 0), len(tokens))
        self.sampler.accept(tokens[:known])
        self.accepted += known

    def warn(self, error: BregmanError) -> None:
        """Reports the first row of this request that could not be decoded."""
        if not self._warned:
            self._warned = True
            _log.warning("a row is left as it is (further ones of this request are not reported): %s", error)


def process(logits: Any, requests: Mapping[int, Request]) -> None:
    """Processes the rows of these requests in place."""
    samplers = {row: request.sampler for row, request in requests.items()}
    process_rows(logits, samplers, lambda row, error: requests[row].warn(error))
