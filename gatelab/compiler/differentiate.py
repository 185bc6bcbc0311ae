"""The adjoint of a step: what the gradients are, as lines like those of the step itself.

Reverse mode, with the adjoints of the operation table. The gradient of a line `c` is the line `d.c`. Three kinds of
names arrive: `d.c.next`, the gradient of the state c from the step after; `d.h.out`, that of the output at this step;
and the values of the step itself, which a kernel keeps or computes again. Parts of gradients are numbered `d.c:1`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache

from gatelab.compiler.program import Lines, Program, count_from_one, needed, share, split
from gatelab.compiler.shapes import SINGLE, find_widths
from gatelab.compiler.simplify import simplify
from gatelab.language.cell import Cell
from gatelab.language.edits import ZERO, fold
from gatelab.language.expressions import Apply, Expression, Line, Name, Product, Role, transform, walk
from gatelab.language.ops import OPERATIONS
from gatelab.language.parse import parse_expression


@dataclass(frozen=True)
class WeightGradient:
    """The gradient of a matrix: the sum over steps and sequences of `delta` times `operand`, an outer product.

    Attributes:
        matrix: whose.
        delta: the gradient of the product.
        operand: the vector that the matrix multiplied.
        transposed: whether it multiplied as its transpose, so that the outer product is turned.
    """

    matrix: str
    delta: Expression
    operand: Expression
    transposed: bool


@dataclass(frozen=True)
class Adjoint:
    """The adjoint of a step.

    Attributes:
        lines: in the order in which they are computed.
        states: for each state the line with its gradient before the step, or a number if there is none.
        input: likewise for the input.
        matrices: outer products to be summed over steps and sequences.
        vectors: for each learned vector or scalar the line to be summed over steps and sequences.
    """

    lines: Lines
    states: Mapping[str, Expression]
    input: Expression
    matrices: tuple[WeightGradient, ...]
    vectors: Mapping[str, Expression]

    @property
    def results(self) -> frozenset[str]:
        """The lines that anything outside of the adjoint reads."""
        wanted = (*self.states.values(), self.input, *self.vectors.values(), *(m.delta for m in self.matrices))
        return frozenset(e.name for e in wanted if isinstance(e, Name) and e.role == "current")


def differentiate(cell: Cell, step: Program) -> Adjoint:
    """The adjoint of a cell's step."""
    widths = find_widths(cell, step.lines, ())
    backwards = _Backwards(frozenset(name for name, width in widths.items() if width == SINGLE))
    for name, ending in (*((state, "next") for state in cell.states), (cell.output, "out")):
        value = step.value(name)
        if isinstance(value, Name):
            backwards.arrive(value.name, Name(f"d.{name}.{ending}", "arriving"), value.role, vector=True)
    for line in reversed(step.lines):
        backwards.through(line)
    return _tidied(backwards, cell, step)


@dataclass
class _Backwards:
    """The adjoint in the making.

    Attributes:
        uniform: the lines of the step whose value is one number a sequence, so that their gradient is a sum.
        arrived: what has reached each value so far, by its role and name.
    """

    uniform: frozenset[str]
    lines: list[Line] = field(default_factory=list)
    arrived: dict[tuple[Role, str], Expression] = field(default_factory=dict)
    matrices: list[WeightGradient] = field(default_factory=list)

    def arrive(self, name: str, gradient: Expression, role: Role = "current", *, vector: bool) -> None:
        """Adds to the gradient of a value; a vector of gradients reaches a single number as their sum."""
        single = role == "scalar" or (role == "current" and name in self.uniform)
        if vector and single:
            gradient = Apply("sum", (gradient,))
        before = self.arrived.get((role, name))
        self.arrived[role, name] = gradient if before is None else Apply("add", (before, gradient))

    def through(self, line: Line) -> None:
        """What reaches a line goes on to what the line reads."""
        gradient = self.arrived.pop(("current", line.name), ZERO)
        if gradient == ZERO:
            return
        name = f"d.{line.name}"
        self.lines.append(Line(name, gradient))
        arriving, vector = Name(name, "current"), line.name not in self.uniform
        match line.expression:
            case Name(name=read, role=role):
                self.arrive(read, arriving, role, vector=vector)
            case Apply(operation=operation, arguments=arguments):
                value = Name(line.name, "current")
                for argument, adjoint in zip(arguments, adjoints(operation), strict=True):
                    if isinstance(argument, Name) and argument.role != "constant":
                        found = _filled(adjoint, dict(zip("abc", arguments, strict=False)), value, arriving)
                        if found != ZERO:
                            wide = vector or self._is_vector(argument)
                            self.arrive(argument.name, found, argument.role, vector=wide)
            case Product(matrix=matrix, operand=operand, transposed=transposed):
                self.matrices.append(WeightGradient(matrix, arriving, operand, transposed))
                if isinstance(operand, Name):
                    back = Product(matrix, arriving, not transposed)
                    self.arrive(operand.name, back, operand.role, vector=True)

    def _is_vector(self, argument: Name) -> bool:
        return argument.role not in ("scalar", "constant") and argument.name not in self.uniform


