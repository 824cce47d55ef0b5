"""The agreement test's driver for Python; tests/agreement/README.md specifies its input and output.

usage: driver.py CASES
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Callable

import numpy as np
from decisions import Decisions

import bregman

_TYPES: dict[str, np.dtype[Any]] = {"f32": np.dtype("<f4"), "f16": np.dtype("<f2"), "bf16": np.dtype("<u2")}
_U64 = np.uint64


def _bits(x: float) -> str:
    return "nan" if np.isnan(x) else f"{np.float32(x).view(np.uint32):08x}"


def _numbers(words: list[str], dtype: np.dtype[Any]) -> np.ndarray[Any, Any]:
    """Hexadecimal bits as numbers of a type."""
    return np.array([int(word, 16) for word in words], f"<u{dtype.itemsize}").view(dtype)


def _random(count: int, seed: int) -> np.ndarray[Any, Any]:
    """Bell-shaped logits made from the outputs of splitmix64."""
    with np.errstate(over="ignore"):
        z = _U64(seed) + np.arange(1, count + 1, dtype=_U64) * _U64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> _U64(30))) * _U64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> _U64(27))) * _U64(0x94D049BB133111EB)
        z ^= z >> _U64(31)
    total = sum((z >> _U64(shift) & _U64(0xFFFF)).astype(np.int64) for shift in (0, 16, 32, 48))
    return np.asarray((total - 131070) / 8192, np.float32)


def _fnv1a(data: bytes) -> int:
    value = 0xCBF29CE484222325
    for byte in data:
        value = (value ^ byte) * 0x100000001B3 & 0xFFFFFFFFFFFFFFFF
    return value


class Driver:
    """The named objects of a case file, and a method for each command, which yields the lines to write."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.sets: dict[str, np.ndarray[Any, Any]] = {}
        self.masks: dict[str, np.ndarray[Any, Any]] = {}
        self.samplers: dict[str, bregman.Sampler] = {}
        self.decisions = Decisions()

    def rows(self, name: str, dtype: str, width: str, count: str, file: str) -> Iterator[str]:
        data = np.fromfile(self.folder / file, _TYPES[dtype])
        self.sets[name] = data.reshape(int(count), int(width))
        yield from ()

    def random(self, name: str, width: str, count: str, seed: str) -> Iterator[str]:
        self.sets[name] = _random(int(width) * int(count), int(seed)).reshape(int(count), int(width))
        yield from ()

    def same(self, name: str, dtype: str, width: str, count: str, bits: str) -> Iterator[str]:
        self.sets[name] = np.repeat(_numbers([bits], _TYPES[dtype]), int(width) * int(count))
        self.sets[name].shape = int(count), int(width)
        yield from ()

    def upper(self, name: str, source: str) -> Iterator[str]:
        self.sets[name] = (self.sets[source].view(np.uint32) >> 16).astype(np.uint16)
        yield from ()

    def set(self, name: str, row: str, index: str, *bits: str) -> Iterator[str]:
        rows = self.sets[name]
        rows[int(row), int(index) : int(index) + len(bits)] = _numbers(list(bits), rows.dtype)
        yield from ()

    def mask(self, name: str, words: str, count: str, *bits: str) -> Iterator[str]:
        self.masks[name] = np.resize(_numbers(list(bits), np.dtype(np.uint32)), (int(count), int(words)))
        yield from ()

    def new(self, name: str, seed: str, chain: str = "") -> Iterator[str]:
        self.samplers[name] = bregman.Sampler(chain, int(seed))
        yield "ok"

    def clone(self, name: str, source: str) -> Iterator[str]:
        self.samplers[name] = self.samplers[source].clone()
        yield "ok"

    def free(self, name: str) -> Iterator[str]:
        self.samplers.pop(name).close()
        yield "ok"

    def reset(self, name: str) -> Iterator[str]:
        self.samplers[name].reset()
        yield "ok"

    def reseed(self, name: str, seed: str, position: str) -> Iterator[str]:
        self.samplers[name].reseed(int(seed), int(position))
        yield "ok"

    def accept(self, name: str, *tokens: str) -> Iterator[str]:
        self.samplers[name].accept([int(token) for token in tokens])
        yield "ok"

    def bias(self, name: str, *pairs: str) -> Iterator[str]:
        split = [pair.split("=") for pair in pairs]
        values = _numbers([bits for _, bits in split], _TYPES["f32"])
        self.samplers[name].set_logit_bias([(int(token), float(v)) for (token, _), v in zip(split, values)])
        yield "ok"

    def describe(self, name: str) -> Iterator[str]:
        yield f"ok {self.samplers[name].describe()}"

    def score(self, count: str, *rest: str) -> Iterator[str]:
        score = bregman.watermark_score(" ".join(rest[int(count) :]), [int(token) for token in rest[: int(count)]])
        bits = " ".join(f"{np.float64(x).view(np.uint64):016x}" for x in (score.score, score.p_value))
        yield f"ok {score.counted} {bits}"

    def decode(self, name: str, rows: str, first: str, count: str, vocab: str) -> Iterator[str]:
        for row in range(int(first), int(first) + int(count)):
            try:
                r = self.samplers[name].decode(self.sets[rows][row, : int(vocab)])
            except bregman.BregmanError as e:
                yield f"{row} error {e.status:d} {e.message}"
            else:
                yield f"{row} ok {_answer(*r)}"

    def batch(self, flags: str, threads: str, mask: str, rows: str, first: str, step: str, *rest: str) -> Iterator[str]:
        vocab, samplers = int(rest[0]), [self.samplers[name] for name in rest[1:]]
        numbers = range(int(first), int(first) + len(samplers) * int(step), int(step))
        logits = self.sets[rows][numbers.start : numbers.stop : int(step), :vocab]
        results = bregman.decode_batch(
            samplers,
            logits,
            mask=None if mask == "-" else self.masks[mask][: len(samplers)],
            want=bregman.Want(int(flags) & 23),
            accept=bool(int(flags) & 8),
            stay=bool(int(flags) & 32),
            threads=int(threads),
            check=False,
        )
        yield from _rows(numbers, samplers, results)

    def reduced(
        self, n: str, t: str, flags: str, threads: str, rows: str, first: str, vocab: str, *names: str
    ) -> Iterator[str]:
        samplers, temperature = [self.samplers[name] for name in names], float(_numbers([t], _TYPES["f32"])[0])
        logits = self.sets[rows][int(first) : int(first) + len(names), : int(vocab)]
        lists = bregman.reduce(logits, int(n), temperature=temperature, threads=int(threads))
        results = bregman.decode_batch(
            samplers,
            lists.logits,
            ids=lists.ids,
            log_rest=lists.log_rest,
            bound=lists.bound,
            rest_temperature=temperature,
            want=bregman.Want(int(flags) & 23),
            accept=bool(int(flags) & 8),
            threads=int(threads),
            check=False,
        )
        yield from _rows(range(int(first), int(first) + len(names)), samplers, results)

    def distribution(self, name: str, rows: str, row: str, vocab: str) -> Iterator[str]:
        ids, p = self.samplers[name].distribution(self.sets[rows][int(row), : int(vocab)])
        entries = "".join(f" {token}:{_bits(q)}" for token, q in zip(ids, p))
        yield f"ok {len(ids)}{entries}"

    def save(self, name: str) -> Iterator[str]:
        yield f"ok {self.samplers[name].save().hex()}"

    def load(self, name: str, state: str) -> Iterator[str]:
        self.samplers[name] = bregman.Sampler.load(bytes.fromhex(state))
        yield "ok"

    def rewind(self, name: str, n: str) -> Iterator[str]:
        self.samplers[name].rewind(int(n))
        yield "ok"

    def where(self, name: str) -> Iterator[str]:
        s = self.samplers[name]
        yield " ".join(map(str, ["ok", s.seed, s.position, s.prompt_length, *s.history]))

    def verify(self, flags: str, threads: str, rows: str, first: str, vocab: str, *drafts: str) -> Iterator[str]:
        named, given = zip(*(_draft(word) for word in drafts))
        samplers = [self.samplers[name] for name in named]
        count = sum(len(draft) + 1 for draft in given)
        v = bregman.verify(
            samplers,
            given,
            self.sets[rows][int(first) : int(first) + count, : int(vocab)],
            want=bregman.Want(int(flags) & 23),
            accept=bool(int(flags) & 8),
            threads=int(threads),
            check=False,
        )
        for s, sampler in enumerate(samplers):
            here, n = v.first[s], int(v.accepted[s])
            if v.results["status"][here]:
                yield f"{s} error {v.results['status'][here]} {sampler.last_error}"
                continue
            yield " ".join(map(str, [s, "ok", n, *v.path[here : here + n]]))
            for r in v.results[here : here + n + 1]:
                yield f"{s} ok {_answer(*(r[field] for field in bregman.Result._fields))}"

    def process(self, name: str, rows: str, row: str, vocab: str) -> Iterator[str]:
        logits = self.sets[rows][int(row), : int(vocab)].copy()
        try:
            self.samplers[name].process(logits)
            yield "ok"
        except bregman.BregmanError as e:
            yield f"error {e.status:d} {e.message}"
        kept = np.count_nonzero(logits != -np.inf)
        yield f"row {kept} {_fnv1a(logits.astype('<f4').tobytes()):016x}"

    def run(self, line: str) -> Iterator[str]:
        """The lines that one line of the case file writes."""
        # The chain is the rest of the line.
        command, *words = line.split(" ", 3) if line.startswith("new ") else line.split(" ")
        decided = self.decisions.run(command, words)
        if decided is not None:
            yield from decided
            return
        method: Callable[..., Iterator[str]] = getattr(self, command)
        try:
            yield from method(*words)
        except bregman.BregmanError as e:
            yield f"error {e.status:d} {e.message}"


