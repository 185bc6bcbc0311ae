"""Random numbers: what belongs to a seed, and to nothing else."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

AHEAD = 64
"""Draws made in one call of a generator. A call costs as much as 700 numbers, and there is one for each replica."""


def stream_seed(seed: int, purpose: str) -> int:
    """A seed for one purpose, such as "weights", that shares nothing with the seed's other purposes.

    One generator seeded alike for weights and for data would draw both from the same numbers.
    """
    entropy = [seed, zlib.crc32(purpose.encode())]
    return int(np.random.SeedSequence(entropy).generate_state(1, np.uint64)[0] >> np.uint64(1))


def generators_for(seeds: Sequence[int], purpose: str) -> list[torch.Generator]:
    """A generator for each seed, for one purpose."""
    return [torch.Generator().manual_seed(stream_seed(seed, purpose)) for seed in seeds]


def states_of(generators: Sequence[torch.Generator]) -> Tensor:
    """Where generators stand, (R, bytes) of uint8."""
    return torch.stack([one.get_state() for one in generators])


def generators_at(states: Tensor) -> list[torch.Generator]:
    """Generators that stand where `states_of` said."""
    found = [torch.Generator() for _ in states]
    for one, its_state in zip(found, states, strict=True):
        # Torch crashes on a state that is a row of a larger tensor (seen in 2.13), so it gets one of its own.
        one.set_state(its_state.clone())
    return found


class Streams:
    """Whole numbers from 0 to below `high` from a generator for each replica, so that none depends on the others.

    Args:
        seeds: one a replica.
        purpose: what they are for, as in `stream_seed`.
        high: above all of them.
        count: numbers of one draw.
    """

    def __init__(self, seeds: Sequence[int], purpose: str, high: int, count: int) -> None:
        self.generators = generators_for(seeds, purpose)
        self.high, self.count = high, count
        self.drawn, self.passed = torch.empty(0, len(seeds), count, dtype=torch.long), 0

    def draw(self) -> Tensor:
        """The next numbers of every replica, (R, count)."""
        first = self.coming()[0]
        self.pass_by()
        return first

    def pass_by(self) -> None:
        """Has the first of those that are coming count as drawn."""
        self.passed += 1

    def coming(self) -> Tensor:
        """Those of the next draws, (draws, R, count), as many as are known already, and one at least."""
        if self.passed >= self.drawn.shape[0]:
            shape = (AHEAD, self.count)
            drawn = [torch.randint(self.high, shape, generator=one) for one in self.generators]
            self.drawn, self.passed = torch.stack(drawn, dim=1), 0
        return self.drawn[self.passed :]

    def keep(self, rows: Tensor) -> None:
        """Goes on with these replicas only."""
        self.generators = [self.generators[row] for row in rows.tolist()]
        self.drawn, self.passed = self.drawn[self.passed :, rows], 0

    def state(self) -> dict[str, Tensor]:
        """The states of the generators, (R, bytes) of uint8, and what is drawn already, (draws, R, count)."""
        return {"generators": states_of(self.generators), "ahead": self.drawn[self.passed :]}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Takes up the streams where `state` was taken; there may be fewer of them now."""
        self.drawn, self.passed = state["ahead"], 0
        self.generators = generators_at(state["generators"])
