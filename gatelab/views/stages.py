"""The stages of the compiler, as text: what a cell becomes on its way to a kernel."""

from __future__ import annotations

from collections.abc import Callable

from gatelab.backends.cpu.host import this_host
from gatelab.backends.cpu.jit import kernel_text, layout_of
from gatelab.backends.cpu.plan import Plan, backward_plan, forward_plan, line_text
from gatelab.backends.cpu.task import Same, Task, find_task
from gatelab.compiler.differentiate import differentiate
from gatelab.compiler.program import Lines, flatten, nest, share
from gatelab.compiler.schedule import Pass, compile_cell
from gatelab.compiler.simplify import simplify
from gatelab.errors import OptionError, nearest
from gatelab.language.cell import Cell
from gatelab.language.expressions import show_in_time


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
        outer = f"{show_in_time(part.operand)} x {show_in_time(part.delta)}" if part.transposed else (
            f"{show_in_time(part.delta)} x {show_in_time(part.operand)}")  # fmt: skip
        rows.append(f"d.{part.matrix} += {outer}")
    rows += [f"d.{name} += {show_in_time(value)}" for name, value in adjoint.vectors.items()]
    return "\n".join(rows)


def _schedule(cell: Cell) -> str:
    schedule = compile_cell(cell)
    kept = ["", "kept for the way back", f"  {', '.join(schedule.saved) or 'nothing'} beside the states"]
    kept += [f"  again: {line_text(line)}" for line in schedule.again]
    return "\n".join(["forwards", *_pass(schedule.forwards), *kept, "", "backwards", *_pass(schedule.backwards)])


def _plan(cell: Cell) -> str:
    task, layout = _task(cell), layout_of(32, True, this_host())
    ways = {"forwards": forward_plan(task, layout, True), "backwards": backward_plan(task, layout, True)}
    return "\n\n".join("\n".join([title, *_plan_rows(plan)]) for title, plan in ways.items())


def _plan_rows(plan: Plan) -> list[str]:
    rows = []
    for name, part in plan.parts.items():
        for number, (phase, groups) in enumerate(zip(part.phases, part.groups, strict=True)):
            rows += [f"  {TITLES[name]}, phase {number + 1}"]
            for group in groups:
                rows += ["    one product", *(f"      {text}" for text in group.texts())]
            lines = [line for line in phase.lines if line.name not in plan.joined.values()]
            rows += ["    vector by vector", *(f"      {line_text(line)}" for line in lines)] if lines else []
    for outer in plan.outers:
        rows += ["  one sum of outer products", f"    d.({', '.join(outer.matrices)}) += "
                 f"({', '.join(name for name, _ in outer.left)}) x {outer.right[0]}"]  # fmt: skip
    rows += [f"  d.{name} += {value}" for name, value in plan.sums.items()]
    return rows + [
        f"  {area.name}: {', '.join(name for name, _ in area.members)}" for area in plan.areas if area.members
    ]


TITLES = {
    "before": "for all steps of a chunk, before",
    "loop": "at each step",
    "after": "for all steps of a chunk, after",
}
"""Of the parts of a plan."""


def _task(cell: Cell) -> Task:
    return find_task(Same(cell), (), False, False, ())


STAGES: dict[str, Callable[[Cell], str]] = {
    "equations": lambda cell: cell.equations,
    "step": _step,
    "adjoint": _adjoint,
    "schedule": _schedule,
    "plan": _plan,
    "kernel": lambda cell: kernel_text(_task(cell), rows=True),
}
"""In the order in which they are made."""


def _pass(way: Pass) -> list[str]:
    rows = _part("  for all steps at once, before", way.before)
    for number, phase in enumerate(way.loop):
        named = [line.name for line in phase.lines if not line.name[-1].isdigit()]
        rows += _part(f"  at each step, phase {number + 1}", (*phase.products, *nest(phase.lines, named)))
    return rows + _part("  for all steps at once, after", way.after)


def _part(title: str, lines: Lines) -> list[str]:
    return [title, *(f"    {line_text(line)}" for line in lines)] if lines else []


def _text(lines: Lines) -> str:
    return "\n".join(map(line_text, lines))
