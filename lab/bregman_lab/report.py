"""docs/evidence.md from docs/evidence/page.txt and the records: tables, plots, and every figure of the prose.

The page's text has what is in double braces replaced by the value of that expression. `{{! EXPRESSION }}` is left out;
what it says must be true, or the page is not written: the prose says it.
"""

from __future__ import annotations

import itertools
import json
import re
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from bregman_lab import figures, plots

Record = dict[str, Any]

#: Models in the page's order, by the names of their records.
NAMES = {"smollm2": "SmolLM2 135M", "gemma3": "Gemma 3 270M", "kjv": "kjv-1.4m", "big32k": "the generator's rows"}
TASKS = {
    "json": "JSON from a sentence",
    "reverse": "a list reversed",
    "sums": "sums of two numbers below 50",
    "steps": "1, 2 or 3 added to a number below 100",
    "facts": "facts stated in the question",
    "names": "rare names copied",
}


def _three(figures: list[float | None], digits: int = 3) -> str:
    """A figure with its interval."""
    if figures is None or figures[0] is None:
        return ""
    middle, low, high = (f"{x:.{digits}f}" if x is not None else "?" for x in figures[:3])
    return f"{middle} ({low} to {high})"


def _difference(figures: list[float | None]) -> str:
    """A difference with its interval, in bold if the interval excludes 0."""
    if figures[3] is None:
        return ""
    middle, low, high = figures[3:]
    text = f"{middle:+.3f} ({low:+.3f} to {high:+.3f})"
    return f"**{text}**" if low > 0 or high < 0 else text


def _table(head: list[str], rows: list[list[str]]) -> str:
    align = ["---"] + ["--:"] * (len(head) - 1)
    return "\n".join(f"| {' | '.join(row)} |" for row in [head, align, *rows])


def _asked(records: dict[str, Record]) -> dict[str, Record]:
    return {m: r for m, r in records.items() if "tasks" in r}


def tasks(records: dict[str, Record]) -> str:
    """How well the models answer."""
    asked = _asked(records)
    head = ["task"]
    for m in asked:
        head += [f"{NAMES[m]}: questions, tokens", "greedy", "T = 1, no truncation"]
    rows = []
    for t, name in TASKS.items():
        if not any(t in r["tasks"] for r in asked.values()):
            continue
        row = [name]
        for r in asked.values():
            if t in r["tasks"]:
                row += [
                    f"{r['items'][t]}, {r['rows'][t]}",
                    _three(r["tasks"][t]["greedy"]),
                    _three(r["tasks"][t]["model"]),
                ]
            else:
                row += ["", "", ""]
        rows.append(row)
    return _table(head, rows)


def frontier(records: dict[str, Record]) -> str:
    """The best accuracy of each method that keeps a share of the entropy."""
    asked = _asked(records)
    head = ["method"] + [f"{NAMES[m]}, {int(100 * float(s))} % kept" for m in asked for s in ("0.25", "0.5", "0.75")]
    methods = list(next(iter(asked.values()))["frontier"]["0.5"])

    def mean(method: str) -> float:
        found = [r["frontier"][s].get(method) for r in asked.values() for s in ("0.25", "0.5", "0.75")]
        return sum(f["accuracy"][0] for f in found if f) / len(found)

    rows = []
    for method in sorted(methods, key=mean, reverse=True):
        cells = [r["frontier"][s].get(method) for r in asked.values() for s in ("0.25", "0.5", "0.75")]
        rows.append([method] + [_three(c["accuracy"]) if c else "" for c in cells])
    return _table(head, rows)


def chosen(records: dict[str, Record]) -> str:
    """The chains behind the frontier's middle column."""
    asked = _asked(records)
    methods = list(next(iter(asked.values()))["frontier"]["0.5"])
    rows = []
    for method in methods:
        cells = [r["frontier"]["0.5"].get(method) for r in asked.values()]
        rows.append(
            [method]
            + [", ".join(f"`{c}`" for c in cell["chains"]).replace("|", "\\|") if cell else "" for cell in cells]
        )
    return _table(["method", *(NAMES[m] for m in asked)], rows)


def budget(records: dict[str, Record]) -> str:
    """What tuning with N trials buys."""
    asked = _asked(records)
    sizes = (1, 8, 64)
    head = ["method"] + [f"{NAMES[m]}, N = {n}" for m in asked for n in sizes]
    methods = list(next(iter(asked.values()))["best of n"]["methods"])
    rows = []
    for method in methods:
        row = [method]
        for r in asked.values():
            found, ns = r["best of n"]["methods"].get(method, []), r["best of n"]["n"]
            row += [f"{found[ns.index(n)]:.3f}" if ns.index(n) < len(found) else "" for n in sizes]
        rows.append(row)
    rows.sort(key=lambda row: row[2], reverse=True)
    return _table(head, rows)


