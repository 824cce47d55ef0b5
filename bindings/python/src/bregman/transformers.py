"""A logits processor for Hugging Face transformers.

    processor = BregmanLogitsProcessor("temperature(0.8) | top_k(floor=0.02)")
    model.generate(
        **inputs, logits_processor=LogitsProcessorList([processor]), do_sample=True, temperature=1.0, top_k=0, top_p=1.0
    )

transformers runs it before its own temperature, top-k and top-p, so the chain owns the temperature, and those are
switched off as above. It hands back ln p of the decoded distribution, from which transformers draws with torch's own
random numbers.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import transformers

from bregman._generator import Generator
from bregman._hosts import Follower, process_rows
from bregman._sampler import Sampler


class BregmanLogitsProcessor(transformers.LogitsProcessor):
    """Replaces the scores of each row by ln p of the distribution that a chain decodes, -inf off its support.

    Stages about repetition see each row's `input_ids`: the prompt, its padding, and what was generated. An instance
    may be used for one generation after another, but by one thread at a time.

    Args:
        chain: the stages; a drawing one at the end may be there, but draws nothing.
        generators: divergences of your own that the chain names.

    Raises:
        InvalidChainError: as `bregman.Sampler`.
    """

    #: Rows are sequences here, which continuous batching does not promise.
    supports_continuous_batching = False

    def __init__(self, chain: str, *, generators: Iterable[Generator] = ()) -> None:
        """Checks the chain."""
        self._prototype = Sampler(chain, generators=generators)
        self._rows: list[Follower] = []

    def __call__(self, input_ids: Any, scores: Any) -> Any:
        """The scores with each row processed; `scores` itself stays as it was.

        Raises:
            InvalidLogitsError: a score is NaN or +inf.
            EmptySupportError: all scores of a row are -inf.
            TypeError: the scores are not float32.
        """
        processed = scores.clone()
        tokens = input_ids.cpu().numpy()
        while len(self._rows) < len(tokens):
            self._rows.append(Follower(self._prototype.clone()))
        for row, sequence in zip(self._rows, tokens):
            row.follow(sequence)
        process_rows(processed, {r: self._rows[r].sampler for r in range(len(tokens))})
        return processed

    def __repr__(self) -> str:
        return f"BregmanLogitsProcessor({self._prototype.describe()!r})"
