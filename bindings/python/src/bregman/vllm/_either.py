"""The processor for whichever model runner the engine has chosen; see `bregman.vllm`."""

from __future__ import annotations

from typing import Any

from bregman.vllm import _v1

try:
    from bregman.vllm import _v2
except ImportError:  # vLLM before Model Runner V2
    _v2 = None  # type: ignore[assignment]

_BASES: tuple[type, ...] = (_v1.LogitsProcessor,) if _v2 is None else (_v1.LogitsProcessor, _v2.LogitsProcessor)


class LogitsProcessor(*_BASES):  # type: ignore[misc]
    """Decodes the rows of requests that name a chain in `extra_args["bregman"]`.

    vLLM accepts it as a class of either interface; an instance is of the one whose arguments it is created with.
    """

    def __new__(cls, vllm_config: Any, *arguments: Any) -> Any:
        """(vllm_config, device, is_pin_memory) makes a processor for V1, (vllm_config, req_states) one for V2."""
        if _v2 is not None and len(arguments) == 1:
            return _v2.LogitsProcessor(vllm_config, *arguments)
        return _v1.LogitsProcessor(vllm_config, *arguments)
