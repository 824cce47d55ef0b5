"""Shared by the logits processors of all hosts that draw the tokens themselves: seeds, histories and rows.

One rule for random numbers holds in every host: what a stage draws for itself (the coin of `xtc`) comes from the seed
of the row and the number of its output tokens. The sampler is reseeded with both before every row.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Callable, Union

import numpy as np
import numpy.typing as npt

from bregman._arrays import as_numpy, check_dimensions, dtype_name
from bregman._catalogue import stages
from bregman._sampler import Sampler
from bregman.errors import BregmanError, InvalidArgumentError, UnsupportedError

#: Token ids of a host, in its own container.
Tokens = Union["npt.NDArray[Any]", Sequence[int]]


def refuse_learning(sampler: Sampler) -> None:
    """Refuses a chain with a stage that learns from the tokens that it draws (mirostat, mirostat_v2, adaptive_p).

    And one that ends with `watermark`, whose mark is in the draw.

    Raises:
        UnsupportedError: the host draws, so such a stage would never learn, or would mark nothing.
    """
    learning = {stage.name for stage in stages() if stage.learns}
    for text in sampler.describe().split("|"):
        name = text.partition("(")[0].strip()
        if name in learning:
            raise UnsupportedError(
                f"the stage `{name}` learns from the tokens that it draws, but here the host draws them: use it with "
                "Sampler.decode, or another stage in its place"
            )
        if name == "watermark":
            raise UnsupportedError(
                "the stage `watermark` marks the tokens that it draws, but here the host draws them: use it with "
                "Sampler.decode, or `synthid` or `green_list` in its place"
            )


def derived_seed(seed: int, *path: int) -> int:
    """A seed of 64 bits for one of many streams; streams with different seeds or paths are independent."""
    return int(np.random.SeedSequence(seed, spawn_key=path).generate_state(1, np.uint64)[0])


class HostSequence:
    """The sampler of one sequence: its history and random position follow the host's tokens."""

    def __init__(self, sampler: Sampler) -> None:
        """Takes over the sampler."""
        self.sampler = sampler
        #: Number of output tokens in the sampler's history.
        self.outputs = 0
        self._seed = 0
        self._prompt: Tokens = ()

    def begin(self, prompt: Tokens, seed: int) -> None:
        """Starts a sequence with this prompt and no output, at position 0 of the random numbers of `seed`.

        `prompt` is kept, not copied.
        """
        self._prompt, self._seed = prompt, seed
        self.rewind()

    def rewind(self) -> None:
        """Removes the output from the history."""
        self.sampler.reset()
        self.sampler.accept(self._prompt)
        self.sampler.set_prompt_length(len(self._prompt))
        self.move_to(0)
        self.outputs = 0

    def accept(self, output: Tokens) -> None:
        """Appends output tokens to the history."""
        self.sampler.accept(output)
        self.outputs += len(output)

    def move_to(self, position: int) -> None:
        """Sets the position of the random numbers: the number of output tokens before the row."""
        self.sampler.reseed(self._seed, position)


def check_scores(scores: Any, name: str) -> None:
    """Raises unless `scores` is a float32 array or tensor of rows x vocabulary."""
    if dtype_name(scores) != "float32":
        raise TypeError(f"{name} has dtype {dtype_name(scores)}: it must be float32 (for a tensor: {name}.float())")
    check_dimensions(scores, 2, name)


def process_rows(
    logits: Any, samplers: Mapping[int, Sampler], failed: Callable[[int, BregmanError], None] | None = None
) -> None:
    """Replaces rows of the host's tensor, in place, by ln p of the distributions that the samplers decode.

    On another device than the CPU only these rows are copied to the CPU and back.

    Args:
        logits: rows x vocabulary, float32.
        samplers: the sampler of each row that is to be processed, by the row's index.
        failed: called with the index and the error of each row that cannot be decoded; such a row stays as it is.
            None raises the first error.
    """
    check_scores(logits, "logits")
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
        if not 0 <= row < len(logits):
            raise InvalidArgumentError(f"logits has {len(logits)} rows, none with index {row}")
        try:
            sampler.process(logits[row])
        except BregmanError as e:
            if failed is None:
                raise
            failed(row, e)
