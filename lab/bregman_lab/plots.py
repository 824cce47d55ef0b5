"""The plots of docs/evidence.md, as small SVG files that are the same on every run."""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("svg")
import matplotlib.pyplot as plt
import matplotlib.ticker
import numpy as np

from bregman_lab import metrics

Record = dict[str, Any]

#: Bregman decoders in warm colours, the others in cold and grey ones.
COLOURS = {
    "temperature": "#888888",
    "top-k": "#8c6bb1",
    "top-p": "#1f77b4",
    "min-p": "#17becf",
    "p-less": "#2ca02c",
    "top-nσ": "#9edae5",
    "α=0.5 floor": "#ffb000",
    "α=1 floor": "#fe6100",
    "α=1.5 floor": "#dc267f",
    "α=2 floor": "#8b0000",
    "α=1.5 mass": "#f4a3b5",
    "α=2 mass": "#e377c2",
    "typical": "#7f7f00",
    "dynamic temperature": "#000000",
}
#: In the plots of many methods: the others are in the tables.
_SHOWN = {
    *("top-k", "top-p", "min-p", "top-H", "epsilon", "eta", "top-nσ", "tail-free", "temperature"),
    *("α=0.5 floor", "α=1 floor", "α=1.5 floor", "α=2 floor", "α=3 floor", "dual α=1.5 floor"),
    *("α=1.5 mass", "α=2 mass", "α=2 top-p"),
}


def _save(figure: plt.Figure, path: Path) -> None:
    path.parent.mkdir(exist_ok=True)
    text = io.StringIO()
    figure.savefig(text, format="svg", metadata={"Date": None, "Creator": None})
    plt.close(figure)
    # Smaller by half: no comments, no lists of fonts, no groups of one element, and coordinates (not labels) to a
    # hundredth of a point.
    svg = re.sub(r"<!--.*?-->\s*", "", text.getvalue(), flags=re.S)
    svg = re.sub(r"font-family: [^;\"]*", "font-family: sans-serif", svg)
    svg = re.sub(r' clip-path="[^"]*"', "", svg)
    svg = re.sub(r'<g id="(?:line2d|text|[xy]tick|patch)_\d+">', "<g>", svg)
    svg = re.sub(r' transform="rotate\(-0 [^"]*\)"', "", svg)
    svg = re.sub(r"<metadata>.*?</metadata>\s*", "", svg, flags=re.S)
    alone = re.compile(r"<g>\s*(<(?:use|path)\b[^>]*/>)\s*</g>")
    while alone.search(svg):
        svg = alone.sub(r"\1", svg)
    svg = re.sub(r"<[^>]*>", lambda tag: re.sub(r"-?\d+\.\d{3,}", _shortened, tag[0]), svg)
    path.write_text(re.sub(r"\s*\n\s*", "\n", svg))


def _shortened(number: re.Match[str]) -> str:
    return f"{float(number[0]):.2f}".rstrip("0").rstrip(".")


def _panels(
    records: dict[str, Record], names: dict[str, str], height: float = 3.6
) -> tuple[plt.Figure, dict[str, plt.Axes]]:
    figure, axes = plt.subplots(
        1, len(records), figsize=(4.3 * len(records), height), squeeze=False, layout="constrained"
    )
    for axis, model in zip(axes[0], records, strict=True):
        axis.set_title(names[model], fontsize=10)
        axis.grid(alpha=0.25)
    return figure, dict(zip(records, axes[0], strict=True))


def frontier(records: dict[str, Record], names: dict[str, str], path: Path) -> None:
    """Accuracy against the entropy kept: the best configurations of each method."""
    figure, axes = _panels(records, names)
    for model, axis in axes.items():
        rows = records[model]["configurations"]["rows"]
        own = next(r[7] for r in rows if r[0] == "temperature(1.0)")
        for method, colour in COLOURS.items():
            mine = np.array([[r[7] / own, r[4]] for r in rows if r[1] == method])
            best = mine[metrics.frontier(mine[:, 0], mine[:, 1])]
            best = best[best[:, 0] <= 1.3]
            axis.plot(best[:, 0], best[:, 1], linewidth=1.3, color=colour, label=method)
        axis.set_xlabel("entropy kept on open text (1: the model's)")
    first = next(iter(axes.values()))
    first.set_ylabel("expected accuracy")
    first.legend(fontsize=7, ncols=2)
    _save(figure, path)