@cache
def adjoints(operation: str) -> tuple[Expression, ...]:
    """The adjoints of a row of the table, as expressions in a, b, c, y and d; those that begin with 0 are none."""
    roles: dict[str, Role] = dict.fromkeys("abcyd", "vector")
    found = (parse_expression(text, roles) for text in OPERATIONS[operation].adjoint)
    return tuple(ZERO if _begins_with_zero(adjoint) else adjoint for adjoint in found)


def _begins_with_zero(adjoint: Expression) -> bool:
    return isinstance(adjoint, Apply) and adjoint.operation == "multiply" and adjoint.arguments[0] == ZERO


def _filled(adjoint: Expression, arguments: Mapping[str, Expression], y: Expression, d: Expression) -> Expression:
    instead = {**arguments, "y": y, "d": d}

    def change(node: Expression) -> Expression:
        return instead[node.name] if isinstance(node, Name) and node.name in instead else fold(node)

    return transform(adjoint, change)


def _tidied(backwards: _Backwards, cell: Cell, step: Program) -> Adjoint:
    """The lines with one operation each, each value once, and what is not needed taken out."""
    lines = list(backwards.lines)
    results: dict[tuple[Role, str], Name] = {}
    for (role, name), gradient in backwards.arrived.items():
        lines.append(Line(f"d.{name}.{'before' if role == 'previous' else 'sum'}", gradient))
        results[role, name] = Name(lines[-1].name, "current")
    parts: dict[str, Iterator[int]] = {}
    flat = [p for line in lines for p in split(line.name, line.expression, _numbered(line.name, parts))]
    shared = share(simplify(tuple(flat)), find_widths(cell, step.lines, tuple(flat)))
    found = {key: shared.value(gradient.name) for key, gradient in results.items()}
    adjoint = Adjoint(
        lines=shared.lines,
        states={state: found.get(("previous", state), ZERO) for state in cell.states},
        input=found.get(("input", "x"), ZERO),
        matrices=tuple(replace(m, delta=shared.value(_name(m.delta))) for m in backwards.matrices),
        vectors={name: found.get(("vector", name), ZERO) for name in cell.shapes.vectors}
        | {name: found.get(("scalar", name), ZERO) for name in cell.shapes.scalars},
    )
    # What only reaches constants serves nothing.
    serves = needed(adjoint.lines, adjoint.results)
    return replace(adjoint, lines=tuple(line for line in adjoint.lines if line.name in serves))


def _name(expression: Expression) -> str:
    assert isinstance(expression, Name)
    return expression.name


def _numbered(name: str, parts: dict[str, Iterator[int]]) -> Iterator[str]:
    counter = parts.setdefault(name, count_from_one())
    return (f"{name}:{k}" for k in counter)


def values_read(adjoint: Adjoint) -> frozenset[str]:
    """The values of the step that the adjoint reads."""
    own = {line.name for line in adjoint.lines}
    read = {
        node.name
        for expression in (*(line.expression for line in adjoint.lines), *(m.operand for m in adjoint.matrices))
        for node in walk(expression)
        if isinstance(node, Name) and node.role == "current"
    }
    return frozenset(read - own)
