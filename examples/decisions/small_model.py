"""models/kjv-1.4m in numpy: reads the GGUF file and computes rows of logits.

For the examples. Logits differ from llama.cpp's by some hundredths, because that rounds activations to 8 bits.
"""

import struct
from pathlib import Path

import numpy as np

_SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_TEXT, _ARRAY, _F32, _Q8_0 = 8, 9, 0, 8


class _Reader:
    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def scalar(self, code: str):
        (value,) = struct.unpack_from("<" + code, self.data, self.at)
        self.at += struct.calcsize("<" + code)
        return value

    def text(self) -> bytes:
        size = self.scalar("Q")
        self.at += size
        return self.data[self.at - size : self.at]

    def value(self, kind: int):
        if kind == _TEXT:
            return self.text()
        if kind == _ARRAY:
            of, n = self.scalar("I"), self.scalar("Q")
            return [self.value(of) for _ in range(n)]
        return self.scalar(_SCALARS[kind])


def _tensor(data: bytes, at: int, kind: int, shape: list[int]) -> np.ndarray:
    n = int(np.prod(shape))
    if kind == _F32:
        return np.frombuffer(data, "<f4", n, at).reshape(shape)
    if kind != _Q8_0:
        raise ValueError(f"tensors of type {kind} are not read here")
    # Blocks of 32 whole numbers with a scale.
    blocks = np.frombuffer(data, np.dtype([("scale", "<f2"), ("q", "i1", 32)]), n // 32, at)
    return (blocks["scale"].astype(np.float32)[:, None] * blocks["q"]).reshape(shape)


class Model:
    """A small llama: `row` computes the logits after the next token."""

    def __init__(self, path: Path) -> None:
        reader = _Reader(path.read_bytes())
        magic, _, tensors, values = (reader.scalar(code) for code in "IIQQ")
        if magic != 0x46554747:
            raise ValueError(f"{path} is no GGUF file")
        self.meta = {reader.text().decode(): reader.value(reader.scalar("I")) for _ in range(values)}
        infos = []
        for _ in range(tensors):
            name = reader.text().decode()
            shape = [reader.scalar("Q") for _ in range(reader.scalar("I"))][::-1]
            infos.append((name, shape, reader.scalar("I"), reader.scalar("Q")))
        start = -(-reader.at // 32) * 32
        self.tensors = {name: _tensor(reader.data, start + at, kind, shape) for name, shape, kind, at in infos}
        self.heads, self.kv_heads = self.meta["llama.attention.head_count"], self.meta["llama.attention.head_count_kv"]
        self.layers, self.pieces = self.meta["llama.block_count"], self.meta["tokenizer.ggml.tokens"]
        self.bos, self.eos = self.meta["tokenizer.ggml.bos_token_id"], self.meta["tokenizer.ggml.eos_token_id"]
        self.start()

    def start(self) -> None:
        """Begins another text."""
        self.keys: list[list[np.ndarray]] = [[] for _ in range(self.layers)]
        self.values: list[list[np.ndarray]] = [[] for _ in range(self.layers)]

    def piece(self, token: int) -> str:
        """The text of a token."""
        return self.pieces[token].decode("utf-8", "replace").replace("\u2581", " ")

    def _norm(self, x: np.ndarray, name: str) -> np.ndarray:
        return x / np.sqrt(np.mean(x * x) + 1e-5) * self.tensors[name]

    def _rotated(self, x: np.ndarray, position: int) -> np.ndarray:
        """Pairs of neighbours turned by an angle that depends on the position."""
        half = x.shape[-1] // 2
        angle = position * 10000.0 ** (-np.arange(half) / half)
        pairs = x.reshape(-1, half, 2)
        turned = (pairs[..., 0] + 1j * pairs[..., 1]) * np.exp(1j * angle)
        return np.stack([turned.real, turned.imag], -1).reshape(x.shape)

    def _attention(self, x: np.ndarray, layer: int) -> np.ndarray:
        q, k, v = (self.tensors[f"blk.{layer}.attn_{name}.weight"] @ x for name in "qkv")
        q, k, v = q.reshape(self.heads, -1), k.reshape(self.kv_heads, -1), v.reshape(self.kv_heads, -1)
        position = len(self.keys[layer])
        self.keys[layer].append(self._rotated(k, position))
        self.values[layer].append(v)
        groups = self.heads // self.kv_heads
        keys, values = (np.repeat(np.stack(x, 1), groups, 0) for x in (self.keys[layer], self.values[layer]))
        scores = np.einsum("hd,htd->ht", self._rotated(q, position), keys) / np.sqrt(q.shape[-1])
        weights = np.exp(scores - scores.max(1, keepdims=True))
        weights /= weights.sum(1, keepdims=True)
        return self.tensors[f"blk.{layer}.attn_output.weight"] @ np.einsum("ht,htd->hd", weights, values).ravel()

    def row(self, token: int) -> np.ndarray:
        """The logits after a token, float32."""
        embedding = self.tensors["token_embd.weight"]
        x = embedding[token].astype(np.float64)
        for layer in range(self.layers):
            x = x + self._attention(self._norm(x, f"blk.{layer}.attn_norm.weight"), layer)
            y = self._norm(x, f"blk.{layer}.ffn_norm.weight")
            gate, up = (self.tensors[f"blk.{layer}.ffn_{name}.weight"] @ y for name in ("gate", "up"))
            x = x + self.tensors[f"blk.{layer}.ffn_down.weight"] @ (gate / (1 + np.exp(-gate)) * up)
        return (embedding @ self._norm(x, "output_norm.weight")).astype(np.float32)