def equal(records: dict[str, Record], score: str, target: str = "10.0") -> str:
    """Differences from top-k at the same mean support."""
    rows = []
    tables = {m: r["equal support"][target] for m, r in records.items()}
    methods = [x for x in next(iter(tables.values())) if all(x in t for t in tables.values())]
    for method in sorted(methods, key=lambda x: sum(t[x][score][0] for t in tables.values())):
        cells = [t[method][score] for t in tables.values()]
        rows.append([method] + [f"{c[0]:.3f}" if method == "top-k" else _difference(c) for c in cells])
    return _table(["method", *(NAMES[m] for m in records)], rows)


def placement(records: dict[str, Record]) -> str:
    """Where the temperature stands."""
    asked = _asked(records)
    columns = ("1.0 first", "1.5 first", "1.5 last", "2.0 first", "2.0 last")
    head = ["stage"] + [f"{NAMES[m]}: {'T = 1' if c.startswith('1.0') else 'T = ' + c}" for m in asked for c in columns]
    rows = []
    for method in next(iter(asked.values()))["placement"]:
        if method == "temperature":
            continue
        row = [method]
        for r in asked.values():
            cells = r["placement"][method]
            row += [f"{cells[c][0]:.2f} · {cells[c][3]:.2f}" for c in columns]
        rows.append(row)
    return _table(head, rows)


def places(records: dict[str, Record]) -> str:
    """The best accuracy that keeps a share of the entropy, with the temperature in either place."""
    asked = _asked(records)
    shares = (0.5, 0.75)
    head = ["method"] + [
        f"{NAMES[m]}, {100 * s:g} % kept: {p}" for m in asked for s in shares for p in ("first", "last")
    ]
    found: dict[str, list[str]] = {}
    methods = dict.fromkeys(method for r in asked.values() for method in r["frontier"]["0.5"])
    for r in asked.values():
        rows = r["configurations"]["rows"]
        own = next(row[7] for row in rows if row[0] == "temperature(1.0)")
        for method in methods:
            mine = [row for row in rows if row[1] == method]
            for share in shares:
                for place in ("first", "last"):
                    fit = [row[4] for row in mine if row[7] >= share * own and (row[3] == place or row[2] == 1)]
                    found.setdefault(method, [method]).append(f"{max(fit):.3f}" if fit else "")
    return _table(head, [row for method, row in found.items() if method != "temperature"])


def supports(records: dict[str, Record]) -> str:
    """How the support follows the entropy."""
    edges = next(iter(records.values()))["supports"]["edges"]
    parts = []
    for m, r in records.items():
        s = r["supports"]
        head = [f"{NAMES[m]}, entropy in nats"] + [f"{a:g} to {b:g}" for a, b in itertools.pairwise(edges)]
        rows = [["rows", *map(str, s["rows"])]]
        for method, found in s.items():
            if method not in ("edges", "rows", "temperature", "top-k"):
                rows.append([method, *("" if x is None else f"{x:g}" for x in found["by entropy"])])
        parts.append(_table(head, rows))
    return "\n\n".join(parts)


def calibration(records: dict[str, Record]) -> str:
    """The ℓ2 calibration error."""
    head = ["stage at T = 1"] + [f"{NAMES[m]}: ℓ2 error" for m in records]
    rows = []
    for method in next(iter(records.values()))["calibration"]["methods"]:
        found = [r["calibration"]["methods"][method] for r in records.values()]
        rows.append([("none" if method == "temperature" else method), *(_three(f["error"]) for f in found)])
    return _table(head, rows)


def truth(record: Record, model: str) -> str:
    """Distances from the decoded distribution to the true one."""
    found = record["models"][model]
    rows = [
        [
            m,
            _three(found[m]["TV"]),
            *(_difference(found[m][name]) for name in ("TV", "squared", "KL", "JS")),
            f"{found[m]['mass on false tokens']:.3f}",
            f"{found[m]['truth lost']:.3f}",
        ]
        for m in sorted(found, key=lambda x: found[x]["TV"][0])
    ]
    return _table(
        [
            "method",
            "total variation",
            "less top-p's",
            "ℓ2², less top-p's",
            "KL, less top-p's",
            "Jensen-Shannon, less top-p's",
            "mass on false tokens",
            "truth lost",
        ],
        rows,
    )


