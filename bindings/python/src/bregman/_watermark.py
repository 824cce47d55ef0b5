"""Detectors of watermarks."""

from __future__ import annotations

from typing import Any, NamedTuple

from bregman._arguments import int32s
from bregman._library import ffi, lib, text
from bregman.errors import InvalidArgumentError, error

_LONGEST_MESSAGE = 4096


class WatermarkScore(NamedTuple):
    """What a detector says of a text."""

    #: The stage's statistic, larger for a marked text; docs/watermarks.md says what it is.
    score: float
    #: The probability that a text which knows nothing of the key scores as much; 1 if no token was counted.
    p_value: float
    #: Number of tokens that were counted: tokens whose context occurred before are not.
    counted: int


def watermark_score(stage: str, tokens: Any) -> WatermarkScore:
    """Looks for a watermark in a text. Needs no model, no logits and no sampler. Thread-safe.

    Args:
        stage: the stage that marked it, as in a chain and with its parameters, such as
            "watermark(key=0x9d3c55aa10f2e671, width=4)". green_list needs its parameter vocab here.
        tokens: the token ids of the output from its beginning, without the prompt.

    Returns:
        The score, its p-value, and how many tokens were counted.

    Raises:
        InvalidChainError: not the text of one watermark stage. The message does not contain the key.
        InvalidArgumentError: a token is negative or not in the vocabulary, or the stage contains a NUL.
        TypeError: the stage is no str, or the tokens are no integers.
    """
    if not isinstance(stage, str):
        raise TypeError(f"stage is a {type(stage).__name__}: it must be a str")
    if "\0" in stage:
        raise InvalidArgumentError("stage has a NUL in it")
    ids = int32s(tokens, "tokens")
    out = ffi.new("bregman_watermark *")
    out.struct_size = ffi.sizeof("bregman_watermark")
    message = ffi.new("char[]", _LONGEST_MESSAGE)
    status = lib.bregman_watermark_score(
        stage.encode(), ffi.from_buffer("int32_t[]", ids), len(ids), out, message, len(message)
    )
    if status:
        raise error(status, text(message))
    return WatermarkScore(out.score, out.p_value, out.counted)
