"""How much a training step has to compute and to keep: a cell's multiply-adds and the values of its way back."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from gatelab.bench.sizes import Size, further_widths
from gatelab.compiler.program import flatten, share
from gatelab.compiler.schedule import compile_cell
from gatelab.compiler.shapes import SINGLE
from gatelab.compiler.simplify import simplify
from gatelab.language.cell import Cell
from gatelab.language.expressions import Line, Product, walk

FLOPS = 3 * 2
"""A training step's floating point operations for each multiply-add forwards.

Backwards there are twice as many: for the gradient of the vector that a matrix was multiplied with, and for that of
the matrix. A multiply-add counts as two.
"""
BYTES = 4
"""Of a number in float32."""


@dataclass(frozen=True)
class Work:
    """What a cell is at a size.

    Attributes:
        multiply_adds: of one way forth over all sequences.
        in_loop: those of them that are made step by step, as they wait for the step before; others are made for many
            steps at once.
        kept: bytes of states and other values that the way back reads.
    """

    multiply_adds: int
    in_loop: int
    kept: int


def work(cell: Cell, size: Size) -> Work:
    """By the cell's equations and its schedule. What a layer does elementwise is not counted."""
    schedule = compile_cell(cell)
    widths = _widths(cell, size)
    kept = [*(cell.width(state) for state in cell.states), *(schedule.widths[name] for name in schedule.saved)]
    return Work(
        multiply_adds=multiply_adds(cell, size),
        in_loop=_count(cell, size, (line for phase in schedule.forwards.loop for line in phase.products)),
        kept=BYTES * size.T * size.B * sum(widths[symbol] for symbol in kept),
    )


def multiply_adds(cell: Cell, size: Size) -> int:
    """Of one way forth over all sequences: each matrix as often as it is in a product of its own."""
    return _count(cell, size, share(simplify(flatten(cell))).lines)


def gflops(cell: Cell, size: Size, milliseconds: float) -> float:
    """The speed of a training step, in GFLOP/s."""
    return FLOPS * multiply_adds(cell, size) / milliseconds / 1e6


def _count(cell: Cell, size: Size, lines: Iterable[Line]) -> int:
    widths = _widths(cell, size)
    used = [
        cell.shapes.matrices[part.matrix]
        for line in lines
        for part in walk(line.expression)
        if isinstance(part, Product)
    ]
    return size.T * size.B * sum(widths[rows] * widths[columns] for rows, columns in used)


def _widths(cell: Cell, size: Size) -> dict[str, int]:
    return {SINGLE: 1, **cell.sizes(size.I, size.H, further_widths(size, cell))}
