"""Random numbers: what belongs to a seed, and to nothing else."""

from __future__ import annotations

import zlib
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor


def stream_seed(seed: int, purpose: str) -> int:
    """A seed for one purpose, such as "weights", that shares nothing with the seed's other purposes.

    One generator seeded alike for weights and for data would draw both from the same numbers.
    """
    entropy = [seed, zlib.crc32(purpose.encode())]
    return int(np.random.SeedSequence(entropy).generate_state(1, np.uint64)[0] >> np.uint64(1))


class Streams:
    """A generator for each replica, so that what one draws does not depend on the others."""

    def __init__(self, seeds: Sequence[int], purpose: str) -> None:
        self.generators = [torch.Generator().manual_seed(stream_seed(seed, purpose)) for seed in seeds]

    def integers(self, high: int, shape: tuple[int, ...]) -> Tensor:
        """Whole numbers from 0 to below `high`, (R, *shape)."""
        return torch.stack([torch.randint(high, shape, generator=one) for one in self.generators])

    def keep(self, rows: Tensor) -> None:
        """Goes on with these replicas only."""
        self.generators = [self.generators[row] for row in rows.tolist()]

    def state(self) -> Tensor:
        """The states of the generators, (R, bytes) of uint8."""
        return torch.stack([one.get_state() for one in self.generators])

    def restore(self, state: Tensor) -> None:
        """Takes up the streams where `state` was taken; there may be fewer of them now."""
        self.generators = [torch.Generator() for _ in state]
        for one, its_state in zip(self.generators, state, strict=True):
            # Torch crashes on a state that is a row of a larger tensor (seen in 2.13), so it gets one of its own.
            one.set_state(its_state.clone())
