"""Commands of ci/evidence.sh: measure MODEL FILE, synthetic, truth, report."""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np

from bregman_lab import catalogue, dumps, evaluate, measure, prompts, report, synthetic, truth

LAB = Path(__file__).parent.parent
WORK = LAB.parent / "target" / "lab"


def measured(model: str, file: Path, items: list[dumps.Prompt], work: Path) -> dict:
    """The record of a model: dumps it, measures every chain, and evaluates."""
    return evaluated(model, dumps.make(WORK / "dump", file, items, work / model), work / model)


def evaluated(model: str, dump: dumps.Dump, folder: Path) -> dict:
    """The record of a dump: measures every chain, and evaluates."""
    configs = catalogue.grid()
    everything = np.arange(len(dump.rows))
    answers = measure.run("answers", measure.Answering, [c.chain for c in configs], dump, everything, folder)
    at_one = [i for i, c in enumerate(configs) if c.temperature == 1 and c.method != "greedy"]
    text = np.flatnonzero(dump.group == "text")
    shapes = measure.run("shapes", measure.Shaping, [configs[i].chain for i in at_one], dump, text, folder)
    return evaluate.record(model, configs, dump, answers, shapes, at_one)


def write(path: Path, record: dict) -> None:
    """A record, with one line for each configuration."""
    rows = record.get("configurations", {}).pop("rows", None)
    text = json.dumps(record, ensure_ascii=False, indent=1)
    if rows is not None:
        lines = ",\n".join("   " + json.dumps(row, ensure_ascii=False) for row in rows)
        text = text.replace('"configurations": {', '"configurations": {\n  "rows": [\n' + lines + "\n  ],", 1)
    path.parent.mkdir(exist_ok=True)
    path.write_text(text + "\n")


def main() -> None:
    """Runs one command."""
    parser = argparse.ArgumentParser(prog="bregman_lab")
    commands = parser.add_subparsers(dest="command", required=True)
    one = commands.add_parser("measure")
    one.add_argument("model", choices=list(prompts.SIZES))
    one.add_argument("file", type=Path)
    commands.add_parser("synthetic")
    commands.add_parser("truth")
    commands.add_parser("report")
    arguments = parser.parse_args()
    started = time.monotonic()
    if arguments.command == "measure":
        record = measured(arguments.model, arguments.file, prompts.prompts(prompts.SIZES[arguments.model]), WORK)
        write(LAB / "record" / f"{arguments.model}.json", record)
    elif arguments.command == "synthetic":
        folder = WORK / "big32k"
        write(LAB / "record" / "big32k.json", evaluated("big32k", synthetic.make(folder), folder))
    elif arguments.command == "truth":
        write(LAB / "record" / "truth.json", truth.record())
    else:
        report.write(LAB / "record", LAB.parent / "docs/evidence.md")
    print(f"{arguments.command}: {time.monotonic() - started:.0f} s")


if __name__ == "__main__":
    main()