def _draft(text: str) -> tuple[str, bregman.Draft]:
    """NAME/RULE/TOKENS/PARENTS/LAWS, with - for none."""
    name, rule, tokens, parents, laws = text.split("/")
    split = [] if laws == "-" else [[pair.split(":") for pair in law.split(",")] for law in laws.split(";")]
    given = [
        bregman.Distribution(
            np.array([token for token, _ in law], np.int32), _numbers([bits for _, bits in law], _TYPES["f32"])
        )
        for law in split
    ]
    return name, bregman.Draft(
        [] if tokens == "-" else [int(token) for token in tokens.split(",")],
        bregman.Rule[rule.upper()],
        parents=None if parents == "-" else [int(parent) for parent in parents.split(",")],
        laws=None if laws == "-" else given,
    )


def _rows(numbers: Iterable[int], samplers: Iterable[bregman.Sampler], results: Iterable[Any]) -> Iterator[str]:
    """The lines of a batch."""
    for row, sampler, r in zip(numbers, samplers, results):
        if r["status"]:
            yield f"{row} error {r['status']} {sampler.last_error}"
        else:
            yield f"{row} ok {_answer(*(r[field] for field in bregman.Result._fields))}"


def _answer(token: int, p: float, support: int, *numbers: float) -> str:
    return " ".join([str(token), str(support), _bits(p), *map(_bits, numbers)])


def main() -> None:
    """Runs the case file; an unknown command ends the program with a traceback and status 1."""
    (path,) = map(Path, sys.argv[1:])
    sys.stdout.reconfigure(encoding="utf-8", newline="\n")  # type: ignore[union-attr]
    driver = Driver(path.parent)
    for number, line in enumerate(path.read_text("utf-8").split("\n"), 1):
        if line and not line.startswith("#"):
            for written in driver.run(line):
                print(number, written)


if __name__ == "__main__":
    main()
