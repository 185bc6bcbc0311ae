"""How the gradient of a name inside of a cell comes out: a tap, a vector that is added to the name's value.

A tap holds zeros, so it changes nothing, and the gradient that reaches it is that of the name.
"""

from __future__ import annotations

from collections.abc import Collection

from gatelab.language.cell import Cell
from gatelab.language.expressions import Line, Name


def tapped_lines(cell: Cell, name: str) -> tuple[str, ...]:
    """The lines that a name's tap is added to.

    It is the line of that name. States that are always equal are stored once and have one gradient, so they have one
    tap, in each of their lines but those that copy another of them.
    """
    if name not in cell.stored_as:
        return (name,)
    equal = {state for state, stored in cell.stored_as.items() if stored == cell.stored_as[name]}
    own = tuple(line.name for line in cell.lines if line.name in equal and not _copies(line, equal))
    return own or (name,)


def _copies(line: Line, others: Collection[str]) -> bool:
    read = line.expression
    return isinstance(read, Name) and read.role == "current" and read.name in others
