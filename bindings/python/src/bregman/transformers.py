"""A logits processor for Hugging Face transformers.

    processor = BregmanLogitsProcessor("temperature(0.8) | top_k(floor=0.02)", seed=1)
    model.generate(
        **inputs, logits_processor=LogitsProcessorList([processor]), do_sample=True, temperature=1.0, top_k=0, top_p=1.0
    )

transformers runs it before its own temperature, top-k and top-p: write the temperature into the chain and switch those
off, as above. The processor returns ln p of the decoded distribution, from which transformers draws with torch's random
numbers.
"""

from __future__ import annotations

import operator
from collections.abc import Iterable
from typing import Any, SupportsIndex

import numpy as np
import numpy.typing as npt
import transformers

from bregman._arguments import uint64
from bregman._arrays import as_numpy, check_dimensions
from bregman._generator import Generator
from bregman._hosts import HostSequence, check_scores, derived_seed, process_rows, refuse_learning
from bregman._sampler import Sampler
from bregman.errors import InvalidArgumentError

_Ids = npt.NDArray[Any]


class BregmanLogitsProcessor(transformers.LogitsProcessor):
    """Replaces each row's scores by ln p of the distribution that a chain decodes, -inf off its support.

    The prompt is what `generate` starts with; stages with scope=output see what was generated after it. A call belongs
    to the same generation as the last one if each of its rows, but for the last token, begins a row of the last call,
    and is longer than the prompt and at most one token longer than the last call's: so beams may be reordered, and
    prompt-lookup decoding may reject candidates. Anything else begins a new generation. One case is ambiguous:
    a new generation whose prompt is the last call's row, or a part of it beyond the prompt, with one token added. Call
    `begin` before it, or make a new processor.

    Random numbers that stages draw for themselves (the coin of `xtc`) come from `seed`, the number of generations
    begun so far, the row in the batch (beams and returned sequences are rows) and the number of output tokens; torch's
    seed has no part in them.

    One thread at a time may use an instance.

    Args:
        chain: the stages. A drawing stage at the end is allowed, but draws nothing.
        seed: from 0 to 2**64 - 1.
        attention_mask: of the first generation, as for `begin`.
        pad_token_id: leading tokens with this id are padding, in every generation that has no attention mask. Without
            either, stages that look at the prompt see its padding.
        generators: divergences of your own that the chain names.

    Raises:
        InvalidChainError: as `bregman.Sampler`.
        UnsupportedError: the chain has a stage that learns from the tokens that it draws (mirostat, mirostat_v2,
            adaptive_p); or as `bregman.Sampler`.
        InvalidArgumentError: the seed is out of range, or as `begin`.
    """

    #: Continuous batching does not promise that a row stays the row of its sequence.
    supports_continuous_batching = False

    def __init__(
        self,
        chain: str,
        seed: SupportsIndex = 0,
        *,
        attention_mask: Any = None,
        pad_token_id: SupportsIndex | None = None,
        generators: Iterable[Generator] = (),
    ) -> None:
        """Checks the chain."""
        self._prototype = Sampler(chain, generators=generators)
        refuse_learning(self._prototype)
        self._seed = uint64(seed, "seed")
        self._pad = None if pad_token_id is None else operator.index(pad_token_id)
        self._rows: list[HostSequence] = []
        #: Generations begun so far.
        self._generations = 0
        #: `input_ids` of the first call of the generation.
        self._prompts: _Ids = np.empty((0, 0), np.int64)
        #: `input_ids` of the last call; None before the first call of a generation that `begin` has announced.
        self._last: _Ids | None = None
        self._mask: npt.NDArray[np.bool_] | None = None
        self.begin(attention_mask)

    def begin(self, attention_mask: Any = None) -> None:
        """Makes the next call begin a new generation.

        Args:
            attention_mask: prompts x tokens of the prompt, 0 for padding, as `generate` takes it: stages do not see
                the padding. With several beams or returned sequences, each row is that of several rows of scores. A
                mask holds for one generation.

        Raises:
            InvalidArgumentError: the mask does not have two dimensions.
            TypeError: it is no array or tensor.
        """
        mask = None
        if attention_mask is not None:
            on_cpu = attention_mask.cpu() if hasattr(attention_mask, "cpu") else attention_mask
            mask = as_numpy(on_cpu, "attention_mask") != 0
            check_dimensions(mask, 2, "attention_mask")
        self._mask, self._last = mask, None

    def __call__(self, input_ids: Any, scores: Any) -> Any:
        """A new tensor with each row of `scores` processed; `scores` stays as it was.

        Args:
            input_ids: rows x tokens so far.
            scores: rows x vocabulary, float32.

        Raises:
            InvalidLogitsError: a score is NaN or +inf.
            EmptySupportError: all scores of a row are -inf.
            InvalidArgumentError: a wrong shape, or an attention mask that does not fit.
            TypeError: the scores are not float32.
        """
        check_scores(scores, "scores")
        check_dimensions(input_ids, 2, "input_ids")
        if len(input_ids) != len(scores):
            raise InvalidArgumentError(f"input_ids has {len(input_ids)} rows, scores has {len(scores)}")
        processed = scores.clone()
        self._follow(input_ids.cpu().numpy())
        process_rows(processed, {index: row.sampler for index, row in enumerate(self._rows)})
        return processed

    def _follow(self, tokens: _Ids) -> None:
        """Brings every row's history and random position up to date."""
        last = self._last
        if last is None or not self._continues(tokens, last):
            self._start(tokens)
            last = tokens
        begin, length = self._prompts.shape[1], tokens.shape[1]
        for row, sequence, before in zip(self._rows, tokens, last):
            accepted = begin + row.outputs
            if accepted > length or not np.array_equal(sequence[begin:accepted], before[begin:accepted]):
                row.rewind()
            row.accept(sequence[begin + row.outputs :])
            row.move_to(length - begin)
        self._last = tokens.copy()

    def _continues(self, tokens: _Ids, last: _Ids) -> bool:
        """Whether this call belongs to the same generation as the last."""
        length = tokens.shape[1]
        if len(tokens) != len(last) or not self._prompts.shape[1] < length <= last.shape[1] + 1:
            return False
        begun = {row.tobytes() for row in last[:, : length - 1]}
        return all(row.tobytes() in begun for row in tokens[:, : length - 1])

    def _start(self, prompts: _Ids) -> None:
        """Begins a generation with these prompts."""
        kept = self._not_padding(prompts)
        self._prompts = prompts.copy()
        while len(self._rows) < len(prompts):
            self._rows.append(HostSequence(self._prototype.clone()))
        del self._rows[len(prompts) :]
        for index, (row, prompt, keep) in enumerate(zip(self._rows, prompts, kept)):
            row.begin(prompt[keep], derived_seed(self._seed, self._generations, index))
        self._generations += 1

    def _not_padding(self, prompts: _Ids) -> npt.NDArray[np.bool_]:
        """Rows x tokens of the prompt, False for padding."""
        mask, rows = self._mask, len(prompts)
        if mask is None:
            if self._pad is None:
                return np.ones(prompts.shape, np.bool_)
            return np.logical_or.accumulate(prompts != self._pad, axis=1)
        # Prompt lookup calls several times with the prompt before the first row.
        if self._last is not None and not np.array_equal(prompts, self._prompts):
            raise InvalidArgumentError("attention_mask is that of the last generation: call begin(attention_mask)")
        if mask.shape[1] != prompts.shape[1] or len(mask) == 0 or rows % len(mask):
            raise InvalidArgumentError(
                f"attention_mask has the shape {mask.shape}, the prompts have {prompts.shape}: it needs as many tokens,"
                " and as many rows or a divisor of them"
            )
        return np.repeat(mask, rows // len(mask), axis=0)

    def __repr__(self) -> str:
        return f"BregmanLogitsProcessor({self._prototype.describe()!r}, seed={self._seed})"
