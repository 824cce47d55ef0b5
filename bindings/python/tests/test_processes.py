"""Tests that need their own process: forks, memory, the README's program."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

README = Path(__file__).resolve().parents[1] / "README.md"

FORK = """
import os, sys, time
import numpy as np
import bregman

logits = np.random.default_rng(1).normal(size=(32, 2000)).astype(np.float32)

def tokens():
    samplers = [bregman.Sampler("bregman(alpha=1.5, floor=0.01) | draw", r) for r in range(32)]
    return bregman.decode_batch(samplers, logits, threads=2)["token"].tolist()

expected = tokens()
for generation in range(3):
    child = os.fork()
    if child == 0:
        os._exit(42 if tokens() == expected and tokens() == expected else 1)
    deadline = time.monotonic() + 20
    done = 0
    while not done and time.monotonic() < deadline:
        done, status = os.waitpid(child, os.WNOHANG)
        time.sleep(0.005)
    if not done:
        os.kill(child, 9)
        sys.exit("the child hangs")
    assert os.waitstatus_to_exitcode(status) == 42, status
    assert tokens() == expected
print("ok")
"""

LEAK = """
import sys
import numpy as np
import bregman

logits = np.random.default_rng(1).normal(size=200).astype(np.float32)
spoilt = np.full(200, np.nan, np.float32)
candidates = np.zeros(200, bregman.CANDIDATE)

def resident():
    with open("/proc/self/statm") as f:
        return int(f.read().split()[1]) * 4096

def cycle(i):
    sampler = bregman.Sampler("temperature(0.8) | bregman(alpha=1.5, floor=0.05) | draw", i)
    sampler.decode(logits)
    if i % 10 == 0:
        with sampler.clone() as other:
            other.accept([1, 2, 3])
            other.set_logit_bias({3: 1.0})
            other.distribution(logits)
            other.process(logits.copy())
            other.describe()
            bregman.decode_batch([sampler, other], np.stack([logits, logits]))
            try:
                other.decode(spoilt)
            except bregman.InvalidLogitsError:
                pass
        try:
            bregman.Sampler("tempratur(1)")
        except bregman.InvalidChainError:
            pass
    if i % 2:
        sampler.close()  # the garbage collector frees the other half

for i in range(10_000):
    cycle(i)
before = resident()
for i in range(100_000):
    cycle(i)
grown = resident() - before
print(grown)
# A leak of one byte in each cycle would be 100 kB; a sampler has several hundred bytes.
sys.exit(grown > 2_000_000)
"""

GENERATORS = """
import sys
import numpy as np
import bregman

logits = np.random.default_rng(1).normal(size=50).astype(np.float32)

def resident():
    with open("/proc/self/statm") as f:
        return int(f.read().split()[1]) * 4096

def cycle():
    generator = bregman.Generator("mine", lambda x: x * x / 2, lambda x: x, lambda y: y)
    bregman.Sampler("bregman(generator=mine, lambda=0.01) | draw", generators=[generator]).decode(logits)

for _ in range(1000):
    cycle()
before = resident()
for _ in range(5000):
    cycle()
sys.exit(resident() - before > 2_000_000)
"""


def run(program: str) -> str:
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_a_process_may_fork_after_a_batch_with_threads() -> None:
    assert run(FORK) == "ok\n"


@pytest.mark.skipif(sys.platform != "linux", reason="resident memory is read from /proc")
@pytest.mark.parametrize("program", [LEAK, GENERATORS], ids=["samplers", "generators"])
def test_memory_does_not_grow(program: str) -> None:
    run(program)


def test_the_readmes_first_program_prints_its_output() -> None:
    programs = re.findall(r"```python\n(.*?)```", README.read_text(), flags=re.DOTALL)
    first = programs[0]
    assert len(first.splitlines()) <= 15
    output = re.search(r"```text\n(.*?)```", README.read_text(), flags=re.DOTALL)
    assert output is not None
    assert run(first) == output[1]


def fails(program: str, **environment: str) -> tuple[str, str]:
    """stdout and stderr of a program that must fail."""
    done = subprocess.run(
        [sys.executable, "-c", program], env={**os.environ, **environment}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    return done.stdout, done.stderr


@pytest.mark.parametrize("library", ["/nowhere/libbregman.so", "/dev/null"])
def test_a_missing_library_fails_the_import(library: str) -> None:
    _, written = fails("import bregman", BREGMAN_LIBRARY=library)
    assert "OSError" in written
    assert library in written


def test_an_unknown_simd_level_is_unsupported() -> None:
    program = "import bregman; print(repr(bregman.simd_level())); bregman.Sampler('draw')"
    printed, written = fails(program, BREGMAN_SIMD="mmx")
    assert printed == "''\n"
    assert "UnsupportedError" in written
    assert "mmx" in written


def test_the_overhead_program_prints_its_table() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "bregman.overhead", "--quick"], capture_output=True, text=True, check=True
    )
    rows = re.findall(r"^\| .* \| +([\d.]+) \|$", done.stdout, flags=re.MULTILINE)
    assert len(rows) >= 5
    assert all(float(row) > 0 for row in rows)