def placement(records: dict[str, Record], names: dict[str, str], path: Path) -> None:
    """Accuracy by temperature, before the stage and behind it."""
    figure, axes = _panels(records, names)
    for model, axis in axes.items():
        for method in ("top-p", "min-p", "α=0.5 floor", "α=1.5 floor", "α=2 floor"):
            cells = records[model]["placement"][method]
            for place, style in (("first", "-"), ("last", "--")):
                points = [(t, cells[f"{t} {place if t != 1.0 else 'first'}"]) for t in (0.5, 0.7, 1.0, 1.5, 2.0)]
                x, y = [t for t, _ in points], np.array([c[:3] for _, c in points])
                axis.plot(
                    x, y[:, 0], style, color=COLOURS[method], label=method if place == "first" else None, linewidth=1.3
                )
                axis.fill_between(x, y[:, 1], y[:, 2], color=COLOURS[method], alpha=0.08, linewidth=0)
        axis.set_xlabel("temperature (solid: before the stage, dashed: behind it)")
    first = next(iter(axes.values()))
    first.set_ylabel("expected accuracy")
    first.legend(fontsize=7)
    _save(figure, path)


def supports(records: dict[str, Record], names: dict[str, str], path: Path) -> None:
    """The number of tokens kept, against the model's entropy."""
    figure, axes = _panels(records, names)
    for model, axis in axes.items():
        s = records[model]["supports"]
        edges = s["edges"]
        x = [(a + b) / 2 for a, b in zip(edges, [*edges[1:-1], 6.5], strict=False)][: len(edges) - 1]
        for method in ("top-p", "min-p", "p-less", "α=0.5 floor", "α=1 floor", "α=2 floor", "α=2 mass"):
            kept = s[method]["by entropy"]
            axis.plot(
                *zip(*[(a, b) for a, b in zip(x, kept, strict=True) if b], strict=True),
                marker=".",
                color=COLOURS[method],
                label=method,
            )
        axis.set_yscale("log")
        axis.yaxis.set_minor_locator(mpl.ticker.NullLocator())
        axis.set_xlabel("entropy of the model's distribution, nats")
    first = next(iter(axes.values()))
    first.set_ylabel("tokens kept, mean")
    first.legend(fontsize=7)
    _save(figure, path)


def _dots(axis: plt.Axes, labels: list[str], values: list[list[float]]) -> None:
    y = np.arange(len(labels))[::-1]
    v = np.array(values, float)
    colours = ["#dc267f" if label.startswith(("α", "dual")) else "#1f77b4" for label in labels]
    axis.hlines(y, v[:, 1], v[:, 2], color=colours, linewidth=1.5)
    axis.scatter(v[:, 0], y, color=colours, s=12, zorder=3)
    axis.set_yticks(y, labels, fontsize=7)
    axis.xaxis.set_major_locator(mpl.ticker.MaxNLocator(5))


def equal(records: dict[str, Record], names: dict[str, str], path: Path, target: str = "10.0") -> None:
    """The Brier score at the same mean support, less top-k's."""
    figure, axes = _panels(records, names, 4.4)
    for model, axis in axes.items():
        table = {m: v["Brier"][3:] for m, v in records[model]["equal support"][target].items() if m in _SHOWN}
        table = {m: v for m, v in table.items() if None not in v}
        order = sorted(table, key=lambda m: table[m][0])
        _dots(axis, order, [table[m] for m in order])
        axis.axvline(0, color="black", linewidth=0.7)
        axis.set_xlabel("Brier score less top-k's, 10 tokens kept (left is better)", fontsize=8)
    _save(figure, path)


