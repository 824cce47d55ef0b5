"""Best-of-8 on a small model: eight texts, the one with the highest reward, how far that departs from the model.

Then a noisy judge is asked until the best is known, and the program abstains on a row of noise.

usage: best_of_8.py [MODEL]        (a GGUF file; default: models/kjv-1.4m)
"""

import re
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np
from small_model import Model

import bregman
from bregman import decisions

N, TOKENS, MOST_JUDGEMENTS = 8, 30, 5000
WANT = bregman.Want.MODEL_LOGPROB | bregman.Want.ENTROPY


class Text(NamedTuple):
    """A text with ln of its probability under the model, and the entropies of its rows."""

    text: str
    log_p: float
    entropies: list[float]


def generate(model: Model, seed: int) -> Text:
    """A text with the model's own distribution."""
    model.start()
    token, text, log_p, entropies = model.bos, "", 0.0, []
    with bregman.Sampler("draw", seed) as sampler:
        while len(entropies) < TOKENS:
            result = sampler.decode(model.row(token), want=WANT)
            token = result.token
            log_p += result.model_logprob
            entropies.append(result.entropy)
            if token == model.eos:
                break
            text += model.piece(token)
    return Text(text, log_p, entropies)


def reward(text: str) -> float:
    """The toy reward: letters per word."""
    words = re.findall("[A-Za-z]+", text)
    return sum(map(len, words)) / max(len(words), 1)


def judge(rewards: np.ndarray) -> tuple[int, decisions.Verdict]:
    """A judge who says yes with a probability that grows with the reward, asked until the best text is known."""
    chances = 0.1 + 0.8 * (rewards - rewards.min()) / np.ptp(rewards)
    says_yes = np.random.default_rng(42)
    yes, asked = np.zeros(N), np.zeros(N, np.uint64)
    for t in range(MOST_JUDGEMENTS):
        means = yes / np.maximum(asked, 1)
        verdict = decisions.best_arm(means, asked, 0.1)
        if verdict.stop:
            return t, verdict
        arm = decisions.next_arm(means, asked, seed=1, position=t).arm
        yes[arm] += says_yes.uniform() < chances[arm]
        asked[arm] += 1
    return MOST_JUDGEMENTS, verdict


def abstain(name: str, row: np.ndarray, usual_entropy: float) -> None:
    """Whether to answer after a row.

    How foreign the row is: here simply exp of how much larger its entropy is than that of the rows of the model's own
    texts. A real host has a better estimate.
    """
    with bregman.Sampler("draw", 1) as sampler:
        log_p = sampler.top_logprobs(row, 1, bregman.Source.MODEL).logprobs[0]
        entropy = sampler.decode(row, want=WANT).entropy
    max_p = min(float(np.exp(log_p)), 1.0)
    (rejects,) = decisions.abstain([max_p], [np.exp(entropy - usual_entropy)], 0.6, 0.1)
    print(f"{name}: max p {max_p:.3f}, entropy {entropy:.2f}: {'abstain' if rejects else 'answer'}")


def main() -> None:
    """Runs all of it."""
    path = Path(__file__).resolve().parents[2] / "models" / "kjv-1.4m" / "kjv-1.4m-q8_0.gguf"
    model = Model(Path(sys.argv[1]) if len(sys.argv) > 1 else path)
    texts = [generate(model, seed) for seed in range(N)]
    rewards = np.array([reward(text.text) for text in texts])
    for i, text in enumerate(texts):
        print(f"{i + 1}. reward {rewards[i]:.3f}, ln p {text.log_p:.1f}:{text.text}")
    best = int(rewards.argmax())
    print(f"the best of {N} is {best + 1}")
    (estimate,), bounds = decisions.best_of_n_kl_estimates([texts[best].log_p], N), decisions.best_of_n_bounds(N)
    print(
        f"divergence from the model: {estimate:.4f} nats estimated, at most {bounds.kl:.4f}; "
        f"win rate at most {bounds.win_rate:.3f}"
    )
    t, verdict = judge(rewards)
    sure = "with an error probability of 0.1" if verdict.stop else "not sure yet"
    print(f"judged {t} times: best is text {verdict.best + 1}, {sure}")
    usual = float(np.mean([entropy for text in texts for entropy in text.entropies]))
    model.start()
    abstain("at the beginning of a text", model.row(model.bos), usual)
    noise = np.random.default_rng(7).uniform(0, 4, len(model.pieces)).astype(np.float32)
    abstain("a row of noise", noise, usual)


if __name__ == "__main__":
    main()
