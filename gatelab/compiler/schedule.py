"""The schedule of a cell: what is computed when, forwards and backwards, and what is kept in between."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from gatelab.compiler.differentiate import Adjoint, differentiate, values_read
from gatelab.compiler.hoist import Hoisted, hoist
from gatelab.compiler.phases import Phase, phases, waits
from gatelab.compiler.program import Lines, Program, flatten, share
from gatelab.compiler.shapes import find_widths
from gatelab.compiler.simplify import simplify
from gatelab.language.cell import Cell
from gatelab.language.expressions import Expression, Name, names


@dataclass(frozen=True)
class Pass:
    """One way through time.

    Attributes:
        before: for all steps at once, ahead of the loop.
        loop: step by step, in phases.
        after: for all steps at once, when the loop is done.
    """

    before: Lines
    loop: tuple[Phase, ...]
    after: Lines


@dataclass(frozen=True)
class Schedule:
    """A cell, compiled as far as all backends go together.

    Attributes:
        cell: of which.
        forwards: the step.
        states: for each state the value that it takes on.
        output: the value that the cell gives.
        values: the value of each name of the equations.
        saved: the values that the way back reads and can't have cheaper; beside these it reads the states, which
            are kept anyway, and the input.
        again: lines that the way back computes again from what is kept.
        backwards: the adjoint.
        adjoint: what the adjoint's lines are the gradients of.
        widths: of every line, forwards and backwards, the symbol of its width.
    """

    cell: Cell
    forwards: Pass
    states: Mapping[str, Expression]
    output: Expression
    values: Mapping[str, Expression]
    saved: tuple[str, ...]
    again: Lines
    backwards: Pass
    adjoint: Adjoint
    widths: Mapping[str, str]

    @property
    def is_scan(self) -> bool:
        """Whether no product is left in the loop, so that a step is elementwise."""
        return not any(phase.products for phase in self.forwards.loop)


@lru_cache(maxsize=256)
def compile_cell(cell: Cell) -> Schedule:
    """All stages in order; each is a function that can be called and printed by itself."""
    step = share(simplify(flatten(cell)))
    adjoint = differentiate(cell, step)
    forwards = hoist_step(cell, step)
    backwards = hoist_adjoint(adjoint)
    saved, again = keep(cell, step, adjoint)
    schedule = Schedule(
        cell=cell,
        forwards=Pass(forwards.before, phases(forwards.loop), forwards.after),
        states={state: step.value(state) for state in cell.states},
        output=step.value(cell.output),
        values={line.name: step.value(line.name) for line in cell.lines},
        saved=saved,
        again=again,
        backwards=Pass(backwards.before, phases(backwards.loop), backwards.after),
        adjoint=adjoint,
        widths=find_widths(cell, step.lines, adjoint.lines),
    )
    verify(schedule)
    return schedule


def verify(schedule: Schedule) -> None:
    """Checks that every value is there when it is read; a mistake of the compiler, not of the cell.

    Raises:
        AssertionError: a line reads what is not known yet, or a result is missing.
    """
    forwards = _check_order(schedule.forwards, known=set())
    assert _names([*schedule.states.values(), schedule.output]) <= forwards
    # The way back has what was kept: no other value of the step.
    kept = {*schedule.saved, *(_names(schedule.states.values()))}
    for line in schedule.again:
        assert set(names(line.expression, "current")) <= kept, line
        kept.add(line.name)
    backwards = _check_order(schedule.backwards, known=kept)
    assert schedule.adjoint.results <= backwards
    assert _names(m.operand for m in schedule.adjoint.matrices) <= backwards


def _check_order(way: Pass, known: set[str]) -> set[str]:
    """The names known at the end of a way through time."""
    for part in (way.before, *(phase.products + phase.lines for phase in way.loop), way.after):
        for line in part:
            assert line.name not in known, f"{line.name} is computed twice"
            assert set(names(line.expression, "current")) <= known, f"{line} is too early"
            known.add(line.name)
    return known


def hoist_step(cell: Cell, step: Program) -> Hoisted:
    """Forwards the states are carried from the step before."""
    carried = [Name(state, "previous") for state in cell.states]
    return hoist(step.lines, carried, _names(step.value(state) for state in cell.states))


def hoist_adjoint(adjoint: Adjoint) -> Hoisted:
    """Backwards the gradients of the states are carried from the step after."""
    carried = [Name(f"d.{state}.next", "arriving") for state in adjoint.states]
    return hoist(adjoint.lines, carried, _names(adjoint.states.values()))


def keep(cell: Cell, step: Program, adjoint: Adjoint) -> tuple[tuple[str, ...], Lines]:
    """Which values to keep for the way back, and which of those it reads to compute again.

    A value is computed again if it is elementwise in what is there anyway: the states, the parameters and other
    values that are kept. So an LSTM keeps i, f, z, o and its states, and takes tanh(c) a second time.
    """
    stored = {value.name: state for state in cell.states if isinstance(value := step.value(state), Name)}
    read = values_read(adjoint)
    there = set(stored)
    saved, again = [], []
    for line in step.lines:
        if line.name not in read or line.name in stored:
            continue
        inner = set(names(line.expression, "current"))
        if not waits(line.expression) and inner <= there | read:
            again.append(line)
        else:
            saved.append(line.name)
        there.add(line.name)
    return tuple(saved), tuple(again)


def _names(values: Iterable[Expression]) -> set[str]:
    """The values of this step among expressions."""
    return {value.name for value in values if isinstance(value, Name) and value.role == "current"}
