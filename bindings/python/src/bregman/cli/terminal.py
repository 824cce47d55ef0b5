"""Pictures and tables on a terminal, or as plain text where the output is none."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence

import numpy as np
from rich import box
from rich.cells import cell_len, set_cell_size
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

import bregman
from bregman.cli.steps import Picture, Step, most_likely, parts
from bregman.cli.words import Setting, entry, is_macro, key, percent, settings, values, visible

# These two read well on black and on white.
_BAR, _LOST, _QUIET = "color(68)", "color(245)", "color(245)"
_EIGHTHS = " ▏▎▍▌▋▊▉█"
_LOST_CELL = "░"

_TOKEN = 16  # the widest text of a token
_PERCENT = len("100.0 %")
_LEAST_BAR, _MOST_BAR = 6, 24


def _console() -> Console:
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="replace")
    return Console(highlight=False, soft_wrap=False)


def _table() -> Table:
    return Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=(0, 1, 0, 0))


def _fitted(text: str, width: int) -> str:
    if cell_len(text) <= width:
        return text
    return set_cell_size(text, width - 1).rstrip() + "…"


def _bar(p: float, before: float, scale: float, width: int) -> Text:
    """What is left of a probability, solid, and what was taken from it, dotted."""
    eighths = min(round(p / scale * width * 8), width * 8)
    if p > 0:
        eighths = max(eighths, 1)
    solid = "█" * (eighths // 8) + (_EIGHTHS[eighths % 8] if eighths % 8 else "")
    lost = max(round(before / scale * width) - len(solid), 0 if p > 0 else 1)
    text = Text().append(solid, _BAR)
    text.append(_LOST_CELL * lost if before > p else "", _LOST)
    text.append(" " * (width - len(text)))
    return text


def _cell(p: float, before: float, scale: float, width: int) -> Text:
    return _bar(p, before, scale, width).append(percent(p).rjust(_PERCENT + 1), "" if p > 0 else _QUIET)


def _heading(picture: Picture, width: int) -> RenderableType:
    row, lines = picture.row, Text(overflow="fold")
    if row.prompt is not None:
        lines.append(row.prompt.strip() + " …", "bold").append("\n")
    lines.append(f"{len(row.logits)} logits", _QUIET)
    if row.history:
        lines.append(f", after {len(row.history)} tokens", _QUIET)
    lines.append("\n")
    return lines


def _title(i: int, picture: Picture, width: int) -> str:
    label = picture.steps[i].label
    return _fitted(f"{key(i, picture.in_sequence)}  {label}" if i else label, width)


def _summary(picture: Picture) -> Table:
    table = _table()
    table.add_column("", style="bold")
    table.add_column("stage" if picture.in_sequence else "chain", overflow="fold", ratio=None)
    masses = ("mass kept", "of the model") if picture.in_sequence else ("mass kept",)
    for name in ("tokens", *masses, "entropy"):
        table.add_column(name, justify="right", no_wrap=True)
    for i, step in enumerate(picture.steps):
        mass = [percent(step.kept), percent(step.of_model)] if picture.in_sequence else [percent(step.kept)]
        if i == 0:
            mass = [""] * len(mass)
        table.add_row(key(i, picture.in_sequence), step.label, str(step.support), *mass, f"{step.entropy:.3f}")
    return table


def _groups(picture: Picture, room: int) -> Iterable[tuple[list[int], int]]:
    """The columns that stand side by side, and the width of their bars."""
    gap, fixed = 2, _PERCENT + 1
    count = len(picture.steps)
    most = max(1, (room + gap) // (_LEAST_BAR + fixed + gap))
    rows = -(-count // most)
    each = -(-count // rows)
    bar = min(_MOST_BAR, max(_LEAST_BAR, (room + gap) // each - gap - fixed))
    for first in range(0, count, each):
        yield list(range(first, min(first + each, count))), bar


def _columns(picture: Picture, tokens: Sequence[int], width: int) -> Iterable[Table]:
    texts = [visible(picture.row.texts[i]) if picture.row.texts is not None else str(i) for i in tokens]
    others = f"{len(picture.row.logits) - len(tokens)} others"
    texts = [_fitted(text, _TOKEN) for text in texts]
    widest = max(map(cell_len, [*texts, others]))
    scale = max(float(step.p[list(tokens)].max()) for step in picture.steps)
    for columns, bar in _groups(picture, width - widest - 2):
        table = _table()
        table.add_column("token", justify="right", width=widest, no_wrap=True)
        for i in columns:
            table.add_column(_title(i, picture, bar + 1 + _PERCENT), width=bar + 1 + _PERCENT, no_wrap=True)
        for token, text in zip(tokens, texts):
            table.add_row(text, *(_cell(*_now_and_before(picture, i, token), scale, bar) for i in columns))
        table.add_row(Text(others, _QUIET), *(_rest(picture.steps[i], tokens, bar) for i in columns))
        yield table


def _now_and_before(picture: Picture, i: int, token: int) -> tuple[float, float]:
    before = picture.steps[max(i - 1, 0) if picture.in_sequence else 0]
    return float(picture.steps[i].p[token]), float(before.p[token])


def _rest(step: Step, tokens: Sequence[int], bar: int) -> Text:
    shown = step.p[list(tokens)]
    count = step.support - int(np.count_nonzero(shown))
    mass = max(0.0, 1.0 - float(shown.sum(dtype=np.float64))) if count else 0.0
    text = f"{count} kept" if count else ""
    if len(text) > bar:
        text = str(count)
    return Text(text.ljust(bar) + percent(mass).rjust(_PERCENT + 1), _QUIET)


def _legend(picture: Picture) -> str:
    if not picture.in_sequence:
        masses = "what the tokens kept had in the model"
        return f"█ probability   {_LOST_CELL} what the model had more. Mass kept: {masses}. Entropy in nats."
    masses = "what the tokens kept had before the stage; of the model: what they had there"
    return f"█ probability   {_LOST_CELL} what the stage before had more. Mass kept: {masses}. Entropy in nats."


def show(picture: Picture, top: int) -> None:
    """Prints the figures of each step, and below them its likeliest tokens as bars."""
    console = _console()
    console.print(_heading(picture, console.width))
    console.print(_summary(picture))
    console.print()
    tokens = [int(i) for i in most_likely(picture, top)]
    for table in _columns(picture, tokens, console.width):
        console.print(table)
        console.print()
    if picture.drawn is not None:
        console.print(picture.drawn, overflow="fold")
        console.print()
    console.print(_legend(picture), style=_QUIET)


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + ("" if text.endswith(".") else ".")


def _list(heading: str, entries: Iterable[bregman.Stage]) -> Table:
    table = _table()
    table.add_column(heading, style="bold", no_wrap=True)
    table.add_column("what it does")
    for stage in entries:
        table.add_row(stage.name, stage.summary)
    return table


def _alternatives(stage: bregman.Stage) -> list[str]:
    sentences = []
    for group in sorted({p.group for p in stage.parameters if p.group is not None}):
        members = [p for p in stage.parameters if p.group == group]
        least = "At most" if any(p.default for p in members) else "Exactly"
        sentences.append(f"{least} one of {', '.join(p.name for p in members)} must be given.")
    return sentences


def _detail(stage: bregman.Stage) -> RenderableType:
    facts = [_sentence(stage.summary)]
    if stage.aliases:
        facts.append(f"Also called {', '.join(stage.aliases)}.")
    if stage.draws:
        facts.append("It is the last of a chain." if is_macro(stage.name) else "It draws: the last stage of a chain.")
    if stage.learns:
        facts.append("It learns from the tokens that it drew before.")
    facts += _alternatives(stage)
    table = _table()
    table.add_column("parameter", style="bold", no_wrap=True)
    table.add_column("values")
    table.add_column("default", no_wrap=True)
    table.add_column("")
    for p in stage.parameters:
        default = "required" if p.required else p.default or ""
        also = f" (also {', '.join(p.aliases)})" if p.aliases else ""
        table.add_row(p.name, values(p), default, p.summary + also)
    parts: list[RenderableType] = [Text(stage.name, "bold"), Text(" ".join(facts))]
    parts.append(Text(f"Source: {stage.source}", _QUIET))
    if stage.parameters:
        parts += ["", table]
    return Group(*parts)


def show_catalogue(wanted: Sequence[str]) -> None:
    """Prints all stages and macros, or the named ones with their parameters."""
    console = _console()
    if not wanted:
        console.print(_list("stage", bregman.stages()))
        console.print()
        console.print(_list("macro", bregman.macros()))
        return
    for i, name in enumerate(wanted):
        console.print(*([""] if i else []), _detail(entry(name)), sep="\n")


def _setting(s: Setting) -> list[Text]:
    style = "" if s.given else _QUIET
    default = "" if s.given else " (default)"
    return [Text(f"{s.parameter.name} = {s.value}{default}", style), Text(s.parameter.summary, style)]


def explain(chain: str) -> None:
    """Prints the chain's canonical form, and of each stage what it does with which parameters."""
    console = _console()
    texts = parts(chain)
    described = bregman.Sampler(chain).describe()
    console.print(Text(described, "bold"))
    last = chain.rsplit("|", maxsplit=1)[-1].strip()
    if is_macro(last):
        macro = entry(last)
        stands_for = f"It stands for the stages from {chain.count('|') + 1} on."
        console.print(Text(f"{last} is a macro: {macro.summary}. {stands_for}"))
    for i, text in enumerate(texts):
        label = bregman.Sampler(text).describe()
        console.print()
        console.print(Text.assemble((f"{i + 1}  ", _QUIET), (label, "bold")))
        body: list[RenderableType] = [_sentence(entry(label).summary)]
        found = settings(label)
        if found is None:
            body.append(Text("Its parameters are secret.", _QUIET))
        elif found:
            table = Table.grid(padding=(0, 2, 0, 0))
            for s in found:
                table.add_row(*_setting(s))
            body.append(table)
        console.print(Padding(Group(*body), (0, 0, 0, 3)))
