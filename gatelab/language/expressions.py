"""Expressions: frozen nodes that print as a person would write them.

Every node remembers where it stood in the text, for errors; two expressions are equal wherever they stood.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Literal, NamedTuple

from gatelab.language.ops import OPERATIONS


class Span(NamedTuple):
    """A place in the text: line from 1, columns from 0, the end not included."""

    line: int
    start: int
    end: int


Role = Literal["input", "previous", "current", "vector", "scalar", "constant", "arriving"]
"""What a name stands for: the input x; a state before this step; a line above; a learned vector; a learned
number; a plain number; and, in an adjoint only, a gradient that arrives from later steps or from the output."""

PRODUCT_BINDS = 2
"""Python lets `@` bind as `*` does; here a little less, so that a product in a product gets brackets: p * (W @ x)."""


@dataclass(frozen=True, slots=True)
class Number:
    value: float
    where: Span | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Name:
    name: str
    role: Role
    where: Span | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Apply:
    """An operation of the table, by its name there."""

    operation: str
    arguments: tuple[Expression, ...]
    where: Span | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Product:
    """A learned matrix, or its transpose, times a vector."""

    matrix: str
    operand: Expression
    transposed: bool = False
    where: Span | None = field(default=None, compare=False, repr=False)


Expression = Number | Name | Apply | Product


@dataclass(frozen=True, slots=True)
class Line:
    """One assignment."""

    name: str
    expression: Expression
    where: Span | None = field(default=None, compare=False, repr=False)

    def __str__(self) -> str:
        return f"{self.name} = {show(self.expression)}"


def children(expression: Expression) -> tuple[Expression, ...]:
    match expression:
        case Apply(arguments=arguments):
            return arguments
        case Product(operand=operand):
            return (operand,)
        case _:
            return ()


def walk(expression: Expression) -> Iterator[Expression]:
    """The expression and all within it, the outer ones first."""
    yield expression
    for child in children(expression):
        yield from walk(child)


def names(expression: Expression, *roles: Role) -> tuple[str, ...]:
    """The names read, each once, in the order of their first reading; of these roles, or of all."""
    found = (e.name for e in walk(expression) if isinstance(e, Name) and (not roles or e.role in roles))
    return tuple(dict.fromkeys(found))


def transform(expression: Expression, change: Callable[[Expression], Expression]) -> Expression:
    """The expression with `change` applied to every node, the inner ones first."""
    match expression:
        case Apply():
            arguments = tuple(transform(a, change) for a in expression.arguments)
            return change(replace(expression, arguments=arguments))
        case Product():
            return change(replace(expression, operand=transform(expression.operand, change)))
        case _:
            return change(expression)


def show_number(value: float) -> str:
    return str(int(value)) if value == int(value) and abs(value) < 1e15 else repr(value)


def show(expression: Expression) -> str:
    """The text of an expression, with no more brackets than a reader wants."""
    return _show(expression)[0]


def show_in_time(expression: Expression) -> str:
    """The same, with a state before the step as `c.before`."""

    def before(node: Expression) -> Expression:
        if isinstance(node, Name) and node.role == "previous":
            return Name(f"{node.name}.before", "previous")
        return node

    return show(transform(expression, before))


def _show(expression: Expression) -> tuple[str, int]:
    """The text, and how tightly its outermost operator binds."""
    match expression:
        case Number(value=value):
            return show_number(value), (9 if value >= 0 else OPERATIONS["negate"].binds)
        case Name(name=name):
            return name, 9
        case Product(matrix=matrix, transposed=transposed, operand=operand):
            left = f"transpose({matrix})" if transposed else matrix
            return f"{left} @ {_bracket(operand, OPERATIONS['negate'].binds)}", PRODUCT_BINDS
        case Apply(operation=name, arguments=arguments):
            row = OPERATIONS[name]
            if not row.symbol:
                return f"{name}({', '.join(map(show, arguments))})", row.binds
            if row.arity == 1:
                return f"{row.symbol}{_bracket(arguments[0], row.binds)}", row.binds
            # All but the power associate to the left.
            left_binds, right_binds = (row.binds, row.binds + 1) if name != "power" else (row.binds + 1, row.binds)
            first, second = arguments
            return f"{_bracket(first, left_binds)} {row.symbol} {_bracket(second, right_binds)}", row.binds
    raise AssertionError(expression)


def _bracket(expression: Expression, least: int) -> str:
    text, binds = _show(expression)
    return text if binds >= least else f"({text})"
