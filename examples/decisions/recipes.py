"""What a chain over a row does, where the row is no vocabulary: rewards, values, router logits.

docs/decisions.md explains it.
"""

import numpy as np

import bregman


def shares(chain: str, row: list[float]) -> np.ndarray:
    """The distribution that a chain makes of a row, by the index of its elements; 0 for those that it drops."""
    with bregman.Sampler(chain, seed=0) as sampler:
        kept = sampler.distribution(np.array(row, np.float32))
    share = np.zeros(len(row))
    share[kept.ids] = kept.p
    return share


def reward_softmax() -> None:
    """One of k answers by their rewards, with exp(r / T)."""
    w = shares("temperature(0.5) | draw", [0.2, 1.1, 0.7, -0.4, 1.1])
    kl = np.log(len(w)) + np.sum(w * np.log(w))
    ess = 1 / np.sum(w * w)
    print("reward softmax:", " ".join(f"{p:.6f}" for p in w) + f", KL {kl:.5f}, ESS {ess:.5f}")


def svdd() -> None:
    """One of M continuations by their values, with exp(v / alpha)."""
    w = shares("temperature(0.25) | draw", [0.3, 0.9, 0.1])
    print("SVDD:", " ".join(f"{p:.6f}" for p in w))


def mixtral() -> None:
    """Three of eight experts with their weights."""
    w = shares("top_k(3) | draw", [1, 3, 2, 0.5, 2.5, -1, 0.25, 2.25])
    print("Mixtral:", ", ".join(f"{i} {w[i]:.6f}" for i in np.flatnonzero(w)))


if __name__ == "__main__":
    reward_softmax()
    svdd()
    mixtral()
