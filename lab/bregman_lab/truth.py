"""Where the truth is known: exact sparse distributions, and how near decoders bring a model to them.

The sources are Markov chains of order two. Four models of them stand for what goes wrong in practice: a llama and a
small network that were trained on a sample, interpolated counts of the same sample, and the truth itself, flattened and
with noise on its logits. None of them gives a token the probability 0, though the truth does for most.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import bregman
import numpy as np
from bregman import Sampler

from bregman_lab import llama, metrics
from bregman_lab.catalogue import AT_ONE, METHODS, WITHOUT
from bregman_lab.progress import bar

VOCAB, RANK, SAMPLE, CONTEXTS = 256, 12, 150_000, 1200
#: A sample comes from so many independent chains, and each is left alone for so many tokens before.
CHAINS, BURN_IN = 32, 32
#: Temperature alone competes too, with as many values as every other method.
TEMPERATURES = (0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.2)

#: The method that the others are compared with.
BASE = "top-p"


class Source:
    """The next token depends on the last two: on the logits U[a] + W[b], of which the largest few are kept."""

    def __init__(self, seed: int = 1) -> None:
        rng = np.random.default_rng(seed)
        out = rng.normal(size=(RANK, VOCAB))
        self._first = rng.normal(size=(VOCAB, RANK)) @ out * 0.45
        self._second = rng.normal(size=(VOCAB, RANK)) @ out * 0.45
        self._sizes = np.minimum(1 + rng.geometric(0.08, size=VOCAB), 60)

    def law(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        """The exact distributions after the pairs (a, b): one row each."""
        logits = self._first[a] + self._second[b]
        order = np.sort(logits, axis=1)[:, ::-1]
        least = np.take_along_axis(order, self._sizes[b][:, None] - 1, axis=1)
        weights = np.where(logits >= least, np.exp(logits - order[:, :1]), 0.0)
        return weights / weights.sum(axis=1, keepdims=True)

    def sequences(self, chains: int, length: int, seed: int) -> np.ndarray:
        """Independent chains that have forgotten how they began: (chains, length)."""
        rng = np.random.default_rng(seed)
        tokens = np.empty((length + BURN_IN, chains), np.int64)
        tokens[:2] = rng.integers(0, VOCAB, (2, chains))
        for t in range(2, len(tokens)):
            cumulative = self.law(tokens[t - 2], tokens[t - 1]).cumsum(axis=1)
            tokens[t] = np.minimum((cumulative < rng.random((chains, 1))).sum(axis=1), VOCAB - 1)
        return tokens[BURN_IN:].T


def triples_of(sequences: np.ndarray) -> np.ndarray:
    """Each token with the two before it, (n, 3)."""
    return np.lib.stride_tricks.sliding_window_view(sequences, 3, axis=1).reshape(-1, 3)


def network(triples: np.ndarray, seed: int = 1, epochs: int = 4) -> Any:
    """A network of one hidden layer over two embeddings, trained by Adam: a function of contexts to logits."""
    rng = np.random.default_rng(seed)
    width, hidden = 32, 128
    p = [
        rng.normal(size=(2, VOCAB, width)) * 0.1,
        rng.normal(size=(2 * width, hidden)) / np.sqrt(2 * width),
        np.zeros(hidden),
        rng.normal(size=(hidden, VOCAB)) / np.sqrt(hidden),
        np.zeros(VOCAB),
    ]
    p = [x.astype(np.float32) for x in p]
    m, v = [np.zeros_like(x) for x in p], [np.zeros_like(x) for x in p]
    batch, step = 256, 0
    total = epochs * len(triples) // batch
    with bar("training the network", total) as progress:
        for _ in range(epochs):
            order = rng.permutation(len(triples))
            for begin in range(0, len(triples) - batch + 1, batch):
                a, b, c = triples[order[begin : begin + batch]].T
                x = np.concatenate([p[0][0, a], p[0][1, b]], axis=1)
                h = np.maximum(x @ p[1] + p[2], 0)
                z = h @ p[3] + p[4]
                z = np.exp(z - z.max(axis=1, keepdims=True))
                dz = z / z.sum(axis=1, keepdims=True)
                dz[np.arange(batch), c] -= 1
                dz /= batch
                dh = (dz @ p[3].T) * (h > 0)
                dx = dh @ p[1].T
                embeddings = np.zeros_like(p[0])
                np.add.at(embeddings[0], a, dx[:, :width])
                np.add.at(embeddings[1], b, dx[:, width:])
                gradients = [embeddings, x.T @ dh, dh.sum(axis=0), h.T @ dz, dz.sum(axis=0)]
                step += 1
                rate = 3e-3 * (1 - step / (total + 1))
                for i, g in enumerate(gradients):
                    m[i] = 0.9 * m[i] + 0.1 * g
                    v[i] = 0.99 * v[i] + 0.01 * g * g
                    p[i] -= rate * (m[i] / (1 - 0.9**step)) / (np.sqrt(v[i] / (1 - 0.99**step)) + 1e-8)
                progress.at(step)

    def logits(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        x = np.concatenate([p[0][0, a], p[0][1, b]], axis=1)
        return np.maximum(x @ p[1] + p[2], 0) @ p[3] + p[4]

    return logits


def counted(triples: np.ndarray, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Logits of interpolated counts: of the pair, of its second token, of none (Witten and Bell's weights)."""
    single = np.bincount(triples[:, 2], minlength=VOCAB) + 0.5
    single = single / single.sum()
    second = np.zeros((VOCAB, VOCAB))
    np.add.at(second, (triples[:, 1], triples[:, 2]), 1)
    pairs: dict[tuple[int, int], np.ndarray] = {}
    wanted = set(zip(a.tolist(), b.tolist(), strict=True))
    for x, y, z in triples.tolist():
        if (x, y) in wanted:
            pairs.setdefault((x, y), np.zeros(VOCAB))[z] += 1

    def blended(seen: np.ndarray, back: np.ndarray) -> np.ndarray:
        kinds = np.count_nonzero(seen)
        return (seen + kinds * back) / (seen.sum() + kinds) if kinds else back

    rows = [
        blended(pairs.get((x, y), np.zeros(VOCAB)), blended(second[y], single))
        for x, y in zip(a.tolist(), b.tolist(), strict=True)
    ]
    return np.log(np.array(rows))


