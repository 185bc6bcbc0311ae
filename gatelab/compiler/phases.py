"""The parts of a step between which all units of a vector must be known.

A product, or a reduction over units, reads whole vectors. If it reads what the same step makes, it has to wait until
all units of that are there, and begins a new phase. An LSTM has one phase, a GRU that resets before the product two.
"""

from __future__ import annotations

from dataclasses import dataclass

from gatelab.compiler.program import Lines
from gatelab.language.expressions import Apply, Expression, Product, names
from gatelab.language.ops import OPERATIONS


@dataclass(frozen=True)
class Phase:
    """Lines that need no whole vector made in the same phase.

    Attributes:
        products: products with whole vectors, known before the phase begins.
        lines: the rest, unit by unit.
    """

    products: Lines
    lines: Lines


def phases(loop: Lines) -> tuple[Phase, ...]:
    """The lines of the loop, phase by phase; each line is put into the earliest phase that it can be in."""
    number: dict[str, int] = {}
    for line in loop:
        read = [number[name] for name in names(line.expression, "current") if name in number]
        number[line.name] = max(read, default=0) + (1 if read and waits(line.expression) else 0)
    count = max(number.values(), default=-1) + 1
    return tuple(
        Phase(
            products=tuple(x for x in loop if number[x.name] == k and isinstance(x.expression, Product)),
            lines=tuple(x for x in loop if number[x.name] == k and not isinstance(x.expression, Product)),
        )
        for k in range(count)
    )


def waits(expression: Expression) -> bool:
    """Whether an operation needs all units of what it reads."""
    return isinstance(expression, Product) or (isinstance(expression, Apply) and OPERATIONS[expression.operation].mixes)
