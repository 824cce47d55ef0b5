"""What the logits processors of all hosts share: the rows of a host's tensor, and the sequence behind each row."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Callable

import numpy as np
import numpy.typing as npt

from bregman._arrays import as_numpy
from bregman._sampler import Sampler
from bregman.errors import BregmanError


class Follower:
    """A sampler that follows a sequence, whose tokens the host hands over in full each time."""

    def __init__(self, sampler: Sampler) -> None:
        """Takes over the sampler, which has no history yet."""
        self.sampler = sampler
        self._seen: npt.NDArray[Any] = np.empty(0, np.int64)

    def follow(self, tokens: npt.NDArray[Any]) -> None:
        """Accepts what is new; a sequence that does not continue the last one (a beam, a new text) is begun anew."""
        known = len(self._seen)
        if len(tokens) < known or not np.array_equal(tokens[:known], self._seen):
            self.sampler.reset()
            known = 0
        self.sampler.accept(tokens[known:])
        self._seen = np.array(tokens)


def process_rows(
    logits: Any, samplers: Mapping[int, Sampler], failed: Callable[[int, BregmanError], None] | None = None
) -> None:
    """Replaces rows of the host's float32 tensor, in place, by ln p of the distributions that the samplers decode.

    On another device than the CPU only these rows are copied to the host and back. `failed` hears of rows that cannot
    be decoded, which stay as they are; without it the first raises.
    """
    if isinstance(logits, np.ndarray) or logits.device.type == "cpu":
        _process(as_numpy(logits, "logits"), samplers, failed)
        return
    rows = list(samplers)
    here = logits[rows].cpu()
    numbered = {i: samplers[row] for i, row in enumerate(rows)}
    _process(as_numpy(here, "logits"), numbered, None if failed is None else lambda i, e: failed(rows[i], e))
    logits[rows] = here.to(logits.device)


def _process(
    logits: npt.NDArray[Any], samplers: Mapping[int, Sampler], failed: Callable[[int, BregmanError], None] | None
) -> None:
    for row, sampler in samplers.items():
        try:
            sampler.process(logits[row])
        except BregmanError as e:
            if failed is None:
                raise
            failed(row, e)
