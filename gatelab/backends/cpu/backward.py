"""The kernel of the way back: all steps of some tiles in reverse, and the weight gradients of each chunk of steps.

Arrays lie as on the way forth; see there.
"""

from __future__ import annotations

from gatelab.backends.cpu.code import Code, Form
from gatelab.backends.cpu.forward import ARGUMENTS, around, copy_rows, in_time, is_set, of_tile, width_of_output
from gatelab.backends.cpu.plan import Factor, Place, Plan
from gatelab.backends.cpu.step import Action, Memo, Step, Tables
from gatelab.language.expressions import Expression


def backward_kernel(plan: Plan, form: Form, input_gradient: bool) -> tuple[Code, Tables]:
    """The function and what its tables hold.

    Args:
        input_gradient: whether the gradient of the input is wanted.
    """
    code = Code(form, "backward", (*ARGUMENTS, ("i64", "chunk")))
    tables = Tables(code)
    task = plan.task
    states = tables.number("rows.states")
    with code.loop("%last", start="%first") as tile:
        gradients = [code.row("%scratch", tables.number(f"at.{name}")) for name in ("gradients", "following")]
        if task.cell.states:
            copy_rows(code, states, of_tile(code, tables, "d.final", states, tile.index), gradients[0])
        whole = code.whole("sdiv", code.add("%T", code.whole("sub", "%chunk", 1)), "%chunk")
        with code.loop(whole, carried=[("ptr", pointer) for pointer in gradients]) as chunks:
            end = code.whole("sub", "%T", code.multiply(chunks.index, "%chunk"))
            begin = _at_least_zero(code, code.whole("sub", end, "%chunk"))
            count = code.whole("sub", end, begin)
            with code.loop(count, carried=[("ptr", pointer) for pointer in chunks.carried]) as back:
                slot = code.whole("sub", code.whole("sub", count, 1), back.index)
                step = _step(code, plan, tables, tile.index, code.add(begin, slot), slot, back.carried, input_gradient)
                _take(step, input_gradient)
                back.following = back.carried[::-1]
            chunks.following = back.following
            _weight_gradients(code, plan, tables, tile.index, begin, count)
        if task.cell.states:
            copy_rows(code, states, chunks.following[0], of_tile(code, tables, "d.start", states, tile.index))
    return code, tables


def _at_least_zero(code: Code, value: str) -> str:
    negative = code.value(f"icmp slt i64 {value}, 0")
    return code.value(f"select i1 {negative}, i64 0, i64 {value}")


def _record(code: Code, tables: Tables, tile: str, t: str) -> str:
    rows = tables.number("rows.record")
    index = code.add(code.multiply(tile, code.add("%T", 1)), t)
    return code.row(tables.pointer("record"), code.multiply(index, rows))


def _step(
    code: Code,
    plan: Plan,
    tables: Tables,
    tile: str,
    t: str,
    slot: str,
    gradients: tuple[str, ...],
    input_gradient: bool,
) -> Step:
    """A step with everything at hand."""
    task = plan.task
    cell = task.cell
    now = _record(code, tables, tile, t)
    bases = around(code, plan, tables, tile, t, now, code.row(now, tables.number("rows.record")))
    bases["d.output"] = in_time(code, tables, "d.output", width_of_output(plan, tables), tile, t)
    bases["gradients"], bases["following"] = gradients
    chunk = code.row("%scratch", tables.number("at.chunk"))
    bases["chunk"] = code.row(chunk, code.multiply(slot, tables.number("rows.chunk")))
    bases["sums"] = of_tile(code, tables, "sums", tables.number("rows.sums"), tile)
    if task.resets:
        bases["d.fresh"] = of_tile(code, tables, "d.fresh", tables.number("rows.states"), tile)
    if input_gradient:
        bases["d.x"] = in_time(code, tables, "d.x", tables.width(cell.width("x")), tile, t)
    if task.alive or task.zoneout:
        arriving = {f"d.{s}.next": Place("scratch", f"scratch.d.next.{s}") for s in cell.states}
        arriving[f"d.{cell.output}.out"] = Place("scratch", "scratch.d.out")
    else:
        arriving = {f"d.{s}.next": Place("gradients", f"states.{s}") for s in cell.states}
        arriving[f"d.{cell.output}.out"] = Place("d.output", "")
    return Step(code, plan, tables, bases, arriving)


def _take(step: Step, input_gradient: bool) -> None:
    task = step.plan.task
    cell, adjoint = task.cell, task.schedule.adjoint
    if task.alive or task.zoneout:
        arrivals = [(cell.width(s), _arrive(step, s)) for s in cell.states]
        if not task.output_state:
            arrivals.append((cell.width(cell.output), _output_arrives(step)))
        step.each_unit(arrivals)
    step.take()
    finish = [(cell.width(s), _before(step, s)) for s in cell.states]
    if input_gradient:
        finish.append((cell.width("x"), _put(step, adjoint.input, Place("d.x", ""))))
    for factor in (side for outer in step.plan.outers for side in (outer.rows, outer.columns)):
        if factor.copied is not None:
            finish.append((factor.symbol, _put(step, factor.copied, factor.place)))
    for name, value in adjoint.vectors.items():
        if name not in task.mask_of:
            finish.append((cell.shapes.vectors.get(name, ""), _sum(step, value, Place("sums", f"sums.{name}"))))
    step.each_unit(finish)


