"""From text to lines of expressions, with Python's own grammar. Nothing is evaluated.

Python's parser gives the tree; only assignments of arithmetic, known functions and numbers are let through, and
every refusal points at its place and says what to write instead.
"""

from __future__ import annotations

import ast
import math
import re
import textwrap
import unicodedata
import warnings
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from gatelab.errors import EquationError, nearest
from gatelab.language.expressions import Apply, Expression, Line, Name, Number, Product, Role, Span
from gatelab.language.ops import BY_CALL, OPERATIONS

LONGEST_TEXT = 20_000
"""Characters; the largest cell of the catalogue has under 1,000."""

DEEPEST = 100
"""Brackets, calls and operators within each other; keeps every walk over an expression far from Python's limit."""

VECTOR_NAME = re.compile(r"[bpg](_\w+)?")
"""A free name like this is a learned vector: a bias, a peephole or diagonal, a gain."""

GOOD_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,39}")
INFIX = {
    ast.Add: "add",
    ast.Sub: "subtract",
    ast.Mult: "multiply",
    ast.Div: "divide",
    ast.Pow: "power",
}
LOOK_ALIKES = {
    "·": "write *",
    "×": "write *",
    "⊙": "write *",
    "∘": "write *",
    "−": "write -",
    "–": "write -",
    "σ": "write sigmoid(...)",
    "²": "write square(...) or ** 2",
}


@dataclass(frozen=True)
class Source:
    """The text of the equations, and where errors point to.

    Attributes:
        text: the equations, dedented.
        first_line: the number that the first line has for the person who wrote it.
    """

    text: str
    first_line: int = 1

    def error(self, where: Span | None, what: str, cure: str) -> EquationError:
        """An error that names the line, shows it with a caret, and says what to do."""
        lines = self.text.split("\n")
        if where is None or not 1 <= where.line <= len(lines):
            return EquationError(f"{what}\n{cure}")
        line = lines[where.line - 1]
        # A long line is cut around the place.
        left = max(0, where.start - 60)
        shown = line[left : left + 120]
        caret = " " * (where.start - left) + "^" * max(1, min(where.end, left + 120) - where.start)
        number = where.line + self.first_line - 1
        return EquationError(f"line {number}: {what}\n    {shown}\n    {caret}\n{cure}")


@dataclass(frozen=True)
class Vocabulary:
    """What the names outside the equations stand for."""

    constants: Collection[str]
    declared: Mapping[str, Role]
    """Parameters listed by the user, "vector" or "scalar"."""


