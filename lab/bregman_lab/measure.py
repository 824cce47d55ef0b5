"""What each chain makes of each row: the numbers that every metric is computed from.

Two kinds. `answers` asks the library about single tokens and never lists a support, so that it can be had for every
chain on every row. `shapes` lists the supports, and is for the chains at temperature 1 on text.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from multiprocessing import Pool
from pathlib import Path

import bregman
import numpy as np
from bregman import Answers, Sampler, Source, Want

from bregman_lab.dumps import Dump
from bregman_lab.progress import bar

#: Columns of `answers`: the decoded probability of the token that is due, that of the model's most likely one, the
#: number of tokens kept, and the entropy of the decoded distribution in nats.
DUE, LIKELIEST, SUPPORT, ENTROPY = range(4)
#: Columns of `shapes`: the sum of squares of the decoded distribution, its total variation from the model's at
#: temperature 1, and the sum of squared differences from that.
SQUARES, VARIATION, DISTANCE = range(3)

_ROWS = 64


def _drawing(chain: str) -> str:
    return chain if chain == "greedy" or chain.startswith(("llama_cpp", "transformers", "vllm")) else f"{chain} | draw"


class Answering:
    """Measures `answers` of one row."""

    columns = 4

    def __init__(self, chains: list[str]) -> None:
        self._samplers = [Sampler(_drawing(chain), seed=1) for chain in chains]
        n = len(chains)
        self._same = np.zeros(n, np.uint32)
        self._given = np.empty((n, 2), np.int32)
        self._logprobs = np.empty((n, 2), np.float32)
        self._answers = Answers(source=Source.DECODED, given_ids=self._given, given_logprobs=self._logprobs)

    def __call__(self, row: np.ndarray, due: int, likeliest: int) -> np.ndarray:
        self._given[:] = due, likeliest
        results = bregman.decode_batch(
            self._samplers, row[None], row_index=self._same, want=Want.ENTROPY, stay=True, answers=self._answers
        )
        p = np.exp(self._logprobs)
        return np.column_stack([p, results["support"], results["entropy"]]).astype(np.float32)


class Shaping:
    """Measures `shapes` of one row."""

    columns = 3

    def __init__(self, chains: list[str]) -> None:
        self._samplers = [Sampler(chain, seed=1) for chain in chains]
        self._same = np.zeros(len(chains), np.uint32)

    def __call__(self, row: np.ndarray, due: int, likeliest: int) -> np.ndarray:
        del due, likeliest
        logits = row.astype(np.float64)
        model = np.exp(logits - logits.max())
        model /= model.sum()
        offsets, ids, p = bregman.distribution_batch(self._samplers, row[None], row_index=self._same)
        return shapes(model, offsets.astype(np.int64), ids, p.astype(np.float64))


def shapes(model: np.ndarray, offsets: np.ndarray, ids: np.ndarray, p: np.ndarray) -> np.ndarray:
    """`shapes` of several decoded distributions, of which none is empty, against the model's."""
    before = model[ids]

    def total(values: np.ndarray) -> np.ndarray:
        return np.add.reduceat(values, offsets[:-1])

    variation = (total(np.abs(p - before)) + 1 - total(before)) / 2
    distance = total((p - before) ** 2) + (model @ model) - total(before**2)
    return np.column_stack([total(p * p), variation, distance]).astype(np.float32)


def _block(job: tuple[type[Answering] | type[Shaping], list[str], Path, np.ndarray, np.ndarray, Path]) -> int:
    """Measures one block of rows, and saves it; returns its number of rows."""
    kind, chains, rows, which, tokens, file = job
    measure = _measure(kind, tuple(chains))
    logits = np.memmap(rows, np.float16, "r").reshape(-1, int((rows.parent / "vocab").read_text()))
    block = np.empty((len(which), len(chains), measure.columns), np.float32)
    for i, r in enumerate(which):
        block[i] = measure(np.ascontiguousarray(logits[r]), *map(int, tokens[i]))
    partial = file.with_suffix(".partial.npy")
    np.save(partial, block)
    partial.rename(file)
    return len(which)


@lru_cache(1)
def _measure(kind: type[Answering] | type[Shaping], chains: tuple[str, ...]) -> Answering | Shaping:
    """The samplers, made once in each process."""
    return kind(list(chains))


def run(
    name: str, kind: type[Answering] | type[Shaping], chains: list[str], dump: Dump, which: np.ndarray, folder: Path
) -> np.ndarray:
    """Measures the rows `which`, on every core: shape (rows, chains, columns).

    Blocks that are on the disk are not measured again.
    """
    rows_hash = hashlib.sha256(np.ascontiguousarray(dump.rows[which[:: max(1, len(which) // 8)]]).tobytes())
    key = hashlib.sha256("\n".join([name, *chains, str(which.tolist()), rows_hash.hexdigest()]).encode()).hexdigest()
    home = folder / f"{name}-{key[:16]}"
    home.mkdir(parents=True, exist_ok=True)
    tokens = np.column_stack([dump.due, dump.likeliest])
    files = [home / f"{begin:06}.npy" for begin in range(0, len(which), _ROWS)]
    jobs = [
        (kind, chains, folder / "rows.f16", which[b : b + _ROWS], tokens[which[b : b + _ROWS]], file)
        for b, file in zip(range(0, len(which), _ROWS), files, strict=True)
        if not file.exists()
    ]
    with bar(f"{folder.name}: {name} of {len(chains)} chains", len(which)) as progress, Pool() as pool:
        done = len(which) - sum(len(job[3]) for job in jobs)
        progress.at(done)
        for rows in pool.imap_unordered(_block, jobs):
            done += rows
            progress.at(done)
    return np.concatenate([np.load(file) for file in files])
