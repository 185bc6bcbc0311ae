"""Edits of equations: how an ablation is made. Lines in, the text of the new lines out."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from gatelab.errors import EquationError, nearest
from gatelab.language.expressions import (
    Apply,
    Expression,
    Line,
    Name,
    Number,
    Product,
    names,
    show,
    transform,
    walk,
)
from gatelab.language.ops import OPERATIONS

Lines = tuple[Line, ...]
ZERO, ONE = Number(0.0), Number(1.0)


def _step(inner: Expression) -> Expression:
    return Apply("step", (inner,))


def _is_largest(inner: Expression) -> Expression:
    behind = Apply("subtract", (Apply("max", (inner,)), inner))
    return Apply("subtract", (ONE, Apply("sign", (behind,))))


HARD: dict[str, Callable[[Expression], Expression]] = {
    "sigmoid": _step,
    "hard_sigmoid": _step,
    "softmax": _is_largest,
}
"""What each soft operation of a gate becomes when its argument grows without bound."""


def text_of(lines: Lines) -> str:
    return "\n".join(map(str, lines))


def gates(lines: Lines) -> tuple[str, ...]:
    """The lines whose values lie between 0 and 1 by their outermost operation, or are one minus such a value."""
    found: list[str] = []

    def is_gate(expression: Expression) -> bool:
        match expression:
            case Name(name=name, role="current"):
                return name in found
            case Apply(operation="subtract", arguments=(Number(value=1), inner)):
                return is_gate(inner)
            case Apply(operation=operation):
                return OPERATIONS[operation].bounded
        return False

    for line in lines:
        if is_gate(line.expression):
            found.append(line.name)
    return tuple(found)


def soft_gates(lines: Lines) -> tuple[str, ...]:
    """The gates with a soft operation of their own; `1 - f` has none, it follows f."""
    known = gates(lines)
    return tuple(line.name for line in lines if line.name in known and hard(line.expression) != line.expression)


def hard(expression: Expression) -> Expression:
    """The expression of a gate with its outermost soft operation as its limit for large weights: 0 or 1, exactly."""
    match expression:
        case Apply(operation="subtract", arguments=(Number(value=1), inner)):
            return Apply("subtract", (ONE, hard(inner)))
        case Apply(operation=operation, arguments=(inner,)) if operation in HARD:
            return HARD[operation](inner)
    return expression


def hardened(lines: Lines, wanted: tuple[str, ...]) -> str:
    """The lines with these gates hard, or all of them if none are named."""
    soft = soft_gates(lines)
    if not soft:
        raise EquationError(
            "The cell has no soft gate: no line is sigmoid(...) or another function with values between 0 and 1.\n"
            "Harden a cell with such gates, or write the line anew: cell.replace('...', 'step(...)')."
        )
    for name in wanted:
        if name not in soft:
            line = _line(lines, name)
            cause = "follows others" if name in gates(lines) else "is not a gate, its value is not kept between 0 and 1"
            raise EquationError(f"'{name}' {cause}: {line}.\nThe gates to harden are: {', '.join(soft)}.")
    return text_of(
        tuple(
            replace(line, expression=hard(line.expression)) if line.name in (wanted or soft) else line for line in lines
        )
    )


def without(lines: Lines, name: str) -> str:
    """The lines without a gate (it becomes 1), or without a parameter (a gain becomes 1, all others 0)."""
    assigned = {line.name for line in lines}
    learned = _learned(lines)
    if name not in assigned | learned:
        raise EquationError(f"There is no '{name}' to leave out.\n{nearest(name, assigned | learned)}")
    if name in assigned and name not in gates(lines):
        raise EquationError(
            f"'{name}' is not a gate: its value is not kept between 0 and 1, so leaving it out has no one meaning.\n"
            f"Write its new right side: cell.replace('{name}', '...')."
        )
    instead = ONE if name in assigned or name.split("_")[0] == "g" else ZERO

    def change(expression: Expression) -> Expression:
        match expression:
            case Name(name=read) if read == name:
                return instead
            case Product(matrix=matrix) if matrix == name:
                return ZERO
        return fold(expression)

    kept = tuple(line for line in lines if line.name != name)
    return text_of(tuple(replace(line, expression=transform(line.expression, change)) for line in kept))


def without_biases(lines: Lines) -> str:
    """The lines with every bias, a learned vector `b` or `b_...`, taken out."""
    biases = {
        e.name
        for line in lines
        for e in walk(line.expression)
        if isinstance(e, Name) and e.role == "vector" and e.name.split("_")[0] == "b"
    }
    for bias in biases:
        lines = _rewritten(lines, lambda e, b=bias: ZERO if isinstance(e, Name) and e.name == b else fold(e))  # type: ignore[misc]
    return text_of(lines)


def replaced(lines: Lines, name: str, right_side: str) -> str:
    """The lines with a new right side for one name."""
    _line(lines, name)
    if "\n" in right_side:
        raise EquationError(f"The new right side of '{name}' has more than one line.\nGive one expression.")
    return "\n".join(f"{line.name} = {right_side}" if line.name == name else str(line) for line in lines)


def tied(lines: Lines, name: str, right_side: str, read: tuple[str, ...]) -> str:
    """As `replaced`, with the line moved down to where the gates that it reads (`read`) have this step's value."""
    _line(lines, name)
    order = {line.name: index for index, line in enumerate(lines)}
    previous = {n for line in lines for n in names(line.expression, "previous")}
    place = max([order[name], *(order[n] for n in read if n in order and n not in previous)])
    kept = [line for line in lines if line.name != name]
    before = [line for line in kept if order[line.name] <= place]
    early = [line.name for line in before if name in names(line.expression, "current")]
    if early:
        raise EquationError(
            f"'{name}' is read by '{early[0]}' before '{right_side}' is known.\n"
            f"Tie it to names above '{early[0]}', or use cell.replace on both."
        )
    after = [line for line in kept if order[line.name] > place]
    return "\n".join([*map(str, before), f"{name} = {right_side}", *map(str, after)])


