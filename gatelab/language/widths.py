"""The width of every vector and the shape of every matrix, found by use.

A width is a symbol: "I" of the input, "H" of the hidden vectors, or a name given in `widths={...}`. Widths are read,
not guessed: an assigned name has width H unless `widths` says otherwise, and within a line the width comes down from
the name that is assigned, through everything but `@` and the reductions.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from gatelab.language.expressions import Apply, Expression, Line, Name, Product, Span
from gatelab.language.ops import OPERATIONS
from gatelab.language.parse import Source

INPUT = "I"
HIDDEN = "H"
PLAIN = {INPUT: "the input's width I", HIDDEN: "the hidden width H"}


@dataclass(frozen=True)
class Shapes:
    """What the lines learn.

    Attributes:
        matrices: name to (rows, columns), as width symbols.
        vectors: name to width symbol.
        scalars: names.
    """

    matrices: dict[str, tuple[str, str]] = field(default_factory=dict)
    vectors: dict[str, str] = field(default_factory=dict)
    scalars: dict[str, None] = field(default_factory=dict)


def find_shapes(lines: tuple[Line, ...], widths: Mapping[str, str], source: Source) -> Shapes:
    """The shapes of all parameters, in the order in which they are first read.

    Raises:
        EquationError: vectors of two widths meet, or a parameter is used in two ways.
    """
    finder = _Finder(widths, source, Shapes(), set())
    for line in lines:
        finder.meet(line.expression, widths.get(line.name, HIDDEN), line.name)
        if not varies_over_units(line.expression, finder.uniform):
            finder.uniform.add(line.name)
    return finder.shapes


@dataclass(frozen=True)
class _Finder:
    widths: Mapping[str, str]
    source: Source
    shapes: Shapes
    uniform: set[str]
    """The lines so far whose value is the same for all units."""

    def own_width(self, expression: Expression) -> str | None:
        """The width that an expression has by the named vectors in it, if there are any outside of `@`."""
        match expression:
            case Name(name=name, role="input"):
                return self.widths.get(name, INPUT)
            case Name(name=name, role="previous" | "current"):
                return self.widths.get(name, HIDDEN)
            case Apply(operation=operation, arguments=arguments) if not OPERATIONS[operation].reduces:
                found = (self.own_width(argument) for argument in arguments)
                return next((width for width in found if width), None)
            case _:
                return None

    def meet(self, expression: Expression, expected: str, target: str) -> None:
        """Walks down with the width that is expected here, and notes what the parameters must be."""
        match expression:
            case Name(name=name, role="vector"):
                self._note_vector(name, expected, expression.where)
            case Name(name=name, role="scalar"):
                self.shapes.scalars[name] = None
            case Name(name=name, role="input" | "previous" | "current"):
                width = self.own_width(expression)
                if width != expected:
                    raise self._two_widths(name, str(width), expected, target, expression.where)
            case Apply(operation=operation, arguments=arguments):
                if OPERATIONS[operation].mixes and not varies_over_units(arguments[0], self.uniform):
                    raise self.source.error(
                        expression.where,
                        f"what {operation} is taken of is the same for all units.",
                        "Take it of a vector, or write the number that you mean.",
                    )
                for argument in arguments:
                    inner = self.own_width(argument) or HIDDEN if OPERATIONS[operation].reduces else expected
                    self.meet(argument, inner, target)
            case Product(matrix=matrix, operand=operand, transposed=transposed):
                inner = self.own_width(operand) or HIDDEN
                shape = (inner, expected) if transposed else (expected, inner)
                self._note_matrix(matrix, shape, expression.where)
                self.meet(operand, inner, target)

    def _note_vector(self, name: str, width: str, where: Span | None) -> None:
        if name in self.shapes.matrices:
            raise self._two_uses(name, where)
        known = self.shapes.vectors.setdefault(name, width)
        if known != width:
            raise self.source.error(
                where,
                f"the vector '{name}' is used with {_words(width)} here and with {_words(known)} above.",
                "Give each use a name of its own.",
            )

    def _note_matrix(self, name: str, shape: tuple[str, str], where: Span | None) -> None:
        if name in self.shapes.vectors or name in self.shapes.scalars:
            raise self._two_uses(name, where)
        known = self.shapes.matrices.setdefault(name, shape)
        if known != shape:
            raise self.source.error(
                where,
                f"the matrix '{name}' is ({shape[0]}, {shape[1]}) here and ({known[0]}, {known[1]}) above.",
                "Give each use a name of its own, W_... on the input and R_... on a hidden vector.",
            )

    def _two_uses(self, name: str, where: Span | None) -> Exception:
        return self.source.error(
            where,
            f"'{name}' is used as a matrix and as a vector.",
            "A matrix stands left of @; give the vector another name, b_..., p_... or g_....",
        )

    def _two_widths(self, name: str, width: str, expected: str, target: str, where: Span | None) -> Exception:
        if name == "x":
            cure = (
                "Multiply x by a matrix first, W @ x; or, where the input is as wide as the hidden vectors, "
                "say widths={'x': 'H'}"
            ) + (f"; or, to keep the input, widths={{'{target}': 'I'}}." if expected == HIDDEN else ".")
        else:
            cure = f"Multiply it by a matrix, P @ {name}, or give both one width in widths={{...}}."
        return self.source.error(where, f"'{name}' has {_words(width)} where {_words(expected)} is needed.", cure)


def varies_over_units(expression: Expression, uniform: Collection[str]) -> bool:
    """Whether there is a vector in an expression, outside of reductions; the lines `uniform` are none."""
    match expression:
        case Name(name=name, role="current"):
            return name not in uniform
        case Name(role="input" | "previous" | "vector") | Product():
            return True
        case Apply(operation=operation, arguments=arguments):
            return not OPERATIONS[operation].reduces and any(varies_over_units(a, uniform) for a in arguments)
        case _:
            return False


def _words(width: str) -> str:
    return PLAIN.get(width, f"the width {width}")
