"""What each chain makes of each row: the numbers that every metric is computed from.

Three kinds, each with what its rows are for. The chains of a row are decoded in one batch, so that what they have in
common is computed once. `Answering` asks for single tokens, and `Opening` for figures, so that neither lists a support
and both can be had for every chain. `Describing` lists the supports, and is for the chains at temperature 1 on text.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from multiprocessing import Pool
from pathlib import Path

import bregman
import numpy as np
from bregman import Answers, Sampler, Source, Want

from bregman_lab.catalogue import drawing
from bregman_lab.dumps import Dump
from bregman_lab.progress import bar

#: Columns of `Opening`, and the first of `Describing`: the number of tokens kept, and the entropy of the decoded
#: distribution in nats.
SUPPORT, ENTROPY = range(2)
#: The other columns of `Describing`: the decoded probability of the token that is due and that of the model's most
#: likely one, the sum of squares of the decoded distribution, its total variation from the model's at temperature 1,
#: and the sum of squared differences from that.
DUE, LIKELIEST, SQUARES, VARIATION, DISTANCE = range(2, 7)

#: A chain that has got so far in an answer with less than this probability counts as 0, and its rest is not decoded.
NEGLIGIBLE = 1e-4

_ROWS = 48


class Answering:
    """Measures the probability of an answer: the product over its rows of that of the token that is due."""

    columns = 1

    def __init__(self, chains: list[str]) -> None:
        self._samplers = [Sampler(drawing(chain), seed=1) for chain in chains]
        n = len(chains)
        self._same = np.zeros(n, np.uint32)
        self._given = np.empty((n, 1), np.int32)
        self._logprobs = np.empty((n, 1), np.float32)

    def __call__(self, rows: np.ndarray, due: np.ndarray, likeliest: np.ndarray) -> np.ndarray:
        del likeliest
        p = np.ones(len(self._samplers))
        alive = np.arange(len(p))
        for row, token in zip(rows, due, strict=True):
            n = len(alive)
            if n == 0:
                break
            self._given[:n] = token
            answers = Answers(Source.DECODED, given_ids=self._given[:n], given_logprobs=self._logprobs[:n])
            bregman.decode_batch(
                [self._samplers[i] for i in alive], row[None], row_index=self._same[:n], stay=True, answers=answers
            )
            p[alive] *= np.exp(self._logprobs[:n, 0].astype(np.float64))
            alive = alive[p[alive] >= NEGLIGIBLE]
        return np.where(p >= NEGLIGIBLE, p, 0.0)[:, None].astype(np.float32)


class Opening:
    """Measures support and entropy of one row."""

    columns = 2

    def __init__(self, chains: list[str]) -> None:
        self._samplers = [Sampler(drawing(chain), seed=1) for chain in chains]
        self._same = np.zeros(len(chains), np.uint32)

    def __call__(self, rows: np.ndarray, due: np.ndarray, likeliest: np.ndarray) -> np.ndarray:
        del due, likeliest
        found = bregman.decode_batch(self._samplers, rows, row_index=self._same, want=Want.ENTROPY, stay=True)
        return np.column_stack([found["support"], found["entropy"]]).astype(np.float32)


class Describing:
    """Measures all columns of one row."""

    columns = 7

    def __init__(self, chains: list[str]) -> None:
        self._samplers = [Sampler(chain, seed=1) for chain in chains]
        self._same = np.zeros(len(chains), np.uint32)

    def __call__(self, rows: np.ndarray, due: np.ndarray, likeliest: np.ndarray) -> np.ndarray:
        logits = rows[0].astype(np.float64)
        model = np.exp(logits - logits.max())
        model /= model.sum()
        offsets, ids, p = bregman.distribution_batch(self._samplers, rows, row_index=self._same)
        offsets, p = offsets.astype(np.int64), p.astype(np.float64)
        with np.errstate(divide="ignore", invalid="ignore"):
            surprise = np.where(p > 0, -p * np.log(p), 0.0)
        single = [np.add.reduceat(np.where(ids == token, p, 0.0), offsets[:-1]) for token in (due[0], likeliest[0])]
        entropy = np.add.reduceat(surprise, offsets[:-1])
        return np.column_stack([np.diff(offsets), entropy, *single, shapes(model, offsets, ids, p)]).astype(np.float32)


def shapes(model: np.ndarray, offsets: np.ndarray, ids: np.ndarray, p: np.ndarray) -> np.ndarray:
    """The last three columns for several decoded distributions, of which none is empty, against the model's."""
    before = model[ids]

    def total(values: np.ndarray) -> np.ndarray:
        return np.add.reduceat(values, offsets[:-1])

    variation = (total(np.abs(p - before)) + 1 - total(before)) / 2
    distance = total((p - before) ** 2) + (model @ model) - total(before**2)
    return np.column_stack([total(p * p), variation, distance])


Kind = type[Answering] | type[Opening] | type[Describing]


def _block(job: tuple[Kind, list[str], Path, list[np.ndarray], np.ndarray, Path]) -> int:
    """Measures some units, each of one or more rows, and saves them; returns their number."""
    kind, chains, path, units, tokens, file = job
    measure = _measure(kind, tuple(chains))
    logits = np.memmap(path, np.float16, "r").reshape(-1, int((path.parent / "vocab").read_text()))
    block = np.empty((len(units), len(chains), measure.columns), np.float32)
    for i, rows in enumerate(units):
        block[i] = measure(np.array(logits[rows]), *tokens[rows].T)
    partial = file.with_suffix(".partial.npy")
    np.save(partial, block)
    partial.rename(file)
    return len(units)


@lru_cache(1)
def _measure(kind: Kind, chains: tuple[str, ...]) -> Answering | Opening | Describing:
    """The samplers, made once in each process."""
    return kind(list(chains))


def by_item(dump: Dump, rows: np.ndarray) -> list[np.ndarray]:
    """The rows of each item together."""
    item = dump.item[rows]
    return np.split(rows, np.flatnonzero(item[1:] != item[:-1]) + 1) if len(rows) else []


def run(kind: Kind, chains: list[str], dump: Dump, units: list[np.ndarray], folder: Path) -> np.ndarray:
    """Measures units of rows on every core: shape (units, chains, columns).

    Blocks that are on the disk are not measured again.
    """
    if not units:
        return np.zeros((0, len(chains), kind.columns), np.float32)
    name = kind.__name__.lower()
    some = np.concatenate(units[:: max(1, len(units) // 8)])
    key = hashlib.sha256(dump.rows[some].tobytes())
    key.update("\n".join([*chains, *(str(u.tolist()) for u in units)]).encode())
    home = folder / f"{name}-{key.hexdigest()[:16]}"
    home.mkdir(parents=True, exist_ok=True)
    tokens = np.column_stack([dump.due, dump.likeliest])
    size = max(1, _ROWS * len(units) // sum(map(len, units)))
    files = {begin: home / f"{begin:06}.npy" for begin in range(0, len(units), size)}
    jobs = [
        (kind, chains, folder / "rows.f16", units[begin : begin + size], tokens, file)
        for begin, file in files.items()
        if not file.exists()
    ]
    with bar(f"{folder.name}: {name}, {len(chains)} chains", len(units)) as progress, Pool() as pool:
        done = len(units) - sum(len(job[3]) for job in jobs)
        progress.at(done)
        for units_done in pool.imap_unordered(_block, jobs):
            done += units_done
            progress.at(done)
    return np.concatenate([np.load(file) for file in files.values()])
