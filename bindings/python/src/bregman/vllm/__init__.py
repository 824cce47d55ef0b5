"""A logits processor for vLLM: `bregman.vllm:LogitsProcessor`, for its V1 model runner and for Model Runner V2.

It is not registered as a plug-in, which every engine would load. Name it when the engine starts:

    vllm serve MODEL --logits-processors bregman.vllm:LogitsProcessor

A request names its chain. vLLM's temperature, truncations and penalties must be off, and are refused if they are not:

    SamplingParams(temperature=1.0, top_k=0, top_p=1.0, extra_args={"bregman": "temperature(0.8) | top_k(floor=0.02)"})

Over HTTP the field is `vllm_xargs` (vLLM ignores `extra_args` there). Requests without a chain are not changed.

vLLM draws the tokens. Its masks come before the chain (bad_words, min_tokens, logit_bias, allowed tokens, structured
output), and temperature=0 takes the most likely token of the chain's distribution. Stages with random numbers of their
own (the coin of `xtc`) take them from the request's `seed` and the number of its output tokens; a request without a
seed gets one from the engine's seed and the number of requests so far. Stages that learn from the tokens that they draw
(mirostat, mirostat_v2, adaptive_p) are refused, and speculative decoding is.

A row that cannot be decoded (NaN, for example) stays as it is and is reported to the logger `bregman.vllm`, once for
each request: an exception would stop the engine for all requests.
"""

from __future__ import annotations

from typing import Any

__all__ = ["LogitsProcessor"]


def __getattr__(name: str) -> Any:
    """Imports vLLM only when the class is used."""
    if name == "LogitsProcessor":
        from bregman.vllm._either import LogitsProcessor  # noqa: PLC0415

        return LogitsProcessor
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
