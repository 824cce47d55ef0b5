"""Drafts and their verification."""

from __future__ import annotations

from typing import Any, Callable

import numpy as np
import pytest

import bregman
from bregman import Draft, Rule

CHAIN = "penalties(presence=0.5) | temperature(0.9) | top_k(30) | draw"


@pytest.fixture
def logits(rng: np.random.Generator) -> np.ndarray:
    return rng.normal(size=(12, 200)).astype(np.float32) * 2


def plain(chain: str, seed: int, rows: np.ndarray) -> list[int]:
    sampler = bregman.Sampler(chain, seed)
    return [sampler.decode(row, accept=True).token for row in rows]


@pytest.mark.parametrize("chain", [CHAIN, "top_k(20) | gumbel", "mirostat_v2(tau=3)", "adaptive_p(target=0.4)"])
@pytest.mark.parametrize("right", range(6))
def test_match_gives_the_tokens_of_plain_decoding(logits: np.ndarray, chain: str, right: int) -> None:
    expected = plain(chain, 5, logits[:6])
    drafted = expected[:right] + [(token + 1) % 200 for token in expected[right:5]]
    sampler = bregman.Sampler(chain, 5)
    v = bregman.verify([sampler], [Draft(drafted)], logits[:6], want=bregman.Want.ENTROPY, accept=True)
    assert v.accepted.tolist() == [right]
    assert v.tokens(0).tolist() == expected[: right + 1]
    assert v.path.tolist() == [*range(right), *[-1] * (6 - right)]
    assert v.results["token"].tolist() == [*expected[: right + 1], *[-1] * (5 - right)]
    assert np.isfinite(v.results["entropy"][: right + 1]).all()
    assert sampler.history.tolist() == expected[: right + 1]
    assert sampler.position == right + 1


def test_a_tree_is_followed(logits: np.ndarray) -> None:
    expected = plain(CHAIN, 5, logits[[0, 2, 4]])
    wrong = [(token + 1) % 200 for token in expected]
    # Two children of the text, the second with two children of its own; row i + 1 is the one after token i.
    tree = Draft([wrong[0], expected[0], wrong[1], expected[1]], parents=[-1, -1, 1, 1])
    sampler = bregman.Sampler(CHAIN, 5)
    v = bregman.verify([sampler], [tree], logits[[0, 1, 2, 3, 4]])
    assert v.accepted.tolist() == [2]
    assert v.path.tolist() == [1, 3, -1, -1, -1]
    assert v.tokens(0).tolist() == expected
    assert sampler.history.tolist() == expected[:2]


@pytest.mark.parametrize("rule", [Rule.TOKEN, Rule.BLOCK])
@pytest.mark.parametrize("of_batch", [True, False])
def test_the_text_has_the_targets_distribution(rng: np.random.Generator, rule: Rule, of_batch: bool) -> None:
    target = np.log(np.array([[0.5, 0.3, 0.15, 0.05], [0.1, 0.2, 0.3, 0.4]], np.float32))
    law = bregman.Sampler("draw").distribution(np.log(np.array([0.2, 0.2, 0.2, 0.4], np.float32)))
    laws: Any = [law]
    if of_batch:
        laws = bregman.Distributions(np.array([0, 4], np.uintp), law.ids, law.p)
    n, counts, accepted = 20_000, np.zeros(4), 0
    drafted = rng.choice(law.ids, n, p=law.p.astype(np.float64) / law.p.astype(np.float64).sum())
    samplers = [bregman.Sampler("draw", seed) for seed in range(n)]
    drafts = [Draft([token], rule, laws=laws) for token in drafted]
    v = bregman.verify(samplers, drafts, np.tile(target, (n, 1)))
    for sequence in range(n):
        counts[v.results["token"][v.first[sequence]]] += 1
    accepted = int(v.accepted.sum())
    expected = n * np.exp(target[0].astype(np.float64))
    assert ((counts - expected) ** 2 / expected).sum() < 30  # chi-square of 3 degrees: p is 1e-6
    # The sum of min(p, q) is .2 + .2 + .15 + .05.
    assert abs(accepted - 0.6 * n) < 5 * np.sqrt(n * 0.24)


def test_many_sequences_are_independent(logits: np.ndarray) -> None:
    laws = [bregman.Sampler("top_k(50)").distribution(row) for row in logits]
    rows = np.concatenate([logits[:3], logits[3:4], logits[4:6]])
    drafts = [
        Draft([int(laws[0].ids[0]), int(laws[1].ids[1])], Rule.BLOCK, laws=laws[:2]),
        Draft([]),
        Draft([int(laws[4].ids[0])], Rule.TOKEN),
    ]

    def verify(threads: int) -> tuple[bytes, ...]:
        samplers = [bregman.Sampler(CHAIN, seed) for seed in range(3)]
        v = bregman.verify(samplers, drafts, rows, threads=threads, accept=True)
        return (v.results.tobytes(), v.path.tobytes(), *(s.save() for s in samplers))

    assert verify(0) == verify(4)
    alone = bregman.Sampler(CHAIN, 1)
    assert bregman.verify([bregman.Sampler(CHAIN, 1)], [Draft([])], logits[3:4]).tokens(0).tolist() == [
        alone.decode(logits[3]).token
    ]
    none = bregman.verify([], [], np.zeros((0, 5), np.float32))
    assert len(none.accepted) == len(none.results) == 0


