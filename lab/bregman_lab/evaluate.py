"""From the measurements of one model to its record: every figure with its interval."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from bregman import decisions

from bregman_lab import measure, metrics
from bregman_lab.catalogue import AT_ONE, FIRST, MACROS, METHODS, USUAL, WIDE, WITHOUT, Config, grid
from bregman_lab.dumps import Dump
from bregman_lab.measure import DISTANCE, DUE, ENTROPY, LIKELIEST, SQUARES, SUPPORT, VARIATION

#: Mean supports at which methods are compared on text.
TARGETS = (3.0, 10.0, 30.0)
#: The method that the others are compared with there: it reaches every mean support.
BASE = "top-k"
#: Shares of the model's own entropy that a decoder must keep, where accuracies are compared.
SHARES = (0.25, 0.5, 0.75)


def _three(triple: tuple[Any, Any, Any]) -> list[Any]:
    return [None if np.isnan(part) else round(float(part), 4) for part in triple]


def _where(configs: list[Config], **wanted: object) -> list[int]:
    return [i for i, c in enumerate(configs) if all(getattr(c, name) == value for name, value in wanted.items())]


def family(configs: list[Config]) -> dict[str, list[int]]:
    """The configurations of each method."""
    groups: dict[str, list[int]] = {}
    for i, c in enumerate(configs):
        groups.setdefault(c.method, []).append(i)
    return groups


class Measured(NamedTuple):
    """What was measured of one model."""

    dump: Dump
    configs: list[Config]
    #: The configurations at temperature 1, by index: text is described with these.
    at_one: list[int]
    #: The probability that each question is answered rightly, (questions, configurations), and their tasks.
    accurate: np.ndarray
    tasks: np.ndarray
    #: `Opening` of the rows of open text, (rows, configurations, columns), and which rows these are.
    opened: np.ndarray
    open: np.ndarray
    #: `Describing` of the rows of text, (rows, configurations at temperature 1, columns), and which rows these are.
    described: np.ndarray
    text: np.ndarray

    def at(self, i: int) -> int:
        """The place of configuration i among those at temperature 1."""
        return self.at_one.index(i)


def measured(dump: Dump, folder: Path) -> Measured:
    """Measures every chain, or reads what was measured."""
    configs = grid()
    chains = [c.chain for c in configs]
    apart = {"greedy", *MACROS, *WIDE}
    at_one = [i for i, c in enumerate(configs) if c.temperature == 1 and c.method not in apart]
    text, opened = np.flatnonzero(dump.group == "text"), np.flatnonzero(dump.group == "open")
    questions = measure.by_item(dump, np.flatnonzero(~np.isin(dump.group, ("text", "open"))))
    answers = measure.run(measure.Answering, chains, dump, questions, folder)
    return Measured(
        dump,
        configs,
        at_one,
        answers[:, :, 0].astype(np.float64),
        dump.group[[rows[0] for rows in questions]],
        measure.run(measure.Opening, chains, dump, list(opened[:, None]), folder),
        opened,
        measure.run(measure.Describing, [chains[i] for i in at_one], dump, list(text[:, None]), folder),
        text,
    )


def _weights(tasks: np.ndarray) -> np.ndarray:
    """Weights with which every task counts the same."""
    names, inverse, sizes = np.unique(tasks, return_inverse=True, return_counts=True)
    return 1 / (len(names) * sizes[inverse])


def frontier(configs: list[Config], accurate: np.ndarray, tasks: np.ndarray, entropy: np.ndarray) -> dict[str, Any]:
    """The best accuracy of each method that keeps a share of the model's entropy, by cross-fitting.

    The configuration is chosen on one half of the questions and of the texts, and judged on the other; then the other
    way round. So no method gains from being tried more often.
    """
    own = _where(configs, method="temperature", temperature=1.0)[0]
    budgets = _budgets(configs)
    halves = [np.arange(len(accurate)) % 2 == h for h in (0, 1)]
    texts = [np.arange(len(entropy)) % 2 == h for h in (0, 1)]
    result: dict[str, Any] = {}
    for share in SHARES:
        table = {}
        for method, members in budgets.items():
            found = []
            for h in (0, 1):
                w = _weights(tasks[halves[h]])
                acc = w @ accurate[halves[h]][:, members]
                kept = entropy[texts[h]][:, members].mean(axis=0) / entropy[texts[h]][:, own].mean()
                found.append(metrics.best_of(acc, kept, share))
            if min(found) < 0:
                table[method] = None
                continue
            chosen = [members[i] for i in found]
            # Question i is judged by what was chosen on the other half.
            judged = np.where(halves[0], accurate[:, chosen[1]], accurate[:, chosen[0]])
            kept = np.where(texts[0], entropy[:, chosen[1]], entropy[:, chosen[0]]) / entropy[:, own].mean()
            weights = _weights(tasks)
            drawn = metrics.counts(tasks) * weights
            spread = metrics.interval(drawn @ judged / drawn.sum(axis=1))
            table[method] = {
                "accuracy": _three((weights @ judged, *spread)),
                "kept": round(float(kept.mean()), 3),
                "chains": sorted({configs[i].chain for i in chosen}),
            }
        result[str(share)] = table
    return result


def _budgets(configs: list[Config]) -> dict[str, list[int]]:
    """Methods with the full grid: eight values, five temperatures, two places."""
    return {m: members for m, members in family(configs).items() if m in METHODS or m in WITHOUT or m == "temperature"}


def best_of_n(configs: list[Config], accurate: np.ndarray, tasks: np.ndarray, entropy: np.ndarray) -> dict[str, Any]:
    """The expected accuracy of the best of N configurations drawn at random, of those that keep half of the entropy.

    A configuration that keeps less counts 0. This is what tuning with N trials buys.
    """
    own = _where(configs, method="temperature", temperature=1.0)[0]
    kept = entropy.mean(axis=0) / entropy[:, own].mean()
    mean = _weights(tasks) @ accurate
    sizes = (1, 2, 4, 8, 16, 32, 64)
    return {
        "n": list(sizes),
        "methods": {
            m: [
                round(metrics.expected_best(np.where(kept[members] >= 0.5, mean[members], 0.0), n), 4)
                for n in sizes
                if n <= len(members)
            ]
            for m, members in _budgets(configs).items()
        },
    }


def placement(configs: list[Config], accurate: np.ndarray, tasks: np.ndarray, entropy: np.ndarray) -> dict[str, Any]:
    """Accuracy and entropy at usual settings, by temperature and its place."""
    weights = _weights(tasks)
    drawn = metrics.counts(tasks) * weights
    drawn /= drawn.sum(axis=1, keepdims=True)
    table: dict[str, Any] = {}
    for method, value in USUAL.items():
        rows = {}
        for i in _where(configs, method=method, value=value):
            c = configs[i]
            spread = metrics.interval(drawn @ accurate[:, i])
            rows[f"{c.temperature} {c.place}"] = [
                *_three((weights @ accurate[:, i], *spread)),
                round(float(entropy[:, i].mean()), 3),
            ]
        table[method] = rows
    return table


def at_equal_support(m: Measured) -> dict[str, Any]:
    """Scores of text at the same mean support, of every method at temperature 1, with differences from top-k."""
    configs, item, n_vocab = m.configs, m.dump.item[m.text], m.dump.rows.shape[1]
    q, shapes = m.described[:, :, DUE], m.described
    per_row = {
        "support": shapes[:, :, SUPPORT],
        "Brier": metrics.brier(q, shapes[:, :, SQUARES]),
        "ε log score": metrics.epsilon_log_score(q, n_vocab),
        "Jensen-Shannon": metrics.jensen_shannon(q),
        "TV to the model": shapes[:, :, VARIATION],
        "squared distance to the model": shapes[:, :, DISTANCE],
        "kept": (q > 0).astype(float),
    }
    units = {name: metrics.by_item(values, item) for name, values in per_row.items()}
    drawn = metrics.counts(np.zeros(len(units["support"])), 400)
    drawn /= drawn.sum(axis=1, keepdims=True)
    means = {name: np.vstack([values.mean(axis=0), drawn @ values]) for name, values in units.items()}
    place = {c: j for j, c in enumerate(m.at_one)}
    members = {
        method: [place[i] for i in indices if i in place]
        for method, indices in family(configs).items()
        if (method in METHODS and method not in WIDE) or method in AT_ONE
    }
    result: dict[str, Any] = {
        "model": {n: _three((v.mean(), *metrics.interval(drawn @ v))) for n, v in _own(configs, units, place)}
    }
    for target in TARGETS:
        curves = {
            method: {
                name: np.array(
                    [metrics.at_equal_support(s[j], values[:, j][k], target) for k, s in enumerate(means["support"])]
                )
                for name, values in means.items()
                if name != "support"
            }
            for method, j in members.items()
        }
        result[str(target)] = {
            method: {
                name: [
                    *_three((v[0], *metrics.interval(v[1:]))),
                    *_three((v[0] - b[0], *metrics.interval(v[1:] - b[1:]))),
                ]
                for (name, v), b in zip(curve.items(), curves[BASE].values(), strict=True)
            }
            for method, curve in curves.items()
            if not np.isnan(curve["Brier"][0])
        }
    return result


def _own(configs: list[Config], units: dict[str, np.ndarray], place: dict[int, int]) -> list[tuple[str, np.ndarray]]:
    own = place[_where(configs, method="temperature", temperature=1.0)[0]]
    return [(name, values[:, own]) for name, values in units.items()]


def supports(m: Measured) -> dict[str, Any]:
    """How the number of tokens kept follows the model's entropy and the position, at usual settings."""

    def column(i: int, which: int) -> np.ndarray:
        return np.r_[m.described[:, m.at(i), which], m.opened[:, i, which]]

    configs = m.configs
    own = _where(configs, method="temperature", temperature=1.0)[0]
    rows = np.r_[m.text, m.open]
    entropy = column(own, ENTROPY)
    edges = np.array([0, 0.5, 1, 2, 3, 4, 5, 20])
    bins = np.digitize(entropy, edges) - 1
    position = m.dump.position[rows]
    table: dict[str, Any] = {"edges": edges.tolist(), "rows": np.bincount(bins, minlength=len(edges) - 1).tolist()}
    for method, value in USUAL.items():
        i = _where(configs, method=method, value=value, temperature=1.0)[0]
        kept = column(i, SUPPORT)
        table[method] = {
            "by entropy": [
                round(float(kept[bins == b].mean()), 1) if (bins == b).any() else None for b in range(len(edges) - 1)
            ],
            "by position": [
                round(float(kept[(position >= p) & (position < p + 4)].mean()), 1)
                for p in (0, 4, 8)
                if ((position >= p) & (position < p + 4)).any()
            ],
        }
    return table


