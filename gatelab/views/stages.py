"""The stages of the compiler, as text: what a cell becomes on its way to a kernel."""

from __future__ import annotations

from collections.abc import Callable

from gatelab.compiler.differentiate import differentiate
from gatelab.compiler.program import Lines, flatten, nest, share
from gatelab.compiler.schedule import Pass, compile_cell
from gatelab.compiler.simplify import simplify
from gatelab.errors import OptionError, nearest
from gatelab.language.cell import Cell
from gatelab.language.expressions import Expression, Line, Name, show, transform


def stage_text(cell: Cell, stage: str) -> str:
    """One stage of a cell; a state before the step is written with a point, `c.before`.

    Raises:
        OptionError: there is no such stage.
    """
    if stage not in STAGES:
        raise OptionError(f"There is no stage '{stage}'.\n{nearest(stage, STAGES)}")
    return STAGES[stage](cell)


def _step(cell: Cell) -> str:
    return _text(share(simplify(flatten(cell))).lines)


def _adjoint(cell: Cell) -> str:
    adjoint = differentiate(cell, share(simplify(flatten(cell))))
    rows = [_text(nest(adjoint.lines, adjoint.results)), ""]
    for part in adjoint.matrices:
        outer = f"{_show(part.operand)} x {_show(part.delta)}" if part.transposed else (
            f"{_show(part.delta)} x {_show(part.operand)}")  # fmt: skip
        rows.append(f"d.{part.matrix} += {outer}")
    rows += [f"d.{name} += {_show(value)}" for name, value in adjoint.vectors.items()]
    return "\n".join(rows)


def _schedule(cell: Cell) -> str:
    schedule = compile_cell(cell)
    kept = ["", "kept for the way back", f"  {', '.join(schedule.saved) or 'nothing'} beside the states"]
    kept += [f"  again: {_show_line(line)}" for line in schedule.again]
    return "\n".join(["forwards", *_pass(schedule.forwards), *kept, "", "backwards", *_pass(schedule.backwards)])


STAGES: dict[str, Callable[[Cell], str]] = {
    "equations": lambda cell: cell.equations,
    "step": _step,
    "adjoint": _adjoint,
    "schedule": _schedule,
}
"""In the order in which they are made."""


def _pass(way: Pass) -> list[str]:
    rows = _part("  for all steps at once, before", way.before)
    for number, phase in enumerate(way.loop):
        named = [line.name for line in phase.lines if not line.name[-1].isdigit()]
        rows += _part(f"  at each step, phase {number + 1}", (*phase.products, *nest(phase.lines, named)))
    return rows + _part("  for all steps at once, after", way.after)


def _part(title: str, lines: Lines) -> list[str]:
    return [title, *(f"    {_show_line(line)}" for line in lines)] if lines else []


def _text(lines: Lines) -> str:
    return "\n".join(map(_show_line, lines))


def _show_line(line: Line) -> str:
    return f"{line.name} = {_show(line.expression)}"


def _show(expression: Expression) -> str:
    def before(node: Expression) -> Expression:
        if isinstance(node, Name) and node.role == "previous":
            return Name(f"{node.name}.before", "previous")
        return node

    return show(transform(expression, before))
