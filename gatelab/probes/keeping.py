"""What a step keeps of a memory, read from the equations: the factor of a state's previous value in its own line.

`c = f * c + i * z` keeps f, `h = (1 - z) * h + z * n` keeps 1 - z, and `c = c + z` keeps all. What reaches the line by
way of a product or a function, such as `tanh(R @ h)`, is made anew and not kept.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from gatelab.language.cell import Cell
from gatelab.language.edits import ONE, ZERO, fold
from gatelab.language.expressions import Apply, Expression, Name, Number, names, walk
from gatelab.language.ops import Value, apply


def kept_factors(cell: Cell) -> dict[str, Expression]:
    """The factor of each state of a cell that keeps something, in names of the same step.

    States whose factor is learned, or reads the input or a previous value by itself, are left out.
    """
    found = {line.name: _factor(line.expression, line.name) for line in cell.lines if line.name in cell.stored_as}
    return {name: factor for name, factor in found.items() if factor != ZERO and _is_of_this_step(factor)}


def kept_values(factor: Expression, values: Mapping[str, Tensor], like: Tensor) -> Tensor | None:
    """The factor at each step, (T, B, W); None where it is not always from 0 to 1, so that nothing decays by it.

    Args:
        factor: of `kept_factors`.
        values: of the names in it, (T, B, W) each.
        like: the state's own, which a factor that never changes is made as wide as.
    """
    found = torch.as_tensor(_value(factor, values)).to(like.dtype).expand_as(like)
    return found if float(found.min()) >= 0 and float(found.max()) <= 1 else None


def _factor(expression: Expression, state: str) -> Expression:
    match expression:
        case Name(name=name, role="previous") if name == state:
            return ONE
        case Apply(operation="add" | "subtract" | "negate", arguments=arguments):
            return _folded(Apply(expression.operation, tuple(_factor(own, state) for own in arguments)))
        case Apply(operation="multiply", arguments=(one, other)) if state in names(other, "previous"):
            return _folded(Apply("multiply", (one, _factor(other, state))))
        case Apply(operation="multiply", arguments=(one, other)):
            return _folded(Apply("multiply", (_factor(one, state), other)))
    return ZERO


def _folded(expression: Apply) -> Expression:
    if all(argument == ZERO for argument in expression.arguments):
        return ZERO
    return fold(expression)


def _is_of_this_step(factor: Expression) -> bool:
    """Whether nothing but lines of the step and numbers is in it."""
    return all(not isinstance(part, Name) or part.role == "current" for part in walk(factor)) and all(
        isinstance(part, Name | Number | Apply) for part in walk(factor)
    )


def _value(factor: Expression, values: Mapping[str, Tensor]) -> Value:
    match factor:
        case Name(name=name):
            return values[name]
        case Number(value=number):
            return number
        case Apply(operation=operation, arguments=arguments):
            return apply(operation, [_value(own, values) for own in arguments])
    raise AssertionError(factor)
