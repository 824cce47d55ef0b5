"""bregman's watermarks compared with transformers': what they make of rows, and what detectors find."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
import torch
from transformers import (
    SynthIDTextWatermarkLogitsProcessor,
    WatermarkDetector,
    WatermarkingConfig,
    WatermarkLogitsProcessor,
)

import bregman

KEYS = [654, 400, 836, 123, 340, 443, 597, 160, 57, 29, 590, 639, 13, 715, 468, 990, 966, 226, 324, 585]
VOCAB = 1500
Row = npt.NDArray[np.float32]


def rows(n: int, seed: int) -> list[Row]:
    rng = np.random.default_rng(seed)
    return [(rng.normal(size=VOCAB) * 2.5).astype(np.float32) for _ in range(n)]


def softmax(logits: torch.Tensor) -> npt.NDArray[np.float64]:
    return np.asarray(torch.softmax(logits.double(), -1)[0].numpy())


def theirs(processor: object, prompt: list[int], text: list[int], row: Row) -> npt.NDArray[np.float64]:
    ids = torch.tensor([prompt + text])
    return softmax(processor(ids, torch.from_numpy(row.copy())[None]))  # type: ignore[operator]


def ours(sampler: bregman.Sampler, row: Row) -> npt.NDArray[np.float64]:
    logits = row.copy()
    sampler.process(logits)
    return np.exp(logits.astype(np.float64))


def synthid(ngram: int, table_seed: int, keys: list[int]) -> SynthIDTextWatermarkLogitsProcessor:
    return SynthIDTextWatermarkLogitsProcessor(
        ngram_len=ngram,
        keys=keys,
        sampling_table_size=2**16,
        sampling_table_seed=table_seed,
        context_history_size=1024,
        device=torch.device("cpu"),
    )


@pytest.mark.parametrize(
    ("ngram", "table_seed", "keys"), [(5, 0, KEYS), (2, 7, KEYS[:3]), (3, 123456789, [2**62 + 12345, 1, 70000])]
)
def test_synthid_equals_transformers(ngram: int, table_seed: int, keys: list[int]) -> None:
    """The same text on both sides; few tokens, so that contexts repeat and are left unmarked."""
    processor = synthid(ngram, table_seed, keys)
    chain = f"synthid(keys={' '.join(map(str, keys))}, ngram={ngram}, table_seed={table_seed})"
    rng = np.random.default_rng(5)
    prompt, text, unmarked = [7, 8, 9], list[int](), 0
    with bregman.Sampler(chain) as sampler:
        sampler.accept(prompt)
        for row in rows(60, 4):
            expected, found = theirs(processor, prompt, text, row), ours(sampler, row)
            assert np.abs(expected - found).max() < 2e-5, len(text)
            unmarked += bool(np.abs(found - softmax(torch.from_numpy(row)[None])).max() < 1e-6)
            text.append(int(rng.integers(0, 3)))
            sampler.accept(text[-1])
    assert 5 < unmarked < len(text), unmarked


def test_the_bits_of_synthid_are_those_of_transformers() -> None:
    """The detector's score from transformers' own bits and mask."""
    rng = np.random.default_rng(6)
    processor = synthid(5, 3, KEYS)
    text = rng.integers(0, 40, size=400)
    # Four zeros are what stands before the first token.
    padded = torch.tensor(np.concatenate([np.zeros(4, np.int64), text]))[None]
    g = processor.compute_g_values(padded)[0].double().numpy()
    mask = processor.compute_context_repetition_mask(padded)[0].numpy().astype(bool)
    weights = np.linspace(10, 1, len(KEYS))
    expected = (g[mask] @ weights).mean() / weights.sum()
    found = bregman.watermark_score(f"synthid(keys={' '.join(map(str, KEYS))}, table_seed=3)", text)
    assert found.counted == mask.sum()
    assert abs(found.score - expected) < 1e-12


GREEN = [
    ("lefthash", 1, 15485863, 0.25, 2.0),
    ("lefthash", 3, 2**63 - 25, 0.5, 1.0),
    ("selfhash", 4, 15485863, 0.25, 2.5),
    ("selfhash", 1, 2**63 - 25, 0.1, 4.0),
]


@pytest.mark.parametrize(("scheme", "width", "key", "share", "delta"), GREEN)
def test_green_list_equals_transformers(scheme: str, width: int, key: int, share: float, delta: float) -> None:
    processor = WatermarkLogitsProcessor(VOCAB, "cpu", share, delta, key, scheme, width)
    chain = f"green_list(key={key}, share={share}, delta={delta}, scheme={scheme}, width={width})"
    rng = np.random.default_rng(7)
    prompt, text = [7, 8], list[int]()
    with bregman.Sampler(chain) as sampler, bregman.Sampler(f"top_k(50) | {chain}") as truncated:
        for s in (sampler, truncated):
            s.accept(prompt)
        for row in rows(25 if scheme == "lefthash" else 10, 8):
            expected = theirs(processor, prompt, text, row)
            assert np.abs(expected - ours(sampler, row)).max() < 2e-5
            top = row.copy()
            top[np.argsort(-row, kind="stable")[50:]] = -np.inf
            assert np.abs(theirs(processor, prompt, text, top) - ours(truncated, row)).max() < 2e-5
            text.append(int(rng.integers(0, VOCAB)))
            for s in (sampler, truncated):
                s.accept(text[-1])


@pytest.mark.parametrize(("scheme", "width", "key", "share", "delta"), GREEN)
def test_green_tokens_are_those_of_transformers(scheme: str, width: int, key: int, share: float, delta: float) -> None:
    """transformers' detector, which counts every sequence once as well."""
    config = WatermarkingConfig(share, delta, key, scheme, width)

    class Model:
        bos_token_id, is_encoder_decoder, vocab_size = -1, False, VOCAB

    detector = WatermarkDetector(Model(), "cpu", config, ignore_repeated_ngrams=True)  # type: ignore[arg-type]
    # No token twice: tensors are counted by identity there, so that their repetitions are not found.
    text = np.random.default_rng(9).permutation(VOCAB)[:60]
    expected = detector(torch.tensor(text)[None], return_dict=True)
    stage = f"green_list(key={key}, share={share}, delta={delta}, scheme={scheme}, width={width}, vocab={VOCAB})"
    found = bregman.watermark_score(stage, text)
    assert found.counted == expected.num_tokens_scored[0]
    size = int(VOCAB * share)
    variance = found.counted * size / VOCAB * (1 - size / VOCAB)
    green = round(found.score * variance**0.5 + found.counted * size / VOCAB)
    assert green == expected.num_green_tokens[0]
