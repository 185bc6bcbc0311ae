"""What leaves the time loop.

One rule serves both ways through time. Something is *carried* from step to step: the states forwards, their gradients
backwards. A product leaves the loop before it if nothing carried goes into it: then it is known for all steps at once.
It leaves the loop after it if it goes into nothing that is carried. What only serves such a product goes with it. So
forwards the products with x are taken before the loop, and products that only the output needs after it; backwards
the gradient of the input comes after. Elementwise lines stay in the loop otherwise: there they cost no memory.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from gatelab.compiler.program import Lines, needed
from gatelab.language.expressions import Expression, Line, Name, Product, names


@dataclass(frozen=True)
class Hoisted:
    """Lines in three parts, each in order.

    Attributes:
        before: for all steps at once, ahead of the loop.
        loop: step by step.
        after: for all steps at once, when the loop is done.
    """

    before: Lines
    loop: Lines
    after: Lines


def hoist(lines: Lines, carried: Collection[Expression], wanted: Collection[str]) -> Hoisted:
    """The lines in three parts.

    Args:
        carried: the names that come from the neighbouring step.
        wanted: the lines that go on to the neighbouring step.
    """
    held = _reached_from(lines, carried)
    serves = needed(lines, wanted)
    early = needed(lines, [line.name for line in lines if _is_product(line) and line.name not in held])
    before = tuple(line for line in lines if line.name in early)
    rest = tuple(line for line in lines if line.name not in early)
    late = {line.name for line in rest if line.name not in serves and _is_product(line)}
    late = late | _readers(rest, late)
    return Hoisted(
        before=before,
        loop=tuple(line for line in rest if line.name not in late),
        after=tuple(line for line in rest if line.name in late),
    )


def _is_product(line: Line) -> bool:
    return isinstance(line.expression, Product)


def _reached_from(lines: Lines, sources: Collection[Expression]) -> set[str]:
    """The lines that something carried goes into."""
    carried = {source.name for source in sources if isinstance(source, Name)}
    roles = {source.role for source in sources if isinstance(source, Name)}
    found: set[str] = set()
    for line in lines:
        if set(names(line.expression, *roles)) & carried or set(names(line.expression, "current")) & found:
            found.add(line.name)
    return found


def _readers(lines: Lines, sources: Collection[str]) -> set[str]:
    """The lines that read the given ones, directly or not."""
    found = set(sources)
    for line in lines:
        if set(names(line.expression, "current")) & found:
            found.add(line.name)
    return found - set(sources)
