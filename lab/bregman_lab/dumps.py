"""Rows of logits from a model: asks lab/dump.c for them once, and reads them in place."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from bregman_lab.progress import bar


class Prompt(NamedTuple):
    """What the model is asked, and what follows."""

    #: The set of the item: a task, "text" or "open".
    group: str
    prompt: str
    #: The text that must follow, or the number of tokens that the model draws itself.
    then: str | int


@dataclass(frozen=True)
class Dump:
    """The rows of one model."""

    #: Shape (rows, vocabulary), float16, mapped from the file.
    rows: np.ndarray
    #: Item of each row, its position in the answer, the token that is due, and the model's most likely one.
    item: np.ndarray
    position: np.ndarray
    due: np.ndarray
    likeliest: np.ndarray
    #: The group of each row.
    group: np.ndarray


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace("\t", "\\t")


def _line(item: Prompt) -> str:
    if isinstance(item.then, int):
        return f"draw={item.then}\t{_escaped(item.prompt)}\n"
    return f"force\t{_escaped(item.prompt)}\t{_escaped(item.then)}\n"


def make(program: Path, model: Path, prompts: list[Prompt], folder: Path, threads: int = 1) -> Dump:
    """The rows that `prompts` need, in `folder`. What is there already is not evaluated again."""
    folder.mkdir(parents=True, exist_ok=True)
    items, rows, index, vocab = (folder / name for name in ("items.txt", "rows.f16", "index.tsv", "vocab"))
    text = "".join(map(_line, prompts))
    if not items.exists() or items.read_text() != text:
        for stale in (rows, index, vocab):
            stale.unlink(missing_ok=True)
        items.write_text(text)
    if not vocab.exists():
        command = [program, model, items, rows, index, str(threads)]
        with subprocess.Popen(list(map(str, command)), stdout=subprocess.PIPE, text=True) as run:
            assert run.stdout is not None
            with bar(f"rows of {model.name}", len(prompts)) as progress:
                for line in run.stdout:
                    if line.startswith("vocab "):
                        size = line.split()[1]
                    else:
                        progress.at(int(line))
        if run.returncode:
            raise RuntimeError(f"{program} failed: {run.returncode}")
        vocab.write_text(size)
    return read(folder, [p.group for p in prompts])


def read(folder: Path, groups: list[str]) -> Dump:
    """A finished dump; `groups` are those of its items."""
    n_vocab = int((folder / "vocab").read_text())
    table = np.array(
        [line.split() for line in (folder / "index.tsv").read_text().splitlines() if not line.startswith("=")],
        dtype=np.int64,
    ).reshape(-1, 4)
    rows = np.memmap(folder / "rows.f16", np.float16, "r", shape=(len(table), n_vocab))
    item, position, due, likeliest = table.T
    return Dump(rows, item, position, due, likeliest, np.array(groups)[item])


def describe(dump: Dump) -> str:
    """The number of rows and items of each group, as JSON."""
    return json.dumps({g: int((dump.group == g).sum()) for g in dict.fromkeys(dump.group.tolist())})
