"""How values lie in vectors.

A *member* is what fills a lane's worth of vectors: in the layout `rows` a sequence, whose units stand side by side in
the lanes; in the layout `lanes` a vector's worth of sequences, each unit of which is a vector. A value of width W is
then some *blocks* of vectors, and a block holds one vector for each member:

    rows:   block q of a value = units q*L ... q*L + L - 1 of one sequence a vector
    lanes:  block u of a value = unit u of L sequences a vector

Everything that works unit by unit is written the same way for both. Rows serve wide cells and small batches: their
products read each weight once for several sequences. Lanes serve narrow cells, whose units would not fill a vector.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Layout:
    """One of the two layouts.

    Attributes:
        name: which.
        lanes: numbers in a vector, L.
    """

    name: Literal["rows", "lanes"]
    lanes: int

    @property
    def is_rows(self) -> bool:
        return self.name == "rows"

    def blocks(self, width: int) -> int:
        """Blocks of a value with so many units."""
        return -(-width // self.lanes) if self.is_rows else width

    def units(self, blocks: int) -> int:
        """Units that so many blocks have room for."""
        return blocks * self.lanes if self.is_rows else blocks

    def members(self, batch: int) -> int:
        """Members of a batch of so many sequences."""
        return batch if self.is_rows else -(-batch // self.lanes)
