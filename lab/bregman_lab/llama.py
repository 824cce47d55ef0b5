"""A llama trained on a known source by the recipe of models/kjv-1.4m, and its logits in plain numpy.

The recipe's own scripts are run and imported, so that nothing of them is here twice.
"""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import numpy as np

from bregman_lab.progress import bar

RECIPE = Path(__file__).parents[2] / "models" / "kjv-1.4m" / "recipe"
#: Tokens that the model looks back at.
CONTEXT = 32
SHAPE = {"V": 256, "d": 64, "L": 2, "H": 4, "KV": 2, "hid": 176, "T": CONTEXT, "B": 32, "lr": 3e-3, "warm": 50}


def train(sequences: np.ndarray, folder: Path, seed: int, steps: int) -> None:
    """Trains on sequences, (n, length): model.bin and train.log in the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    tokens = sequences.astype(np.uint16)
    held_out = max(1, len(tokens) // 16)
    np.save(folder / "train.npy", tokens[held_out:].ravel())
    np.save(folder / "val.npy", tokens[:held_out].ravel())
    options = SHAPE | {"seed": seed, "steps": steps, "eval_every": max(1, steps // 10), "max_s": 1e9}
    command = [sys.executable, RECIPE / "train.py", folder, *(f"{k}={v}" for k, v in options.items())]
    with subprocess.Popen(list(map(str, command)), stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout is not None
        with bar("training the llama", steps) as progress:
            for line in run.stdout:
                if line.startswith("step "):
                    progress.at(int(line.split()[1]))
    if run.returncode:
        raise RuntimeError(f"the recipe failed: {run.returncode}")


def _norm(x: np.ndarray, gain: np.ndarray) -> np.ndarray:
    return x / np.sqrt((x * x).mean(axis=-1, keepdims=True) + 1e-5) * gain


def _rotated(x: np.ndarray) -> np.ndarray:
    """Shape (batch, position, head, width), with neighbours turned by angles that grow with the position."""
    width = x.shape[-1]
    angle = np.arange(x.shape[1])[:, None, None] * 10_000.0 ** (-np.arange(0, width, 2) / width)
    a, b = x[..., 0::2], x[..., 1::2]
    turned = np.stack([a * np.cos(angle) - b * np.sin(angle), a * np.sin(angle) + b * np.cos(angle)], axis=-1)
    return turned.reshape(x.shape)


def every_logit(path: Path, tokens: np.ndarray) -> np.ndarray:
    """The logits behind every token of texts, (n, length): (n, length, vocabulary)."""
    spec = importlib.util.spec_from_file_location("llama2c", RECIPE / "llama2c.py")
    assert spec is not None
    assert spec.loader is not None
    llama2c = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(llama2c)
    m = llama2c.Model(path)
    n, length = tokens.shape
    future = np.triu(np.full((length, length), -np.inf), 1)
    x = m.emb[tokens].astype(np.float64)
    for layer in range(m.L):
        h = _norm(x, m.an[layer])
        q = _rotated((h @ m.wq[layer].T).reshape(n, length, m.H, m.hd))
        k = _rotated((h @ m.wk[layer].T).reshape(n, length, m.KV, m.hd)).repeat(m.H // m.KV, axis=2)
        v = (h @ m.wv[layer].T).reshape(n, length, m.KV, m.hd).repeat(m.H // m.KV, axis=2)
        score = np.einsum("bqhd,bkhd->bhqk", q, k) / np.sqrt(m.hd) + future
        weight = np.exp(score - score.max(axis=-1, keepdims=True))
        weight /= weight.sum(axis=-1, keepdims=True)
        x = x + np.einsum("bhqk,bkhd->bqhd", weight, v).reshape(n, length, m.dim) @ m.wo[layer].T
        h = _norm(x, m.fn[layer])
        gate = h @ m.w1[layer].T
        x = x + (gate / (1 + np.exp(-gate)) * (h @ m.w3[layer].T)) @ m.w2[layer].T
    return _norm(x, m.on) @ m.cls.T


def logits(path: Path, tokens: np.ndarray) -> np.ndarray:
    """The logits behind texts, (n, length): (n, vocabulary)."""
    return np.concatenate(
        [every_logit(path, part)[:, -1] for part in np.array_split(tokens, max(1, len(tokens) // 64))]
    )
