"""The whole way on the model of the repository: rows, measurements, record, tables, plots."""

import json
import os
from pathlib import Path

import numpy as np
import pytest

from bregman_lab import __main__ as program
from bregman_lab import dumps, plots, prompts, report
from bregman_lab.dumps import Prompt

MODEL = program.LAB.parent / "models" / "kjv-1.4m" / "kjv-1.4m-q8_0.gguf"
DUMP = program.WORK / "dump"

# In CI a missing program fails the tests.
pytestmark = pytest.mark.skipif(
    not DUMP.exists() and "CI" not in os.environ, reason="lab/dump.c is not built: ci/evidence.sh --small"
)


def _items() -> list[Prompt]:
    items = prompts.prompts(prompts.Sizes(questions=0, passages=8, given=8, due=5, open=4, tokens=5))
    # Two stand-ins for tasks; real ones are longer than the model's context.
    items += [
        Prompt("sums", f"And the LORD said unto {name}", ", I") for name in ("Moses", "Aaron", "Samuel", "Elijah")
    ]
    return items + [Prompt("names", f"the son of {name}", ", and") for name in ("David", "Saul", "Isaac", "Nun")]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("lab")


def test_a_dump_has_a_row_for_every_token_that_is_due_and_goes_on_where_it_was_stopped(folder: Path) -> None:
    dump = dumps.make(DUMP, MODEL, _items(), folder / "dump")
    assert dump.rows.shape == (len(dump.due), 2048)
    assert len(set(dump.item.tolist())) == len(_items())
    assert (dump.rows[np.arange(len(dump.due)), dump.likeliest] == dump.rows.max(axis=1)).all()
    assert set(dump.group) == {"text", "open", "sums", "names"}
    whole = (folder / "dump" / "rows.f16").read_bytes(), (folder / "dump" / "index.tsv").read_text()
    # Stopped in the middle of a row, and before the mark of its item.
    (folder / "dump" / "rows.f16").write_bytes(whole[0][: 20 * 4096 + 1234])
    lines = whole[1].splitlines(keepends=True)
    (folder / "dump" / "index.tsv").write_text("".join(lines[:19]))
    (folder / "dump" / "vocab").unlink()
    dumps.make(DUMP, MODEL, _items(), folder / "dump")
    assert ((folder / "dump" / "rows.f16").read_bytes(), (folder / "dump" / "index.tsv").read_text()) == whole


def test_a_record_becomes_tables_and_plots(folder: Path) -> None:
    record = program.measured("kjv", MODEL, _items(), folder)
    program.write(folder / "kjv.json", record)
    record = json.loads((folder / "kjv.json").read_text())
    accuracy = {row[0]: row[4] for row in record["configurations"]["rows"]}
    assert 0 < accuracy["temperature(1.0)"] < 1
    # The same distribution, whatever the chain is called.
    assert accuracy["top_k(1)"] == accuracy["greedy"] in [i / 8 for i in range(9)]
    low, high = next(row[5:7] for row in record["configurations"]["rows"] if row[0] == "temperature(1.0)")
    assert low <= accuracy["temperature(1.0)"] <= high
    made = report.tables({"smollm2": record | {"items": dict.fromkeys(report.TASKS, 1)} | _every_task(record)}, None)
    assert "| α=2 floor |" in made["Brier"]
    assert "nan" not in "".join(made.values())
    plots.write({"smollm2": record}, None, folder / "plots", report.NAMES)
    drawn = sorted(path.name for path in (folder / "plots").iterdir())
    assert drawn == ["brier.svg", "frontier.svg", "placement.svg", "support.svg"]
    before = {path: path.read_bytes() for path in (folder / "plots").iterdir()}
    plots.write({"smollm2": record}, None, folder / "plots", report.NAMES)
    assert all(path.read_bytes() == text for path, text in before.items())


def _every_task(record: dict) -> dict:
    one = record["tasks"]["sums"]
    return {"tasks": dict.fromkeys(report.TASKS, one), "rows": dict.fromkeys(report.TASKS, 1)}


def test_the_page_has_the_tables_of_the_committed_records() -> None:
    records, source = report.read(program.LAB / "record")
    page = (program.LAB.parent / "docs/evidence.md").read_text()
    assert report.filled(page, report.tables(records, source)) == page


def test_plots_of_the_page_are_small() -> None:
    for path in (program.LAB.parent / "docs/evidence").iterdir():
        assert path.stat().st_size < 60_000, path
