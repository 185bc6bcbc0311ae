"""The kernel of the way forth: all steps of some tiles, a tile being as many sequences as a vector has lanes.

Arrays are (tile, T, row, lane), those without time (tile, row, lane), so that a tile is one stretch of memory.
"""

from __future__ import annotations

from gatelab.backends.cpu.code import Code, Form
from gatelab.backends.cpu.plan import Place, Plan
from gatelab.backends.cpu.step import Action, Memo, Step, Tables
from gatelab.language.expressions import Expression, Name

ARGUMENTS = (
    ("ptr", "pointers"),
    ("ptr", "numbers"),
    ("i64", "T"),
    ("i64", "first"),
    ("i64", "last"),
    ("ptr", "scratch"),
)


def forward_kernel(plan: Plan, form: Form, saves: bool) -> tuple[Code, Tables]:
    """The function and what its tables hold.

    Args:
        saves: whether each step leaves its record; else two records are used in turn.
    """
    code = Code(form, "forward", ARGUMENTS)
    tables = Tables(code)
    with code.loop("%last", start="%first") as tile:
        rows = tables.number("rows.record")
        if saves:
            stretch = code.multiply(code.add("%T", 1), rows)
            now = code.row(tables.pointer("record"), code.multiply(tile.index, stretch))
            following = code.row(now, rows)
        else:
            now = code.row("%scratch", tables.number("at.record"))
            following = code.row(now, rows)
        states = tables.number("rows.states")
        if plan.task.cell.states:
            copy_rows(code, states, of_tile(code, tables, "start", states, tile.index), now)
        with code.loop("%T", carried=[("ptr", now), ("ptr", following)]) as time:
            now, following = time.carried
            bases = around(code, plan, tables, tile.index, time.index, now, following)
            bases["output"] = in_time(code, tables, "output", width_of_output(plan, tables), tile.index, time.index)
            step = Step(code, plan, tables, bases)
            if plan.task.resets:
                step.each_unit([(plan.task.cell.width(s), _reset(step, s)) for s in plan.task.cell.states])
            step.take()
            finish = [(plan.task.cell.width(s), _next_state(step, s)) for s in plan.task.cell.states]
            finish.append((plan.task.cell.width(plan.task.cell.output), _output(step)))
            step.each_unit(finish)
            time.following = (following, code.row(following, rows) if saves else now)
        if plan.task.cell.states:
            copy_rows(code, states, time.following[0], of_tile(code, tables, "final", states, tile.index))
    return code, tables


def in_time(code: Code, tables: Tables, name: str, rows: str, tile: str, t: str) -> str:
    """Where the rows of a step begin in an array with time."""
    index = code.multiply(code.add(code.multiply(tile, "%T"), t), rows)
    return code.row(tables.pointer(name), index)


def of_tile(code: Code, tables: Tables, name: str, rows: str, tile: str) -> str:
    """Where the rows of a tile begin in an array without time."""
    return code.row(tables.pointer(name), code.multiply(tile, rows))


def width_of_output(plan: Plan, tables: Tables) -> str:
    return tables.width(plan.task.cell.width(plan.task.cell.output))


def around(code: Code, plan: Plan, tables: Tables, tile: str, t: str, now: str, following: str) -> dict[str, str]:
    """The bases that both ways through time have: the record, the scratch, and what comes from outside."""
    task = plan.task
    cell = task.cell
    bases = {"now": now, "next": following}
    bases["x"] = in_time(code, tables, "x", tables.width(cell.width("x")), tile, t)
    for area in ("scratch", "product"):
        bases[area] = code.row("%scratch", tables.number(f"at.{area}"))
    for mask, state in task.masks:
        bases[mask] = of_tile(code, tables, mask, tables.width(cell.width(state)), tile)
    for flag in ("resets", "alive"):
        if getattr(task, flag):
            bases[flag] = in_time(code, tables, flag, "1", tile, t)
    for state in task.zoneout:
        bases[f"zoneout.{state}"] = in_time(code, tables, f"zoneout.{state}", tables.width(cell.width(state)), tile, t)
    if task.resets:
        bases["fresh"] = of_tile(code, tables, "fresh", tables.number("rows.states"), tile)
    return bases


def is_set(step: Step, flag: str) -> str:
    """Whether a flag of this step is set, for each sequence."""
    code = step.code
    if flag not in step.singles:
        step.singles[flag] = code.compare("one", code.load(step.bases[flag]), code.form.constant(0.0))
    return step.singles[flag]


def copy_rows(code: Code, rows: str, source: str, target: str) -> None:
    with code.loop(rows) as loop:
        code.store(code.load(code.row(source, loop.index)), code.row(target, loop.index))


def _reset(step: Step, state: str) -> Action:
    truth = is_set(step, "resets")

    def write(unit: str, memo: Memo) -> None:
        code = step.code
        place = step.at(Place("now", f"record.state.{state}"), unit)
        fresh = code.load(step.at(Place("fresh", f"states.{state}"), unit))
        code.store(code.choose(truth, fresh, code.load(place)), place)

    return write


def _kept(step: Step, state: str, value: Expression, unit: str, memo: Memo) -> str:
    """The new value of a state, some of it the old one by zoneout."""
    code, new = step.code, step.read(value, unit, memo)
    if state not in step.plan.task.zoneout:
        return new
    share = code.load(step.at(Place(f"zoneout.{state}", ""), unit))
    old = step.read(Name(state, "previous"), unit, memo)
    rest = code.binary("fsub", code.form.constant(1.0), share)
    return code.binary("fadd", code.binary("fmul", share, old), code.binary("fmul", rest, new))


def _next_state(step: Step, state: str) -> Action:
    task, code = step.plan.task, step.code
    value = task.schedule.states[state]
    target = Place("next", f"record.state.{state}")
    lies_there = isinstance(value, Name) and step.plan.places.get(value.name) == target and value.role == "current"
    alive = is_set(step, "alive") if task.alive else ""

    def write(unit: str, memo: Memo) -> None:
        if lies_there:
            return
        new = _kept(step, state, value, unit, memo)
        if alive:
            new = code.choose(alive, new, step.read(Name(state, "previous"), unit, memo))
        code.store(new, step.at(target, unit))

    return write


def _output(step: Step) -> Action:
    task, code = step.plan.task, step.code
    alive = is_set(step, "alive") if task.alive else ""

    def write(unit: str, memo: Memo) -> None:
        state, value = task.output_state, task.schedule.output
        output = _kept(step, state, value, unit, memo) if state else step.read(value, unit, memo)
        if alive:
            output = code.choose(alive, output, code.form.constant(0.0))
        code.store(output, step.at(Place("output", ""), unit))

    return write
