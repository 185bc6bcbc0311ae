"""A program: one step of a cell, or of its adjoint, as lines with one operation each.

Every line has a name of its own; lines that the equations name keep their names, and parts of them are numbered
(`h.1`), which no name in the language can be.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, replace

from gatelab.language.cell import Cell
from gatelab.language.expressions import Apply, Expression, Line, Name, Number, Product, children, names, transform

Lines = tuple[Line, ...]


def flatten(cell: Cell) -> Lines:
    """The lines of a cell with one operation each, and each state read under the name that it is stored as."""
    flat: list[Line] = []
    for line in cell.lines:
        stored = transform(line.expression, lambda e: _stored(e, cell.stored_as))
        flat += split(line.name, stored, (f"{line.name}.{k}" for k in count_from_one()))
    return tuple(flat)


def split(name: str, expression: Expression, fresh: Iterator[str]) -> list[Line]:
    """One assignment as lines of one operation each, the parts before the whole."""
    lines: list[Line] = []

    def atom(part: Expression) -> Expression:
        if isinstance(part, Name | Number):
            return part
        whole = operation(part)
        lines.append(Line(next(fresh), whole))
        return Name(lines[-1].name, "current")

    def operation(whole: Expression) -> Expression:
        match whole:
            case Apply(arguments=arguments):
                return replace(whole, arguments=tuple(atom(argument) for argument in arguments))
            case Product(operand=operand):
                return replace(whole, operand=atom(operand))
        return whole

    last = operation(expression)
    return [*lines, Line(name, last)]


def count_from_one() -> Iterator[int]:
    number = 0
    while True:
        yield (number := number + 1)


@dataclass(frozen=True)
class Program:
    """Lines, and what became of the names that are no longer among them.

    Attributes:
        lines: each value computed once.
        instead: for the name of a line that is gone, the number or the name that has its value.
    """

    lines: Lines
    instead: Mapping[str, Expression]

    def value(self, name: str) -> Expression:
        """What has the value of a line."""
        return self.instead.get(name, Name(name, "current"))


def share(lines: Lines, widths: Mapping[str, str] | None = None) -> Program:
    """Each value computed once: copies, numbers and lines equal to an earlier one give way to it.

    With `widths` of the lines, only where they are equally wide: one number written out for all units is not that
    number, if a sum is taken of it.
    """
    first: dict[object, str] = {}
    width = widths or {}
    instead: dict[str, Expression] = {}
    kept = []
    for line in lines:
        expression = rename_current(line.expression, instead)
        wide = width.get(line.name)
        if isinstance(expression, Number) or (
            isinstance(expression, Name) and width.get(expression.name, wide) == wide
        ):
            instead[line.name] = expression
        elif (expression, wide) in first:
            instead[line.name] = Name(first[expression, wide], "current")
        else:
            first[expression, wide] = line.name
            kept.append(replace(line, expression=expression))
    return Program(tuple(kept), instead)


def needed(lines: Lines, wanted: Collection[str]) -> frozenset[str]:
    """The names of the lines that the wanted ones are made from, and of these."""
    read = set(wanted)
    for line in reversed(lines):
        if line.name in read:
            read |= set(names(line.expression, "current"))
    return frozenset(read & {line.name for line in lines})


def nest(lines: Lines, keep: Collection[str]) -> Lines:
    """For people: numbered parts that are read once are written where they are read."""
    reads = Counter(name for line in lines for name in _occurrences(line.expression))
    inlined: dict[str, Expression] = {}
    kept = []
    for line in lines:
        expression = rename_current(line.expression, inlined)
        if line.name not in keep and reads[line.name] == 1:
            inlined[line.name] = expression
        else:
            kept.append(replace(line, expression=expression))
    return tuple(kept)


def rename_current(expression: Expression, instead: Mapping[str, Expression]) -> Expression:
    """The expression with some values of this step written otherwise."""

    def change(node: Expression) -> Expression:
        if isinstance(node, Name) and node.role == "current":
            return instead.get(node.name, node)
        return node

    return transform(expression, change)


def rewrite(lines: Lines, change: Callable[[Expression], Expression]) -> Lines:
    """Every expression with `change` applied to each node, inner ones first."""
    return tuple(replace(line, expression=transform(line.expression, change)) for line in lines)


def _stored(expression: Expression, stored_as: Mapping[str, str]) -> Expression:
    if isinstance(expression, Name) and expression.role == "previous":
        return replace(expression, name=stored_as[expression.name])
    return expression


def _occurrences(expression: Expression) -> Iterator[str]:
    if isinstance(expression, Name) and expression.role == "current":
        yield expression.name
    for child in children(expression):
        yield from _occurrences(child)
