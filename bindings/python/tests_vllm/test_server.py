"""The processor behind vLLM's server, over HTTP."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from conftest import ENGINE, LENGTH

Ask = Callable[..., tuple[int, dict[str, Any]]]

#: The server starts in half a minute on a machine with nothing else to do.
PATIENCE = 300


@pytest.fixture(scope="module")
def ask(model: str) -> Iterator[Ask]:
    """Sends a completion request; returns the status and the answer."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{probe.getsockname()[1]}"
    # `vllm serve` looks for a package named vllm.
    command = [sys.executable, "-m", "vllm.entrypoints.openai.api_server", "--model", model, "--host", "127.0.0.1"]
    command += ["--port", address.rpartition(":")[2], "--served-model-name", "tiny", "--dtype", "float32"]
    command += ["--max-model-len", str(LENGTH), "--block-size", str(ENGINE["block_size"]), "--enforce-eager"]
    command += ["--gpu-memory-utilization", str(ENGINE["gpu_memory_utilization"])]
    command += ["--logits-processors", "bregman.vllm:LogitsProcessor"]

    def send(**fields: Any) -> tuple[int, dict[str, Any]]:
        body = {"model": "tiny", "prompt": [1, 17, 300, 4], "max_tokens": 12, "ignore_eos": True, **fields}
        request = urllib.request.Request(
            f"{address}/v1/completions", json.dumps(body).encode(), {"Content-Type": "application/json"}
        )
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as e:
            return e.code, json.load(e)

    server = subprocess.Popen(command)
    try:
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                urllib.request.urlopen(f"{address}/health", timeout=5).close()
                break
            except OSError:
                assert server.poll() is None, "the server has ended"
                assert time.monotonic() < deadline, "the server does not answer"
                time.sleep(0.5)
        yield send
    finally:
        server.terminate()
        server.wait(60)


def text(answer: tuple[int, dict[str, Any]]) -> str:
    status, body = answer
    assert status == 200, body
    return str(body["choices"][0]["text"])


def test_vllm_xargs_names_the_chain(ask: Ask) -> None:
    greedy = text(ask(temperature=0))
    assert text(ask(vllm_xargs={"bregman": "top_k(1)"})) == greedy
    chain = "xtc(probability=1, threshold=1e-9) | top_k(1)"
    assert text(ask(vllm_xargs={"bregman": chain})) != greedy


def test_the_seed_of_a_request_decides_its_text(ask: Ask) -> None:
    chain = "xtc(probability=0.5, threshold=0.01) | temperature(0.8) | bregman(alpha=1.5, floor=0.02)"
    first, again, other = (text(ask(seed=seed, vllm_xargs={"bregman": chain})) for seed in (1, 1, 2))
    assert first == again != other


def test_extra_args_are_ignored_over_http(ask: Ask) -> None:
    assert text(ask(seed=1, temperature=1, extra_args={"bregman": "top_k(1)"})) == text(ask(seed=1, temperature=1))


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"vllm_xargs": {"bregman": "tempratur(1)"}}, "did you mean `temperature`"),
        ({"vllm_xargs": {"bregman": "mirostat(5)"}}, "learns from the tokens"),
        ({"vllm_xargs": {"bregman": 3}}, "must be a chain, as text"),
        ({"vllm_xargs": {"bregman": "draw"}, "top_p": 0.9}, "top_p=0.9 cannot be combined"),
        ({"vllm_xargs": {"bregman": "draw"}, "frequency_penalty": 0.5}, "frequency_penalty=0.5 cannot be combined"),
    ],
)
def test_a_refused_request_is_answered_with_400(ask: Ask, fields: dict[str, Any], says: str) -> None:
    status, body = ask(**fields)
    assert status == 400
    assert says in body["error"]["message"]
    assert len(text(ask(temperature=0))) > 0
