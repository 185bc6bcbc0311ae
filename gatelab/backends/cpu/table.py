"""Where the values of a call lie: a kernel's table of pointers, the addresses of parameters, and of their gradients."""

from __future__ import annotations

from array import array
from collections.abc import Sequence

from gatelab.language.cell import Cell

SIDES = ("start", "final", "fresh", "d.start", "d.final", "d.fresh")
"""What arrays of states there may be."""


class Table:
    """The places of the values of a call, and those that are the same in each.

    Attributes:
        at: the place of each name that a kernel asks for.
        sequences: the places of an array of torch, of its step from sequence to sequence, and from step to step.
        states: the names of the arrays of states, by what they are.
        parameters: the place of the first parameter's address.
        gradients: that of its gradient's.
        values: those that are always the same; the others are 0.
        apart: by name, bytes from memory of our own to that of the next replica.
    """

    def __init__(self, pointers: Sequence[str], cell: Cell, parameters: int, gradients: int) -> None:
        self.at = at = {name: place for place, name in enumerate(pointers)}
        self.sequences = {
            name: (at[name], at[f"{name} batch"], at[f"{name} time"]) for name in pointers if f"{name} batch" in at
        }
        self.states = {side: tuple(f"{side}.{state}" for state in cell.states) for side in SIDES}
        self.parameters = len(pointers)
        self.gradients = self.parameters + parameters
        self.values = array("q", [0] * (self.gradients + gradients))
        self.apart: dict[str, int] = {}

    def lies_whole(self, name: str, lead: Sequence[int], width: int, bytes_each: int) -> None:
        """An array ([T,] [R,] B, W) of which every number lies behind the one before; `lead` is ([R,] B)."""
        *replicas, sequences = lead
        if name in self.sequences:
            _, batch, time = self.sequences[name]
            self.values[batch] = width
            self.values[time] = width * sequences * (replicas[0] if replicas else 1)
        self.apart[name] = width * sequences * bytes_each
