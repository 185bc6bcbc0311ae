"""Courses over data that are all there: every replica has them in an order of its own.

R replicas, B batch, N sequences.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

from gatelab.tasks.base import Batch, Learner
from gatelab.tasks.streams import Streams, generators_at, generators_for, states_of


class Endless:
    """What a course without a goal has: it ends when its steps do."""

    epoch: int | None = None

    def finished(self, step: int, batch: Batch, model: Learner) -> list[bool]:
        return [False] * len(batch.target)

    def stage(self) -> str:
        return ""


class Draws(Endless):
    """Sequences drawn with replacement, so that there are no epochs.

    Args:
        seeds: one a replica.
        count: N, the sequences that there are.
        batch_size: B.
        gather: the batch of sequences by their numbers, (R, B).
    """

    def __init__(self, seeds: Sequence[int], count: int, batch_size: int, gather: Callable[[Tensor], Batch]) -> None:
        self.streams, self.gather = Streams(seeds, "batches", count, batch_size), gather

    def batch(self) -> Batch:
        return self.gather(self.streams.draw())

    def keep(self, rows: Tensor) -> None:
        self.streams.keep(rows)

    def state(self) -> dict[str, Tensor]:
        return self.streams.state()

    def restore(self, state: Mapping[str, Tensor]) -> None:
        self.streams.restore(state)


class Epochs(Endless):
    """Each sequence once an epoch, in an order that each replica draws anew for each epoch.

    Args:
        seeds: one a replica.
        count: N, the sequences that there are.
        batch_size: B; the last batch of an epoch has what is left.
        gather: the batch of sequences by their numbers, (R, B).
        near: numbers that say which sequences are alike, such as their lengths, (N,). Batches are then made of
            neighbours within pools of `POOL` batches, and come in any order. None leaves all to chance.
    """

    POOL = 20

    def __init__(
        self,
        seeds: Sequence[int],
        count: int,
        batch_size: int,
        gather: Callable[[Tensor], Batch],
        near: Tensor | None = None,
    ) -> None:
        self.count, self.batch_size, self.gather, self.near = count, min(batch_size, count), gather, near
        self.steps = self.epoch = -(-count // self.batch_size)
        self.generators = generators_for(seeds, "batches")
        self.taken = self.done = 0
        self.order = torch.empty(len(seeds), 0, dtype=torch.long)

    def batch(self) -> Batch:
        if self.taken == 0:
            self.order = torch.stack([self._order(one) for one in self.generators])
        begin = self.taken * self.batch_size
        self.taken += 1
        if self.taken == self.steps:
            self.taken, self.done = 0, self.done + 1
        return self.gather(self.order[:, begin : begin + self.batch_size])

    def stage(self) -> str:
        return f"epoch {self.done + (self.taken > 0)}"

    def keep(self, rows: Tensor) -> None:
        self.generators = [self.generators[row] for row in rows.tolist()]
        self.order = self.order[rows]

    def state(self) -> dict[str, Tensor]:
        return {
            "generators": states_of(self.generators),
            "order": self.order,
            "place": torch.tensor([self.taken, self.done]),
        }

    def restore(self, state: Mapping[str, Tensor]) -> None:
        self.order = state["order"]
        self.taken, self.done = state["place"].tolist()
        self.generators = generators_at(state["generators"])

    def _order(self, generator: torch.Generator) -> Tensor:
        """The numbers of all sequences, (N,), in the order of one epoch."""
        order = torch.randperm(self.count, generator=generator)
        if self.near is None:
            return order
        pools = [pool[self.near[pool].argsort(stable=True)] for pool in order.split(self.POOL * self.batch_size)]
        *whole, last = torch.cat(pools).split(self.batch_size)
        # The last batch may be smaller, so it stays the last one.
        places = torch.randperm(len(whole), generator=generator).tolist()
        return torch.cat([*(whole[place] for place in places), last])
