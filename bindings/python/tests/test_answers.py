"""Optional outputs of decode_batch, compared with numpy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from conftest import softmax

import bregman

CHAIN = "temperature(0.8) | top_k(9) | draw"
ROWS, VOCAB = 6, 300


@pytest.fixture
def logits(rng: np.random.Generator) -> np.ndarray:
    return rng.normal(size=(ROWS, VOCAB)).astype(np.float32) * 2


def samplers(n: int = ROWS) -> list[bregman.Sampler]:
    return [bregman.Sampler(CHAIN, seed) for seed in range(n)]


def decoded(row: np.ndarray) -> np.ndarray:
    """Probabilities after the chain, in float64."""
    p = softmax(row, 0.8)
    p[np.argsort(-row, kind="stable")[9:]] = 0
    return p / p.sum()


def everything(source: bregman.Source, rows: int = ROWS) -> bregman.Answers:
    return bregman.Answers.new(rows, source=source, logprobs=True, ranks=True, top=12, kept=11, kept_mask=VOCAB)


def unpack(words: np.ndarray, vocab: int = VOCAB) -> np.ndarray:
    return np.unpackbits(words.astype("<u4").view(np.uint8), axis=-1, bitorder="little")[..., :vocab].astype(bool)


@pytest.mark.parametrize("threads", [0, 3])
@pytest.mark.parametrize("source", bregman.Source)
def test_answers_equal_numpys(logits: np.ndarray, source: bregman.Source, threads: int) -> None:
    answers = everything(source)
    assert answers.rows == ROWS
    results = bregman.decode_batch(samplers(), logits, threads=threads, answers=answers)
    assert results.tobytes() == bregman.decode_batch(samplers(), logits).tobytes()
    for r, token in enumerate(results["token"]):
        expected = decoded(logits[r])
        p = expected if source is bregman.Source.DECODED else softmax(logits[r])
        order = np.argsort(-logits[r], kind="stable")
        positive = order[p[order] > 0][:12]
        assert abs(answers.logprobs[r] - np.log(p[token])) < 1e-5
        assert answers.ranks[r] == np.sum(p >= p[token])
        assert answers.top_ids[r].tolist() == [*positive.tolist(), *[-1] * (12 - len(positive))]
        np.testing.assert_allclose(answers.top_logprobs[r, : len(positive)], np.log(p[positive]), atol=1e-5)
        assert np.all(answers.top_logprobs[r, len(positive) :] == -np.inf)
        assert answers.kept_ids[r].tolist() == [*order[:9].tolist(), -1, -1]
        np.testing.assert_array_equal(unpack(answers.kept_mask[r]), expected > 0)


def test_outputs_not_asked_for_are_none(logits: np.ndarray) -> None:
    answers = bregman.Answers.new(ROWS, ranks=True)
    assert (answers.logprobs, answers.top_ids, answers.top_logprobs, answers.kept_ids, answers.kept_mask) == (None,) * 5
    bregman.decode_batch(samplers(), logits, answers=answers)
    assert answers.ranks is not None
    assert answers.ranks.all()


@pytest.mark.parametrize("most", [9, 3])
@pytest.mark.parametrize("threads", [0, 2])
def test_kept_tokens_of_all_rows_are_one_list(logits: np.ndarray, most: int, threads: int) -> None:
    logits[2, 5] = np.nan
    logits[4, :-5] = -np.inf
    answers = bregman.Answers.new(ROWS, kept=most, kept_offsets=True)
    apart = bregman.Answers.new(ROWS, kept=most)
    bregman.decode_batch(samplers(), logits, answers=answers, threads=threads, check=False)
    bregman.decode_batch(samplers(), logits, answers=apart, check=False)
    numbers = [most, most, 0, most, min(most, 5), most]
    assert answers.kept_offsets is not None
    assert answers.kept_ids is not None
    assert answers.kept_offsets.tolist() == [0, *np.cumsum(numbers).tolist()]
    for r in range(ROWS):
        expected = np.argsort(-logits[r], kind="stable")[: numbers[r]]
        assert answers.kept(r).tolist() == apart.kept(r).tolist() == expected.tolist()
    assert (
        answers.kept_ids.ravel()[: sum(numbers)].tolist()
        == np.concatenate([apart.kept(r) for r in range(ROWS)]).tolist()
    )
    assert answers.kept(-1).tolist() == answers.kept(ROWS - 1).tolist()
    with pytest.raises(bregman.InvalidArgumentError, match="kept_ids"):
        bregman.Answers.new(ROWS, ranks=True).kept(0)


def test_answers_are_written_to_the_callers_arrays(logits: np.ndarray) -> None:
    # Parts of wider arrays: the elements between them must not change.
    ids, logprobs = np.full((ROWS, 20), 77, np.int32), np.full((ROWS, 20), 77, np.float32)
    kept, mask = np.full((2 * ROWS, 9), 77, np.int32), np.zeros((ROWS, 3), np.uint32)
    own = bregman.Answers(
        bregman.Source.DECODED, top_ids=ids[:, 2:14], top_logprobs=logprobs[:, 8:], kept_ids=kept[::2], kept_mask=mask
    )
    new = everything(bregman.Source.DECODED)
    for _ in range(2):  # an Answers can be used again
        bregman.decode_batch(samplers(), logits, answers=own)
        bregman.decode_batch(samplers(), logits, answers=new)
        np.testing.assert_array_equal(ids[:, 2:14], new.top_ids)
        np.testing.assert_array_equal(logprobs[:, 8:], new.top_logprobs)
        np.testing.assert_array_equal(kept[::2], new.kept_ids[:, :9])
        # Tokens beyond the words are left out.
        np.testing.assert_array_equal(mask, new.kept_mask[:, :3])
        assert np.all(ids[:, :2] == 77)
        assert np.all(ids[:, 14:] == 77)
        assert np.all(logprobs[:, :8] == 77)
        assert np.all(kept[1::2] == 77)
        logits = np.ascontiguousarray(logits[::-1])


def test_a_failed_row_leaves_its_answers_unwritten(logits: np.ndarray) -> None:
    logits[2, 5] = np.nan
    answers = everything(bregman.Source.MODEL)
    with pytest.raises(bregman.InvalidLogitsError) as caught:
        bregman.decode_batch(samplers(), logits, answers=answers)
    assert caught.value.row == 2
    assert np.isnan(answers.logprobs[2])
    assert np.isnan(answers.top_logprobs[2]).all()
    assert answers.ranks.tolist().count(0) == 1
    assert np.all(answers.top_ids[2] == -1)
    assert np.all(answers.kept_ids[2] == -1)
    assert not answers.kept_mask[2].any()
    others = [0, 1, 3, 4, 5]
    assert np.isfinite(answers.logprobs[others]).all()
    assert np.all(answers.kept_ids[others, 0] == logits[others].argmax(axis=1))


def test_answers_of_an_empty_batch() -> None:
    assert (
        len(bregman.decode_batch([], np.zeros((0, 10), np.float32), answers=everything(bregman.Source.DECODED, 0))) == 0
    )


def read_only() -> np.ndarray:
    array = np.zeros(3, np.float32)
    array.flags.writeable = False
    return array


SHARED = np.zeros((3, 8), np.int32)


@pytest.mark.parametrize(
    ("arrays", "raised", "match"),
    [
        ({}, ValueError, "number of rows"),
        ({"ranks": np.zeros(3, np.uint32), "logprobs": np.zeros(4, np.float32)}, ValueError, "number of rows"),
        ({"logprobs": np.zeros((3, 1), np.float32)}, ValueError, "logprobs has 2 dimensions"),
        ({"top_ids": np.zeros(3, np.int32)}, ValueError, "top_ids has 1 dimensions"),
        ({"logprobs": np.zeros(3)}, TypeError, "logprobs has dtype float64"),
        ({"ranks": np.zeros(3, np.int32)}, TypeError, "ranks has dtype int32"),
        ({"ranks": [0, 0, 0]}, TypeError, "ranks is a list"),
        ({"logprobs": np.zeros(6, np.float32)[::2]}, ValueError, "logprobs is not contiguous"),
        ({"logprobs": read_only()}, ValueError, "logprobs is read-only"),
        ({"top_ids": np.zeros((3, 8), np.int32)[:, ::2]}, ValueError, "top_ids is not contiguous"),
        ({"top_ids": np.zeros((3, 8), np.int32)[::-1]}, ValueError, "top_ids has rows"),
        ({"top_ids": np.broadcast_to(np.zeros(8, np.int32), (3, 8)).view()}, ValueError, "read-only"),
        ({"kept_mask": np.zeros((3, 8), np.uint32)[:, :4]}, ValueError, "kept_mask has gaps"),
        ({"top_ids": SHARED[:, :5], "kept_ids": SHARED[:, 4:]}, ValueError, "top_ids and kept_ids share memory"),
        ({"kept_offsets": np.zeros(4, np.uintp)}, ValueError, "kept_ids, which is None"),
        (
            {"kept_ids": np.zeros((3, 8), np.int32)[:, :4], "kept_offsets": np.zeros(4, np.uintp)},
            ValueError,
            "kept_ids has gaps",
        ),
        (
            {"kept_ids": np.zeros((3, 4), np.int32), "kept_offsets": np.zeros(3, np.uintp)},
            ValueError,
            "number of rows",
        ),
        (
            {"top_ids": np.zeros((3, 4), np.int32), "top_logprobs": np.zeros((3, 5), np.float32)},
            ValueError,
            "top_ids and top_logprobs differ",
        ),
        ({"source": 2, "ranks": np.zeros(3, np.uint32)}, ValueError, "Source"),
    ],
)
def test_wrong_arrays_are_refused(arrays: dict[str, Any], raised: type[Exception], match: str) -> None:
    with pytest.raises(raised, match=match):
        bregman.Answers(**arrays)


@pytest.mark.parametrize("argument", ["rows", "top", "kept", "kept_mask"])
def test_negative_numbers_are_refused(argument: str) -> None:
    with pytest.raises(bregman.InvalidArgumentError, match=f"{argument} is -1"):
        bregman.Answers.new(**{"rows": 1, "ranks": True, argument: -1})


def test_answers_of_another_size_or_in_the_inputs_memory_are_refused(logits: np.ndarray) -> None:
    with pytest.raises(bregman.InvalidArgumentError, match="the answers have 5 rows, the logits have 6"):
        bregman.decode_batch(samplers(), logits, answers=everything(bregman.Source.MODEL, 5))
    inside = bregman.Answers(top_logprobs=logits[:, :4])
    with pytest.raises(bregman.InvalidArgumentError, match="top_logprobs shares memory with an input"):
        bregman.decode_batch(samplers(), logits, answers=inside)
    mask = np.full((ROWS, 10), 2**32 - 1, np.uint32)
    with pytest.raises(bregman.InvalidArgumentError, match="kept_mask shares memory with an input"):
        bregman.decode_batch(samplers(), logits, mask=mask, answers=bregman.Answers(kept_mask=mask))


def test_given_tokens_and_the_other_source_are_answered(rng: np.random.Generator) -> None:
    logits = rng.normal(size=(3, 50)).astype(np.float32) * 2
    samplers = [bregman.Sampler("top_k(10) | draw", seed) for seed in range(3)]
    answers = bregman.Answers.new(
        3, source=bregman.Source.DECODED, logprobs=True, top=4, given=3, given_ranks=True, other=True
    )
    assert answers.given_ids is not None
    assert answers.top_ids is not None
    order = np.argsort(-logits, axis=1)
    answers.given_ids[:, 0], answers.given_ids[:, 1] = order[:, 1], order[:, 40]  # and -1
    results = bregman.decode_batch(samplers, logits, want=bregman.Want.LN_KEPT, answers=answers)
    model = np.log(softmax(logits[0]))
    for row in range(3):
        model = np.log(softmax(logits[row]))
        kept = np.exp(model[order[row, :10]]).sum()
        np.testing.assert_allclose(results["ln_kept_mass"][row], np.log(kept), rtol=1e-5)
        token = results["token"][row]
        np.testing.assert_allclose(answers.other_logprobs[row], model[token], rtol=1e-5)
        np.testing.assert_allclose(answers.other_top_logprobs[row], model[answers.top_ids[row]], rtol=1e-5)
        found = answers.given_logprobs[row]
        np.testing.assert_allclose(found[0], model[order[row, 1]] - np.log(kept), rtol=1e-5)
        assert found[1] == -np.inf
        assert np.isnan(found[2])
        assert answers.given_ranks[row].tolist() == [2, 0, 0]
    answers.given_ids[1, 0] = 50
    with pytest.raises(bregman.InvalidArgumentError) as raised:
        bregman.decode_batch(samplers, logits, answers=answers)
    assert raised.value.row == 1


def test_the_model_is_asked_without_samplers(rng: np.random.Generator) -> None:
    logits = rng.normal(size=(4, 50)).astype(np.float32) * 2
    answers = bregman.Answers.new(3, top=2, given=1, given_ranks=True)
    answers.given_ids[:, 0] = [7, 8, 9]
    bregman.model_answers(logits, answers, threads=2, row_index=[3, 3, 0])
    for place, row in enumerate([3, 3, 0]):
        model = np.log(softmax(logits[row]))
        np.testing.assert_allclose(answers.given_logprobs[place, 0], model[7 + place], rtol=1e-5)
        assert answers.given_ranks[place, 0] == (model >= model[7 + place]).sum()
        assert answers.top_ids[place].tolist() == np.argsort(-model)[:2].tolist()
    with pytest.raises(bregman.InvalidLogitsError):
        bregman.model_answers(np.full((3, 50), np.nan, np.float32), answers)
    assert np.isnan(answers.given_logprobs).all()
    for wrong in (bregman.Answers.new(3, logprobs=True), bregman.Answers.new(3, source=bregman.Source.DECODED, top=1)):
        with pytest.raises(bregman.InvalidArgumentError):
            bregman.model_answers(logits[:3], wrong)
    with pytest.raises(bregman.InvalidArgumentError, match="rows"):
        bregman.model_answers(logits, answers)


def test_several_samplers_read_one_row(rng: np.random.Generator) -> None:
    logits = rng.normal(size=(4, 50)).astype(np.float32) * 2
    mask = bregman.pack_mask(rng.random((4, 50)) < 0.5)
    index = np.array([2, 2, 0, 2, 3])
    together = bregman.decode_batch([bregman.Sampler("draw", s) for s in range(5)], logits, mask=mask, row_index=index)
    apart = bregman.decode_batch([bregman.Sampler("draw", s) for s in range(5)], logits[index], mask=mask[index])
    assert together["token"].tolist() == apart["token"].tolist()
    assert len(set(together["token"].tolist())) > 1
