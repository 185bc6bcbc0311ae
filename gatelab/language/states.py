"""Which names are states, and which states are always equal and so need storing once."""

from __future__ import annotations

from collections.abc import Mapping

from gatelab.language.expressions import Apply, Expression, Line, Name, Number, Product, names


def find_states(lines: tuple[Line, ...], output: str) -> tuple[str, ...]:
    """The names read before they are assigned: the output first if it is one, then in the order of assignment."""
    read = {name for line in lines for name in names(line.expression, "previous")}
    return tuple(sorted((line.name for line in lines if line.name in read), key=lambda name: name != output))


def find_equal_states(lines: tuple[Line, ...], states: tuple[str, ...], widths: Mapping[str, str]) -> dict[str, str]:
    """Every state, and the state that stands for it.

    Two states are equal at all times if they begin equal and their updates are the same function of the input and
    of states already known to be equal. So suppose first that all states of one width are equal, and split what
    differs until nothing changes: what is left together is equal (the coarsest partition, as when minimising
    an automaton).
    """
    group = {state: widths.get(state, "") for state in states}
    while True:
        update = _updates(lines, group)
        keys = {state: (group[state], update[state]) for state in states}
        first: dict[object, str] = {}
        for state in states:
            first.setdefault(keys[state], state)
        split = {state: first[keys[state]] for state in states}
        if len(set(split.values())) == len(set(group.values())):
            return split
        group = split


def _updates(lines: tuple[Line, ...], group: Mapping[str, str]) -> dict[str, int]:
    """A number for each line's value as a function of the input and the groups; equal numbers, equal functions.

    Values are numbered and not written out, since a value written out can be exponentially longer than its lines.
    """
    numbers: dict[object, int] = {}
    value: dict[str, int] = {}

    def number(key: object) -> int:
        return numbers.setdefault(key, len(numbers))

    def of(expression: Expression) -> int:
        match expression:
            case Name(name=name, role="current"):
                return value[name]
            case Name(name=name, role="previous"):
                return number(("previous", group[name]))
            case Name(name=name):
                return number(("name", name))
            case Number(value=plain):
                return number(("number", plain))
            case Product(matrix=matrix, transposed=transposed, operand=operand):
                return number(("product", matrix, transposed, of(operand)))
            case Apply(operation=operation, arguments=arguments):
                return number((operation, *(of(argument) for argument in arguments)))
        raise AssertionError(expression)

    for line in lines:
        value[line.name] = of(line.expression)
    return value
