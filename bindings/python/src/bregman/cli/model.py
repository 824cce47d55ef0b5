"""The row of a model after a prompt, by the program examples/generate of a checkout."""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path

from bregman.cli.errors import UsageError
from bregman.cli.rows import Row, read


def _program() -> Path:
    named = os.environ.get("BREGMAN_GENERATE")
    here = Path.cwd()
    places = [Path(named)] if named else [folder / "target" / "generate" for folder in (here, *here.parents)]
    for place in places:
        if place.is_file():
            return place
    raise UsageError(
        "--model needs the program examples/generate of a checkout: run `ci/bregman.sh` there instead of "
        "`python -m bregman`, set BREGMAN_GENERATE to the program, or write the row to a file for --row"
    )


def row_after(model: Path, prompt: str) -> Row:
    """The model's row after the prompt; the prompt's tokens are the history.

    Raises:
        UsageError: the program is not there, or failed.
    """
    program = _program()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "row.json"
        command = [str(program), "--model", str(model), "--prompt", prompt, "--row", str(path)]
        ran = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False)
        if ran.returncode:
            raise UsageError(ran.stderr.strip() or f"{program} failed")
        return read(path)
