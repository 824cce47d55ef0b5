#!/usr/bin/env python3
"""Writes vectors.json: what Hugging Face transformers' own logits processors keep of rows of logits.

Run by tests/transformers/generate.sh, which pins the versions. A row is given by its recipe (seed and kind), so that
the file stays small; the test makes the same rows: integers from splitmix64, scaled by powers of two.
"""

import datetime
import json
import pathlib
import sys

import torch
import transformers
from transformers.generation import logits_process as hf

MASK = (1 << 64) - 1


def splitmix64(state):
    while True:
        state = (state + 0x9E3779B97F4A7C15) & MASK
        z = state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
        yield z ^ (z >> 31)


def logits(kind, vocab, seed):
    """Multiples of 2^-12 (of 1/2 for "ties"), exact in f32: a sum of four uniform numbers, or one of six levels."""
    numbers, row = splitmix64(seed), []
    for i in range(vocab):
        z = next(numbers)
        if kind == "ties":
            row.append((z >> 40) % 6 / 2.0)
            continue
        four = sum(z >> 16 * field & 0xFFFF for field in range(4)) - 131070
        value = (four >> 3) / 4096.0
        if kind == "peaked" and i % 97 == 5:
            value += 6.0
        row.append(float("-inf") if kind == "banned" and z % 3 == 0 and i > 0 else value)
    return row


ROWS = [(kind, vocab) for kind in ("normal", "peaked", "banned", "ties") for vocab in (7, 60, 300, 1500)]

# The chain that should do the same, and the processor.
CASES = [
    *[(f"top_k({k}, ties=keep)", lambda k=k: hf.TopKLogitsWarper(k)) for k in (1, 5, 40)],
    *[(f"top_p({p})", lambda p=p: hf.TopPLogitsWarper(p)) for p in (0.1, 0.5, 0.9, 0.95)],
    ("top_p(0.3, min_keep=4)", lambda: hf.TopPLogitsWarper(0.3, min_tokens_to_keep=4)),
    *[(f"min_p({p})", lambda p=p: hf.MinPLogitsWarper(p)) for p in (0.02, 0.1, 0.5)],
    ("min_p(0.9, min_keep=3)", lambda: hf.MinPLogitsWarper(0.9, min_tokens_to_keep=3)),
    *[(f"typical({p})", lambda p=p: hf.TypicalLogitsWarper(p)) for p in (0.2, 0.5, 0.9, 0.95)],
    ("typical(0.2, min_keep=6)", lambda: hf.TypicalLogitsWarper(0.2, min_tokens_to_keep=6)),
    *[(f"epsilon({p})", lambda p=p: hf.EpsilonLogitsWarper(p)) for p in (0.0003, 0.01, 0.3)],
    ("epsilon(0.5, min_keep=3)", lambda: hf.EpsilonLogitsWarper(0.5, min_tokens_to_keep=3)),
    *[(f"eta({p})", lambda p=p: hf.EtaLogitsWarper(p)) for p in (0.0003, 0.02, 0.5)],
    *[(f"top_h({h})", lambda h=h: hf.TopHLogitsWarper(h)) for h in (0.2, 0.4, 0.8)],
    ("temperature(0.7)", lambda: hf.TemperatureLogitsWarper(0.7)),
]


def kept(processor, row):
    """The kept ids, and the probabilities of the first and the last of them after a softmax."""
    scores = processor(torch.zeros((1, 1), dtype=torch.long), torch.tensor([row], dtype=torch.float32))[0]
    ids = torch.nonzero(scores > float("-inf")).flatten().tolist()
    p = torch.softmax(scores.double(), dim=-1)
    return ids, [p[ids[0]].item(), p[ids[-1]].item()]


def runs(ids):
    """[3, 4, 5, 9] as [[3, 5], [9, 9]]."""
    out = []
    for i in ids:
        if out and out[-1][1] == i - 1:
            out[-1][1] = i
        else:
            out.append([i, i])
    return out


def main(path):
    cases = []
    for r, (kind, vocab) in enumerate(ROWS):
        row = logits(kind, vocab, 1000 + r)
        for chain, processor in CASES:
            ids, ends = kept(processor(), row)
            cases.append({"chain": chain, "row": [kind, vocab, 1000 + r], "kept": runs(ids), "ends": ends})
    head = {
        "transformers": transformers.__version__,
        "torch": torch.__version__,
        "date": datetime.date.today().isoformat(),
    }
    lines = ",\n".join(json.dumps(case, separators=(",", ":")) for case in cases)
    path.write_text(f'{json.dumps(head)[:-1]}, "cases": [\n{lines}\n]}}\n')


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
