"""Commands of ci/evidence.sh: measure MODEL FILE, write MODEL FILE, synthetic, truth, report."""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np

from bregman_lab import dumps, evaluate, prompts, report, synthetic, texts, truth

LAB = Path(__file__).parent.parent
WORK = LAB.parent / "target" / "lab"


def measured(model: str, file: Path, items: list[dumps.Prompt], work: Path) -> dict:
    """The record of a model: dumps it, measures every chain, and evaluates."""
    dump = dumps.make(WORK / "dump", file, items, work / model)
    return evaluate.record(model, evaluate.measured(dump, work / model))


def written(model: str, file: Path, beginnings: list[str], records: dict, sizes: texts.Sizes, folder: Path) -> dict:
    """The record of the texts that a model writes."""
    fixed, chosen = texts.writers(records, model)
    # Apart, so that settings that were chosen anew do not have everything else written again.
    found = [
        texts.write(WORK / "write", file, beginnings[: sizes.prompts], writers, sizes, folder / f"texts-{name}")
        for name, writers in (("fixed", fixed), ("chosen", chosen))
    ]
    return texts.record(np.concatenate(found, axis=1), fixed + chosen, sizes)


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
    for name in ("measure", "write"):
        one = commands.add_parser(name)
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
    elif arguments.command == "write":
        model = arguments.model
        beginnings = prompts.beginnings(prompts.SIZES[model])
        records = report.read(LAB / "record").models
        record = written(model, arguments.file, beginnings, records, texts.SIZES[model], WORK / model)
        write(LAB / "record" / f"texts-{model}.json", record)
    elif arguments.command == "synthetic":
        folder = WORK / "big32k"
        found = evaluate.measured(synthetic.make(folder), folder)
        write(LAB / "record" / "big32k.json", evaluate.record("big32k", found))
    elif arguments.command == "truth":
        write(LAB / "record" / "truth.json", truth.record(WORK / "truth"))
    else:
        report.write(LAB / "record", LAB.parent / "docs/evidence/page.txt", LAB.parent / "docs/evidence.md")
    print(f"{arguments.command}: {time.monotonic() - started:.0f} s")


if __name__ == "__main__":
    main()
