"""Figures for the prose of docs/evidence.md, looked up in the records by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Record = dict[str, Any]


def number(x: float, digits: int = 3) -> str:
    """A figure as the prose has it: without the 0 before the point."""
    text = f"{x:.{digits}f}"
    return text.replace("0.", ".", 1) if text.lstrip("-").startswith("0.") else text


def within(three: list[float], digits: int = 3) -> str:
    """A figure with its interval."""
    middle, low, high = (number(x, digits) if x else "0" for x in three)
    return f"{middle} ({low} to {high})"


def less(figures: list[float], digits: int = 3) -> str:
    """By how much less than the base a figure is, with the interval of that."""
    _, _, _, middle, low, high = figures
    return within([-middle, -high, -low], digits)


def listed(methods: list[str]) -> str:
    """Methods in a sentence."""
    return ", ".join(methods[:-1]) + " and " + methods[-1]


class Figures:
    """Lookups; models are s, g, k and b, from SmolLM2 to the generator's rows."""

    def __init__(self, models: dict[str, Record], truth: Record | None, texts: dict[str, Record]) -> None:
        self._models = {name[0]: record for name, record in models.items()}
        self._truth, self._texts = truth, {name[0]: record for name, record in texts.items()}

    def names(self) -> dict[str, Any]:
        """What an expression may use."""
        looked: list[Callable[..., Any]] = [number, within, less, listed]
        looked += [self.accuracy, self.leaders, self.placed, self.kept, self.row, self.best, self.own]
        looked += [self.at_ten, self.best_at_ten, self.calibration, self.positions, self.truth, self.nearest]
        looked += [self.text, self.each, self.clear, self.written, self.asked]
        return {f.__name__: f for f in looked} | {"all_of": all} | {m: m for m in "sgkb"}

    def asked(self, model: str, task: str = "json") -> int:
        """Questions of a task."""
        return self._models[model]["items"][task]

    def accuracy(self, model: str, method: str, share: float) -> list[float]:
        """Cross-fitted accuracy with a share of the entropy, and its interval."""
        return self._models[model]["frontier"][str(share)][method]["accuracy"]

    def leaders(self, model: str, share: float, count: int) -> list[str]:
        """The most accurate methods with a share of the entropy."""
        found = {m: f["accuracy"][0] for m, f in self._models[model]["frontier"][str(share)].items() if f}
        return sorted(found, key=lambda m: found[m], reverse=True)[:count]

    def placed(self, model: str, method: str, cell: str = "1.0 first") -> float:
        """Accuracy at a usual setting, with the temperature in its place: "1.5 first"."""
        return self._models[model]["placement"][method][cell][0]

    def kept(self, model: str, method: str, cell: str = "1.0 first") -> float:
        """The entropy of the same."""
        return self._models[model]["placement"][method][cell][3]

    def row(self, model: str, chain: str) -> dict[str, float]:
        """Accuracy, entropy and support of a chain."""
        row = next(r for r in self._models[model]["configurations"]["rows"] if r[0] == chain)
        return {"accuracy": row[4], "entropy": row[7], "support": row[10]}

    def best(self, model: str, method: str, share: float, place: str) -> float:
        """The best accuracy of a method that keeps a share of the entropy with the temperature in one place."""
        rows = self._models[model]["configurations"]["rows"]
        own = next(r[7] for r in rows if r[0] == "temperature(1.0)")
        fit = [r[4] for r in rows if r[1] == method and r[7] >= share * own and (r[3] == place or r[2] == 1)]
        return max(fit, default=0.0)

    def own(self, model: str, score: str) -> list[float]:
        """A score of the model itself on text."""
        return self._models[model]["equal support"]["model"][score]

    def at_ten(self, model: str, method: str, score: str = "Brier") -> list[float]:
        """A score with ten tokens kept: itself with its interval, and less top-k's with that."""
        return self._models[model]["equal support"]["10.0"][method][score]

    def best_at_ten(self, model: str, score: str = "Brier", tokens: int = 10) -> float:
        """The least score of any method, with ten tokens kept or another number."""
        return min(found[score][0] for found in self._models[model]["equal support"][f"{tokens:.1f}"].values())

    def calibration(self, model: str, method: str) -> list[float]:
        """The ℓ2 calibration error at a usual setting."""
        return self._models[model]["calibration"]["methods"][method]["error"]

    def positions(self, model: str, method: str) -> str:
        """The mean number of tokens kept in the first four positions, the next four and the next, in a sentence."""
        return listed([number(x, 1) for x in self._models[model]["supports"][method]["by position"]])

    def truth(self, model: str, method: str, name: str = "TV") -> list[float]:
        """A distance from the known truth: itself with its interval, and less top-p's with that."""
        assert self._truth is not None
        return self._truth["models"][model][method][name]

    def nearest(self, model: str, count: int, name: str = "TV") -> list[str]:
        """The methods that come nearest to the known truth."""
        assert self._truth is not None
        found = self._truth["models"][model]
        return sorted(found, key=lambda m: found[m][name][0])[:count]

    def written(self, model: str, name: str) -> int:
        """The number of prompts, samples or tokens of the texts."""
        return self._texts[model][name]

    def text(self, model: str, chain: str, name: str) -> list[float]:
        """A figure of the texts of a chain."""
        return self._texts[model]["chains"][chain][name]

    def each(self, chain: str, digits: int = 3, name: str = "rep-4") -> str:
        """The same figure of SmolLM2's, Gemma's and kjv-1.4m's texts, in a sentence."""
        return listed([number(self.text(model, chain, name)[0], digits) for model in "sgk"])

    def clear(self, less: str, more: str, models: str, name: str = "rep-4") -> bool:
        """Whether a figure of one chain's texts is below that of another, with intervals that do not overlap."""
        return all(self.text(m, less, name)[2] < self.text(m, more, name)[1] for m in models)
