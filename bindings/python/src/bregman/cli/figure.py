"""Pictures as SVG and PNG, by matplotlib. The same picture is the same bytes, with the same matplotlib."""

from __future__ import annotations

import textwrap
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from bregman.cli.errors import UsageError
from bregman.cli.steps import Picture, most_likely
from bregman.cli.words import key, percent, visible

_PER_ROW = 5  # panels
_PANEL, _LINE, _LABELS, _HEAD, _FOOT = 1.75, 0.2, 1.0, 0.62, 0.54  # inches
_CHARACTERS = 26  # of a line above a panel
_LONGEST = 15  # characters of a token

_SETTINGS: Any = {
    "svg.hashsalt": "bregman",
    "svg.fonttype": "none",  # text stays text
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 8,
    "text.parse_math": False,  # tokens with dollars
}


@dataclass(frozen=True)
class _Colours:
    paper: str
    text: str
    quiet: str
    bar: str
    lost: str


_LIGHT = _Colours("#ffffff", "#1f2328", "#59636e", "#4c78b8", "#d5dae1")
_DARK = _Colours("#0d1117", "#e6edf3", "#9198a1", "#6ea0e0", "#3d444d")


def _title(i: int, picture: Picture) -> str:
    step = picture.steps[i]
    label = f"{key(i, picture.in_sequence)}  {step.label}" if i else step.label
    return textwrap.fill(label, _CHARACTERS)


def _facts(i: int, picture: Picture) -> str:
    step = picture.steps[i]
    tokens = f"{step.support} token{'s' if step.support > 1 else ''}"
    return f"{tokens}\nmass {percent(step.of_model)}, entropy {step.entropy:.2f}"


def _shortened(text: str) -> str:
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def _rest(i: int, picture: Picture, tokens: list[int]) -> str:
    step = picture.steps[i]
    shown = step.p[tokens]
    count = step.support - int((shown > 0).sum())
    return f"and {count} more: {percent(1 - float(shown.sum(dtype='f8')))}" if count else ""


def _write_above(axes: Any, points: float, text: str, colour: str, **font: Any) -> None:
    """That many points above the panel."""
    axes.annotate(
        text, (0, 1), (0, points), "axes fraction", textcoords="offset points", va="bottom", color=colour, **font
    )


def _draw_panel(axes: Any, i: int, picture: Picture, tokens: list[int], colours: _Colours) -> None:
    step = picture.steps[i]
    before = picture.steps[max(i - 1, 0) if picture.in_sequence else 0]
    lines = range(len(tokens))
    widest = max(float(other.p[tokens].max()) for other in picture.steps)
    now = [float(step.p[t]) for t in tokens]
    then = [float(before.p[t]) for t in tokens]
    axes.barh(lines, then, height=0.72, color=colours.lost)
    axes.barh(lines, now, height=0.72, color=colours.bar)
    for line, p, q in zip(lines, now, then):
        axes.text(max(p, q) + 0.02 * widest, line, percent(p), va="center", color=colours.text, fontsize=7)
    axes.set_xlim(0, widest * 1.35)
    axes.text(0, len(tokens), _rest(i, picture, tokens), va="center", color=colours.quiet, fontsize=7)
    axes.set_ylim(len(tokens) + 0.4, -0.6)
    axes.set_axis_off()
    _write_above(axes, 4, _facts(i, picture), colours.quiet, fontsize=7)
    _write_above(axes, 27, _title(i, picture), colours.text, weight="bold")


def _draw_labels(axes: Any, texts: list[str], colours: _Colours) -> None:
    for line, text in enumerate(texts):
        axes.text(-0.03, line, text, ha="right", va="center", color=colours.text, transform=axes.get_yaxis_transform())


def _draw_legend(figure: Figure, in_sequence: bool, colours: _Colours) -> None:
    width, height = figure.get_size_inches()
    before = "what the stage before had more" if in_sequence else "what the model had more"
    figure.legend(
        handles=[Patch(color=colours.bar, label="probability"), Patch(color=colours.lost, label=before)],
        loc="lower left",
        bbox_to_anchor=(_LABELS / width, 0.22 / height),
        borderaxespad=0,
        borderpad=0,
        ncols=2,
        frameon=False,
        labelcolor=colours.text,
        fontsize=7,
    )
    note = "Mass: what the tokens kept have in the model's distribution. Entropy in nats."
    figure.text(_LABELS / width, 0.08 / height, note, color=colours.quiet, fontsize=7)


def _figure(picture: Picture, top: int, colours: _Colours) -> Figure:
    tokens = [int(t) for t in most_likely(picture, top)]
    names = picture.row.texts
    texts = [_shortened(visible(names[t])) if names is not None else str(t) for t in tokens]
    count = len(picture.steps)
    rows = -(-count // _PER_ROW)
    each = -(-count // rows)
    titles = max(_title(i, picture).count("\n") for i in range(count))
    head = _HEAD + 0.13 * titles
    bars = _LINE * (len(tokens) + 1)
    panel = head + bars
    prompt = textwrap.fill(f"{picture.row.prompt.strip()} …", 20 * (each + 1)) if picture.row.prompt else ""
    above = 0.12 + 0.2 * (prompt.count("\n") + 1 if prompt else 0)
    width, height = _LABELS + _PANEL * each, above + panel * rows + _FOOT
    figure = Figure(figsize=(width, height), facecolor=colours.paper)
    if prompt:
        figure.text(0.1 / width, 1 - 0.1 / height, prompt, va="top", color=colours.text, fontsize=10, weight="bold")
    for i in range(count):
        row, column = divmod(i, each)
        bottom = height - above - panel * (row + 1)
        box = (
            (_LABELS + _PANEL * column) / width,
            bottom / height,
            (_PANEL - 0.1) / width,
            bars / height,
        )
        axes = figure.add_axes(box)
        _draw_panel(axes, i, picture, tokens, colours)
        if column == 0:
            _draw_labels(axes, texts, colours)
    _draw_legend(figure, picture.in_sequence, colours)
    return figure


def write(picture: Picture, top: int, path: Path, *, dark: bool) -> None:
    """Writes the picture, as SVG or PNG by the name's ending.

    Raises:
        UsageError: the file cannot be written.
    """
    with mpl.rc_context(_SETTINGS), warnings.catch_warnings():
        # A token in a script that the font lacks is drawn as boxes in a PNG; in an SVG the viewer has its own fonts.
        warnings.filterwarnings("ignore", message="Glyph .* missing")
        figure = _figure(picture, top, _DARK if dark else _LIGHT)
        metadata = {"Date": None, "Creator": None} if path.suffix.lower() == ".svg" else {"Software": None}
        try:
            figure.savefig(path, metadata=metadata, dpi=160)
        except OSError as e:
            raise UsageError(f"{path}: {e.strerror}") from e
