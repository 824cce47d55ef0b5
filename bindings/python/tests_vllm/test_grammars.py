"""Real masks of xgrammar and llguidance: whatever the logits, the text is a document of the schema."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import jsonschema
import llguidance
import llguidance.hf
import llguidance.numpy
import numpy as np
import pytest
import xgrammar
from conftest import EOS, VOCAB
from vllm import SamplingParams
from vllm.sampling_params import StructuredOutputsParams

import bregman

SCHEMA = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "pattern": "^[a-z]{1,8}$"},
        "kind": {"enum": ["noun", "verb", "other"]},
        "count": {"type": "integer", "minimum": 0, "maximum": 99},
        "tags": {"type": "array", "items": {"type": "boolean"}, "maxItems": 3},
    },
    "required": ["name", "kind", "count", "tags"],
    "additionalProperties": False,
}
ROWS = 20
CHAIN = "penalties(presence=0.3, scope=output) | temperature(0.9) | bregman(alpha=1.5, floor=0.01) | draw"


class Xgrammar:
    """The masks of a batch."""

    def __init__(self, tokenizer: Any) -> None:
        # Without vocab_size the masks would end with the tokenizer, not with the model's rows.
        info = xgrammar.TokenizerInfo.from_huggingface(tokenizer, vocab_size=VOCAB, stop_token_ids=[EOS])
        grammar = xgrammar.GrammarCompiler(info).compile_json_schema(json.dumps(SCHEMA), any_whitespace=False)
        self.matchers = [xgrammar.GrammarMatcher(grammar) for _ in range(ROWS)]
        self.masks = xgrammar.allocate_token_bitmask(ROWS, VOCAB)

    def fill(self, row: int) -> None:
        self.matchers[row].fill_next_token_bitmask(self.masks, row)

    def accept(self, row: int, token: int) -> bool:
        assert self.matchers[row].accept_token(token)
        return bool(self.matchers[row].is_terminated())


class Llguidance:
    """The masks of a batch."""

    def __init__(self, tokenizer: Any) -> None:
        tokens = llguidance.hf.from_tokenizer(tokenizer, n_vocab=VOCAB, eos_token=EOS)
        grammar = llguidance.LLMatcher.grammar_from_json_schema(json.dumps(SCHEMA), {"whitespace_flexible": False})
        self.matchers = [llguidance.LLMatcher(tokens, grammar) for _ in range(ROWS)]
        self.masks = llguidance.numpy.allocate_token_bitmask(ROWS, VOCAB)

    def fill(self, row: int) -> None:
        llguidance.numpy.fill_next_token_bitmask(self.matchers[row], self.masks, row)

    def accept(self, row: int, token: int) -> bool:
        assert self.matchers[row].consume_token(token)
        return bool(self.matchers[row].is_stopped())


def check(text: str) -> None:
    """Raises if the text is no document of the schema."""
    jsonschema.validate(json.loads(text), SCHEMA)


@pytest.mark.parametrize("masks_of", [Xgrammar, Llguidance])
def test_masks_are_taken_as_they_are(masks_of: Callable[[Any], Any], tokenizer: Any) -> None:
    grammar, rng = masks_of(tokenizer), np.random.default_rng(1)
    samplers = [bregman.Sampler(CHAIN, row) for row in range(ROWS)]
    texts: list[list[int]] = [[] for _ in range(ROWS)]
    running = list(range(ROWS))
    while running:
        for row in running:
            grammar.fill(row)
        logits = (rng.normal(size=(len(running), VOCAB)) * 3).astype(np.float32)
        # While all rows run this is the grammar's own array, in place; then a copy of the rows that are left.
        masks = grammar.masks if len(running) == ROWS else grammar.masks[running]
        results = bregman.decode_batch([samplers[row] for row in running], logits, mask=masks, accept=True)
        ended = set()
        for row, token in zip(running, results["token"].tolist()):
            texts[row].append(token)
            if grammar.accept(row, token):
                ended.add(row)
        running = [row for row in running if row not in ended]
        assert max(map(len, texts)) < 200
    documents = {tokenizer.decode([t for t in text if t != EOS]) for text in texts}
    for document in documents:
        check(document)
    assert len(documents) == ROWS


def test_a_chain_with_vllms_structured_outputs_gives_documents(engine: Any) -> None:
    parameters = [
        SamplingParams(
            max_tokens=200,
            seed=seed,
            extra_args={"bregman": CHAIN},
            structured_outputs=StructuredOutputsParams(json=SCHEMA),
        )
        for seed in range(ROWS)
    ]
    prompts = [{"prompt_token_ids": [1, 10 + i]} for i in range(ROWS)]
    outputs = engine.generate(prompts, parameters, use_tqdm=False)
    for output in outputs:
        assert output.outputs[0].finish_reason == "stop"
        check(output.outputs[0].text)
    assert len({output.outputs[0].text for output in outputs}) > ROWS // 2
