"""How much a training step has to compute: the multiply-adds of a cell's matrices."""

from __future__ import annotations

from gatelab.bench.sizes import Size, further_widths
from gatelab.compiler.program import flatten, share
from gatelab.compiler.simplify import simplify
from gatelab.language.cell import Cell
from gatelab.language.expressions import Product, walk

FLOPS = 3 * 2
"""A training step's floating point operations for each multiply-add forwards.

Backwards there are twice as many: for the gradient of the vector that a matrix was multiplied with, and for that of
the matrix. A multiply-add counts as two.
"""


def multiply_adds(cell: Cell, size: Size) -> int:
    """Of one way forth over all sequences: each matrix as often as it is in a product of its own."""
    widths = cell.sizes(size.I, size.H, further_widths(size, cell))
    used = [
        cell.shapes.matrices[part.matrix]
        for line in share(simplify(flatten(cell))).lines
        for part in walk(line.expression)
        if isinstance(part, Product)
    ]
    return size.T * size.B * sum(widths[rows] * widths[columns] for rows, columns in used)


def gflops(cell: Cell, size: Size, milliseconds: float) -> float:
    """The speed of a training step, in GFLOP/s."""
    return FLOPS * multiply_adds(cell, size) / milliseconds / 1e6