def test_a_failed_sequence_changes_nothing_and_fails_no_other(logits: np.ndarray) -> None:
    samplers = [bregman.Sampler(CHAIN, seed) for seed in range(3)]
    before = samplers[1].save()
    law = bregman.Distribution(np.array([1, 2], np.int32), np.array([0.5, 0.5], np.float32))
    drafts = [Draft([3]), Draft([7], Rule.TOKEN, laws=[law]), Draft([4])]
    v = bregman.verify(samplers, drafts, logits[:6], check=False)
    assert v.results["status"][v.first[:-1]].tolist() == [0, bregman.Status.INVALID_ARGUMENT, 0]
    assert v.accepted[1] == 0
    assert v.tokens(1).tolist() == []
    assert len(v.tokens(0)) >= 1
    assert "probability 0" in samplers[1].last_error
    assert samplers[1].save() == before
    with pytest.raises(bregman.InvalidArgumentError, match="probability 0") as raised:
        bregman.verify(samplers, drafts, logits[:6])
    assert raised.value.row == 1
    assert raised.value.results is not None
    with pytest.raises(bregman.UnsupportedError):
        bregman.verify([bregman.Sampler("mirostat(tau=3)")], [Draft([3], Rule.TOKEN)], logits[:2])


def test_misuse_is_refused(logits: np.ndarray) -> None:
    s = bregman.Sampler(CHAIN)
    law = bregman.Distribution(np.array([1, 2], np.int32), np.array([0.5, 0.5], np.float32))
    bent = bregman.Distributions(np.array([0, 5], np.uintp), law.ids, law.p)
    closed, twice = bregman.Sampler(CHAIN), bregman.Sampler(CHAIN)
    closed.close()
    calls: list[Callable[[], object]] = [
        lambda: bregman.verify([s], [], logits[:1]),
        lambda: bregman.verify([s], [Draft([1])], logits[:1]),
        lambda: bregman.verify([s], [Draft([1])], logits[:3]),
        lambda: bregman.verify([closed], [Draft([1])], logits[:2]),
        lambda: bregman.verify([twice, twice], [Draft([]), Draft([])], logits[:2]),
        lambda: bregman.verify([s], [Draft([-1])], logits[:2]),
        lambda: bregman.verify([s], [Draft([1, 2], parents=[-1, 1])], logits[:3]),
        lambda: bregman.verify([s], [Draft([1, 2], Rule.TOKEN, parents=[-1, 0])], logits[:3]),
        lambda: Draft([1, 2], parents=[-1]),
        lambda: Draft([1, 2], Rule.TOKEN, laws=[law]),
        lambda: Draft([1], Rule.TOKEN, laws=bent),
        lambda: Draft([1], Rule.TOKEN, laws=[bregman.Distribution(law.ids, law.p[:1])]),
        lambda: Draft([1], 3),  # type: ignore[arg-type]
    ]
    for call in calls:
        with pytest.raises(ValueError):  # noqa: PT011 - every message is another
            call()
    for tokens in ([1.5], "a", None):
        with pytest.raises(TypeError):
            Draft(tokens)  # type: ignore[arg-type]
    assert s.save() == bregman.Sampler(CHAIN).save()


def test_a_draft_keeps_what_it_was_given() -> None:
    tokens = np.array([1, 2], np.int32)
    draft = Draft(tokens)
    tokens[:] = 9
    assert len(draft) == 2
    assert np.asarray(draft.tokens).tolist() == [1, 2]


def test_distribution_batch_gives_each_rows_distribution(logits: np.ndarray) -> None:
    samplers = [bregman.Sampler(chain) for chain in (CHAIN, "greedy", "draw") for _ in range(4)]
    d = bregman.distribution_batch(samplers, logits, threads=2)
    assert d.offsets[-1] == len(d.ids) == len(d.p)
    for row, sampler in enumerate(samplers):
        ids, p = sampler.distribution(logits[row])
        part = slice(int(d.offsets[row]), int(d.offsets[row + 1]))
        assert d.ids[part].tolist() == ids.tolist()
        assert d.p[part].tolist() == p.tolist()
    indexed = bregman.distribution_batch(samplers[:3], logits, row_index=[5, 5, 1])
    assert indexed.ids[: int(indexed.offsets[1])].tolist() == samplers[0].distribution(logits[5]).ids.tolist()
    spoilt = logits.copy()
    spoilt[4, 3] = np.nan
    with pytest.raises(bregman.InvalidLogitsError) as raised:
        bregman.distribution_batch(samplers, spoilt)
    assert raised.value.row == 4
    for wrong in ([5, 5], [0, 1, 12], [0, -1, 2]):
        with pytest.raises(bregman.InvalidArgumentError):
            bregman.distribution_batch(samplers[:3], logits, row_index=wrong)
    with pytest.raises(TypeError):
        bregman.distribution_batch(samplers[:3], logits, row_index=[0.0, 1.0, 2.0])
    with pytest.raises(bregman.InvalidArgumentError):
        bregman.distribution_batch([samplers[0], samplers[0]], logits[:2])
    with pytest.raises(bregman.InvalidArgumentError):
        bregman.distribution_batch(samplers[:2], np.zeros((2, 0), np.float32))
