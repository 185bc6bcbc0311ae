"""The kernel of the way back: all steps of some tiles in reverse, and the weight gradients of each chunk of steps."""

from __future__ import annotations

from gatelab.backends.cpu.around import ARGUMENTS, Tile, begin
from gatelab.backends.cpu.code import Code, Form
from gatelab.backends.cpu.forward import is_set
from gatelab.backends.cpu.plan import Place, Plan, current
from gatelab.backends.cpu.step import Action, At, Base, Memo, Step, Tables


def backward_kernel(plan: Plan, form: Form, prefix: str) -> tuple[Code, Tables]:
    """The function and what its tables hold.

    Args:
        prefix: of the functions that are called.
    """
    code = Code(form, "backward", ARGUMENTS)
    tables = Tables(code)
    task = plan.task
    with code.flushed(), code.loop("%last", start="%first") as index:
        tile = begin(code, plan, tables, form, prefix, index.index)
        gradients = [tile.scratch(name) for name in ("gradients", "following")]
        tile.surroundings()
        tile.states_come_in("d.final", gradients[0], zeros=True)
        if task.resets:
            _clear(code, code.multiply(tables.number("rows.states"), tile.members), tile.scratch("d.fresh"))
        chunks = code.whole("sdiv", code.add("%T", code.whole("sub", "%chunk", 1)), "%chunk")
        with code.loop(chunks, carried=[("ptr", pointer) for pointer in gradients]) as chunk:
            # Counted from the first step, as forwards, so that steps added behind the ends of sequences change no sum.
            earlier = code.whole("sub", code.whole("sub", chunks, 1), chunk.index)
            t = code.multiply(earlier, "%chunk")
            slots = code.least(code.whole("sub", "%T", t), "%chunk")
            tile.chunk_comes_in(t, slots)
            symbol = task.cell.width(task.cell.output)
            tile.come_in("d.output", symbol, tile.chunk("d.output", "0"), t, slots, zeros=True)
            if task.alive and not task.output_state:
                _outputs_arrive(tile, t, slots, chunk.carried)
            _all_steps(tile, "before", t, slots, chunk.carried)
            with code.loop(slots, carried=[("ptr", pointer) for pointer in chunk.carried]) as back:
                slot = code.whole("sub", code.whole("sub", slots, 1), back.index)
                _loop(tile, code.add(t, slot), slot, back.carried)
                back.following = back.carried[::-1]
            _all_steps(tile, "after", t, slots, chunk.carried)
            _weight_gradients(tile, slots, code.value(f"zext i1 {code.less('0', chunk.index)} to i64"))
            if plan.input:
                tile.go_out("d.x", task.cell.width("x"), tile.chunk(plan.input, "0"), t, slots)
            tile.seen_go_out("d.seen", t, slots)
            chunk.following = back.following
        tile.states_go_out("d.start", chunk.following[0])
        if task.resets:
            tile.states_go_out("d.fresh", tile.scratch("d.fresh"))
    return code, tables


def _clear(code: Code, rows: str, target: str) -> None:
    with code.when(code.less("0", rows)), code.loop(rows) as loop:
        code.store(code.form.constant(0.0), code.row(target, loop.index))


def _step(tile: Tile, part: str, t: str, slot: str, gradients: tuple[str, ...]) -> Step:
    """A step with everything at hand."""
    task, code = tile.plan.task, tile.code
    now = tile.record(t)
    stretch = code.multiply(tile.tables.number("rows.record"), tile.members)
    bases = tile.bases(t, slot, now, code.row(now, stretch))
    bases["d.output"] = tile.chunk("d.output", slot)
    bases["gradients"], bases["following"] = (Base(pointer, tile.members) for pointer in gradients)
    if task.resets:
        bases["d.fresh"] = Base(tile.scratch("d.fresh"), tile.members)
    if task.alive or task.zoneout:
        arriving = {f"d.{s}.next": Place("scratch", f"scratch.d.next.{s}") for s in task.cell.states}
    else:
        arriving = {f"d.{s}.next": Place("gradients", f"states.{s}") for s in task.cell.states}
    mixed = (task.alive or task.zoneout) and task.output_state
    arriving[f"d.{task.cell.output}.out"] = Place("scratch", "scratch.d.out") if mixed else Place("d.output", "")
    return tile.step(part, bases, arriving)


def _all_steps(tile: Tile, part: str, t: str, slots: str, gradients: tuple[str, ...]) -> None:
    """A part whose products are taken for all steps of the chunk at once."""
    code, found = tile.code, tile.plan.parts[part]
    for number, groups in enumerate(found.groups):
        _step(tile, part, t, "0", gradients).multiply(groups, code.multiply(slots, tile.members))
        if any(line.name not in tile.plan.joined.values() for line in found.phases[number].lines):
            with code.loop(slots) as slot:
                _step(tile, part, code.add(t, slot.index), slot.index, gradients).phase(number)


