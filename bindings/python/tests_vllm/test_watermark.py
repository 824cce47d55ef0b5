"""The stage `watermark` beside vLLM's own watermark: the same tokens, and detectors that find the same."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from conftest import ENGINE, V2, VOCAB
from vllm import LLM, SamplingParams
from vllm.v1.watermarking.gumbel import GumbelWatermarkDetector, GumbelWatermarker

import bregman

KEY = 0x9D3C55AA10F2E671


def stage(width: int) -> str:
    return f"watermark({KEY}, width={width})"


def contexts(text: list[int], width: int) -> list[tuple[int, ...]]:
    """What precedes each token and the one that comes next; -1 before the first."""
    padded = [-1] * width + text
    return [tuple(padded[at : at + width]) for at in range(len(text) + 1)]


@pytest.mark.parametrize("width", [1, 4, 6])
def test_tokens_are_those_of_vllms_watermarker(width: int) -> None:
    rng = np.random.default_rng(width)
    theirs = GumbelWatermarker(KEY, width)
    sampler = bregman.Sampler(stage(width), 5)
    text: list[int] = []
    compared = 0
    for _ in range(300):
        row = (rng.normal(size=VOCAB) * 2.5).astype(np.float32)
        before = contexts(text, width)
        token = sampler.decode(row).token
        if before[-1] not in before[:-1]:  # else the stage draws without a mark
            given = torch.tensor([before[-1]], dtype=torch.int64)
            assert token == int(theirs.sample(torch.from_numpy(row)[None], given).token_ids)
            compared += 1
        sampler.accept(token)
        text.append(token)
    assert compared > 200


@pytest.mark.parametrize("width", [1, 4])
def test_detectors_agree(width: int) -> None:
    rng = np.random.default_rng(10 + width)
    marked: list[int] = []
    sampler = bregman.Sampler(stage(width), 5)
    for _ in range(200):
        marked.append(sampler.decode((rng.normal(size=VOCAB) * 2.5).astype(np.float32)).token)
        sampler.accept(marked[-1])
    # Tokens repeat, and with them contexts, which count once.
    unmarked = [int(token) for token in rng.integers(0, 30, 400)]
    for text in (marked, unmarked, marked[:1], []):
        theirs = GumbelWatermarkDetector(KEY, width).detect(text)
        ours = bregman.watermark_score(stage(width), text)
        assert ours.counted == theirs.num_scored_tokens
        assert ours.score == pytest.approx(theirs.score, rel=1e-9)
        assert ours.p_value == pytest.approx(theirs.p_value, rel=1e-6)
    assert bregman.watermark_score(stage(width), marked).p_value < 1e-9


@pytest.mark.skipif(not V2, reason="vLLM's watermark needs Model Runner V2")
def test_text_is_that_of_an_engine_with_vllms_watermark(model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VLLM_ENABLE_V1_MULTIPROCESSING", "0")
    width, temperature, tokens = 2, 0.8, 20
    options: dict[str, Any] = {**ENGINE, "logits_processors": None}
    engine = LLM(model, watermark_config={"key": KEY, "context_width": width}, **options)
    prompts = [[1, 17, 300, 4], [1, 5, 6, 7, 5, 6], [1, 400]]
    requested = SamplingParams(
        max_tokens=tokens, ignore_eos=True, seed=1, temperature=temperature, logprobs=VOCAB, watermarking=True
    )
    outputs = engine.generate([{"prompt_token_ids": prompt} for prompt in prompts], requested, use_tqdm=False)
    compared = 0
    for prompt, output in zip(prompts, outputs):
        sampler = bregman.Sampler(f"temperature({temperature}) | {stage(width)}")
        sampler.accept(prompt)
        text: list[int] = []
        for step, token in zip(output.outputs[0].logprobs, output.outputs[0].token_ids):
            row = np.array([step[other].logprob for other in range(VOCAB)], np.float32)
            before = contexts(text, width)
            if before[-1] not in before[:-1]:
                assert sampler.decode(row).token == token
                compared += 1
            else:
                sampler.decode(row)
            sampler.accept(token)
            text.append(token)
        assert bregman.watermark_score(stage(width), text).p_value < 0.01
    assert compared > len(prompts) * tokens // 2
    engine.llm_engine.engine_core.shutdown()
