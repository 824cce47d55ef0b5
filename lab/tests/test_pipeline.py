"""The whole way on the model of the repository: rows, measurements, record, tables, plots."""

import json
import os
import re
from pathlib import Path

import numpy as np
import pytest

from bregman_lab import __main__ as program
from bregman_lab import catalogue, dumps, plots, prompts, report, texts
from bregman_lab.dumps import Prompt

MODEL = program.LAB.parent / "models" / "kjv-1.4m" / "kjv-1.4m-q8_0.gguf"
DUMP, WRITE = program.WORK / "dump", program.WORK / "write"

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
    whole = record | {"items": dict.fromkeys(report.TASKS, 1)} | _every_task(record)
    made = report.tables(report.Records({"smollm2": whole}, None, {}))
    assert "| α=2 floor |" in made["Brier"]
    assert "nan" not in "".join(made.values())
    plots.write({"smollm2": record}, None, {}, folder / "plots", report.NAMES)
    drawn = sorted(path.name for path in (folder / "plots").iterdir())
    assert drawn == ["brier.svg", "frontier.svg", "placement.svg", "support.svg"]
    before = {path: path.read_bytes() for path in (folder / "plots").iterdir()}
    plots.write({"smollm2": record}, None, {}, folder / "plots", report.NAMES)
    assert all(path.read_bytes() == text for path, text in before.items())


def _every_task(record: dict) -> dict:
    one = record["tasks"]["sums"]
    return {"tasks": dict.fromkeys(report.TASKS, one), "rows": dict.fromkeys(report.TASKS, 1)}


def _written(folder: Path, **changed: object) -> np.ndarray:
    writers = [catalogue.Writer(chain, "", "") for chain in ("greedy", "top_p(0.9)", "mirostat_v2(5)")]
    beginnings = ["And the LORD said unto", "In the beginning", "The son of"]
    sizes = texts.Sizes(prompts=3, samples=2, tokens=12)._replace(**changed)
    return texts.write(WRITE, MODEL, beginnings, writers, sizes, folder)


def test_texts_are_the_models_and_go_on_where_they_were_stopped(folder: Path) -> None:
    written = _written(folder / "texts")
    assert written.shape == (3, 3, 2, 12, 2)
    # Greedy takes the most likely token, so that no other text begins more likely.
    first = written[:, :, :, 0, 1]
    assert (first[:, 0] <= first.min(axis=1) + 1e-4).all()
    assert (written[:, 0, 0] == written[:, 0, 1]).all()
    assert (written[:, 1, 0, :, 0] != written[:, 1, 1, :, 0]).any()
    # What greedy says does not depend on who writes beside it, or for how long.
    assert (_written(folder / "short", tokens=6)[:, 0, 0] == written[:, 0, 0, :6]).all()
    for path in (folder / "texts").glob("texts-*"):
        whole = path.read_text()
        path.write_text(whole[: whole.index("=") + 60])
        again = _written(folder / "texts")
        assert path.read_text() == whole
        assert (again == written).all()


def test_the_page_is_its_text_with_the_figures_of_the_committed_records() -> None:
    page = (program.LAB.parent / "docs/evidence.md").read_text()
    assert (
        report.filled((program.LAB.parent / "docs/evidence/page.txt").read_text(), report.read(program.LAB / "record"))
        == page
    )


def test_the_page_has_no_figures_of_its_own() -> None:
    text = re.sub(
        r"\{\{.*?\}\}|`[^`]*`|arXiv [\d.]+", "", (program.LAB.parent / "docs/evidence/page.txt").read_text(), flags=re.S
    )
    assert re.findall(r"\d*\.\d\d+", text) == []


def test_a_page_whose_records_say_something_else_is_not_written() -> None:
    records = report.Records({}, None, {})
    assert report.filled("# a\n{{number(0.25)}}\n{{! 1 < 2 }}\nb\n", records) == "# a\n.250 b\n"
    with pytest.raises(AssertionError, match="2 < 1"):
        report.filled("a\n{{! 2 < 1 }}\n", records)


def test_paragraphs_and_items_are_filled_and_tables_are_not() -> None:
    page = "# A\n\none\ntwo three\n- four\n  five\n1. six\n   seven\n| a | b |\n| c | d |\n"
    assert report.wrapped(page, 10) == "# A\n\none two\nthree\n- four\n  five\n1. six\n   seven\n| a | b |\n| c | d |\n"


def test_plots_of_the_page_are_small() -> None:
    for path in (program.LAB.parent / "docs/evidence").iterdir():
        assert path.stat().st_size < 60_000, path
