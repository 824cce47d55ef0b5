"""The processor inside a real `generate`, with a small model that was never trained, against transformers' own."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM, LogitsProcessorList

import bregman
from bregman.transformers import BregmanLogitsProcessor

VOCAB = 512


@pytest.fixture(scope="module")
def model() -> Any:
    torch.manual_seed(1)
    config = LlamaConfig(
        vocab_size=VOCAB,
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=128,
        initializer_range=0.3,  # flat logits would hide differences
        bos_token_id=1,
        eos_token_id=None,
        pad_token_id=0,
    )
    return LlamaForCausalLM(config).eval()


PROMPT = torch.tensor([[1, 17, 300, 4], [1, 5, 6, 7], [0, 0, 1, 400]])
OFF = {"temperature": 1.0, "top_k": 0, "top_p": 1.0}


def generate(model: Any, chain: str | None, seed: int = 7, **options: Any) -> Any:
    torch.manual_seed(seed)
    processors = LogitsProcessorList([] if chain is None else [BregmanLogitsProcessor(chain)])
    arguments = {"do_sample": True, "max_new_tokens": 20, "return_dict_in_generate": True, **options}
    return model.generate(PROMPT, attention_mask=(PROMPT != 0).long(), logits_processor=processors, **arguments)


@pytest.mark.parametrize(
    ("chain", "theirs"),
    [
        ("temperature(0.7) | top_k(20)", {"temperature": 0.7, "top_k": 20, "top_p": 1.0}),
        ("temperature(1.3) | top_p(0.8)", {"temperature": 1.3, "top_k": 0, "top_p": 0.8}),
        ("temperature(0.9) | min_p(0.05)", {"temperature": 0.9, "top_k": 0, "top_p": 1.0, "min_p": 0.05}),
        ("temperature(0.8) | top_k(30) | top_p(0.9)", {"temperature": 0.8, "top_k": 30, "top_p": 0.9}),
    ],
)
def test_text_equals_that_of_transformers_own_stages(model: Any, chain: str, theirs: dict[str, Any]) -> None:
    ours = generate(model, chain, **OFF)
    assert torch.equal(ours.sequences, generate(model, None, **theirs).sequences)
    assert len(set(ours.sequences[:, 4:].flatten().tolist())) > 10


def test_scores_are_the_decoded_distribution_and_logits_are_unchanged(model: Any) -> None:
    chain = "temperature(0.8) | bregman(alpha=1.5, floor=0.01) | draw"
    out = generate(model, chain, output_scores=True, output_logits=True, **OFF)
    plain = generate(model, None, output_logits=True, max_new_tokens=1, **OFF)
    assert torch.equal(out.logits[0], plain.logits[0])
    sampler = bregman.Sampler(chain)
    supports = []
    for step, (scores, logits) in enumerate(zip(out.scores, out.logits)):
        for row in range(len(PROMPT)):
            ids, p = sampler.distribution(logits[row])
            kept = torch.nonzero(scores[row] > -torch.inf).flatten()
            assert sorted(ids.tolist()) == kept.tolist()
            np.testing.assert_allclose(scores[row][ids.tolist()].exp().numpy(), p, rtol=1e-6)
            assert int(out.sequences[row, 4 + step]) in ids
            supports.append(len(ids))
    assert len(set(supports)) > 3  # the size of the support depends on the row


def test_greedy_text_is_that_without_the_chain(model: Any) -> None:
    chain = "temperature(0.8) | bregman(alpha=2, floor=0.01)"
    assert torch.equal(
        generate(model, chain, do_sample=False).sequences, generate(model, None, do_sample=False).sequences
    )


def test_several_sequences_of_a_prompt_equal_transformers(model: Any) -> None:
    ours = generate(model, "top_k(50)", num_return_sequences=4, **OFF)
    theirs = generate(model, None, num_return_sequences=4, **{**OFF, "top_k": 50})
    assert ours.sequences.shape == (12, 24)
    assert torch.equal(ours.sequences, theirs.sequences)


@pytest.mark.parametrize("options", [{"do_sample": False}, OFF])
def test_beams_have_the_history_of_their_sequence(
    model: Any, monkeypatch: pytest.MonkeyPatch, options: dict[str, Any]
) -> None:
    histories: dict[int, list[int]] = {}
    accept, reset = bregman.Sampler.accept, bregman.Sampler.reset

    def record(sampler: bregman.Sampler, tokens: Any) -> None:
        histories.setdefault(id(sampler), []).extend(tokens.tolist())
        accept(sampler, tokens)

    def forget(sampler: bregman.Sampler) -> None:
        histories[id(sampler)] = []
        reset(sampler)

    monkeypatch.setattr(bregman.Sampler, "accept", record)
    monkeypatch.setattr(bregman.Sampler, "reset", forget)
    call = BregmanLogitsProcessor.__call__
    calls = 0

    def check(processor: BregmanLogitsProcessor, input_ids: Any, scores: Any) -> Any:
        nonlocal calls
        calls += 1
        processed = call(processor, input_ids, scores)
        assert [histories[id(row.sampler)] for row in processor._rows] == input_ids.tolist()
        assert [row.outputs for row in processor._rows] == [input_ids.shape[1] - PROMPT.shape[1]] * len(input_ids)
        return processed

    monkeypatch.setattr(BregmanLogitsProcessor, "__call__", check)
    assert generate(model, "top_k(50)", num_beams=3, **options).sequences.shape == (3, 24)
    assert calls == 20


def test_scores_that_cannot_be_decoded_raise() -> None:
    processor = BregmanLogitsProcessor("top_k(3)")
    scores = torch.zeros(2, 8)
    ids = torch.zeros(2, 1, dtype=torch.long)
    assert torch.equal(processor(ids, scores) > -torch.inf, torch.tensor([[True] * 3 + [False] * 5] * 2))
    assert not scores.any()
    for value, raised in ((torch.nan, bregman.InvalidLogitsError), (torch.inf, bregman.InvalidLogitsError)):
        with pytest.raises(raised, match="logit 0"):
            processor(ids, torch.full((2, 8), value))
    with pytest.raises(bregman.EmptySupportError):
        processor(ids, torch.full((2, 8), -torch.inf))


@pytest.mark.parametrize(
    ("ids", "scores", "raised", "says"),
    [
        (
            (2, 1),
            torch.zeros(2, 8).half(),
            TypeError,
            r"scores has dtype float16: it must be float32 .*scores.float\(\)",
        ),
        ((2, 1), torch.zeros(2, 8).bfloat16(), TypeError, "scores has dtype bfloat16: it must be float32"),
        ((2, 1), torch.zeros(8), ValueError, r"scores has 1 dimensions, not 2: its shape is \(8,\)"),
        ((2,), torch.zeros(2, 8), ValueError, r"input_ids has 1 dimensions, not 2: its shape is \(2,\)"),
        ((3, 1), torch.zeros(2, 8), ValueError, "input_ids has 3 rows, scores has 2"),
    ],
)
def test_wrong_tensors_are_refused(ids: tuple[int, ...], scores: Any, raised: type[Exception], says: str) -> None:
    with pytest.raises(raised, match=says):
        BregmanLogitsProcessor("top_k(3)")(torch.zeros(ids, dtype=torch.long), scores)


def test_wrong_arguments_are_refused() -> None:
    with pytest.raises(bregman.InvalidChainError, match="did you mean"):
        BregmanLogitsProcessor("topk3(3)")
    for chain in ("mirostat(5)", "temperature(0.8) | mirostat_v2(5)", "adaptive_p(0.3)", "llama_cpp(mirostat=2)"):
        with pytest.raises(bregman.UnsupportedError, match="learns from the tokens that it draws"):
            BregmanLogitsProcessor(chain)
    for seed in (-1, 2**64):
        with pytest.raises(ValueError, match="seed"):
            BregmanLogitsProcessor("top_k(3)", seed)
    with pytest.raises(ValueError, match="attention_mask has 1 dimensions"):
        BregmanLogitsProcessor("top_k(3)", attention_mask=torch.ones(4))
    with pytest.raises(TypeError, match="attention_mask is a list"):
        BregmanLogitsProcessor("top_k(3)", attention_mask=[[1]])
    assert repr(BregmanLogitsProcessor("top_k(3)", 7)) == "BregmanLogitsProcessor('top_k(3)', seed=7)"


def test_an_instance_serves_one_generation_after_another(model: Any) -> None:
    processor = LogitsProcessorList([BregmanLogitsProcessor("top_k(20)")])
    texts = []
    for prompt in (PROMPT, PROMPT[:1], PROMPT[[2, 1]], PROMPT):
        torch.manual_seed(5)
        mask = (prompt != 0).long()
        texts.append(
            model.generate(
                prompt, attention_mask=mask, logits_processor=processor, do_sample=True, max_new_tokens=6, **OFF
            )
        )
    assert torch.equal(texts[0], texts[3])


@pytest.mark.parametrize(
    ("chain", "theirs"),
    [
        ("temperature(0.7) | top_k(20)", {"temperature": 0.7, "top_k": 20, "top_p": 1.0}),
        ("temperature(0.8) | top_k(30) | top_p(0.9)", {"temperature": 0.8, "top_k": 30, "top_p": 0.9}),
        ("penalties(1.3, scope=all)", {"repetition_penalty": 1.3, **OFF}),
    ],
)
def test_text_of_a_bfloat16_model_equals_that_of_transformers_own_stages(
    model: Any, chain: str, theirs: dict[str, Any]
) -> None:
    half = copy.deepcopy(model).to(torch.bfloat16)
    ours = generate(half, chain, **OFF).sequences
    assert torch.equal(ours, generate(half, None, **theirs).sequences)
    assert not torch.equal(ours, generate(model, chain, **OFF).sequences)
