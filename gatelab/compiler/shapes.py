"""The width of every line of a step and of its adjoint."""

from __future__ import annotations

from collections.abc import Mapping

from gatelab.compiler.program import Lines
from gatelab.language.cell import Cell
from gatelab.language.expressions import Apply, Expression, Name, Product
from gatelab.language.ops import OPERATIONS

SINGLE = ""
"""The width of what is one number a sequence; where a vector is read, it is that number for each unit."""


def find_widths(cell: Cell, step: Lines, adjoint: Lines) -> dict[str, str]:
    """For each line the symbol of its width, or SINGLE.

    The gradient `d.c` is as wide as `c`, even where its expression is one number: then it is that number for each
    unit.
    """
    widths: dict[str, str] = {}
    for line in step:
        widths[line.name] = width_of(line.expression, cell, widths)
    for line in adjoint:
        value = line.name.removeprefix("d.")
        whole, _, ending = value.rpartition(".")
        if ending == "before" or value == "x.sum":
            widths[line.name] = cell.width(whole)
        else:
            widths[line.name] = widths.get(value) or width_of(line.expression, cell, widths)
    return widths


def width_of(expression: Expression, cell: Cell, widths: Mapping[str, str]) -> str:
    """The width of one operation, from those of what it reads."""
    match expression:
        case Name(name=name, role="current"):
            return widths[name]
        case Name(name=name, role="input" | "previous"):
            return cell.width(name)
        case Name(name=name, role="vector"):
            return cell.shapes.vectors[name]
        case Name(name=name, role="arriving"):
            return cell.width(name.split(".")[1])
        case Product(matrix=matrix, transposed=transposed):
            return cell.shapes.matrices[matrix][1 if transposed else 0]
        case Apply(operation=operation, arguments=arguments) if not OPERATIONS[operation].reduces:
            found = (width_of(argument, cell, widths) for argument in arguments)
            return next((width for width in found if width), SINGLE)
    return SINGLE
