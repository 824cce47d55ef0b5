"""Which rows each model is asked for."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from bregman_lab import tasks
from bregman_lab.dumps import Prompt

#: Passages of the chapters of the King James Bible that the model in models/ was not trained on, one a line.
HELD_OUT = Path(__file__).parent.parent / "held_out.txt"


class Sizes(NamedTuple):
    """How much a model is asked."""

    questions: int
    #: Passages, the words of each that are given, and those that follow.
    passages: int
    given: int
    due: int
    #: Texts that the model writes itself, and their tokens.
    open: int
    tokens: int
    #: What it is asked: for a model that cannot add, numbers next to each other.
    tasks: tuple[str, ...] = ("json", "reverse", "sums", "facts", "names")


_NEIGHBOURS = ("json", "reverse", "steps", "facts", "names")

SIZES = {
    "kjv": Sizes(questions=0, passages=60, given=20, due=12, open=60, tokens=16),
    "smollm2": Sizes(questions=300, passages=50, given=40, due=8, open=20, tokens=25),
    "gemma3": Sizes(questions=200, passages=40, given=40, due=6, open=20, tokens=16, tasks=_NEIGHBOURS),
}


def beginnings(sizes: Sizes) -> list[str]:
    """What a model goes on with in its own words."""
    return (
        tasks.BEGINNINGS if sizes.questions else [" ".join(p.split(" ")[:4]) for p in HELD_OUT.read_text().splitlines()]
    )


def prompts(sizes: Sizes) -> list[Prompt]:
    """The items of a dump, in an order in which neighbours have much in common."""
    lines = HELD_OUT.read_text().splitlines()[: sizes.passages]
    words = [line.split(" ") for line in lines]
    items = [
        Prompt("text", " ".join(w[: sizes.given]), "".join(f" {x}" for x in w[sizes.given : sizes.given + sizes.due]))
        for w in words
    ]
    items += [Prompt("open", beginning, sizes.tokens) for beginning in beginnings(sizes)[: sizes.open]]
    if sizes.questions:
        for task in sizes.tasks:
            items += [Prompt(q.task, q.prompt, q.answer) for q in tasks.questions(task, sizes.questions)]
    return items
