"""Requests that move between actors of Ray in the middle of a sentence; one actor is killed while it works.

A request is its sampler: the state has the tokens so far, and everything that the next ones depend on. A sampler is an
ordinary argument and result of an actor's method, because it pickles by its state. Any actor can continue from the last
saved sampler, and the text equals that of a run without moves and kills, for chains that learn from their draws too.

Runs on one machine: three actors, each with the model in models/. usage: move_requests.py
"""

from __future__ import annotations

import os
import secrets
import signal
import sys
from pathlib import Path

import bregman

# Ray listens on the machine's outer address otherwise, even where a cluster is one machine. Read when it is imported.
os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"
import ray

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = [str(ROOT / "examples" / "decisions"), str(ROOT / "examples" / "ray")]
sys.path[:0] = FOLDERS
from small_model import Model  # noqa: E402

MODEL = ROOT / "models" / "kjv-1.4m" / "kjv-1.4m-q8_0.gguf"

CHAINS = [
    "temperature(0.8) | top_k(40) | draw",
    "top_p(0.95) | gumbel",
    "mirostat(tau=4, eta=0.2)",
    "temperature(0.8) | bregman(alpha=1.5, floor=0.02) | draw",
    "penalties(repeat=1.2, scope=all) | dry | no_repeat_ngram(3) | min_p(0.05) | draw",
    "mirostat_v2(tau=4, eta=0.2)",
    "xtc(0.5) | draw",
    "greedy",
    "adaptive_p(target=0.4)",
    "top_p(0.9) | watermark(42)",
]


class Engine:
    """A model that goes on with any request."""

    def __init__(self) -> None:
        self.model = Model(MODEL)

    def decode(self, samplers: list[bregman.Sampler], n: int, killed_after: int | None = None) -> list[bregman.Sampler]:
        """`n` tokens more for each request. `killed_after`: this process is killed after so many tokens."""
        for sampler in samplers:
            # Keys and values stayed with the engine that had the request before: they are computed again.
            self.model.start()
            *before, last = sampler.history.tolist()
            for token in before:
                self.model.row(token)
            for _ in range(n):
                if killed_after is not None:
                    if killed_after == 0:
                        os.kill(os.getpid(), signal.SIGKILL)
                    killed_after -= 1
                last = sampler.decode(self.model.row(last), accept=True).token
        return samplers


def start() -> None:
    """A cluster of this machine alone, whose processes find the modules that this one finds."""
    os.environ["PYTHONPATH"] = os.pathsep.join(FOLDERS)
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    # Else Ray writes one into the user's home.
    os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
    ray.init(
        num_cpus=3,
        include_dashboard=False,
        log_to_driver=False,
        object_store_memory=80_000_000,
        _node_ip_address="127.0.0.1",
    )
    if ray.nodes()[0]["NodeManagerAddress"] != "127.0.0.1":
        raise RuntimeError("Ray does not stay on the loopback")


def new_requests(chains: list[str], prompt: list[int], end: int) -> list[bregman.Sampler]:
    """A request for each chain, which never ends its text."""
    requests = [bregman.Sampler(chain, seed) for seed, chain in enumerate(chains)]
    for sampler in requests:
        sampler.accept(prompt)
        sampler.set_logit_bias({end: float("-inf")})
    return requests


def moved(requests: list[bregman.Sampler], rounds: int, n: int) -> tuple[list[bregman.Sampler], int]:
    """The requests after some rounds of `n` tokens, each on another actor, and how many were rescued."""
    actor_class = ray.remote(num_cpus=1)(Engine)
    actors = [actor_class.remote() for _ in range(3)]
    saved, rescued, killed = list(requests), 0, None
    for turn in range(rounds):
        work = []
        for place, actor in enumerate(actors):
            mine = [i for i in range(len(saved)) if (i + turn) % len(actors) == place]
            # In the second round the first actor is killed, in the middle of its second request.
            killed_after = None
            if turn == 1 and place == 0:
                killed, killed_after = actor, n + n // 2
            work.append((mine, actor, actor.decode.remote([saved[i] for i in mine], n, killed_after)))
        for mine, actor, result in work:
            try:
                done = ray.get(result)
            except ray.exceptions.RayActorError:
                if killed is not actor:
                    raise
                # What it had done is lost; the states from before the round are not.
                actors.remove(actor)
                rescued += len(mine)
                done = ray.get(actors[0].decode.remote([saved[i] for i in mine], n))
            for i, sampler in zip(mine, done):
                saved[i] = sampler
    for actor in actors:
        ray.kill(actor)
    return saved, rescued


def compare(chains: list[str], rounds: int = 6, n: int = 8) -> list[tuple[str, str, bool]]:
    """For each chain the text of a request that moved, and whether text and state are those of one that did not."""
    model = Model(MODEL)
    found, rescued = moved(new_requests(chains, [model.bos], model.eos), rounds, n)
    if rescued == 0:
        raise RuntimeError("no actor was killed")
    undisturbed = Engine().decode(new_requests(chains, [model.bos], model.eos), rounds * n)
    lines = []
    for chain, here, there in zip(chains, undisturbed, found):
        text = "".join(model.piece(token) for token in there.history[1:])
        same = here.history.tolist() == there.history.tolist() and here.save() == there.save()
        lines.append((chain, text, same))
    print(
        f"{len(chains)} requests of {rounds * n} tokens, moved every {n}; "
        f"one actor was killed, and its {rescued} requests went on elsewhere"
    )
    return lines


def main() -> int:
    """Moves the requests of all chains and prints what came of it."""
    start()
    lines = compare(CHAINS)
    for chain, text, same in lines:
        print(f"\n{chain}: {'the same text' if same else 'ANOTHER TEXT'}\n {text.strip()}")
    return 0 if all(same for _, _, same in lines) else 1


if __name__ == "__main__":
    sys.exit(main())
