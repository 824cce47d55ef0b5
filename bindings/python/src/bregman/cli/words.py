"""Numbers, tokens and the catalogue as text."""

from __future__ import annotations

import difflib
import math
import unicodedata
from dataclasses import dataclass
from functools import lru_cache

import bregman
from bregman.cli.errors import UsageError

_LARGEST = 1e300  # what the library has as no bound
_MOST = 2**32 - 1

_KINDS = {
    bregman.Kind.NAME: "name of a generator",
    bregman.Kind.TOKENS: "tokens",
    bregman.Kind.SEQUENCES: "token sequences",
    bregman.Kind.BIASES: "token:bias pairs",
    bregman.Kind.KEYS: "secret keys",
}


def percent(p: float) -> str:
    """A probability, such as "31.2 %"; "" for 0."""
    if p <= 0:
        return ""
    return "<0.1 %" if p < 0.0005 else f"{100 * p:.1f} %"


def visible(text: str) -> str:
    """A token's text with its spaces and control characters to be seen."""
    shown = {" ": "␣", "\n": "⏎", "\t": "⇥", "\u2581": "␣"}
    return "".join(shown.get(c) or ("�" if unicodedata.category(c)[0] == "C" else c) for c in text) or "(empty)"


def key(i: int, in_sequence: bool) -> str:
    """What a distribution is called: stages have numbers, chains letters; the model's, which is the first, has none."""
    if i == 0:
        return ""
    return str(i) if in_sequence or i > 26 else chr(ord("A") + i - 1)


def values(parameter: bregman.Parameter) -> str:
    """The values that a parameter takes, as docs/stages.md has them."""
    if parameter.kind in _KINDS:
        return _KINDS[parameter.kind]
    if parameter.kind is bregman.Kind.CHOICE:
        return ", ".join(parameter.choices)
    low, high = parameter.min, parameter.max
    if parameter.kind is bregman.Kind.COUNT:
        return f"whole, from {low:.0f}" if high >= _MOST else f"whole, {low:.0f} to {high:.0f}"
    if math.isinf(low):
        return "number"
    bracket = "(" if parameter.min_excluded else "["
    return f"{bracket}{low:g}, {'∞)' if high > _LARGEST else f'{high:.7g}]'}"


@lru_cache(maxsize=1)
def _entries() -> dict[str, tuple[bregman.Stage, bool]]:
    """Stages and macros by all their names."""
    both = [(s, False) for s in bregman.stages()] + [(s, True) for s in bregman.macros()]
    return {name: found for found in both for name in (found[0].name, *found[0].aliases)}


def _name(text: str) -> str:
    return text.split("(", maxsplit=1)[0].strip().lower().replace("-", "_")


def entry(text: str) -> bregman.Stage:
    """The catalogue's entry for a stage or macro, by its name or by a text that begins with it.

    Raises:
        UsageError: there is none.
    """
    name = _name(text)
    found = _entries().get(name)
    if found is None:
        near = difflib.get_close_matches(name, _entries(), n=1)
        raise UsageError(f"no stage or macro `{name}`" + (f": did you mean `{near[0]}`?" if near else ""))
    return found[0]


def is_macro(text: str) -> bool:
    """Whether a part of a valid chain is a macro."""
    return _entries()[_name(text)][1]


@dataclass(frozen=True)
class Setting:
    """A parameter's value in a chain."""

    parameter: bregman.Parameter
    value: str
    #: Whether the chain says so.
    given: bool


def settings(described: str) -> list[Setting] | None:
    """The values of a stage's parameters, from the library's description of it; None if it hides them."""
    stage = entry(described)
    inside = described.split("(", 1)[1].rsplit(")", 1)[0] if "(" in described else ""
    if inside == "hidden":
        return None
    given: dict[str, str] = {}
    for i, part in enumerate(inside.split(",") if inside else ()):
        name, equals, value = part.partition("=")
        if i == 0 and not equals:
            name, value = stage.parameters[0].name, part
        given[name.strip()] = value.strip()
    return [
        Setting(p, given.get(p.name, p.default or ""), p.name in given)
        for p in stage.parameters
        if p.name in given or p.default
    ]
