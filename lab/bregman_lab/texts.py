"""Texts that models write with different chains: how they repeat themselves, and how they differ from each other.

Everything is counted in the model's own tokens. Several samples follow each prompt; intervals are over prompts.
"""

from __future__ import annotations

import os
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from bregman_lab import catalogue, metrics
from bregman_lab.progress import bar

#: A text runs in a circle if its last so many tokens repeat with a period of at most half of that.
CIRCLE = 32


class Sizes(NamedTuple):
    """How much a model writes."""

    prompts: int
    samples: int
    tokens: int


SIZES = {"kjv": Sizes(48, 2, 96), "smollm2": Sizes(32, 2, 96), "gemma3": Sizes(32, 2, 96)}


def write(
    program: Path, model: Path, prompts: list[str], writers: list[catalogue.Writer], sizes: Sizes, folder: Path
) -> np.ndarray:
    """Tokens and their -ln p under the model: shape (prompts, chains, samples, tokens, 2).

    One process a core shares the prompts. What is in `folder` already is not written again.
    """
    folder.mkdir(parents=True, exist_ok=True)
    asked = {
        "prompts.txt": "".join(f"{prompt}\n" for prompt in prompts),
        "chains.txt": "".join(f"{catalogue.drawing(writer.chain)}\n" for writer in writers),
        "sizes.txt": f"{sizes}\n",
    }
    if any(not (folder / name).exists() or (folder / name).read_text() != text for name, text in asked.items()):
        for stale in folder.glob("texts-*"):
            stale.unlink()
        for name, text in asked.items():
            (folder / name).write_text(text)
    # Their number is part of the names, so that a machine with more cores begins again.
    parts = min(len(os.sched_getaffinity(0)), len(prompts))
    files = [folder / f"texts-{i}-of-{parts}.txt" for i in range(parts)]
    command = [program, model, folder / "prompts.txt", folder / "chains.txt", sizes.tokens, sizes.samples]
    runs = [
        subprocess.Popen([*map(str, command), str(file), str(i), str(parts)], stdout=subprocess.PIPE, text=True)
        for i, file in enumerate(files)
    ]
    with bar(f"texts of {model.name}, {len(writers)} chains", len(prompts)) as progress:
        done = 0
        # A line for each prompt. They take turns, since each ends a prompt about when the others do.
        open_ends = [run.stdout for run in runs if run.stdout]
        while open_ends:
            open_ends = [end for end in open_ends if end.readline()]
            done += len(open_ends)
            progress.at(done)
    if sum(run.wait() for run in runs):
        raise RuntimeError(f"{program} failed")
    written = np.zeros((len(prompts), len(writers), sizes.samples, sizes.tokens, 2))
    for file in files:
        for line in file.read_text().splitlines():
            if not line.startswith("="):
                prompt, chain, sample, tokens = line.split("\t")
                written[int(prompt), int(chain), int(sample)] = [t.split(":") for t in tokens.split(" ")]
    return written


def ngrams(tokens: list[int], n: int) -> Counter[tuple[int, ...]]:
    """How often each n-gram occurs."""
    return Counter(tuple(tokens[i : i + n]) for i in range(len(tokens) - n + 1))


def repeated(tokens: list[int], n: int) -> float:
    """The share of the n-grams that occurred before in the same text: rep-n."""
    found = ngrams(tokens, n)
    return 1 - len(found) / sum(found.values())


def circles(tokens: list[int]) -> bool:
    """Whether the text ends in a circle."""
    end = tokens[-CIRCLE:]
    return any(end[period:] == end[:-period] for period in range(1, len(end) // 2 + 1))


def bleu(text: list[int], others: list[list[int]]) -> float:
    """BLEU-4 of a text against others of the same length, with 1 added to the counts from two tokens on.

    Its mean over the texts of a prompt is self-BLEU.
    """
    logs = 0.0
    for n in range(1, 5):
        own = ngrams(text, n)
        most: Counter[tuple[int, ...]] = Counter()
        for other in others:
            most |= ngrams(other, n)
        hits, total = sum((own & most).values()), sum(own.values())
        extra = 1 if n > 1 else 0
        if hits + extra == 0:
            return 0.0
        logs += np.log((hits + extra) / (total + extra)) / 4
    return float(np.exp(logs))


def _of_prompt(samples: np.ndarray) -> dict[str, float]:
    """Figures of the texts behind one prompt, (samples, tokens, 2)."""
    texts = [[int(t) for t in sample] for sample in samples[:, :, 0]]
    both = [gram for text in texts for gram in ngrams(text, 2).elements()]
    pairs = [(a, b) for i, a in enumerate(texts) for b in texts[i + 1 :]]
    shared = [len(set(ngrams(a, 4)) & set(ngrams(b, 4))) / len(set(ngrams(a, 4)) | set(ngrams(b, 4))) for a, b in pairs]
    return {
        "nats": float(samples[:, :, 1].mean()),
        "rep-4": float(np.mean([repeated(t, 4) for t in texts])),
        "circles": float(np.mean([circles(t) for t in texts])),
        "distinct-1": float(np.mean([1 - repeated(t, 1) for t in texts])),
        "distinct-2": float(np.mean([1 - repeated(t, 2) for t in texts])),
        # Over all samples together: what one says again of the other counts too.
        "distinct-2 of all": len(set(both)) / len(both),
        "self-BLEU": float(np.mean([bleu(t, texts[:i] + texts[i + 1 :]) for i, t in enumerate(texts)])) if pairs else 0,
        "4-grams shared": float(np.mean(shared)) if pairs else 0,
    }


def record(written: np.ndarray, writers: list[catalogue.Writer], sizes: Sizes) -> dict[str, Any]:
    """The figures of every chain: mean and 95 % interval over prompts."""
    found: dict[str, dict[str, Any]] = {}
    weights = metrics.counts(np.zeros(len(written)), 1000) / len(written)
    for c, writer in enumerate(writers):
        chain = writer.chain
        figures = [_of_prompt(prompt) for prompt in written[:, c]]
        found[chain] = {"method": writer.method, "setting": writer.setting}
        for name in figures[0]:
            values = np.array([f[name] for f in figures])
            low, high = metrics.interval(weights @ values)
            three = np.array([values.mean(), low, high])
            if name == "nats":
                found[chain]["perplexity"] = [round(float(x), 2) for x in np.exp(three)]
            else:
                found[chain][name] = [round(float(x), 4) for x in three]
    return {**sizes._asdict(), "chains": found}


def writers(records: dict[str, Any], model: str) -> tuple[list[catalogue.Writer], list[catalogue.Writer]]:
    """The chains that are the same for all, and those whose settings a record chose.

    A model that was asked no questions takes SmolLM2's settings.
    """
    source = records[model] if "frontier" in records.get(model, {}) else records["smollm2"]
    chosen = {m: found["chains"] for m, found in source["frontier"]["0.5"].items() if found}
    return catalogue.writers({}), [w for w in catalogue.writers(chosen) if w.setting == "half"]
