"""Rows of logits from files, with the texts of their tokens."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from bregman.cli.errors import UsageError


@dataclass(frozen=True)
class Row:
    """A row of logits."""

    logits: npt.NDArray[np.float32]
    #: The text of each token; None if they are not known.
    texts: Sequence[str] | None = None
    #: What the model had read, and its ids.
    prompt: str | None = None
    history: Sequence[int] = ()


def example() -> Row:
    """The row in the package: the model in models/kjv-1.4m, after "And the king of".

    `examples/generate` writes it: `generate --row FILE --prompt "And the king of"`.
    """
    return _from_json(json.loads((resources.files("bregman.cli") / "row.json").read_text("utf-8")), "row.json")


def read(path: Path, tokens: Path | None = None) -> Row:
    """The row in a file, whose format its name's ending tells; `tokens` is a file with the texts.

    Raises:
        UsageError: a file cannot be read, or holds no row.
    """
    try:
        row = _READERS.get(path.suffix.lower(), _floats)(path)
        texts = _texts(tokens, len(row.logits)) if tokens is not None else row.texts
    except OSError as e:
        raise UsageError(f"{e.filename}: {e.strerror}") from e
    except UsageError:
        raise
    except ValueError as e:
        raise UsageError(f"{path if tokens is None else f'{path} or {tokens}'}: {e}") from e
    if not len(row.logits):
        raise UsageError(f"{path} has no logits")
    if texts is not None and len(texts) < len(row.logits):
        raise UsageError(f"{len(row.logits)} logits, but texts of only {len(texts)} tokens")
    return Row(row.logits, texts, row.prompt, row.history)


def _float32(values: Any, name: object) -> npt.NDArray[np.float32]:
    try:
        array = np.asarray(values)
    except ValueError:  # lists of different lengths
        raise UsageError(f"{name} is no list of numbers") from None
    if array.ndim != 1 or array.dtype.kind not in "fiu":
        raise UsageError(f"{name} is no list of numbers: it has shape {array.shape} and type {array.dtype}")
    return np.ascontiguousarray(array, np.float32)


def _from_json(found: Any, name: object) -> Row:
    if not isinstance(found, dict):
        return Row(_float32(found, name))
    if "logits" not in found:
        raise UsageError(f'{name} is an object without "logits"')
    logits = _float32(found["logits"], name)
    texts = found.get("tokens")
    if texts is not None and not (isinstance(texts, list) and all(isinstance(text, str) for text in texts)):
        raise UsageError(f'{name}: "tokens" is no list of texts')
    return Row(logits, texts, found.get("prompt"), tuple(found.get("prompt_tokens", ())))


def _json(path: Path) -> Row:
    return _from_json(json.loads(path.read_text("utf-8")), path)


def _csv(path: Path) -> Row:
    with path.open(newline="", encoding="utf-8") as file:
        lines = [line for line in csv.reader(file) if line]
    if lines and len(lines) > 1 and not _is_number(lines[0][-1]):
        del lines[0]  # the heading
    if all(len(line) == 2 for line in lines):
        return Row(np.array([float(line[1]) for line in lines], np.float32), [line[0] for line in lines])
    return Row(np.array([float(cell) for line in lines for cell in line], np.float32))


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _npy(path: Path) -> Row:
    return Row(_float32(np.load(path, allow_pickle=False), path))


def _floats(path: Path) -> Row:
    found = path.read_bytes()
    if len(found) % 4:
        raise UsageError(f"{path} has {len(found)} bytes, which is no number of float32")
    return Row(np.frombuffer(found, np.float32))


_READERS = {".json": _json, ".csv": _csv, ".npy": _npy}


def _texts(path: Path, vocabulary: int) -> list[str]:
    text = path.read_text("utf-8")
    if path.suffix.lower() != ".json":
        return text.split("\n")[: vocabulary + 1]
    found = json.loads(text)
    if isinstance(found, dict):
        texts = [""] * max(vocabulary, 1 + max(found.values(), default=0))
        for token, i in found.items():
            texts[i] = token
        return texts
    return [str(token) for token in found]
