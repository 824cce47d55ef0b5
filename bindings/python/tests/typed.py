"""Uses that a type checker must accept; checked by mypy, not run."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

import bregman
import bregman.decisions


def token(logits: npt.NDArray[np.float32]) -> int:
    with bregman.Sampler("draw", seed=1) as sampler:
        result: bregman.Result = sampler.decode(logits, want=bregman.Want.ENTROPY, accept=True)
        sampler.accept([result.token])
        sampler.set_logit_bias({result.token: -1.0})
        copy: bregman.Sampler = sampler.clone()
        text: str = copy.describe()
        p: npt.NDArray[np.float32] = sampler.distribution(logits).p
        sampler.set_mask(None)
        sampler.set_prompt_length(1)
        ids: npt.NDArray[np.int32] = sampler.draw_many(logits, 3).ids
        again: bregman.Sampler = bregman.Sampler.load(sampler.save())
        again.rewind(again.position)
        history: npt.NDArray[np.int32] = again.history
        logprobs: npt.NDArray[np.float32] = sampler.top_logprobs(logits, 3, bregman.Source.DECODED).logprobs
    return result.token + len(history) + len(text) + len(p) + len(ids) + len(logprobs)


def tokens(logits: npt.NDArray[np.float16], allowed: npt.NDArray[np.bool_]) -> list[int]:
    samplers = [bregman.Sampler("draw", seed) for seed in range(len(logits))]
    try:
        results = bregman.decode_batch(samplers, logits, mask=bregman.pack_mask(allowed), threads=2)
    except bregman.BregmanError as e:
        status: bregman.Status = e.status
        print(e.row, status, e.message)
        raise
    found: list[int] = results["token"].tolist()
    answers = bregman.Answers.new(len(logits), ranks=True)
    bregman.decode_batch(samplers, logits, answers=answers)
    ranks: npt.NDArray[np.uint32] | None = answers.ranks
    own = bregman.Answers(kept_mask=np.zeros((len(logits), 4), np.uint32))
    return found if ranks is None else [*found, *ranks.tolist(), own.rows]


def drafted(logits: npt.NDArray[np.float32]) -> list[int]:
    laws: bregman.Distributions = bregman.distribution_batch([bregman.Sampler("draw")], logits[:1])
    drafts = [bregman.Draft([3], bregman.Rule.TOKEN, laws=laws), bregman.Draft(np.array([3]), parents=[-1])]
    samplers = [bregman.Sampler("draw", seed) for seed in range(2)]
    verified: bregman.Verified = bregman.verify(samplers, drafts, logits)
    found: list[int] = verified.tokens(0).tolist()
    return found


def stages() -> list[str]:
    named: tuple[bregman.Stage, ...] = (*bregman.stages(), *bregman.macros())
    return [f"{stage.name} {parameter.group}" for stage in named for parameter in stage.parameters]


def a_wrong_use() -> None:
    bregman.Sampler(3)  # type: ignore[arg-type]
    bregman.Sampler("draw").decode([1.0])  # type: ignore[arg-type]


def decided(p: npt.NDArray[np.float64], rewards: list[float]) -> float:
    law: npt.NDArray[np.float64] = bregman.decisions.best_of_n(p, rewards, 8).law
    arm: int = bregman.decisions.next_arm(p, [1, 2], seed=1, position=3).arm
    routes = bregman.decisions.route(p, bregman.decisions.GateConvention.QWEN3, 2)
    ids: npt.NDArray[np.int32] = routes.ids
    stop: bool = bregman.decisions.best_arm(p, [1, 2], 0.1).stop
    return float(law[arm]) + len(ids) + stop
