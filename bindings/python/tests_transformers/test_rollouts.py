"""Log-probabilities beside torch's, and the replay of a rollout by the lines of docs/rl.md."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import bregman

ROOT = Path(__file__).resolve().parents[3]
T = 0.7
#: As in docs/rl.md: the temperature stands before the first truncation.
CHAINS = (
    f"temperature({T}) | top_k(150) | top_p(0.9) | draw",
    f"temperature({T}) | min_p(0.05) | draw",
    f"temperature({T}) | bregman(alpha=1, floor=0.01) | gumbel",
)
ROWS, VOCAB = 40, 5000


@pytest.fixture
def logits() -> torch.Tensor:
    return torch.randn(ROWS, VOCAB, generator=torch.Generator().manual_seed(3)) * 3


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_given_logprobs_of_the_model_are_torchs(logits: torch.Tensor, dtype: torch.dtype) -> None:
    tensor = logits.to(dtype)
    answers = bregman.Answers.new(ROWS, top=5, given=30, given_ranks=True)
    ids = torch.randint(0, VOCAB, (ROWS, 30), generator=torch.Generator().manual_seed(4))
    assert answers.given_ids is not None
    assert answers.top_logprobs is not None
    answers.given_ids[:] = ids.numpy()
    bregman.model_answers(tensor, answers, threads=2)
    exact = torch.log_softmax(tensor.double(), -1)
    expected = exact.gather(1, ids)
    np.testing.assert_allclose(answers.given_logprobs, expected.numpy(), rtol=2e-7, atol=5e-7)
    ranks = (exact[:, None, :] >= expected[:, :, None]).sum(-1)
    np.testing.assert_array_equal(answers.given_ranks, ranks.numpy())
    np.testing.assert_allclose(answers.top_logprobs, exact.topk(5).values.numpy(), rtol=2e-7, atol=5e-7)


@pytest.mark.parametrize("chain", CHAINS)
def test_logprobs_of_both_sources_are_torchs(logits: torch.Tensor, chain: str) -> None:
    """The decoded distribution's by log_softmax over the kept tokens alone, the model's at temperature 1."""
    answers = bregman.Answers.new(
        ROWS, source=bregman.Source.DECODED, logprobs=True, top=3, given=8, other=True, kept=VOCAB, kept_offsets=True
    )
    assert answers.given_ids is not None
    answers.given_ids[:] = logits.topk(8).indices.numpy()
    results = bregman.decode_batch([bregman.Sampler(chain, row) for row in range(ROWS)], logits, answers=answers)
    kept = torch.zeros(ROWS, VOCAB, dtype=torch.bool)
    for row in range(ROWS):
        kept[row, answers.kept(row).tolist()] = True
    decoded = torch.log_softmax((logits.double() / T).masked_fill(~kept, -torch.inf), -1)
    model = torch.log_softmax(logits.double(), -1)
    y, top = torch.from_numpy(results["token"].copy()).long()[:, None], torch.from_numpy(answers.top_ids).long()
    near: dict[str, Any] = {"rtol": 2e-7, "atol": 1e-6}
    np.testing.assert_allclose(answers.logprobs, decoded.gather(1, y)[:, 0], **near)
    np.testing.assert_allclose(answers.other_logprobs, model.gather(1, y)[:, 0], **near)
    given = torch.from_numpy(answers.given_ids).long()
    np.testing.assert_allclose(answers.given_logprobs, decoded.gather(1, given), **near)
    listed = answers.top_ids >= 0
    for found, law in ((answers.top_logprobs, decoded), (answers.other_top_logprobs, model)):
        np.testing.assert_allclose(found[listed], law.gather(1, top.clamp(min=0)).numpy()[listed], **near)


def lines_of_the_page() -> str:
    """The code in docs/rl.md."""
    found = re.findall(r"```python\n(.*?)```", (ROOT / "docs/rl.md").read_text(encoding="utf-8"), re.DOTALL)
    assert len(found) == 1
    return str(found[0])


@pytest.mark.parametrize("chain", CHAINS)
def test_replay_by_the_lines_of_the_page_gives_what_was_stored(logits: torch.Tensor, chain: str) -> None:
    answers = bregman.Answers.new(ROWS, source=bregman.Source.DECODED, logprobs=True, kept=VOCAB, kept_offsets=True)
    samplers = [bregman.Sampler(chain, row) for row in range(ROWS)]
    stored = bregman.decode_batch(samplers, logits, want=bregman.Want.LN_KEPT, answers=answers)
    ids = [answers.kept(row).copy() for row in range(ROWS)]

    # The trainer's side: it has the logits again, and what was stored.
    kept = torch.zeros(ROWS, VOCAB, dtype=torch.bool)
    for row in range(ROWS):
        kept[row, ids[row].tolist()] = True
    y = torch.from_numpy(stored["token"].copy()).long()
    worst = {}
    for name, precise in (("float64", logits.double()), ("float32", logits)):
        names: dict[str, Any] = {"torch": torch, "logits": precise, "T": T, "y": y, "kept": kept}
        exec(lines_of_the_page(), names)
        log_p, log_p_hat = names["log_p"].double().numpy(), names["log_p_hat"].double().numpy()
        differences = np.abs(log_p_hat - answers.logprobs), np.abs(log_p - stored["ln_kept_mass"] - log_p_hat)
        worst[name] = max(difference.max() for difference in differences)
    print(f"largest difference of a replayed log-probability: {worst}; {chain}")
    assert worst["float64"] <= 1e-6
    assert worst["float32"] <= 1e-5

    # The distribution itself from the kept tokens alone, to the bit.
    for row in range(ROWS):
        values = logits[row, ids[row].tolist()][None]
        again = bregman.distribution_batch([bregman.Sampler(f"temperature({T}) | draw")], values, ids=ids[row][None])
        first = bregman.Sampler(chain, row).distribution(logits[row])
        assert again.ids.tobytes() == first.ids.tobytes()
        assert again.p.tobytes() == first.p.tobytes()


def test_a_policy_that_moved_is_seen(logits: torch.Tensor) -> None:
    """The comparison above must fail for other logits."""
    results = bregman.decode_batch(
        [bregman.Sampler(CHAINS[0], row) for row in range(ROWS)],
        logits,
        want=bregman.Want.LN_KEPT | bregman.Want.MODEL_LOGPROB,
    )
    y = torch.from_numpy(results["token"].copy()).long()[:, None]
    other = torch.log_softmax((logits * 1.01).double(), -1).gather(1, y)[:, 0].numpy()
    assert np.abs(other - results["model_logprob"]).max() > 1e-4