def calibration(m: Measured) -> dict[str, Any]:
    """The ℓ2 calibration error of the most likely token's decoded probability, on text."""
    hits = (m.dump.due[m.text] == m.dump.likeliest[m.text]).astype(np.uint32)
    table = {}
    for method, value in USUAL.items():
        i = _where(m.configs, method=method, value=value, temperature=1.0)[0]
        confidence = np.minimum(m.described[:, m.at(i), LIKELIEST].astype(float), 1.0)
        c = decisions.calibration_error(confidence, hits, 10, level=0.95, resamples=999, seed=1)
        table[method] = {
            "error": [round(float(np.sqrt(max(x, 0.0))), 4) for x in (c.squared_error, c.lower, c.upper)],
            "confidence": round(float(confidence.mean()), 4),
            "p": round(c.p_value, 4),
        }
    return {"hits": round(float(hits.mean()), 4), "rows": len(m.text), "methods": table}


def record(model: str, m: Measured) -> dict[str, Any]:
    """Everything about one model that the page tells."""
    configs, dump = m.configs, m.dump
    groups = dict.fromkeys(dump.group.tolist())
    result: dict[str, Any] = {
        "model": model,
        "vocabulary": dump.rows.shape[1],
        "rows": {g: int((dump.group == g).sum()) for g in groups},
        "items": {g: len(set(dump.item[dump.group == g].tolist())) for g in groups},
        "equal support": at_equal_support(m),
        "supports": supports(m),
        "calibration": calibration(m),
    }
    if not len(m.tasks):
        return result
    entropy = metrics.by_item(m.opened[:, :, ENTROPY], dump.item[m.open])
    support = metrics.by_item(m.opened[:, :, SUPPORT], dump.item[m.open])
    accurate, tasks = m.accurate, m.tasks
    greedy = configs.index(Config("greedy", None, 1.0, FIRST))
    own = _where(configs, method="temperature", temperature=1.0)[0]
    result["tasks"] = {
        t: {
            "greedy": _three(metrics.bootstrap_mean(accurate[tasks == t][:, greedy])),
            "model": _three(metrics.bootstrap_mean(accurate[tasks == t][:, own])),
        }
        for t in dict.fromkeys(tasks.tolist())
    }
    weights = _weights(tasks)
    drawn = metrics.counts(tasks) * weights
    low, high = metrics.interval(drawn @ accurate / drawn.sum(axis=1, keepdims=True))
    kept, kept_low, kept_high = metrics.bootstrap_mean(entropy)
    columns = [weights @ accurate, low, high, kept, kept_low, kept_high, support.mean(axis=0)]
    result["configurations"] = {
        "columns": [
            "chain",
            "method",
            "temperature",
            "place",
            "accuracy",
            "low",
            "high",
            "entropy",
            "low",
            "high",
            "support",
        ],
        "rows": [
            [c.chain, c.method, c.temperature, c.place, *(float(f"{column[i]:.4g}") for column in columns)]
            for i, c in enumerate(configs)
        ],
    }
    result["frontier"] = frontier(configs, accurate, tasks, entropy)
    result["best of n"] = best_of_n(configs, accurate, tasks, entropy)
    result["placement"] = placement(configs, accurate, tasks, entropy)
    result["macros"] = {
        f"{name} {t}": [*_three((weights @ accurate[:, i], low[i], high[i])), round(float(kept[i]), 3)]
        for name in MACROS
        for i, t in ((i, configs[i].temperature) for i in _where(configs, method=name))
    }
    return result