def dedent(text: str) -> str:
    """The text without the common indentation and without the empty line that opens a triple-quoted string."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n")
    return textwrap.dedent(lines.removeprefix("\n")).rstrip()


def parse(source: Source, vocabulary: Vocabulary) -> tuple[Line, ...]:
    """The lines of a cell, every name with its role.

    Raises:
        EquationError: anything but assignments of expressions in the language.
    """
    targets = _targets(source, _python_tree(source))
    places = {name.id: index for index, (name, _) in enumerate(targets)}
    lines = []
    for index, (name, value) in enumerate(targets):
        reader = _Reader(source, vocabulary, places, index)
        lines.append(Line(name.id, reader.expression(value, 0), _span(name)))
    return tuple(lines)


def parse_expression(text: str, roles: Mapping[str, Role]) -> Expression:
    """One expression in names of given roles; for the tables of gatelab itself."""
    source = Source(text)
    reader = _Reader(source, Vocabulary((), roles), {}, 0)
    return reader.expression(ast.parse(text, mode="eval").body, 0)


def _python_tree(source: Source) -> ast.Module:
    text = source.text
    if len(text) > LONGEST_TEXT:
        raise EquationError(
            f"The equations have {len(text):,} characters; the most is {LONGEST_TEXT:,}.\n"
            "A cell is a few lines: is this the right file?"
        )
    _refuse_look_alikes(source)
    try:
        with warnings.catch_warnings():  # Python warns of text such as `1if`; here it is an error anyway.
            warnings.simplefilter("ignore")
            return ast.parse(text)
    except SyntaxError as error:
        line, start = error.lineno or 1, max(0, (error.offset or 1) - 1)
        end = error.end_offset - 1 if error.end_offset and error.end_lineno == line else start + 1
        raise source.error(
            Span(line, start, max(end, start + 1)),
            f"this is not an equation ({error.msg}).",
            "Write one assignment a line: name = expression.",
        ) from None
    except (RecursionError, MemoryError, ValueError) as error:
        raise EquationError(
            f"The equations can't be read ({error or type(error).__name__}).\nWrite short lines, each with a name."
        ) from None


def _refuse_look_alikes(source: Source) -> None:
    """Only ASCII outside of comments: Python would read a wide or a bold `h` as `h`, and people would not."""
    text = source.text
    if text.isascii():
        return
    for number, line in enumerate(text.split("\n"), 1):
        code = line.split("#")[0]
        for column, character in enumerate(code):
            if not character.isascii():
                title = unicodedata.name(character, "unnamed").lower()
                plain = unicodedata.normalize("NFKC", character)
                cure = LOOK_ALIKES.get(character) or (
                    f"write {plain}" if plain.isascii() and plain.strip() else "use ASCII letters"
                )
                raise source.error(
                    Span(number, column, column + 1),
                    f"'{character}' ({title}) is not a plain character.",
                    f"Here: {cure}.",
                )


def _targets(source: Source, tree: ast.Module) -> list[tuple[ast.Name, ast.expr]]:
    """Each assignment's name and value; checks that there is nothing else."""
    if not tree.body:
        raise EquationError("The cell is empty.\nWrite one assignment a line, for example: h = tanh(W @ x + R @ h + b)")
    found: dict[str, ast.Name] = {}
    targets = []
    last_line = 0
    for statement in tree.body:
        if not isinstance(statement, ast.Assign) or len(statement.targets) != 1:
            raise source.error(_span(statement), "this is not an assignment of one name.",
                               "Write one assignment a line: name = expression.")  # fmt: skip
        target = statement.targets[0]
        if not isinstance(target, ast.Name):
            raise source.error(_span(target), "only a plain name can be assigned.",
                               "Write name = expression.")  # fmt: skip
        if target.lineno <= last_line:
            raise source.error(_span(target), "this is a second assignment on one line.",
                               "Write one assignment a line.")  # fmt: skip
        last_line = statement.end_lineno or target.lineno
        _check_target(source, target)
        if target.id in found:
            raise source.error(
                _span(target),
                f"'{target.id}' is assigned twice, first in line {found[target.id].lineno + source.first_line - 1}.",
                "Give each line a name of its own; the value before this step is read above the assignment.",
            )
        found[target.id] = target
        targets.append((target, statement.value))
    return targets


def _check_target(source: Source, target: ast.Name) -> None:
    if target.id == "x":
        raise source.error(_span(target), "'x' is the input and can't be assigned.", "Use another name.")
    if target.id in OPERATIONS or target.id == "transpose":
        raise source.error(_span(target), f"'{target.id}' is a function.", "Use another name.")
    if not GOOD_NAME.fullmatch(target.id):
        raise source.error(_span(target), f"'{target.id[:50]}' can't be a name.",
                           "Begin with a letter; use letters, digits and _, at most 40.")  # fmt: skip


def _span(node: ast.expr | ast.stmt) -> Span:
    end = node.end_col_offset if node.end_lineno == node.lineno else None
    return Span(node.lineno, node.col_offset, end if end is not None else node.col_offset + 1)


