"""Detectors of watermarks, and keys that are shown nowhere."""

from __future__ import annotations

import numpy as np
import pytest

import bregman

KEY = "0x9d3c55aa10f2e671"
SCHEMES = {
    f"watermark({KEY})": f"watermark({KEY})",
    "synthid(keys=654 400 836 123 340 443 597 160 57 29 590 639 13 715 468 990 966 226 324 585) | draw": None,
    "green_list(15485863) | draw": "green_list(key=15485863, vocab=500)",
}


@pytest.mark.parametrize("chain", SCHEMES)
def test_a_detector_finds_its_mark(chain: str) -> None:
    rows = np.random.default_rng(3).normal(size=(300, 500)).astype(np.float32) * 2
    stage = SCHEMES[chain] or chain.split(" | ", maxsplit=1)[0]
    with bregman.Sampler(f"top_k(50) | {chain}", 1) as marked, bregman.Sampler("top_k(50) | draw", 1) as plain:
        text = [marked.decode(row, accept=True).token for row in rows]
        unmarked = [plain.decode(row, accept=True).token for row in rows]
    found = bregman.watermark_score(stage, text)
    assert found.p_value < 1e-9
    assert 250 <= found.counted <= 300
    assert bregman.watermark_score(stage, np.array(unmarked, np.int64)).p_value > 1e-3
    assert bregman.watermark_score(stage, []) == (0, 1, 0)


def test_keys_are_shown_nowhere() -> None:
    with bregman.Sampler(f"top_k(5) | watermark(key={KEY}, width=2)") as sampler:
        assert sampler.describe() == "top_k(5) | watermark(key=hidden, width=2)"
        assert "9d3c" not in repr(sampler)
    for stage in (f"watermark({KEY}", f"watermark(key={KEY}x)", f"watermrk({KEY})", f"watermark({KEY}) | draw"):
        with pytest.raises(bregman.InvalidChainError) as failed:
            bregman.watermark_score(stage, [1])
        assert "9d3c" not in str(failed.value)


def test_wrong_arguments_are_refused() -> None:
    with pytest.raises(bregman.InvalidChainError, match="no watermark"):
        bregman.watermark_score("draw", [1])
    with pytest.raises(bregman.InvalidArgumentError, match=r"tokens\[1\] is -1"):
        bregman.watermark_score("watermark(1)", [1, -1])
    with pytest.raises(bregman.InvalidArgumentError, match="NUL"):
        bregman.watermark_score("watermark(1)\0", [1])
    with pytest.raises(TypeError):
        bregman.watermark_score("watermark(1)", [0.5])
    with pytest.raises(TypeError):
        bregman.watermark_score(1, [1])  # type: ignore[arg-type]