def _put(step: Step, value: Expression, place: Place) -> Action:
    def write(unit: str, memo: Memo) -> None:
        step.code.store(step.read(value, unit, memo), step.at(place, unit))

    return write


def _sum(step: Step, value: Expression, place: Place) -> Action:
    def write(unit: str, memo: Memo) -> None:
        target = step.at(place, unit)
        found = step.read(value, unit, memo)
        step.code.store(step.code.binary("fadd", step.code.load(target), found), target)

    return write


def _arrive(step: Step, state: str) -> Action:
    """What reaches the new value of a state, and what goes past the step to the value before it.

    A step that is none passes everything on, and its output reaches nothing. Zoneout parts what arrives in two; if
    the state is the output, what arrives there too.
    """
    task, code = step.plan.task, step.code
    zero, one = code.form.constant(0.0), code.form.constant(1.0)
    alive = is_set(step, "alive") if task.alive else ""
    is_output = state == task.output_state

    def write(unit: str, memo: Memo) -> None:
        arriving = code.load(step.at(Place("gradients", f"states.{state}"), unit))
        output = code.load(step.at(Place("d.output", ""), unit)) if is_output else zero
        past = zero
        if alive:
            past = code.choose(alive, zero, arriving)
            arriving = code.choose(alive, arriving, zero)
            output = code.choose(alive, output, zero)
        if state in task.zoneout:
            share = code.load(step.at(Place(f"zoneout.{state}", ""), unit))
            rest = code.binary("fsub", one, share)
            both = code.binary("fadd", arriving, output)
            past = code.binary("fadd", past, code.binary("fmul", share, both))
            arriving, output = code.binary("fmul", rest, arriving), code.binary("fmul", rest, output)
        code.store(arriving, step.at(Place("scratch", f"scratch.d.next.{state}"), unit))
        code.store(past, step.at(Place("scratch", f"scratch.d.rest.{state}"), unit))
        if is_output:
            code.store(output, step.at(Place("scratch", "scratch.d.out"), unit))

    return write


def _output_arrives(step: Step) -> Action:
    code = step.code
    alive = is_set(step, "alive") if step.plan.task.alive else ""

    def write(unit: str, memo: Memo) -> None:
        output = code.load(step.at(Place("d.output", ""), unit))
        if alive:
            output = code.choose(alive, output, code.form.constant(0.0))
        code.store(output, step.at(Place("scratch", "scratch.d.out"), unit))

    return write


def _before(step: Step, state: str) -> Action:
    """The gradient of a state before the step; where the sequence started afresh there, it is that of the fresh one."""
    task, code = step.plan.task, step.code
    zero = code.form.constant(0.0)
    resets = is_set(step, "resets") if task.resets else ""

    def write(unit: str, memo: Memo) -> None:
        found = step.read(task.schedule.adjoint.states[state], unit, memo)
        if task.alive or task.zoneout:
            past = code.load(step.at(Place("scratch", f"scratch.d.rest.{state}"), unit))
            found = code.binary("fadd", found, past)
        if resets:
            target = step.at(Place("d.fresh", f"states.{state}"), unit)
            code.store(code.binary("fadd", code.load(target), code.choose(resets, found, zero)), target)
            found = code.choose(resets, zero, found)
        code.store(found, step.at(Place("following", f"states.{state}"), unit))

    return write


def _weight_gradients(code: Code, plan: Plan, tables: Tables, tile: str, begin: str, count: str) -> None:
    """Adds what the steps of a chunk say about each matrix."""
    if not plan.outers:
        return
    now = _record(code, tables, tile, begin)
    x_rows = tables.width(plan.task.cell.width("x"))
    rows = {
        "now": (now, tables.number("rows.record")),
        "next": (code.row(now, tables.number("rows.record")), tables.number("rows.record")),
        "x": (in_time(code, tables, "x", x_rows, tile, begin), x_rows),
        "chunk": (code.row("%scratch", tables.number("at.chunk")), tables.number("rows.chunk")),
    }

    def side(factor: Factor) -> str:
        """The arguments of `outer` that stand for one side: pointer, rows a step, rows."""
        base, stretch = rows[factor.place.base]
        place = code.row(base, tables.number(factor.place.row)) if factor.place.row else base
        return f"ptr {place}, i64 {stretch}, i64 {tables.width(factor.symbol)}"

    gradients = code.item(tables.pointer("d.matrices"), code.multiply(tile, tables.number("items.matrices")))
    for outer in plan.outers:
        target = code.item(gradients, tables.number(f"matrices.{outer.matrix}"))
        code.write(f"call void @outer({side(outer.rows)}, {side(outer.columns)}, i64 {count}, ptr {target})")