@dataclass(frozen=True)
class _Reader:
    """Reads the right side of one line.

    Attributes:
        places: every assigned name and the index of its line.
        index: the index of this line.
    """

    source: Source
    vocabulary: Vocabulary
    places: Mapping[str, int]
    index: int

    def expression(self, node: ast.expr, depth: int) -> Expression:
        if depth > DEEPEST:
            raise self.source.error(_span(node), f"this is nested more than {DEEPEST} deep.",
                                    "Give parts of it names of their own, on lines above.")  # fmt: skip
        match node:
            case ast.Constant(value=value):
                return self._number(node, value)
            case ast.Name():
                return self._name(node)
            case ast.UnaryOp(op=ast.USub(), operand=inner):
                negated = self.expression(inner, depth + 1)
                if isinstance(negated, Number):
                    return Number(-negated.value, _span(node))
                return Apply("negate", (negated,), _span(node))
            case ast.UnaryOp(op=ast.UAdd(), operand=inner):
                return self.expression(inner, depth + 1)
            case ast.BinOp(left=left, op=ast.MatMult(), right=right):
                matrix, transposed = self._matrix(left)
                return Product(matrix, self.expression(right, depth + 1), transposed, _span(node))
            case ast.BinOp(left=left, op=op, right=right) if type(op) in INFIX:
                arguments = (self.expression(left, depth + 1), self.expression(right, depth + 1))
                return Apply(INFIX[type(op)], arguments, _span(node))
            case ast.Call():
                return self._call(node, depth)
        raise self.source.error(
            _span(node),
            "this is Python, but not an expression of the language.",
            "Use names, numbers, + - * / ** @, and the functions: " + ", ".join(BY_CALL) + ".",
        )

    def _number(self, node: ast.expr, value: object) -> Number:
        if type(value) not in (int, float):
            raise self.source.error(_span(node), "only real numbers can stand here.",
                                    "Write a number such as 0.5, or a name.")  # fmt: skip
        try:
            number = float(value)  # type: ignore[arg-type]
        except OverflowError:
            number = math.inf
        if not math.isfinite(number):
            raise self.source.error(_span(node), "this number is too large.",
                                    "Write a number below 1e308.")  # fmt: skip
        return Number(number, _span(node))

    def _call(self, node: ast.Call, depth: int) -> Expression:
        function = node.func
        if not isinstance(function, ast.Name):
            raise self.source.error(_span(function), "only a function's name can be called.",
                                    "The functions are: " + ", ".join(BY_CALL) + ".")  # fmt: skip
        if function.id == "transpose":
            raise self.source.error(_span(node), "transpose(...) stands left of @ only.",
                                    "Write transpose(R) @ h.")  # fmt: skip
        row = BY_CALL.get(function.id)
        if row is None:
            raise self.source.error(_span(function), f"there is no function '{function.id}'.",
                                    nearest(function.id, BY_CALL))  # fmt: skip
        if node.keywords or any(isinstance(a, ast.Starred) for a in node.args):
            raise self.source.error(_span(node), f"{row.name} takes plain arguments only.",
                                    f"Write {row.name}({', '.join('abc'[: row.arity])}).")  # fmt: skip
        if len(node.args) != row.arity:
            raise self.source.error(
                _span(node),
                f"{row.name} takes {row.arity} argument{'s' * (row.arity > 1)}, not {len(node.args)}.",
                f"Write {row.name}({', '.join('abc'[: row.arity])}).",
            )
        return Apply(row.name, tuple(self.expression(a, depth + 1) for a in node.args), _span(node))

    def _matrix(self, node: ast.expr) -> tuple[str, bool]:
        """The name of the matrix left of an `@`, and whether it is transposed."""
        transposed = False
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "transpose":
            if len(node.args) != 1 or node.keywords:
                raise self.source.error(_span(node), "transpose takes one matrix.",
                                        "Write transpose(R) @ h.")  # fmt: skip
            transposed, node = True, node.args[0]
        taken = isinstance(node, ast.Name) and (
            node.id in self.places
            or node.id in self.vocabulary.constants
            or node.id in self.vocabulary.declared
            or node.id == "x"
        )
        if not isinstance(node, ast.Name) or taken:
            raise self.source.error(
                _span(node),
                "left of @ stands the name of a learned matrix, and nothing else.",
                "Write W @ v with a new name W. @ binds like *, from the left: write p * (W @ v), W @ (R @ v).",
            )
        self._check_free(node)
        return node.id, transposed

    def _name(self, node: ast.Name) -> Name:
        role = self._role(node)
        return Name(node.id, role, _span(node))

    def _role(self, node: ast.Name) -> Role:
        name = node.id
        if name == "x" and "x" not in self.vocabulary.declared:
            return "input"
        if name in self.places:
            return "current" if self.places[name] < self.index else "previous"
        if name in self.vocabulary.constants:
            return "constant"
        if name in self.vocabulary.declared:
            return self.vocabulary.declared[name]
        self._check_free(node)
        if VECTOR_NAME.fullmatch(name):
            return "vector"
        stem = name.split("_")[0]
        cure = (
            f"The previous value of the state {stem} is written {stem}. "
            if stem in self.places
            else nearest(name, [*self.places, *self.vocabulary.constants, "x"]) + " "
        )
        if stem == "h" and "h" not in self.places:
            cure = "Assign h in a line of its own: it is the output. "
        raise self.source.error(
            _span(node),
            f"'{name}' is not a state, a constant or an earlier line, and is not named like a parameter.",
            cure + "To learn a vector, name it b_..., p_... or g_..., or list it in parameters={...}.",
        )

    def _check_free(self, node: ast.Name) -> None:
        if node.id in OPERATIONS or node.id == "transpose":
            raise self.source.error(_span(node), f"'{node.id}' is a function and wants its arguments.",
                                    f"Write {node.id}(...).")  # fmt: skip
        if not GOOD_NAME.fullmatch(node.id):
            raise self.source.error(_span(node), f"'{node.id[:50]}' can't be a name.",
                                    "Begin with a letter; use letters, digits and _, at most 40.")  # fmt: skip
