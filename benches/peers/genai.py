"""onnxruntime-genai's sampler, on given logits: its generator needs a model, so it gets one that returns zeros."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import numpy as np
import onnx
import onnxruntime_genai
from onnx import TensorProto, helper

#: Tokens that a sequence may have; the model's state is one number for each.
LENGTH = 64


def write_model(folder: Path, vocab: int) -> None:
    """A decoder that returns zeros, and keeps its input as keys and values."""
    past = ["past_key_values.0.key", "past_key_values.0.value"]
    present = ["present.0.key", "present.0.value"]

    def cache(name: str) -> onnx.ValueInfoProto:
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", 1, f"{name}_length", 1])

    nodes = [
        helper.make_node("Shape", ["input_ids"], ["shape"]),
        helper.make_node("Concat", ["shape", "vocab"], ["whole"], axis=0),
        helper.make_node("Expand", ["zero", "whole"], ["logits"]),
        helper.make_node("Cast", ["input_ids"], ["floats"], to=TensorProto.FLOAT),
        helper.make_node("Unsqueeze", ["floats", "axes"], ["state"]),
        *(helper.make_node("Concat", [a, "state"], [b], axis=2) for a, b in zip(past, present, strict=True)),
    ]
    inputs = [
        helper.make_tensor_value_info("input_ids", TensorProto.INT64, ["batch", "length"]),
        helper.make_tensor_value_info("attention_mask", TensorProto.INT64, ["batch", "total"]),
        *map(cache, past),
    ]
    logits = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", "length", vocab])
    constants = [
        helper.make_tensor("vocab", TensorProto.INT64, [1], [vocab]),
        helper.make_tensor("zero", TensorProto.FLOAT, [1], [0.0]),
        helper.make_tensor("axes", TensorProto.INT64, [2], [1, 3]),
    ]
    graph = helper.make_graph(nodes, "zeros", inputs, [logits, *map(cache, present)], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.save(model, folder / "model.onnx")
    every = {
        "head_size": 1,
        "hidden_size": 1,
        "num_attention_heads": 1,
        "num_hidden_layers": 1,
        "num_key_value_heads": 1,
    }
    names = {
        "inputs": {
            "input_ids": "input_ids",
            "attention_mask": "attention_mask",
            "past_key_names": "past_key_values.%d.key",
            "past_value_names": "past_key_values.%d.value",
        },
        "outputs": {
            "logits": "logits",
            "present_key_names": "present.%d.key",
            "present_value_names": "present.%d.value",
        },
    }
    decoder = {"filename": "model.onnx", **every, **names}
    tokens = {"vocab_size": vocab, "context_length": LENGTH, "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0}
    config = {"model": {"type": "llama", **tokens, "decoder": decoder}, "search": {"max_length": LENGTH}}
    (folder / "genai_config.json").write_text(json.dumps(config))


class Generator:
    """Draws tokens of rows that are not the model's."""

    def __init__(self, vocab: int, **options: float) -> None:
        onnxruntime_genai.disable_telemetry_events()
        with tempfile.TemporaryDirectory() as folder:
            write_model(Path(folder), vocab)
            self.model = onnxruntime_genai.Model(folder)
        parameters = onnxruntime_genai.GeneratorParams(self.model)
        parameters.set_search_options(do_sample=True, random_seed=42, **options)
        self.generator = onnxruntime_genai.Generator(self.model, parameters)

    def put(self, row: np.ndarray) -> None:
        """Puts a row in the place of the model's."""
        self.generator.rewind_to(0)
        self.generator.append_tokens(np.array([1], np.int32))
        self.generator.set_logits(row[None, None])

    def draw(self) -> int:
        """A token of that row."""
        self.generator.generate_next_token()
        return int(self.generator.get_next_tokens()[0])
