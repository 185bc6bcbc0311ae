"""Courses over sequences made by chance: fresh ones in every batch, until fresh ones are answered right.

R replicas, B batch, T time, I input, O outputs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

from gatelab.tasks.base import Batch, Learner
from gatelab.tasks.courses import Endless
from gatelab.tasks.parts import answers_in_parts
from gatelab.tasks.streams import generators_at, generators_for, states_of, stream_seed

CHECK_EVERY = 100
"""Steps between two looks whether the goal is reached."""

Make = Callable[[Tensor], Batch]
"""A batch of numbers drawn evenly from 0 to below 1, (R, B, count); what a sequence needs of chance."""


class Fresh(Endless):
    """Fresh sequences for each replica; the goal is to answer others right, fresh at each look.

    Args:
        seeds: one a replica.
        batch_size: B.
        count: numbers that one sequence needs.
        make: of the sequences.
        checked: sequences of a look.
        passes: of the answers and targets of a look, (R, ...), which replicas have reached the goal, (R,).
    """

    def __init__(
        self,
        seeds: Sequence[int],
        batch_size: int,
        count: int,
        make: Make,
        checked: int,
        passes: Callable[[Tensor, Tensor], Tensor],
    ) -> None:
        self.batch_size, self.count, self.make, self.checked, self.passes = batch_size, count, make, checked, passes
        self.generators = generators_for(seeds, "sequences")

    def batch(self) -> Batch:
        return self._sequences(self.batch_size)

    def finished(self, step: int, batch: Batch, model: Learner) -> list[bool]:
        if step % CHECK_EVERY:
            return super().finished(step, batch, model)
        check = self._sequences(self.checked)
        with torch.no_grad():
            passes: list[bool] = self.passes(answers_in_parts(model, check.x, check.lengths), check.target).tolist()
        return passes

    def keep(self, rows: Tensor) -> None:
        self.generators = [self.generators[row] for row in rows.tolist()]

    def state(self) -> dict[str, Tensor]:
        return {"generators": states_of(self.generators)}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        self.generators = generators_at(state["generators"])

    def _sequences(self, size: int) -> Batch:
        drawn = [torch.rand(size, self.count, generator=one) for one in self.generators]
        return self.make(torch.stack(drawn))


def fixed_sequences(make: Make, count: int, size: int, purpose: str) -> Batch:
    """The same sequences for every model, for a test: x (T, N, I), targets and lengths without R."""
    generator = torch.Generator().manual_seed(stream_seed(0, purpose))
    batch = make(torch.rand(1, size, count, generator=generator))
    return Batch(batch.x[0], batch.target[0], None if batch.lengths is None else batch.lengths[0])


def whole(shares: Tensor, below: int | Tensor) -> Tensor:
    """Whole numbers from 0 to below `below`, each as likely, of numbers drawn evenly from 0 to below 1."""
    return (shares * below).long()
