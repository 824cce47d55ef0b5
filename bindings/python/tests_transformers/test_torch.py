"""torch tensors as arguments."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import bregman

CHAIN = "temperature(0.8) | bregman(alpha=1.5, floor=0.02) | draw"


@pytest.fixture
def logits() -> torch.Tensor:
    return torch.randn(6, 3000, generator=torch.Generator().manual_seed(1)) * 3


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_tensors_decode_as_their_arrays(logits: torch.Tensor, dtype: torch.dtype) -> None:
    tensor = logits.to(dtype)
    full = tensor.float().numpy()
    for row, expected in zip(tensor, full):
        assert bregman.Sampler(CHAIN, 3).decode(row)[:3] == bregman.Sampler(CHAIN, 3).decode(expected)[:3]
    batch = bregman.decode_batch([bregman.Sampler(CHAIN, r) for r in range(6)], tensor, threads=2)
    theirs = bregman.decode_batch([bregman.Sampler(CHAIN, r) for r in range(6)], full)
    np.testing.assert_array_equal(batch["token"], theirs["token"])


def test_views_keep_their_strides(logits: torch.Tensor) -> None:
    view = logits[::2, 100:2000]
    copied = view.contiguous().numpy()
    ours = bregman.decode_batch([bregman.Sampler(CHAIN, r) for r in range(3)], view)
    theirs = bregman.decode_batch([bregman.Sampler(CHAIN, r) for r in range(3)], copied)
    assert ours.tobytes() == theirs.tobytes()
    with pytest.raises(ValueError, match="not contiguous"):
        bregman.Sampler(CHAIN).decode(logits[0, ::3])
    with pytest.raises(ValueError, match="not contiguous"):
        bregman.Sampler(CHAIN).decode(logits[:, 0])


def test_process_changes_a_tensor_in_place(logits: torch.Tensor) -> None:
    row = logits[2]
    ids, p = bregman.Sampler(CHAIN).distribution(row)
    bregman.Sampler(CHAIN).process(row)
    assert sorted(ids.tolist()) == torch.nonzero(logits[2] > -torch.inf).flatten().tolist()
    np.testing.assert_allclose(logits[2][ids.tolist()].exp().numpy(), p, rtol=1e-6)


def test_masks_can_be_tensors(logits: torch.Tensor) -> None:
    allowed = torch.arange(3000) % 3 == 0
    mask = torch.from_numpy(bregman.pack_mask(allowed).view(np.int32))
    assert bregman.Sampler("greedy").decode(logits[0], mask=mask).token == int(logits[0, ::3].argmax()) * 3
    batch = bregman.decode_batch([bregman.Sampler("greedy") for _ in range(6)], logits, mask=mask.repeat(6, 1))
    assert batch["token"].tolist() == (logits[:, ::3].argmax(1) * 3).tolist()
    bregman.Sampler("draw").accept(torch.tensor([1, 2, 3]))  # type: ignore[arg-type]


def test_tensors_with_gradients_are_read_only(logits: torch.Tensor) -> None:
    leaf = logits[0].clone().requires_grad_()
    assert bregman.Sampler("greedy").decode(leaf).token == int(logits[0].argmax())
    with pytest.raises(ValueError, match="gradient"):
        bregman.Sampler(CHAIN).process(leaf)
    assert torch.equal(leaf.detach(), logits[0])


def test_calls_on_float32_rows_refuse_half_formats_by_name(logits: torch.Tensor) -> None:
    sampler = bregman.Sampler(CHAIN)
    calls: list[Any] = [sampler.distribution, sampler.process]
    calls += [lambda row: sampler.top_logprobs(row, 2), lambda row: sampler.draw_many(row, 2)]
    for call in calls:
        for dtype, name in ((torch.bfloat16, "bfloat16"), (torch.float16, "float16")):
            with pytest.raises(TypeError, match=f"logits has dtype {name}: it must be float32"):
                call(logits[0].to(dtype))


@pytest.mark.parametrize("tensor", [torch.zeros(4, dtype=torch.float64), torch.zeros(4, dtype=torch.int64)])
def test_other_dtypes_are_refused(tensor: torch.Tensor) -> None:
    with pytest.raises(TypeError, match="has dtype"):
        bregman.Sampler(CHAIN).decode(tensor)


def test_other_devices_are_refused() -> None:
    elsewhere: Any = torch.zeros(4, device="meta")
    for call in (bregman.Sampler(CHAIN).decode, bregman.Sampler(CHAIN).process):
        with pytest.raises(TypeError, match="meta: move it to the CPU"):
            call(elsewhere)
