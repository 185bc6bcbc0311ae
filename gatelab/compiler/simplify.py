"""Simpler lines with the same values: numbers computed, ones and signs taken out.

Zeros are taken out of adjoints only where an operation has no slope at all: 0 * v stays, since v may be infinite.
"""

from __future__ import annotations

import math

from gatelab.compiler.program import Lines, rewrite
from gatelab.language.edits import ONE, fold_ones
from gatelab.language.expressions import Apply, Expression, Number
from gatelab.language.ops import apply


def simplify(lines: Lines) -> Lines:
    return rewrite(lines, simpler)


def simpler(expression: Expression) -> Expression:
    """One node, simpler by one rule, or as it is."""
    match expression:
        case Apply(operation=operation, arguments=arguments) if arguments and all(
            isinstance(argument, Number) for argument in arguments
        ):
            value = float(apply(operation, [argument.value for argument in arguments if isinstance(argument, Number)]))
            return Number(value) if math.isfinite(value) else expression
        case Apply(operation="power", arguments=(a, Number(value=2))):
            return Apply("square", (a,))
        case Apply(operation="power", arguments=(a, b)) if b == ONE:
            return a
        case Apply(operation="multiply", arguments=(a, b)) if a == b:
            return Apply("square", (a,))
    return fold_ones(expression)
