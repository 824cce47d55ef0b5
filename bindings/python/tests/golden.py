"""The golden vectors, tests/golden/public.json: exact answers from 50-digit arithmetic."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from conftest import ROOT


def cases() -> list[dict[str, Any]]:
    """All cases that have logits; each with its `row` and its `chain`."""
    file = json.loads((ROOT / "tests/golden/public.json").read_text())
    assert len(file["cases"]) == file["n_cases"]
    with_logits = [case for case in file["cases"] if "weights" not in case["input"]]
    for case in with_logits:
        sizes = [f"{name}={case[name]!r}" for name in ("lambda", "floor", "k", "k_min", "k_max") if name in case]
        parameters = ", ".join([f"alpha={case['alpha']}", f"mode={case['mode']}", *sizes])
        case["chain"] = f"temperature({case['temperature']!r}) | bregman({parameters})"
        case["row"] = _row(case)
    return with_logits


def _row(case: dict[str, Any]) -> np.ndarray:
    if "logits" in case["input"]:
        return np.array([float(x) for x in case["input"]["logits"]], np.float32)
    row = _generate(case["input"]["gen"])
    head = [float(x) for x in case["expect"]["gen_head"]]
    assert row[: len(head)].tolist() == head, "the generator drifted"
    return row


def _splitmix64(seed: int, n: int) -> np.ndarray:
    with np.errstate(over="ignore"):
        z = np.uint64(seed) + np.arange(1, n + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def _generate(gen: dict[str, Any]) -> np.ndarray:
    """Integers from splitmix64, scaled by a power of two."""
    vocab = gen["V"]
    z = _splitmix64(int(gen["seed"]), vocab)
    if gen["kind"] == "uniform":
        n = (z >> np.uint64(40)).astype(np.int64) - 8_388_608
    elif gen["kind"] == "gauss4":
        fields = [(z >> np.uint64(16 * f) & np.uint64(0xFFFF)).astype(np.int64) for f in range(4)]
        n = np.sum(fields, axis=0) - 131_070
    else:
        rank = (np.arange(vocab, dtype=np.int64) * gen["mult"] + gen["add"]) % vocab + 1
        exponent = np.array([int(r).bit_length() - 1 for r in rank])
        log = exponent * 65536 + ((rank << 16) >> exponent) - 65536
        n = -((log * gen["num"]) >> 4) - (z >> np.uint64(48) & np.uint64(gen["noise_mask"])).astype(np.int64)
    for token, add in gen.get("boost", []):
        n[token] += add
    logits = (n * 2.0 ** -gen["e"]).astype(np.float32)
    if "mask_every" in gen:
        logits[gen["mask_every"] - 1 :: gen["mask_every"]] = -np.inf
    return logits