def truth(source: Record, path: Path) -> None:
    """Total variation from the decoded distribution to the true one, less top-p's."""
    titles = {
        "llama": "a trained llama",
        "network": "a trained network",
        "counts": "interpolated counts",
        "noise": "the truth with noise",
    }
    titles = {model: title for model, title in titles.items() if model in source["models"]}
    figure, axes = plt.subplots(1, len(titles), figsize=(3.9 * len(titles), 4.6), layout="constrained")
    for axis, (model, title) in zip(axes, titles.items(), strict=True):
        found = {m: v["TV"][3:] for m, v in source["models"][model].items() if m in _SHOWN}
        order = sorted(found, key=lambda m: found[m][0])
        _dots(axis, order, [found[m] for m in order])
        axis.set_title(title, fontsize=10)
        axis.axvline(0, color="black", linewidth=0.7)
        axis.set_xlabel("total variation, less top-p's (left is better)", fontsize=8)
        axis.grid(alpha=0.25)
    _save(figure, path)


#: Texts of these chains have their names in the plot.
_NAMED = {
    "greedy": "greedy",
    "temperature(1.0)": "T = 1",
    "temperature(1.5)": "T = 1.5",
    "p_less": "p-less",
    "mirostat_v2(5)": "mirostat",
    "top_k(40) | adaptive_p(0.4)": "adaptive-p",
    "penalties(1.1) | top_p(0.9)": "penalties",
}


def repetition(texts: dict[str, Record], names: dict[str, str], path: Path) -> None:
    """Repetition of texts against their perplexity under the model."""
    figure, axes = _panels(texts, names, 4.0)
    for model, axis in axes.items():
        for chain, found in texts[model]["chains"].items():
            method = found["method"] or next((m for m in ("top-p", "α=1.5 floor") if _is_of(chain, m)), "")
            colour = COLOURS.get(method, "#555555")
            marker = {"usual": "o", "half": "s"}.get(found["setting"], "^")
            x, y = found["perplexity"], found["rep-4"]
            axis.plot([x[0]] * 2, y[1:], color=colour, linewidth=0.7, alpha=0.6)
            axis.plot(x[1:], [y[0]] * 2, color=colour, linewidth=0.7, alpha=0.6)
            axis.plot(x[0], y[0], marker, color=colour, markersize=5)
            if chain in _NAMED:
                beside = (4, -9 if chain.startswith("penalties") else 4)
                axis.annotate(_NAMED[chain], (x[0], y[0]), xytext=beside, textcoords="offset points", fontsize=7)
        axis.set_xscale("log")
        axis.xaxis.set_minor_locator(mpl.ticker.NullLocator())
        # Linear below a thousandth: many texts repeat nothing.
        axis.set_yscale("symlog", linthresh=1e-3, linscale=0.4)
        axis.set_yticks([0, 1e-3, 1e-2, 1e-1, 1], ["0", ".001", ".01", ".1", "1"])
        axis.set_ylim(-5e-4, 1)
        axis.xaxis.set_major_formatter(mpl.ticker.ScalarFormatter())
        axis.set_xlabel("perplexity under the model")
    first = next(iter(axes.values()))
    first.set_ylabel("share of repeated 4-grams")
    shown = [m for m in COLOURS if any(f["method"] == m for t in texts.values() for f in t["chains"].values())]
    handles = [plt.Line2D([], [], marker="o", linestyle="", color=COLOURS[m], label=m, markersize=4) for m in shown]
    list(axes.values())[-1].legend(handles=handles, fontsize=7)
    _save(figure, path)


def _is_of(chain: str, method: str) -> bool:
    start = {"top-p": "top_p(", "α=1.5 floor": "bregman(alpha=1.5, floor"}[method]
    return chain.startswith(start)


def write(
    records: dict[str, Record], source: Record | None, texts: dict[str, Record], folder: Path, names: dict[str, str]
) -> None:
    """Draws all of them into a folder."""
    style = {"svg.hashsalt": "bregman", "svg.fonttype": "none", "font.size": 9, "font.family": "sans-serif"}
    asked = {m: r for m, r in records.items() if "tasks" in r}
    with mpl.rc_context(style):
        frontier(asked, names, folder / "frontier.svg")
        placement(asked, names, folder / "placement.svg")
        supports(records, names, folder / "support.svg")
        equal(records, names, folder / "brier.svg")
        if source:
            truth(source, folder / "truth.svg")
        if texts:
            repetition(texts, names, folder / "repetition.svg")