def renamed(lines: Lines, old: str, new: str) -> str:
    """The lines with one name changed wherever it stands."""
    known = {line.name for line in lines} | _learned(lines)
    if old not in known:
        raise EquationError(f"There is no '{old}' to rename.\n{nearest(old, known)}")
    if new in known or new == "x":
        raise EquationError(f"'{new}' is taken.\nChoose another name.")

    def change(expression: Expression) -> Expression:
        match expression:
            case Name(name=name) if name == old:
                return replace(expression, name=new)
            case Product(matrix=matrix) if matrix == old:
                return replace(expression, matrix=new)
        return expression

    return text_of(
        tuple(replace(line, name=new if line.name == old else line.name) for line in _rewritten(lines, change))
    )


def linear(lines: Lines, name: str) -> str:
    """The lines with the outermost function of one name taken off: `z = tanh(a)` becomes `z = a`."""
    match _line(lines, name).expression:
        case Apply(operation=operation, arguments=(inner,)) if not OPERATIONS[operation].symbol:
            return replaced(lines, name, show(inner))
    raise EquationError(
        f"'{name}' has no outermost function to take off.\nIt is: {_line(lines, name)}. Use cell.replace."
    )


def with_peepholes(lines: Lines, memory: str) -> str:
    """Every sigmoid gate also sees the memory, through a vector of its own.

    A gate that the memory doesn't need comes after it and sees its new value, as the output gate of Gers &
    Schmidhuber (2000) does.
    """
    if memory not in {line.name for line in lines}:
        raise EquationError(f"There is no '{memory}' to look at.\nName the memory: cell.with_peepholes(memory='...').")
    gates = [line for line in lines if isinstance(line.expression, Apply) and line.expression.operation == "sigmoid"]
    if not gates:
        raise EquationError("The cell has no gate: no line is sigmoid(...).\nPeepholes go into gates.")
    _are_new(lines, [f"p_{line.name}" for line in gates])
    needed = _needed_for(lines, memory)
    seen = {line.name: f"sigmoid({show(_inner(line))} + p_{line.name} * {memory})" for line in gates}
    late = [f"{line.name} = {seen[line.name]}" for line in gates if line.name not in needed]
    text = []
    for line in lines:
        if line.name in seen and line.name not in needed:
            continue
        text.append(f"{line.name} = {seen[line.name]}" if line.name in seen else str(line))
        if line.name == memory:
            text += late
    return "\n".join(text)


