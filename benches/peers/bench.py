"""The time of a token by the samplers of other projects, beside bregman's, in turn in one run.

usage: bench.py LIBRARY [--quick | --check] [--csv FILE]       (ci/bench_peers.sh builds LIBRARY and calls this)
       bench.py --table RECORD... [--into FILE]

Every contestant has one thread, and the row is in the cache. Before anything is timed, each draws some hundred tokens
of the flattest row: they must be of bregman's support, and the most likely ones as frequent as their probability says.
"""

from __future__ import annotations

import argparse
import csv
import datetime
import platform
import subprocess
import sys
import time
from bisect import bisect_left
from itertools import accumulate
from pathlib import Path
from statistics import median

ROOT = Path(__file__).parents[2]
BEGIN, END = "<!-- peers by `make bench-peers-table` -->\n", "<!-- end -->"
TITLES = {
    "temperature": "temperature 0.8",
    "top_k": "temperature, top-k 40",
    "top_p": "temperature, top-p 0.95",
    "top_k_top_p": "temperature, top-k 40, top-p 0.95",
    "min_p": "temperature, min-p 0.05",
    "typical": "temperature, typical 0.95",
}
#: Draws of the check; how many may be of tokens that single precision puts on the other side of a threshold; and the
#: probabilities of the most likely tokens whose frequency is compared: the first alone, up to half, and so on of all.
DRAWS, OUTSIDE, MASSES = 400, 4, (0.0, 0.5, 0.8)


def said(*command: str) -> str:
    """What a command says in a line."""
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False).stdout.strip()


def machine() -> str:
    """The processor's name."""
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(": ", 1)[1].strip()
    return platform.machine()


def draw(call, row: int) -> tuple[int, int]:
    """A token of a row, and the nanoseconds that it took."""
    if call.before:
        call.before(row)
    start = time.perf_counter_ns()
    token = call.sample(row)
    return token, time.perf_counter_ns() - start


def check(name: str, work: str, chain: str, call, rows) -> None:
    """Whether a contestant draws from the distribution that the chain has."""
    import bregman

    law = bregman.Sampler(chain, 0).distribution(rows.array[rows.flattest])
    kept = sorted(zip(law.p.tolist(), law.ids.tolist(), strict=True), reverse=True)
    rank = {token: r for r, (_, token) in enumerate(kept)}
    sums = list(accumulate(p for p, _ in kept))
    drawn = [rank.get(draw(call, rows.flattest)[0], len(kept)) for _ in range(DRAWS)]
    outside = drawn.count(len(kept))
    if outside > OUTSIDE:
        sys.exit(f"bench.py: {name}, {work}: {outside} of {DRAWS} tokens are not kept by {chain}")
    for mass in MASSES:
        last = bisect_left(sums, mass)
        p = sums[last]
        off = (sum(r <= last for r in drawn) - DRAWS * p) / (DRAWS * p * (1 - p) + 1) ** 0.5
        if abs(off) > 5:
            sys.exit(f"bench.py: {name}, {work}: the first {last + 1} of {chain} are {off:+.1f} sigma off")


def contest(calls: dict, rounds: int, rows) -> dict[str, list[float]]:
    """Nanoseconds of each contestant and round; a call right before brings the row into the cache."""
    times = {name: [] for name in calls}
    names = list(calls)
    for n in range(rounds):
        for turn in range(len(names)):
            name = names[(n + turn) % len(names)]
            draw(calls[name], n % rows.count)
            times[name].append(draw(calls[name], n % rows.count)[1])
    return times