def _loop(tile: Tile, t: str, slot: str, gradients: tuple[str, ...]) -> None:
    """One step."""
    task = tile.plan.task
    cell = task.cell
    step = _step(tile, "loop", t, slot, gradients)
    if task.alive or task.zoneout:
        step.each([(cell.width(s), _arrive(step, s)) for s in cell.states])
    finish = step.copies("loop")
    finish += [(cell.width(s), _before(step, s)) for s in cell.states if not _lies_there(step, s)]
    step.all_phases(finish)


def _lies_there(step: Step, state: str) -> bool:
    """Whether the gradient of a state before the step lies where it should by itself, or is copied there."""
    (name,) = current([step.plan.task.schedule.adjoint.states[state]]) or ("",)
    target = Place("following", f"states.{state}")
    return step.plan.places.get(name) == target or (name, target) in step.plan.copies["loop"]


def _arrive(step: Step, state: str) -> Action:
    """What reaches the new value of a state, and what goes past the step to the value before it.

    A step that is none passes everything on, and its output reaches nothing. Zoneout parts what arrives in two; if
    the state is the output, what arrives there too.
    """
    task, code = step.plan.task, step.code
    zero, one = code.form.constant(0.0), code.form.constant(1.0)
    is_output = state == task.output_state

    def write(at: At, memo: Memo) -> None:
        alive = is_set(step, "alive", at) if task.alive else ""
        arriving = code.load(step.at(Place("gradients", f"states.{state}"), at))
        output = code.load(step.at(Place("d.output", ""), at)) if is_output else zero
        past = zero
        if alive:
            past = code.choose(alive, zero, arriving)
            arriving = code.choose(alive, arriving, zero)
            output = code.choose(alive, output, zero)
        if state in task.zoneout:
            share = code.load(step.at(Place(f"zoneout.{state}", ""), at))
            rest = code.binary("fsub", one, share)
            both = code.binary("fadd", arriving, output)
            past = code.binary("fadd", past, code.binary("fmul", share, both))
            arriving, output = code.binary("fmul", rest, arriving), code.binary("fmul", rest, output)
        code.store(arriving, step.at(Place("scratch", f"scratch.d.next.{state}"), at))
        code.store(past, step.at(Place("scratch", f"scratch.d.rest.{state}"), at))
        if is_output:
            code.store(output, step.at(Place("scratch", "scratch.d.out"), at))

    return write


def _outputs_arrive(tile: Tile, t: str, slots: str, gradients: tuple[str, ...]) -> None:
    """The output of a step that is none is 0 whatever happens: nothing reaches anything from there."""
    code, cell = tile.code, tile.plan.task.cell
    with code.loop(slots) as slot:
        step = _step(tile, "loop", code.add(t, slot.index), slot.index, gradients)

        def write(at: At, memo: Memo) -> None:
            place = Place("d.output", "")
            output = code.load(step.at(place, at))
            step.put(code.choose(is_set(step, "alive", at), output, code.form.constant(0.0)), place, at)

        step.each([(cell.width(cell.output), write)])


def _before(step: Step, state: str) -> Action:
    """The gradient of a state before the step; where the sequence started afresh there, it is that of the fresh one."""
    task, code = step.plan.task, step.code
    zero = code.form.constant(0.0)

    def write(at: At, memo: Memo) -> None:
        found = step.read(task.schedule.adjoint.states[state], at, memo)
        if task.alive or task.zoneout:
            past = code.load(step.at(Place("scratch", f"scratch.d.rest.{state}"), at))
            found = code.binary("fadd", found, past)
        if task.resets:
            resets = is_set(step, "resets", at)
            target = step.at(Place("d.fresh", f"states.{state}"), at)
            code.store(code.binary("fadd", code.load(target), code.choose(resets, found, zero)), target)
            found = code.choose(resets, zero, found)
        code.store(found, step.at(Place("following", f"states.{state}"), at))

    return write


def _weight_gradients(tile: Tile, slots: str, adds: str) -> None:
    """Adds what the steps of a chunk say about each parameter."""
    code, plan, tables = tile.code, tile.plan, tile.tables
    entries = code.multiply(slots, tile.members)
    own = code.multiply(tile.index, tables.number("items.gradients"))
    gradients = code.item(tables.pointer("gradients"), own)
    for number, outer in enumerate(plan.outers):
        left, right = tile.chunk(outer.left[0][0], "0"), tile.chunk(outer.right[0], "0")
        code.call(
            f"{tile.prefix}outer",
            ("ptr", left.pointer),
            ("i64", left.step),
            ("i64", tables.number(f"outer.{number} rows")),
            ("ptr", right.pointer),
            ("i64", right.step),
            ("i64", tables.number(f"outer.{number} columns")),
            ("i64", entries),
            ("ptr", code.item(gradients, tables.number(f"outer.{number}"))),
            ("i64", tables.number(f"outer.{number} pitch")),
            ("i64", adds),
        )
    for name, value in plan.sums.items():
        base = tile.chunk(value, "0")
        code.call(
            f"{tile.prefix}totals",
            ("ptr", base.pointer),
            ("i64", base.step),
            ("i64", tables.blocks(plan.widths[value])),
            ("i64", entries),
            ("ptr", code.item(gradients, tables.number(f"sum.{name}"))),
            ("i64", adds),
        )