def noisy(law: np.ndarray, flat: float = 0.1, sigma: float = 0.5, seed: int = 3) -> np.ndarray:
    """Logits of the truth with a share spread over all tokens, and normal noise."""
    rng = np.random.default_rng(seed)
    return np.log((1 - flat) * law + flat / VOCAB) + sigma * rng.normal(size=law.shape)


def divergences(truth: np.ndarray, decoded: np.ndarray) -> dict[str, np.ndarray]:
    """Of each row, from the decoded distribution to the true one."""
    middle = (truth + decoded) / 2

    def to_middle(p: np.ndarray) -> np.ndarray:
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(p > 0, p * np.log(p / middle), 0.0).sum(axis=1)

    # Or a token that was dropped would make it infinite: a thousandth of the uniform distribution is mixed in.
    floor = 0.999 * decoded + 0.001 / decoded.shape[1]
    with np.errstate(divide="ignore", invalid="ignore"):
        kl = np.where(truth > 0, truth * np.log(truth / floor), 0.0).sum(axis=1)
    return {
        "TV": np.abs(truth - decoded).sum(axis=1) / 2,
        "squared": ((truth - decoded) ** 2).sum(axis=1),
        "KL": kl,
        "JS": (to_middle(truth) + to_middle(decoded)) / 2,
        "mass on false tokens": np.where(truth > 0, 0.0, decoded).sum(axis=1),
        "truth lost": np.where(decoded > 0, 0.0, truth).sum(axis=1),
    }


def _methods() -> dict[str, list[str]]:
    methods = {m: [template.format(v) for v in values] for m, (template, values) in (METHODS | AT_ONE).items()}
    methods["temperature"] = [f"temperature({t})" for t in TEMPERATURES]
    return methods | {m: [chain] for m, chain in WITHOUT.items()} | {"the model": ["temperature(1)"]}


