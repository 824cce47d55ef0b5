"""A tiny Llama that was never trained, its tokenizer, and engines that serve it.

With VLLM_USE_V2_MODEL_RUNNER=1 the engines use Model Runner V2, whose kernels are Triton's. Triton has no backend for
CPUs, but an interpreter (TRITON_INTERPRET=1) that runs the same kernels, slowly.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from tokenizers import ByteLevelBPETokenizer
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

#: Whether the engines use Model Runner V2.
V2 = os.environ.get("VLLM_USE_V2_MODEL_RUNNER") == "1"


class _InterpreterDriver:
    """What vLLM and Triton look at in a backend's driver, for the CPU."""

    @staticmethod
    def is_active() -> bool:
        return True

    def get_current_device(self) -> int:
        return 0

    def get_current_stream(self, device: int | None = None) -> int:
        return 0

    def get_active_torch_device(self) -> torch.device:
        return torch.device("cpu")

    def get_device_interface(self) -> Any:
        return torch.cpu


if V2:  # before vLLM is imported, which looks for a backend then
    from triton.backends import backends
    from triton.runtime import driver

    assert os.environ["TRITON_INTERPRET"] == "1"
    backends["cpu"] = SimpleNamespace(driver=_InterpreterDriver, compiler=None)
    driver.set_active(_InterpreterDriver())

ROOT = Path(__file__).resolve().parents[3]
VOCAB = 512
LENGTH = 256
EOS = 2

#: So few blocks of 32 tokens that a batch of long requests does not fit, and requests are preempted.
BLOCKS = 12


def _tokenizer() -> PreTrainedTokenizerFast:
    """Byte-level BPE on a text of the project, so that every text can be encoded."""
    trained = ByteLevelBPETokenizer()
    special = ["<pad>", "<s>", "</s>"]
    trained.train_from_iterator(
        [(ROOT / "LICENSE-APACHE").read_text()], vocab_size=VOCAB, special_tokens=special, show_progress=False
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=trained._tokenizer, pad_token="<pad>", bos_token="<s>", eos_token="</s>"
    )


@pytest.fixture(scope="session")
def tokenizer() -> PreTrainedTokenizerFast:
    return _tokenizer()


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory, tokenizer: PreTrainedTokenizerFast) -> str:
    """The folder of the model."""
    folder = str(tmp_path_factory.mktemp("model"))
    assert len(tokenizer) == VOCAB
    tokenizer.save_pretrained(folder)
    torch.manual_seed(1)
    config = LlamaConfig(
        vocab_size=VOCAB,
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=2,
        max_position_embeddings=LENGTH,
        initializer_range=0.3,  # flat logits would make every comparison a matter of rounding
        pad_token_id=0,
        bos_token_id=1,
        eos_token_id=EOS,
        tie_word_embeddings=False,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    return folder


#: What every engine here is started with. In float32 the row of a request hardly depends on the other rows.
ENGINE: dict[str, Any] = {
    "dtype": "float32",
    "max_model_len": LENGTH,
    "block_size": 32,
    "num_gpu_blocks_override": BLOCKS,
    "enable_prefix_caching": False,
    "enforce_eager": True,
    "max_logprobs": VOCAB,
    "logits_processors": ["bregman.vllm:LogitsProcessor"],
    "disable_log_stats": False,
    "gpu_memory_utilization": 0.2,
}


def _keep_asynchronous(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets the CPU schedule asynchronously, which vLLM switches off there without a message."""
    from vllm.platforms.cpu import CpuPlatform  # noqa: PLC0415

    adapt = CpuPlatform.check_and_update_config

    def keep(config: Any) -> None:
        given = config.scheduler_config.async_scheduling
        adapt(config)
        config.scheduler_config.async_scheduling = given

    monkeypatch.setattr(CpuPlatform, "check_and_update_config", staticmethod(keep))


@pytest.fixture(scope="session", params=["synchronous", "asynchronous"])
def engine(request: pytest.FixtureRequest, model: str) -> Iterator[Any]:
    """A real engine with the scheduler of the name.

    The synchronous one of V1 runs in processes of its own, as vLLM starts it. The others run in this process: the
    changes that they need are made here.
    """
    from vllm import LLM  # noqa: PLC0415

    asynchronous = request.param == "asynchronous"
    # Each with another library for grammars.
    grammars = {"backend": "guidance" if asynchronous else "xgrammar", "disable_any_whitespace": True}
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setenv("VLLM_ENABLE_V1_MULTIPROCESSING", "0" if V2 or asynchronous else "1")
        if asynchronous:
            _keep_asynchronous(monkeypatch)
        made = LLM(model, async_scheduling=asynchronous, structured_outputs_config=grammars, **ENGINE)
        config = made.llm_engine.vllm_config
        assert config.scheduler_config.async_scheduling == asynchronous
        assert config.use_v2_model_runner == V2
        yield made
        made.llm_engine.engine_core.shutdown()
