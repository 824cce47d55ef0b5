"""Shards of a vocabulary in torch.distributed: the example, in two processes on loopback."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

EXAMPLE = Path(__file__).resolve().parents[3] / "examples/shards.py"


def test_tokens_of_two_processes_are_those_of_the_whole_rows() -> None:
    done = subprocess.run([sys.executable, str(EXAMPLE)], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    print(done.stdout.strip())
    found = re.match(
        r"200 of 200 tokens equal, (\d+) rows gathered whole; (\d+) bytes a row from each rank instead of 64000, "
        r"(\d+) times",
        done.stdout,
    )
    assert found, done.stdout
    gathered, moved, fewer = map(int, found.groups())
    # A list has 64 ids and logits, a sum and a bound.
    assert moved == round(64 * 8 + 12 + gathered / 200 * 64000)
    assert fewer >= 10