def judge(truth: np.ndarray, logits: np.ndarray) -> dict[str, Any]:
    """Every method's divergences on one half of the contexts, its parameter chosen on the other, both ways round."""
    rows = np.ascontiguousarray(logits, np.float32)
    half = np.arange(len(rows)) % 2
    weights = metrics.counts(np.zeros(len(rows)), 1000) / len(rows)
    table: dict[str, Any] = {}
    paired: dict[tuple[str, str], np.ndarray] = {}
    methods = _methods()
    with bar("decoding", len(methods)) as progress:
        for done, (method, chains) in enumerate(methods.items()):
            found = []
            for chain in chains:
                samplers = [Sampler(chain, seed=1) for _ in rows]
                offsets, ids, p = bregman.distribution_batch(samplers, rows)
                decoded = np.zeros(rows.shape)
                decoded[np.repeat(np.arange(len(rows)), np.diff(offsets.astype(np.int64))), ids] = p
                found.append(divergences(truth, decoded))
            table[method] = {}
            for name in ("TV", "squared", "KL", "JS"):
                values = np.array([f[name] for f in found])
                chosen = [int(values[:, half == h].mean(axis=1).argmin()) for h in (0, 1)]
                judged = np.where(half == 0, values[chosen[1]], values[chosen[0]])
                low, high = metrics.interval(weights @ judged)
                table[method][name] = [round(float(x), 4) for x in (judged.mean(), low, high)]
                paired[method, name] = judged
                if name == "TV":
                    table[method]["chains"] = sorted({chains[i] for i in chosen})
                    for other in ("mass on false tokens", "truth lost"):
                        both = np.where(half == 0, found[chosen[1]][other], found[chosen[0]][other])
                        table[method][other] = round(float(both.mean()), 4)
            progress.at(done + 1)
    # The contexts are the same for all, so that differences are known far better than the figures themselves.
    for (method, name), judged in paired.items():
        less = judged - paired[BASE, name]
        low, high = metrics.interval(weights @ less)
        table[method][name] += [round(float(x), 4) for x in (less.mean(), low, high)]
    return table


def trained_llama(sequences: np.ndarray, histories: np.ndarray, seed: int, steps: int, folder: Path) -> np.ndarray:
    """Logits after the histories from a llama that the recipe of kjv-1.4m trained on the sequences.

    A model that is in the folder already, of the same sequences, is not trained again.
    """
    key = hashlib.sha256(sequences.tobytes() + f"{llama.SHAPE} {seed} {steps}".encode()).hexdigest()[:16]
    home = folder / f"llama-{key}"
    if not (home / "done").exists():
        llama.train(sequences, home, seed, steps)
        (home / "done").touch()
    return llama.logits(home / "model.bin", histories)


def record(
    folder: Path, sources: int = 3, sample: int = SAMPLE, contexts: int = CONTEXTS, epochs: int = 4, steps: int = 1200
) -> dict[str, Any]:
    """The record of all models, over the contexts of several sources; trained llamas are kept in `folder`."""
    laws = []
    logits: dict[str, list[np.ndarray]] = {"llama": [], "network": [], "counts": [], "noise": []}
    for seed in range(1, sources + 1):
        source = Source(seed)
        sequences = source.sequences(CHAINS, sample // CHAINS, seed=seed + 100)
        triples = triples_of(sequences)
        # Independent contexts, with as much before them as a llama looks back in training.
        histories = source.sequences(contexts // sources, llama.CONTEXT, seed=seed + 200)
        a, b = histories[:, -2], histories[:, -1]
        law = source.law(a, b)
        laws.append(law)
        logits["llama"].append(trained_llama(sequences, histories, seed, steps, folder))
        logits["network"].append(network(triples, seed, epochs)(a, b))
        logits["counts"].append(counted(triples, a, b))
        logits["noise"].append(noisy(law, seed=seed + 300))
    truth = np.concatenate(laws)
    surprise = -np.where(truth > 0, truth * np.log(np.where(truth > 0, truth, 1)), 0)
    return {
        "sources": sources,
        "vocabulary": VOCAB,
        "sample": sample,
        "contexts": len(truth),
        "true support": round(float((truth > 0).sum(axis=1).mean()), 2),
        "true entropy": round(float(surprise.sum(axis=1).mean()), 3),
        "models": {name: judge(truth, np.concatenate(rows)) for name, rows in logits.items()},
    }
