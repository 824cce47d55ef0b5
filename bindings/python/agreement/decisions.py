"""The commands of decisions.txt, over `bregman.decisions`."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

import bregman
import bregman.decisions as d

_U64 = np.uint64


def _bits(word: str) -> float:
    (number,) = struct.unpack("<d", struct.pack("<Q", int(word, 16)))
    return float(number)


def _figures(*numbers: float) -> str:
    return "".join(" nan" if np.isnan(x) else f" {struct.unpack('<Q', struct.pack('<d', x))[0]:016x}" for x in numbers)


def _splitmix(count: int, seed: int) -> Any:
    with np.errstate(over="ignore"):
        z = _U64(seed) + np.arange(1, count + 1, dtype=_U64) * _U64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> _U64(30))) * _U64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> _U64(27))) * _U64(0x94D049BB133111EB)
    return z ^ (z >> _U64(31))


class Decisions:
    """The lists of numbers so far, and a method for each command, which yields the lines to write."""

    def __init__(self) -> None:
        self._numbers: dict[str, np.ndarray[Any, Any]] = {}
        self._counts: dict[str, np.ndarray[Any, Any]] = {}

    def numbers(self, name: str, *words: str) -> Iterator[str]:
        self._numbers[name] = np.array([_bits(word) for word in words], np.float64)
        yield from ()

    def uniforms(self, name: str, count: str, seed: str, low: str, high: str) -> Iterator[str]:
        unit = (_splitmix(int(count), int(seed)) >> _U64(11)).astype(np.float64) * 2.0**-53
        self._numbers[name] = float(low) + (float(high) - float(low)) * unit
        yield from ()

    def counts(self, name: str, count: str, seed: str, most: str) -> Iterator[str]:
        self._counts[name] = (_splitmix(int(count), int(seed)) >> _U64(11)) % _U64(int(most) + 1)
        yield from ()

    def _rows(self, name: str, columns: str) -> np.ndarray[Any, Any]:
        return self._numbers[name].reshape(-1, int(columns))

    def best_of_n(self, p: str, rewards: str, n: str) -> Iterator[str]:
        best = d.best_of_n(self._numbers[p], self._numbers[rewards], int(n))
        yield "ok" + _figures(best.kl, best.win_rate, *best.law)

    def best_of_n_bounds(self, n: str) -> Iterator[str]:
        yield "ok" + _figures(*d.best_of_n_bounds(int(n)))

    def best_of_n_kl_estimates(self, log_epsilons: str, n: str) -> Iterator[str]:
        yield "ok" + _figures(*d.best_of_n_kl_estimates(self._numbers[log_epsilons], int(n)))

    def soft_values(self, values: str, ratios: str, candidates: str, alpha: str) -> Iterator[str]:
        log_ratios = None if ratios == "-" else self._rows(ratios, candidates)
        soft = d.soft_values(self._rows(values, candidates), _bits(alpha), log_ratios)
        yield "ok" + _figures(*soft.values, *soft.weights.ravel())

    def route(self, convention: str, experts: str, *rest: str) -> Iterator[str]:
        top_k, groups, top_groups, scale, bias, logits = rest
        routes = d.route(
            self._rows(logits, experts),
            d.GateConvention(int(convention)),
            int(top_k),
            groups=int(groups),
            top_groups=int(top_groups),
            scale=_bits(scale),
            bias=None if bias == "-" else self._numbers[bias],
        )
        pairs: Iterable[tuple[int, float]] = zip(routes.ids.ravel(), routes.weights.ravel())
        yield "ok" + "".join(f" {i}:{_figures(w)[1:]}" for i, w in pairs)

    def next_arm(self, rule: str, rewards: str, redraws: str, sigma: str, beta: str, *rest: str) -> Iterator[str]:
        means, pulls, seed, first, count = rest
        arms = [
            d.next_arm(
                self._numbers[means],
                self._counts[pulls],
                seed=int(seed),
                position=position,
                rule=d.ArmRule(int(rule)),
                rewards=d.RewardLaw(int(rewards)),
                sigma=_bits(sigma),
                beta=_bits(beta),
                redraws=int(redraws),
            )
            for position in range(int(first), int(first) + int(count))
        ]
        yield "ok" + "".join(f" {arm}:{leader}" for arm, leader in arms)

    def best_arm(self, rewards: str, sigma: str, means: str, pulls: str, delta: str) -> Iterator[str]:
        law, arrays = d.RewardLaw(int(rewards)), (self._numbers[means], self._counts[pulls])
        verdict = d.best_arm(*arrays, _bits(delta), rewards=law, sigma=_bits(sigma))
        yield f"ok {verdict.stop:d} {verdict.best}" + _figures(verdict.statistic, verdict.threshold)

    def abstain(self, max_p: str, ratios: str, c_in: str, c_out: str) -> Iterator[str]:
        rejects = d.abstain(self._numbers[max_p], self._numbers[ratios], _bits(c_in), _bits(c_out))
        yield "ok " + "".join(f"{reject:d}" for reject in rejects)

    def calibration_error(self, probabilities: str, ranks: str, top: str, bins: str, *rest: str) -> Iterator[str]:
        level, resamples, seed = rest
        cells, *numbers = d.calibration_error(
            self._rows(probabilities, top),
            self._counts[ranks],
            int(bins),
            level=_bits(level),
            resamples=int(resamples),
            seed=int(seed),
        )
        yield f"ok {cells}" + _figures(*numbers)

    def distortion(self, log_kept: str) -> Iterator[str]:
        yield "ok" + _figures(d.distortion(self._numbers[log_kept]))

    def distortion_of_logprobs(self, decoded: str, model: str) -> Iterator[str]:
        yield "ok" + _figures(d.distortion_of_logprobs(self._numbers[decoded], self._numbers[model]))

    def run(self, command: str, words: list[str]) -> Iterator[str] | None:
        """The lines of a command; None for another one."""
        method = None if command.startswith("_") or command == "run" else getattr(self, command, None)
        return None if method is None else self._guarded(method(*words))

    @staticmethod
    def _guarded(lines: Iterator[str]) -> Iterator[str]:
        try:
            yield from lines
        except bregman.BregmanError as e:
            yield f"error {e.status:d} {e.message}"