def measure(library: Path, rounds: int, vocabularies: list[int]) -> list[dict[str, object]]:
    """All contestants with all work; `rounds` of 0 checks the answers only."""
    from contestants import OTHER_RULES, WORKS, Library, installed

    peers = Library(library)
    contestants = installed(peers)
    facts = {"date": datetime.datetime.now(datetime.UTC).date().isoformat(), "machine": machine()}
    facts["commit"] = said("git", "rev-parse", "--short=12", "HEAD")
    lines: list[dict[str, object]] = []
    for vocab in vocabularies:
        rows = peers.rows(1.5, 32, vocab)
        for work, chain in WORKS.items():
            made = {name: make(work, rows) for name, (_, make) in contestants.items()}
            calls = {name: call for name, call in made.items() if call}
            for name, call in calls.items():
                check(name, work, OTHER_RULES.get((name, work), chain), call, rows)
            if not rounds:
                continue
            times = contest(calls, rounds, rows)
            for name, own in times.items():
                ratios = [a / b for a, b in zip(own, times["bregman"], strict=True)]
                line = {"vocab": vocab, "work": work, "chain": chain, "peer": name, "version": contestants[name][0]}
                figures = {"rounds": rounds, "median_us": f"{median(own) / 1e3:.4g}", "min_us": f"{min(own) / 1e3:.4g}"}
                lines.append({**facts, **line, **figures, "times_bregman": f"{median(ratios):.4g}"})
            told = ", ".join(f"{name} {median(own) / 1e3:.1f}" for name, own in times.items())
            print(f"V = {vocab}, {TITLES[work]}, µs: {told}", flush=True)
    return lines


def short(x: float) -> str:
    """Three digits, without an exponent."""
    return f"{x:.0f}" if x >= 100 else f"{x:.1f}" if x >= 10 else f"{x:.2f}"


def read(records: list[Path]) -> list[dict[str, str]]:
    """The lines of records; of a peer that several have, those of the first."""
    lines: list[dict[str, str]] = []
    for record in records:
        known = {line["peer"] for line in lines}
        with record.open(newline="") as file:
            lines += [line for line in csv.DictReader(file) if line["peer"] not in known]
    return lines


def table(records: list[Path]) -> str:
    """Records as Markdown: medians in microseconds, and in brackets as multiples of bregman's in the same run."""
    lines = read(records)
    peers = list(dict.fromkeys(line["peer"] for line in lines))
    versions = {line["peer"]: line["version"] for line in lines}
    text = "| V | work | " + " | ".join(peers) + " |\n|--:|---|" + "--:|" * len(peers) + "\n"

    def least(case: tuple[str, str]) -> float:
        others = [
            line for line in lines if (line["vocab"], line["work"]) == case and not line["peer"].startswith("bregman")
        ]
        return min(float(line["times_bregman"]) for line in others)

    for vocab, work in sorted(dict.fromkeys((line["vocab"], line["work"]) for line in lines), key=least):
        cells = []
        for peer in peers:
            found = [line for line in lines if (line["vocab"], line["work"], line["peer"]) == (vocab, work, peer)]
            time = short(float(found[0]["median_us"])) if found else "-"
            times = f" ({short(float(found[0]['times_bregman']))})" if found and peer != "bregman" else ""
            cells.append(time + times)
        text += f"| {vocab} | {TITLES[work]} | " + " | ".join(cells) + " |\n"
    named = ", ".join(f"{peer} {number}" for peer, number in versions.items() if peer != "bregman, from Python")
    first = lines[0]
    shown = ", ".join(f"`{record}`" for record in records)
    return text + f"\n{first['machine']}, {first['date']}, commit {first['commit']}; {named}. All figures: {shown}.\n"


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("library", type=Path, nargs="?")
    parser.add_argument("--quick", action="store_true", help="one vocabulary, few rounds")
    parser.add_argument("--check", action="store_true", help="check the answers on a small vocabulary, time nothing")
    parser.add_argument("--csv", type=Path, default=ROOT / "target/peers.csv")
    parser.add_argument("--table", type=Path, nargs="+")
    parser.add_argument("--into", type=Path)
    options = parser.parse_args()
    if options.table:
        text = table(options.table)
        if not options.into:
            print(text)
            return
        before, rest = options.into.read_text().split(BEGIN)
        options.into.write_text(before + BEGIN + text + END + rest.split(END, 1)[1])
        return
    rounds = 0 if options.check else 32 if options.quick else 160
    vocabularies = [32_000] if options.check else [128_256] if options.quick else [32_000, 128_256, 262_144]
    lines = measure(options.library, rounds, vocabularies)
    if lines:
        with options.csv.open("w", newline="") as file:
            writer = csv.DictWriter(file, lines[0].keys())
            writer.writeheader()
            writer.writerows(lines)
        print(f"{len(lines)} figures in {options.csv}")


if __name__ == "__main__":
    main()
