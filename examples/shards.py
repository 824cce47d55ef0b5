"""Tensor parallelism with torch.distributed: two processes, each with half of the head of a small model.

Each rank reduces its half of every row to the 64 largest logits and what is to be known of the others; rank 0 gathers
the lists and decodes. A row that they do not decide is gathered whole. The tokens are those of the whole rows, which
rank 0 gathers as well, to compare. Run it with a Python that has bregman and torch: `python examples/shards.py`.
"""

from __future__ import annotations

import os
import socket

import numpy as np
import torch
import torch.distributed as dist
import torch.multiprocessing as mp

import bregman

RANKS, ROWS, STEPS, VOCAB, WIDTH, N = 2, 8, 25, 32_000, 64, 64
SHARD = VOCAB // RANKS
CHAIN = "penalties(1.1) | temperature(0.7) | top_p(0.9) | draw"
#: That at which the chain first needs probabilities.
TEMPERATURE = 0.7


class Model:
    """A recurrent model with random weights, of whose head a rank has the rows of its own tokens."""

    def __init__(self, rank: int) -> None:
        """The part of a rank: every rank makes the same weights."""
        generator = torch.Generator().manual_seed(1)
        self.embedding = torch.randn(VOCAB, WIDTH, generator=generator)
        self.mix = torch.randn(WIDTH, WIDTH, generator=generator) / WIDTH**0.5
        self.head = self.embedding[rank * SHARD : (rank + 1) * SHARD]
        self.state = torch.zeros(ROWS, WIDTH)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """The logits of this rank's tokens, float32 of shape (ROWS, SHARD)."""
        self.state = torch.tanh(self.state @ self.mix + self.embedding[tokens])
        return self.state @ self.head.T / WIDTH**0.5 * 3.4


class Link:
    """Sends tensors to rank 0, and counts the bytes that each other rank sends."""

    def __init__(self) -> None:
        """Nothing has been sent."""
        self.bytes = 0

    def gather(self, tensor: torch.Tensor) -> list[torch.Tensor]:
        """The tensors of all ranks on rank 0, else an empty list."""
        first = dist.get_rank() == 0
        all_ranks = [torch.empty_like(tensor) for _ in range(RANKS)] if first else None
        dist.gather(tensor, all_ranks)
        self.bytes += tensor.nbytes
        return all_ranks or []


def decode_shards(samplers: list[bregman.Sampler], shard: torch.Tensor, link: Link) -> tuple[torch.Tensor, int]:
    """A token for each row on every rank, and how many rows were gathered whole."""
    rank = dist.get_rank()
    mine = bregman.reduce(shard, N, first=rank * SHARD, temperature=TEMPERATURE)
    lists = [link.gather(torch.from_numpy(array)) for array in mine]
    # The token of each row, -1 for one that the lists do not decide.
    tokens = torch.empty(ROWS, dtype=torch.int32)
    if rank == 0:
        ids, logits = (torch.cat(both, 1).numpy() for both in lists[:2])
        log_rest, bound = (torch.stack(both).numpy() for both in lists[2:])
        results = bregman.decode_batch(
            samplers,
            logits,
            ids=ids,
            log_rest=np.logaddexp.reduce(log_rest),
            bound=bound.max(0),
            rest_temperature=TEMPERATURE,
            accept=True,
            check=False,
        )
        tokens = torch.from_numpy(results["token"].copy())
    dist.broadcast(tokens, 0)
    # Nothing has moved in the samplers of rows that failed: they decode the whole row at the same position.
    missing = [row for row in range(ROWS) if tokens[row] < 0]
    if missing:
        rows = link.gather(shard[missing].contiguous())
        if rank == 0:
            again = bregman.decode_batch([samplers[row] for row in missing], torch.cat(rows, 1), accept=True)
            tokens[missing] = torch.from_numpy(again["token"].copy())
        dist.broadcast(tokens, 0)
    return tokens, len(missing)


def run(rank: int, port: int) -> None:
    """One process."""
    dist.init_process_group("gloo", f"tcp://127.0.0.1:{port}", rank=rank, world_size=RANKS)
    model, link, compared = Model(rank), Link(), Link()
    sharded, whole = ([bregman.Sampler(CHAIN, row) for row in range(ROWS)] for _ in range(2))
    tokens, equal, gathered = torch.arange(ROWS, dtype=torch.int32), 0, 0
    for _ in range(STEPS):
        shard = model.forward(tokens.long())
        tokens, missing = decode_shards(sharded, shard, link)
        gathered += missing
        rows = compared.gather(shard)
        if rank == 0:
            expected = bregman.decode_batch(whole, torch.cat(rows, 1), accept=True)
            equal += int((tokens.numpy() == expected["token"]).sum())
    if rank == 0:
        count = ROWS * STEPS
        print(
            f"{equal} of {count} tokens equal, {gathered} rows gathered whole; {link.bytes / count:.0f} bytes a row "
            f"from each rank instead of {compared.bytes / count:.0f}, {compared.bytes / link.bytes:.0f} times fewer"
        )
    dist.barrier()
    dist.destroy_process_group()
    if rank == 0 and equal != ROWS * STEPS:
        raise SystemExit(1)


if __name__ == "__main__":
    os.environ["GLOO_SOCKET_IFNAME"] = "lo"
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = free.getsockname()
    mp.spawn(run, (address[1],), nprocs=RANKS)
