"""A chain's distribution before and after each stage, or those of several chains; each is the library's of a chain."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

import bregman
from bregman.cli.errors import UsageError
from bregman.cli.rows import Row
from bregman.cli.words import entry, is_macro, visible


@dataclass(frozen=True)
class Step:
    """A distribution over the vocabulary."""

    #: The stage or chain that made it, as the library describes it.
    label: str
    p: npt.NDArray[np.float32]
    #: How many tokens it has.
    support: int
    #: What these had before: in the distribution that the stage received, and in the model's.
    kept: float
    of_model: float
    #: In nats.
    entropy: float


@dataclass(frozen=True)
class Picture:
    """Distributions of one row, the model's first."""

    row: Row
    steps: tuple[Step, ...]
    #: Whether each step comes out of the one before it, or all of them out of the first.
    in_sequence: bool
    #: What the chain draws, if it does; in words.
    drawn: str | None = None


def parts(chain: str) -> list[str]:
    """The chain's stages as texts that can be parsed again, a macro's in its place.

    Raises:
        InvalidChainError: the chain does not parse.
    """
    bregman.Sampler(chain).close()
    texts = [text.strip() for text in chain.split("|")]
    if is_macro(texts[-1]):
        texts[-1:] = bregman.Sampler(texts[-1]).describe().split(" | ")
    return texts


def _sampler(chain: str, row: Row, seed: int) -> bregman.Sampler:
    sampler = bregman.Sampler(chain, seed)
    if row.history:
        sampler.accept(row.history)
    return sampler


def _mass(step: Step | None, ids: npt.NDArray[np.int32]) -> float:
    return float(step.p[ids].sum(dtype=np.float64)) if step else 1.0


def _step(
    label: str, sampler: bregman.Sampler, row: Row, before: Step | None = None, model: Step | None = None
) -> Step:
    ids, found = sampler.distribution(row.logits)
    p = np.zeros(len(row.logits), np.float32)
    p[ids] = found
    positive = found[found > 0].astype(np.float64)
    entropy = abs(float((positive * np.log(positive)).sum()))
    return Step(label, p, len(ids), _mass(before, ids), _mass(model, ids), entropy)


def _model(row: Row) -> Step:
    return _step("the model", bregman.Sampler("temperature(1)"), row)


def _text(row: Row, token: int) -> str:
    return visible(row.texts[token]) if row.texts is not None else f"token {token}"


def _drawn(chain: str, row: Row, seed: int) -> str:
    with _sampler(chain, row, seed) as sampler:
        r = sampler.decode(row.logits)
    return f"{_text(row, r.token)} (probability {r.p:.3f}, of {r.support} token{'s' if r.support > 1 else ''})"


def stage_by_stage(chain: str, row: Row, seed: int) -> Picture:
    """The row's distribution, and what each stage leaves of it.

    A stage that draws and changes no probability has no step.

    Raises:
        BregmanError: the library refuses the chain or the row.
    """
    texts = parts(chain)
    steps = [model := _model(row)]
    for i, text in enumerate(texts):
        label = bregman.Sampler(text).describe()
        step = _step(label, _sampler(" | ".join(texts[: i + 1]), row, seed), row, steps[-1], model)
        if not (entry(text).draws and np.array_equal(step.p, steps[-1].p)):
            steps.append(step)
    drawn = _drawn(chain, row, seed) if entry(texts[-1]).draws else None
    if drawn is not None:
        drawn = f"{bregman.Sampler(texts[-1]).describe()}, with seed {seed}, takes {drawn}"
    return Picture(row, tuple(steps), True, drawn)


def side_by_side(chains: Sequence[str], row: Row, seed: int) -> Picture:
    """The row's distribution, and that of each chain.

    Raises:
        BregmanError: the library refuses a chain or the row.
    """
    model = _model(row)
    samplers = [_sampler(chain, row, seed) for chain in chains]
    steps = [_step(sampler.describe(), sampler, row, model, model) for sampler in samplers]
    return Picture(row, (model, *steps), False)


def most_likely(picture: Picture, n: int) -> npt.NDArray[np.intp]:
    """The n tokens that are likeliest in any of the distributions, in the model's order."""
    best = np.max([step.p for step in picture.steps], axis=0)
    ids = np.argsort(-best, kind="stable")[:n]
    ids = ids[best[ids] > 0]
    if not len(ids):
        raise UsageError("no token has a probability")
    order: npt.NDArray[np.intp] = ids[np.argsort(-picture.steps[0].p[ids], kind="stable")]
    return order
