"""The native stage inside the real llama-cpp-python, with the model of the repository."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import llama_cpp
import numpy as np
import pytest

import bregman
import bregman.llama_cpp

MODEL = Path(__file__).parents[3] / "models/kjv-1.4m/kjv-1.4m-q8_0.gguf"
PROMPT = b"And it came to pass"
TOKENS = 60

CHAINS = [
    "greedy",
    "temperature(0.8) | bregman(alpha=1.5, floor=0.01) | draw",
    "bregman(alpha=2, mode=dual, floor=0.01) | draw",
    "top_k(40) | top_p(0.95) | min_p(0.05) | temperature(0.8) | draw",
    "penalties(repeat=1.2, last_n=64) | dry(multiplier=0.8) | temperature(1.1) | top_k(floor=0.02) | draw",
    "temperature(1.2) | mirostat_v2(tau=4)",
    "llama_cpp(temp=0.7, top_p=0.9)",
]


@pytest.fixture(scope="module")
def llm() -> Iterator[Any]:
    with_model = llama_cpp.Llama(str(MODEL), n_ctx=256, n_threads=1, n_threads_batch=1, verbose=False)
    yield with_model
    with_model.close()


def new_chain() -> Any:
    return llama_cpp.llama_sampler_chain_init(llama_cpp.llama_sampler_chain_default_params())


def start(llm: Any) -> list[int]:
    llm.reset()
    tokens = llm.tokenize(PROMPT)
    llm.eval(tokens)
    return list(tokens)


def logits(llm: Any) -> np.ndarray:
    row = llama_cpp.llama_get_logits_ith(llm.ctx, -1)
    return np.ctypeslib.as_array(row, (llm.n_vocab(),)).copy()


@pytest.mark.parametrize("text", CHAINS)
def test_stage_writes_the_text_of_decode(llm: Any, text: str) -> None:
    sampler, chain = bregman.Sampler(text, 7), new_chain()
    bregman.llama_cpp.add_to_chain(chain, sampler)
    prompt = start(llm)
    sampler.accept(prompt)
    for token in prompt:
        llama_cpp.llama_sampler_accept(chain, token)
    written = []
    for _ in range(TOKENS):
        expected = sampler.decode(logits(llm)).token
        sampler.accept([expected])
        written.append(llama_cpp.llama_sampler_sample(chain, llm.ctx, -1))
        assert written[-1] == expected
        llm.eval([expected])
    llama_cpp.llama_sampler_free(chain)
    assert len(set(written)) > 10


def apply(chain: Any, row: np.ndarray) -> dict[int, float]:
    """The candidates that a chain keeps, with their probability."""
    array = (llama_cpp.llama_token_data * len(row))()
    for token, logit in enumerate(row):
        array[token] = llama_cpp.llama_token_data(token, float(logit), 0.0)
    given = llama_cpp.llama_token_data_array(array, len(row), -1, False)
    llama_cpp.llama_sampler_apply(chain, ctypes.byref(given))
    kept = {given.data[i].id: given.data[i].logit for i in range(given.size)}
    weights = np.exp(np.array(list(kept.values())) - max(kept.values()))
    return dict(zip(kept, weights / weights.sum()))


@pytest.mark.parametrize(
    ("text", "theirs"),
    [
        ("top_k(20)", lambda: [llama_cpp.llama_sampler_init_top_k(20)]),
        ("top_p(0.9, min_keep=1)", lambda: [llama_cpp.llama_sampler_init_top_p(0.9, 1)]),
        ("min_p(0.03)", lambda: [llama_cpp.llama_sampler_init_min_p(0.03, 1)]),
        (
            "top_k(40) | top_p(0.95) | min_p(0.05) | temperature(0.8)",
            lambda: [
                llama_cpp.llama_sampler_init_top_k(40),
                llama_cpp.llama_sampler_init_top_p(0.95, 1),
                llama_cpp.llama_sampler_init_min_p(0.05, 1),
                llama_cpp.llama_sampler_init_temp(0.8),
            ],
        ),
    ],
)
def test_stage_keeps_what_the_packages_own_samplers_keep(llm: Any, text: str, theirs: Any) -> None:
    ours, own = new_chain(), new_chain()
    bregman.llama_cpp.add_to_chain(ours, bregman.Sampler(text))
    for stage in theirs():
        llama_cpp.llama_sampler_chain_add(own, stage)
    start(llm)
    truncated = 0
    for _ in range(TOKENS):
        row = logits(llm)
        mine, its = apply(ours, row), apply(own, row)
        assert set(mine) == set(its)
        assert all(abs(p - its[token]) < 1e-5 for token, p in mine.items())
        truncated += len(mine) < len(row)
        llm.eval([max(mine, key=lambda token: mine[token])])
    llama_cpp.llama_sampler_free(ours)
    llama_cpp.llama_sampler_free(own)
    assert truncated == TOKENS


def test_failing_stage_falls_back_to_the_most_likely_token(llm: Any) -> None:
    chain = new_chain()
    stage = bregman.llama_cpp.add_to_chain(chain, bregman.Sampler("draw"))
    bregman.llama_cpp.set_on_failure(stage, bregman.llama_cpp.OnFailure.FALLBACK)
    start(llm)
    row = logits(llm)
    best = int(row.argmax())
    row[(best + 1) % len(row)] = np.nan
    assert apply(chain, row) == {best: 1.0}
    assert bregman.llama_cpp.failures(stage) == 1
    llama_cpp.llama_sampler_free(chain)


def test_logits_processor_is_given_a_strided_view(llm: Any) -> None:
    sampler = bregman.Sampler("temperature(0.8) | top_k(1)")
    refused = []

    def process(input_ids: np.ndarray, scores: np.ndarray) -> np.ndarray:
        with pytest.raises(bregman.InvalidArgumentError) as caught:
            sampler.process(scores)
        refused.append(str(caught.value))
        row = np.ascontiguousarray(scores)
        sampler.process(row)
        return row

    def text(**more: Any) -> str:
        llm.reset()
        return str(llm(PROMPT.decode(), max_tokens=20, seed=3, **more)["choices"][0]["text"])

    greedy = text(temperature=0)
    drawn = text(temperature=1, top_k=0, top_p=1, min_p=0)
    processors = llama_cpp.LogitsProcessorList([process])
    assert text(temperature=1, top_k=0, top_p=1, min_p=0, logits_processor=processors) == greedy != drawn
    assert len(refused) >= 20
