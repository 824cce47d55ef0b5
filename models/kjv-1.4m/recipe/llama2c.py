"""Readers of the two llama2.c files that llama2c_to_gguf.py converts: the legacy checkpoint (model.bin) and the tokenizer (tok.bin)."""
import struct, numpy as np

class Model:
    """Header of 7 int32 (dim, hidden, layers, heads, kv heads, vocabulary, context; a negative vocabulary
    means a separate classifier), then the f32 weights, each kind for all layers at once."""
    def __init__(self, path):
        raw = open(path, 'rb').read()
        self.dim, self.hid, self.L, self.H, self.KV, V, self.T = struct.unpack('<7i', raw[:28])
        self.V, self.tied, self.hd = abs(V), V > 0, self.dim // self.H
        w, at = np.frombuffer(raw, '<f4', offset=28), 0
        def take(*shape):
            nonlocal at
            n = int(np.prod(shape)); at += n
            return w[at - n:at].reshape(shape)
        L, d, h, kv = self.L, self.dim, self.hid, self.KV * self.hd
        self.emb = take(self.V, d); self.an = take(L, d)
        self.wq = take(L, d, d); self.wk = take(L, kv, d); self.wv = take(L, kv, d); self.wo = take(L, d, d)
        self.fn = take(L, d); self.w1 = take(L, h, d); self.w2 = take(L, d, h); self.w3 = take(L, h, d); self.on = take(d)
        take(2, self.T, self.hd // 2)  # RoPE tables, which llama.cpp computes for itself
        self.cls = self.emb if self.tied else take(self.V, d)

class Tok:
    """The longest piece's length (int32), then per token: score (f32), length (int32), bytes."""
    def __init__(self, path, vocab):
        raw, at = open(path, 'rb').read(), 4
        self.piece, self.score = [], []
        for _ in range(vocab):
            score, n = struct.unpack_from('<fi', raw, at); at += 8
            self.piece.append(raw[at:at + n]); self.score.append(score); at += n
