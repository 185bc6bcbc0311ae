"""A course along one long text: stretches of it, each going on where the one before ended.

R replicas, T time, B batch, N symbols.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from gatelab.errors import DataError
from gatelab.tasks.base import Batch
from gatelab.tasks.courses import Endless
from gatelab.tasks.streams import generators_at, generators_for, states_of


class Tracks(Endless):
    """A text read at B places at the same time, T symbols a step; what is asked is the next symbol.

    An epoch reads B tracks of equal length, one behind the other. Each replica draws for each epoch where the first
    one begins, so that no two epochs have the same batches. The text is taken as a ring; what is over when it is cut
    into whole batches is left out, at another place in each epoch.

    Args:
        seeds: one a replica.
        text: the numbers of its symbols, (N,) of long.
        batch_size: B.
        length: T.

    Raises:
        DataError: the text is too short for so many tracks.
    """

    def __init__(self, seeds: Sequence[int], text: Tensor, batch_size: int, length: int) -> None:
        track = len(text) // batch_size
        if track < 2:
            raise DataError(
                f"The text has {len(text)} symbols, too few for a batch of {batch_size}.\n"
                "Take smaller batches, or a longer text."
            )
        self.text = text
        self.length = min(length, track)
        self.epoch = track // self.length
        starts = track * torch.arange(batch_size)
        self.places = torch.arange(self.length).unsqueeze(-1) + starts
        self.generators = generators_for(seeds, "batches")
        self.begin = torch.zeros(len(seeds), dtype=torch.long)
        self.taken = self.done = 0

    def batch(self) -> Batch:
        if self.taken == self.epoch:
            self.taken, self.done = 0, self.done + 1
        if self.taken == 0:
            drawn = [torch.randint(len(self.text), (), generator=one) for one in self.generators]
            self.begin = torch.stack(drawn)
        places = self.begin.view(-1, 1, 1) + self.taken * self.length + self.places
        self.taken += 1
        return Batch(self._at(places), self._at(places + 1), goes_on=self.taken > 1)

    def stage(self) -> str:
        return f"epoch {self.done + 1}"

    def keep(self, rows: Tensor) -> None:
        self.generators = [self.generators[row] for row in rows.tolist()]
        self.begin = self.begin[rows]

    def state(self) -> dict[str, Tensor]:
        return {
            "generators": states_of(self.generators),
            "begin": self.begin,
            "place": torch.tensor([self.taken, self.done]),
        }

    def restore(self, state: Mapping[str, Tensor]) -> None:
        self.begin = state["begin"]
        self.taken, self.done = state["place"].tolist()
        self.generators = generators_at(state["generators"])

    def _at(self, places: Tensor) -> Tensor:
        return self.text[places % len(self.text)]
