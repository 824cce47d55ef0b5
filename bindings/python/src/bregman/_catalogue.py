"""The library's catalogue of stages and macros."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from bregman._library import ffi, lib, text
from bregman.errors import error


class Kind(IntEnum):
    """The type of a parameter's value."""

    #: A number from `min` to `max`.
    NUMBER = lib.BREGMAN_KIND_NUMBER
    #: A whole number from `min` to `max`.
    COUNT = lib.BREGMAN_KIND_COUNT
    #: One of `choices`.
    CHOICE = lib.BREGMAN_KIND_CHOICE
    #: The name of a `Generator`.
    NAME = lib.BREGMAN_KIND_NAME
    #: Token ids, separated by spaces, such as "2 32000".
    TOKENS = lib.BREGMAN_KIND_TOKENS
    #: Token sequences, separated by semicolons, such as "13; 25 11".
    SEQUENCES = lib.BREGMAN_KIND_SEQUENCES
    #: token:bias pairs, separated by spaces, such as "15:-2.5 30:-inf".
    BIASES = lib.BREGMAN_KIND_BIASES
    #: From `min` to `max` secret keys, separated by spaces, such as "0x9d3c55aa10f2e671".
    KEYS = lib.BREGMAN_KIND_KEYS


@dataclass(frozen=True)
class Parameter:
    """A parameter of a stage or macro."""

    name: str
    #: Other names that are accepted.
    aliases: tuple[str, ...]
    #: What it does, in a sentence.
    summary: str
    kind: Kind
    #: Its default value, as text; None if there is none.
    default: str | None
    #: Whether it must be given.
    required: bool
    choices: tuple[str, ...]
    min: float
    max: float
    #: Whether `min` itself is excluded.
    min_excluded: bool
    #: Parameters with the same number exclude each other, and one of them is required unless one has a default; None
    #: for a parameter in no group.
    group: int | None


@dataclass(frozen=True)
class Stage:
    """A stage or a macro."""

    name: str
    #: Other names that are accepted.
    aliases: tuple[str, ...]
    #: What it does, in a sentence.
    summary: str
    #: The paper or project that defines it.
    source: str
    #: Whether it takes a token, and so must be the last of a chain.
    draws: bool
    #: Whether it learns from the tokens that it drew before, and so works only where bregman draws (`decode`, `apply`).
    #: For a macro: whether one of the stages that it can stand for does.
    learns: bool
    #: The first one's name may be left out.
    parameters: tuple[Parameter, ...]


def stages() -> tuple[Stage, ...]:
    """All stages."""
    return tuple(_stage(lib.bregman_stage_info, i) for i in range(lib.bregman_stage_count()))


def macros() -> tuple[Stage, ...]:
    """All macros: a macro stands for the several stages of another engine and is the last of a chain."""
    return tuple(_stage(lib.bregman_macro_info, i) for i in range(lib.bregman_macro_count()))


def _words(pointer: Any) -> tuple[str, ...]:
    return tuple(word.strip() for word in text(pointer).split(",") if word)


def _stage(describe: Any, index: int) -> Stage:
    info = ffi.new("bregman_stage *")
    info.struct_size = ffi.sizeof("bregman_stage")
    status = describe(index, info)
    if status:
        raise error(status, f"the catalogue has no entry {index}")
    # A later library's bregman_parameter may be larger than the one this package was built with.
    first = ffi.cast("const char *", info.parameters)
    parameters = tuple(
        _parameter(ffi.cast("const bregman_parameter *", first + i * info.parameter_size))
        for i in range(info.parameter_count)
    )
    return Stage(
        name=text(info.name),
        aliases=_words(info.aliases),
        summary=text(info.summary),
        source=text(info.source),
        draws=bool(info.draws),
        learns=bool(info.learns),
        parameters=parameters,
    )


def _parameter(info: Any) -> Parameter:
    return Parameter(
        name=text(info.name),
        aliases=_words(info.aliases),
        summary=text(info.summary),
        kind=Kind(info.kind),
        default=text(info.default_value) or None,
        required=bool(info.required),
        choices=_words(info.choices),
        min=info.min,
        max=info.max,
        min_excluded=bool(info.min_excluded),
        group=info.group or None,
    )