def with_layer_norm(lines: Lines, memory: str) -> str:
    """Every product normalised with a gain of its own, and the memory where a function reads it at the output.

    Ba, Kiros & Hinton (2016), equations 20 to 22, each gate normalised by itself.
    """
    products = [part for line in lines for part in walk(line.expression) if isinstance(part, Product)]
    _are_new(lines, [f"g_{part.matrix}" for part in products] + [f"g_{memory}"])

    def change(expression: Expression) -> Expression:
        match expression:
            case Product(matrix=matrix):
                gain = Name(f"g_{matrix}", "vector")
                return Apply("multiply", (gain, Apply("normalize", (expression,))))
            case Apply(operation="tanh", arguments=(Name(name=name, role="current"),)) if name == memory:
                normal = Apply("normalize", expression.arguments)
                scaled = Apply("multiply", (Name(f"g_{memory}", "vector"), normal))
                return Apply("tanh", (Apply("add", (scaled, Name(f"b_{memory}", "vector"))),))
        return expression

    return text_of(_rewritten(lines, change))


def _are_new(lines: Lines, wanted: Iterable[str]) -> None:
    """Raises if a learned vector that an edit is about to make is there already."""
    there = {name for line in lines for name in names(line.expression, "vector")}
    taken = sorted(there & set(wanted))
    if taken:
        raise EquationError(f"The cell has {', '.join(taken)} already.\nAn edit that makes them can be made once.")


def live(lines: Lines, output: str) -> str:
    """The lines that the output depends on, at this step or a later one."""
    reads = {line.name: set(names(line.expression, "previous", "current")) for line in lines}
    needed, todo = set[str](), [output]
    while todo:
        name = todo.pop()
        if name not in needed:
            needed.add(name)
            todo += reads.get(name, ())
    return text_of(tuple(line for line in lines if line.name in needed))


def fold(expression: Expression) -> Expression:
    """Takes out ones and zeros: 1 * v is v, 0 * v is 0, v + 0 is v."""
    match expression:
        case Apply(operation="multiply", arguments=(a, b)) if ZERO in (a, b):
            return ZERO
        case Apply(operation="add", arguments=(a, b)) if ZERO in (a, b):
            return b if a == ZERO else a
        case Apply(operation="subtract", arguments=(a, b)) if b == ZERO:
            return a
        case Apply(operation="subtract", arguments=(a, b)) if a == ZERO:
            return Apply("negate", (b,))
        case Apply(operation="subtract", arguments=(Number(value=a), Number(value=b))):
            return Number(a - b)
        case Apply(operation="divide", arguments=(a, _)) if a == ZERO:
            return ZERO
        case Product(operand=operand) if operand == ZERO:
            return ZERO
    return fold_ones(expression)


def fold_ones(expression: Expression) -> Expression:
    """Takes out ones: 1 * v and v / 1 are v, whatever v is."""
    match expression:
        case Apply(operation="multiply", arguments=(a, b)) if ONE in (a, b):
            return b if a == ONE else a
        case Apply(operation="divide", arguments=(a, b)) if b == ONE:
            return a
    return expression


def _line(lines: Lines, name: str) -> Line:
    found = {line.name: line for line in lines}
    if name not in found:
        raise EquationError(f"There is no line '{name}'.\n{nearest(name, found)}")
    return found[name]


def _inner(line: Line) -> Expression:
    assert isinstance(line.expression, Apply)
    return line.expression.arguments[0]


def _learned(lines: Lines) -> set[str]:
    nodes = [e for line in lines for e in walk(line.expression)]
    return {e.matrix for e in nodes if isinstance(e, Product)} | {
        e.name for e in nodes if isinstance(e, Name) and e.role in ("vector", "scalar")
    }


def _rewritten(lines: Lines, change: Callable[[Expression], Expression]) -> Lines:
    return tuple(replace(line, expression=transform(line.expression, change)) for line in lines)


def _needed_for(lines: Lines, name: str) -> set[str]:
    """The names whose value of this step goes into `name`."""
    reads = {line.name: names(line.expression, "current") for line in lines}
    needed, todo = set[str](), [name]
    while todo:
        for read in reads[todo.pop()]:
            if read not in needed:
                needed.add(read)
                todo.append(read)
    return needed
