"""The time of log-probabilities of one named token in each of 64 rows, beside torch's, in one thread.

Run it with a Python that has bregman and torch, such as that of ci/transformers.sh:
`target/transformers/venv/bin/python benches/logprobs.py`. The two take turns, and the fastest of 40 calls count.
"""

from __future__ import annotations

import time

import numpy as np
import torch

import bregman

ROWS, VOCAB = 64, 128_256


def main() -> None:
    """Prints both times and their ratio."""
    torch.set_num_threads(1)
    rows = torch.randn(ROWS, VOCAB, generator=torch.Generator().manual_seed(1)) * 3
    tokens = torch.arange(ROWS)[:, None]
    answers = bregman.Answers.new(ROWS, given=1)
    assert answers.given_ids is not None
    answers.given_ids[:] = tokens.numpy()
    calls = {
        "bregman.model_answers": lambda: bregman.model_answers(rows, answers),
        "torch.log_softmax": lambda: torch.log_softmax(rows, -1).gather(1, tokens),
    }
    times: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(40):
        for name, call in calls.items():
            start = time.perf_counter()
            call()
            times[name].append(time.perf_counter() - start)
    exact = torch.log_softmax(rows.double(), -1).gather(1, tokens).numpy()
    assert np.abs(answers.given_logprobs - exact).max() < 2e-6
    ours, theirs = (min(times[name]) for name in calls)
    print(f"bregman {1e3 * ours:.2f} ms, torch {1e3 * theirs:.2f} ms, {theirs / ours:.1f} times as long")


if __name__ == "__main__":
    main()
