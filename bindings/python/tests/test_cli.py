"""The command line: pictures and words by golden text (`BREGMAN_WRITE_PICTURES=1` writes it), errors, files."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from conftest import ROOT, missing

import bregman
from bregman.cli import main, rows, steps, words
from bregman.cli.errors import UsageError

HERE = Path(__file__).parent / "pictures"
CHAIN = "temperature(0.8) | bregman(alpha=1.5, floor=0.02) | draw"

PICTURES = {
    "show": (100, ["show", "--chain", CHAIN]),
    "show_narrow": (60, ["show", "--chain", "penalties(1.3) | llama_cpp(temp=0.7)", "--top", "5", "--seed", "3"]),
    "show_greedy": (80, ["show", "--chain", "xtc(probability=1, threshold=0.05) | greedy", "--top", "4"]),
    "compare": (
        100,
        ["compare", "--chain", "top_p(0.9)", "--chain", "min_p(0.1)", "--chain", "bregman(2, floor=0.02)"],
    ),
    "stages_bregman": (90, ["stages", "bregman", "draw"]),
    "explain": (90, ["explain", "temp(.8) | Bregman(1.5, floor=0.02) | draw"]),
    "explain_macro": (90, ["explain", "logit_bias(15:-inf) | llama_cpp(temp=0.7)"]),
}


@pytest.fixture(autouse=True)
def plain(monkeypatch: pytest.MonkeyPatch) -> None:
    """No variable of the caller's colours or widens the output."""
    for name in ("FORCE_COLOR", "COLORTERM", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("COLUMNS", "80")


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    """The exit code, and what was written; without blanks at the ends of lines."""
    try:
        code = main(arguments)
    except SystemExit as e:
        code = int(str(e.code))
    said = capsys.readouterr()
    return code, "".join(line.rstrip() + "\n" for line in said.out.splitlines()), said.err


@pytest.mark.parametrize("name", PICTURES)
def test_pictures_are_as_they_were(
    name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    width, arguments = PICTURES[name]
    monkeypatch.setenv("COLUMNS", str(width))
    code, said, wrong = run(capsys, *arguments)
    assert (code, wrong) == (0, "")
    assert max(map(len, said.splitlines())) <= width
    path = HERE / f"{name}.txt"
    if os.environ.get("BREGMAN_WRITE_PICTURES"):
        path.write_text(said, "utf-8")
    assert said == path.read_text("utf-8")


def test_a_pipe_gets_no_colour_and_may_close() -> None:
    command = [sys.executable, "-m", "bregman", "stages"]
    said = subprocess.run(command, capture_output=True, text=True, check=True, encoding="utf-8")
    assert "\x1b" not in said.stdout
    assert "bregman" in said.stdout
    coloured = subprocess.run(
        command, capture_output=True, check=True, env={**os.environ, "FORCE_COLOR": "1", "TERM": "xterm-256color"}
    )
    assert b"\x1b[" in coloured.stdout
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as reader:
        assert reader.stdout is not None
        assert reader.stderr is not None
        reader.stdout.close()
        assert reader.stderr.read() == b""


def test_each_step_is_the_distribution_of_the_chain_so_far() -> None:
    row = rows.example()
    chain = "temperature(0.8) | top_p(0.9) | min_p(0.05) | draw"
    picture = steps.stage_by_stage(chain, row, 0)
    assert [step.label for step in picture.steps] == ["the model", "temperature(0.8)", "top_p(0.9)", "min_p(0.05)"]
    model = np.exp(row.logits.astype(np.float64) - row.logits.max())
    model /= model.sum()
    np.testing.assert_allclose(picture.steps[0].p, model, rtol=1e-5)
    before = model
    for i, step in enumerate(picture.steps):
        prefix = " | ".join(chain.split(" | ")[:i]) or "temperature(1)"
        ids, p = bregman.Sampler(prefix).distribution(row.logits)
        np.testing.assert_array_equal(step.p[ids], p)
        assert np.count_nonzero(step.p) == step.support == len(ids)
        assert step.kept == pytest.approx(before[ids].sum(), rel=1e-5)
        assert step.of_model == pytest.approx(model[ids].sum(), rel=1e-5)
        assert step.entropy == pytest.approx(-(p.astype(float) * np.log(p.astype(float))).sum(), rel=1e-5)
        before = step.p.astype(np.float64)
    drawn = bregman.Sampler(chain, 0).decode(row.logits)
    assert picture.drawn is not None
    assert f"(probability {drawn.p:.3f}, of {drawn.support} tokens)" in picture.drawn


def test_the_prompt_is_the_history_of_a_row() -> None:
    row = rows.example()
    seen = steps.stage_by_stage("penalties(presence=5)", row, 0).steps
    unseen = steps.stage_by_stage("penalties(presence=5)", rows.Row(row.logits), 0).steps
    assert np.array_equal(unseen[1].p, unseen[0].p)
    assert (seen[1].p[list(row.history)] < seen[0].p[list(row.history)]).all()


@pytest.mark.parametrize("stage", [*bregman.stages(), *bregman.macros()], ids=lambda stage: str(stage.name))
def test_every_stage_and_macro_is_described(stage: bregman.Stage, capsys: pytest.CaptureFixture[str]) -> None:
    code, all_of_them, _ = run(capsys, "stages")
    assert code == 0
    assert f"\n{stage.name} " in all_of_them
    for name in (stage.name, *stage.aliases):
        code, said, _ = run(capsys, "stages", name)
        assert code == 0
        assert said.startswith(f"{stage.name}\n")
        for p in stage.parameters:
            assert f"\n{p.name} " in said


def test_explanations_have_every_parameter_that_is_set(capsys: pytest.CaptureFixture[str]) -> None:
    code, said, _ = run(capsys, "explain", "top-k(7) | watermark(key=0x9d3c55aa10f2e671)")
    assert code == 0
    assert said.startswith("top_k(7) | watermark(hidden)\n")
    assert "k = 7 " in said
    assert "ties = exact (default)" in said
    assert "9d3c" not in said
    assert "secret" in said


def test_rows_are_read_in_every_format(tmp_path: Path) -> None:
    logits = np.array([1.5, -2.25, 0.125, -np.inf], np.float32)
    texts = [" a", "b\n", "é", ""]
    (tmp_path / "row.f32").write_bytes(logits.tobytes())
    np.save(tmp_path / "row.npy", logits.astype(np.float64))
    (tmp_path / "row.json").write_text(json.dumps(logits.tolist()))
    (tmp_path / "one.csv").write_text("logit\n1.5\n-2.25\n.125\n-inf\n")
    (tmp_path / "line.csv").write_text("1.5,-2.25,.125,-inf\n")
    for name in ("row.f32", "row.npy", "row.json", "one.csv", "line.csv"):
        row = rows.read(tmp_path / name)
        assert row.logits.dtype == np.float32
        np.testing.assert_array_equal(row.logits, logits)
        assert row.texts is None
    (tmp_path / "two.csv").write_text('token,logit\n" a",1.5\n"b\n",-2.25\né,.125\n,-inf\n', "utf-8")
    whole = {"logits": logits.tolist(), "tokens": texts, "prompt": "x", "prompt_tokens": [3, 1]}
    (tmp_path / "whole.json").write_text(json.dumps(whole))
    (tmp_path / "texts.json").write_text(json.dumps(texts))
    (tmp_path / "vocab.json").write_text(json.dumps({text: i for i, text in enumerate(texts)}))
    for row in (
        rows.read(tmp_path / "two.csv"),
        rows.read(tmp_path / "whole.json"),
        rows.read(tmp_path / "row.npy", tmp_path / "texts.json"),
        rows.read(tmp_path / "row.f32", tmp_path / "vocab.json"),
    ):
        np.testing.assert_array_equal(row.logits, logits)
        assert list(row.texts or ()) == texts
    assert rows.read(tmp_path / "whole.json").history == (3, 1)
    (tmp_path / "texts.txt").write_text("a\nb\nc\nd\n")
    assert rows.read(tmp_path / "row.npy", tmp_path / "texts.txt").texts == ["a", "b", "c", "d", ""]


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("a.json", "[1, 2", "Expecting"),
        ("a.json", "[]", "no logits"),
        ("a.json", "[[1, 2], [3, 4]]", "no list of numbers"),
        ("a.json", "[[1, 2], [3]]", "no list of numbers"),
        ("a.json", '{"prompt": "x"}', '"logits"'),
        ("a.json", '{"logits": [1, 2], "tokens": ["a"]}', "texts of only 1"),
        ("a.json", '{"logits": [1], "tokens": [3]}', "no list of texts"),
        ("a.json", '{"logits": [1], "prompt_tokens": [-4]}', "token id"),
        ("a.csv", "a,b\nc,d\n", "could not convert"),
        ("a.csv", "a,1\nb,nan\n", "logit 1 is NaN"),
        ("a.npy", "nothing", "a.npy"),
        ("a.f32", "12345", "5 bytes"),
    ],
)
def test_wrong_rows_are_explained(
    name: str, content: str, why: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / name).write_text(content)
    code, said, wrong = run(capsys, "show", "--chain", "draw", "--row", str(tmp_path / name))
    assert (code, said) == (2, "")
    assert wrong.startswith("python -m bregman: ")
    assert why in wrong
    assert len(wrong.splitlines()) == 1


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ("show --chain topk(3)|drow", "did you mean `draw`?"),
        ("show --chain top_p(7)", "must be a number in [0, 1]"),
        ("explain top_p(0.9", "`)` is missing"),
        ("stages bregmann", "did you mean `bregman`?"),
        ("show --chain draw --chain greedy", "compare takes several"),
        ("show --chain draw --row /nowhere/row.npy", "No such file"),
        ("show --chain draw --svg /nowhere/x.svg", "No such file"),
        ("show --chain draw --svg x.png", "does not end in .svg"),
        ("show --chain draw --top 0", "not from 1 to 200"),
        ("show --chain draw --seed x", "invalid seed value"),
        ("show --chain draw --model x.gguf", "--prompt"),
        ("show --chain draw --tokens x.json", "--row"),
        ("show --chain draw --dark", "--svg"),
        ("show", "--chain"),
        ("", "COMMAND"),
    ],
)
def test_wrong_arguments_are_explained(arguments: str, why: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, said, wrong = run(capsys, *arguments.split())
    assert (code, said) == (2, "")
    assert why in wrong


@pytest.mark.parametrize(("package", "option"), [("rich", []), ("matplotlib", ["--svg", "x.svg"])])
def test_a_missing_package_is_named(package: str, option: list[str]) -> None:
    program = f"import sys; sys.modules[{package!r}] = None; from bregman.cli import main; sys.exit(main(sys.argv[1:]))"
    command = [sys.executable, "-c", program, "show", "--chain", "draw", *option]
    said = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (said.returncode, said.stdout) == (1, "")
    assert f"pip install {package}" in said.stderr
    assert len(said.stderr.splitlines()) == 1


def _texts(svg: Path) -> list[str]:
    return [e.text or "" for e in ET.parse(svg).iter("{http://www.w3.org/2000/svg}text")]


def test_files_have_the_same_picture_every_time(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for dark in ([], ["--dark"]):
        for i in "ab":
            files = ["--svg", str(tmp_path / f"{i}.svg"), "--png", str(tmp_path / f"{i}.png")]
            assert run(capsys, "show", "--chain", CHAIN, *files, *dark) == (0, "", "")
        for kind in ("svg", "png"):
            assert (tmp_path / f"a.{kind}").read_bytes() == (tmp_path / f"b.{kind}").read_bytes()
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
    texts = _texts(tmp_path / "a.svg")
    row = rows.example()
    picture = steps.stage_by_stage(CHAIN, row, 0)
    assert row.texts is not None
    for token in steps.most_likely(picture, 12):
        assert words.visible(row.texts[token]) in texts
        for step in picture.steps:
            assert (words.percent(float(step.p[token])) or "30.8 %") in texts
    for said in ("And the king of …", "the model", "1  temperature(0.8)", "8 tokens", "and 2036 more: 25.0 %"):
        assert said in texts


def test_the_picture_in_the_documents_is_current(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    committed = ROOT / "docs/show.svg"
    path = committed if os.environ.get("BREGMAN_WRITE_PICTURES") else tmp_path / "show.svg"
    assert run(capsys, "show", "--chain", CHAIN, "--svg", str(path))[0] == 0
    assert _texts(committed) == _texts(path)
    assert (HERE / "show.txt").read_text("utf-8") in (ROOT / "docs/command_line.md").read_text("utf-8")


def test_a_model_gives_the_row_of_the_package(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """llama.cpp's rows differ in the last digits from processor to processor."""
    if (sys.platform, platform.machine()) != ("linux", "x86_64"):
        pytest.skip("the prebuilt llama.cpp is for x86-64 Linux")
    program = ROOT / "target/python/generate"
    if not program.exists():
        missing("there is no examples/generate: ci/python.sh generate builds it")
    monkeypatch.setenv("BREGMAN_GENERATE", str(program))
    from bregman.cli import model  # noqa: PLC0415

    expected = rows.example()
    found = model.row_after(ROOT / "models/kjv-1.4m/kjv-1.4m-q8_0.gguf", expected.prompt or "")
    assert (found.texts, found.prompt, found.history) == (expected.texts, expected.prompt, expected.history)
    np.testing.assert_allclose(found.logits, expected.logits, atol=0.1)
    with pytest.raises(UsageError, match="cannot load it"):
        model.row_after(tmp_path / "none.gguf", "x")