def macros(records: dict[str, Record]) -> str:
    """The engines' default chains."""
    asked = _asked(records)
    names = list(next(iter(asked.values()))["macros"])

    def cell(found: list[float] | None) -> str:
        return f"{_three(found)} · {found[3]:.2f}" if found else ""

    rows = [[n, *(cell(r["macros"].get(n)) for r in asked.values())] for n in names]
    return _table(["chain, temperature", *(NAMES[m] for m in asked)], rows)


def texts(record: Record) -> str:
    """How the texts of one model repeat themselves, and how they differ."""
    columns = ("rep-4", "circles", "distinct-1", "distinct-2", "self-BLEU", "4-grams shared")
    found = record["chains"]
    rows = [
        [
            f"`{chain}`".replace("|", "\\|"),
            "{} ({} to {})".format(*(f"{x:.1f}" if x < 1000 else f"{x:.0f}" for x in figures["perplexity"])),
            *(_three(figures[c]) for c in columns),
        ]
        for chain, figures in sorted(found.items(), key=lambda item: item[1]["perplexity"][0])
    ]
    return _table(["chain", "perplexity", *columns], rows)


class Records(NamedTuple):
    """All records."""

    #: Of the models, in the page's order.
    models: dict[str, Record]
    #: Of the known sources.
    truth: Record | None
    #: Of the texts that models wrote.
    texts: dict[str, Record]


def tables(records: Records) -> dict[str, str]:
    """Every table by its name."""
    models = records.models
    by_name: dict[str, Callable[[], str]] = {
        "tasks": lambda: tasks(models),
        "frontier": lambda: frontier(models),
        "chosen": lambda: chosen(models),
        "budget": lambda: budget(models),
        "Brier": lambda: equal(models, "Brier"),
        "log": lambda: equal(models, "ε log score"),
        "Jensen-Shannon": lambda: equal(models, "Jensen-Shannon"),
        "placement": lambda: placement(models),
        "places": lambda: places(models),
        "supports": lambda: supports(models),
        "calibration": lambda: calibration(models),
        "macros": lambda: macros(models),
    }
    made = {name: make() for name, make in by_name.items()} if models else {}
    if records.truth:
        made |= {f"truth {name}": truth(records.truth, name) for name in records.truth["models"]}
    written = [f"{NAMES[name]}:\n\n{texts(record)}" for name, record in records.texts.items()]
    return made | {"texts": "\n\n".join(written)}


def filled(page: str, records: Records) -> str:
    """The page from its text."""
    names = figures.Figures(records.models, records.truth, records.texts).names() | {"tables": tables(records)}

    def fill(match: re.Match[str]) -> str:
        expression = match[1] or match[2]
        value = eval(
            expression.lstrip("!"), {"__builtins__": {}, "abs": abs, "len": len, "max": max, "min": min} | names
        )
        if not expression.startswith("!"):
            return str(value)
        if not value:
            raise AssertionError(f"the records do not say what the page says: {expression.lstrip('! ')}")
        return ""

    # An assertion takes its line with it.
    return wrapped(re.sub(r"\{\{(!.*?)\}\}\n?|\{\{(.*?)\}\}", fill, page, flags=re.S))


def wrapped(page: str, width: int = 120) -> str:
    """The page with its paragraphs and list items filled anew; tables, headings and pictures stay as they are."""
    lines: list[str] = []
    paragraph: list[str] = []

    def flush() -> None:
        if paragraph:
            mark = re.match(r"(?:- |\d+\. )?", paragraph[0])
            assert mark is not None
            indent = " " * len(mark[0])
            text = " ".join(line.strip() for line in paragraph)
            lines.extend(
                textwrap.wrap(text, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)
            )
            paragraph.clear()

    for line in page.splitlines():
        if re.match(r"- |\d+\. |$|[|#!<]", line):
            flush()
        if re.match(r"$|[|#!<]", line):
            lines.append(line)
        else:
            paragraph.append(line)
    flush()
    return "\n".join([*lines, ""])


def read(folder: Path) -> Records:
    """The records in a folder."""

    def found(prefix: str) -> dict[str, Record]:
        paths = {m: folder / f"{prefix}{m}.json" for m in NAMES}
        return {m: json.loads(path.read_text()) for m, path in paths.items() if path.exists()}

    path = folder / "truth.json"
    return Records(found(""), json.loads(path.read_text()) if path.exists() else None, found("texts-"))


def write(folder: Path, text: Path, page: Path) -> None:
    """Fills the page and draws the plots."""
    records = read(folder)
    page.write_text(filled(text.read_text(), records))
    plots.write(records.models, records.truth, records.texts, page.with_suffix(""), NAMES)
