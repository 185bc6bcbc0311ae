"""The kernel of the way forth: all steps of some tiles, chunk by chunk."""

from __future__ import annotations

from gatelab.backends.cpu.around import ARGUMENTS, Tile, begin
from gatelab.backends.cpu.code import Code, Form
from gatelab.backends.cpu.plan import Place, Plan, current, output_place
from gatelab.backends.cpu.step import Action, At, Base, Memo, Step, Tables
from gatelab.language.expressions import Expression, Name


def forward_kernel(plan: Plan, form: Form, prefix: str, saves: bool) -> tuple[Code, Tables]:
    """The function and what its tables hold.

    Args:
        prefix: of the functions that are called.
        saves: whether each step leaves its record; else those of a chunk are used again.
    """
    code = Code(form, "forward", ARGUMENTS)
    tables = Tables(code)
    with code.flushed(), code.loop("%last", start="%first") as index:
        tile = begin(code, plan, tables, form, prefix, index.index)
        stretch = code.multiply(tables.number("rows.record"), tile.members)
        start = tile.record("0") if saves else tile.scratch("record")
        tile.surroundings()
        tile.states_come_in("start", start)
        chunks = code.whole("sdiv", code.add("%T", code.whole("sub", "%chunk", 1)), "%chunk")
        with code.loop(chunks, carried=[("ptr", start), ("ptr", code.row(start, stretch))]) as chunk:
            t = code.multiply(chunk.index, "%chunk")
            slots = code.least(code.whole("sub", "%T", t), "%chunk")
            tile.chunk_comes_in(t, slots)
            now, following = chunk.carried
            _all_steps(tile, "before", t, slots, now, following)
            with code.loop(slots, carried=[("ptr", now), ("ptr", following)]) as slot:
                now, following = slot.carried
                own = code.add(t, slot.index)
                _loop(tile, own, slot.index, now, following)
                slot.following = (following, code.row(following, stretch))
            _all_steps(tile, "after", t, slots, *chunk.carried)
            if output_place(plan.task).base == "output":
                symbol = plan.task.cell.width(plan.task.cell.output)
                tile.go_out("output", symbol, tile.chunk("output", "0"), t, slots)
            tile.seen_go_out("seen", t, slots)
            chunk.following = slot.following
            if not saves:
                copy_rows(code, stretch, slot.following[0], start)
                chunk.following = (start, code.row(start, stretch))
        tile.states_go_out("final", chunk.following[0])
    return code, tables


def _step(tile: Tile, part: str, t: str, slot: str, now: str, following: str) -> Step:
    bases = tile.bases(t, slot, now, following)
    if output_place(tile.plan.task).base == "output":
        bases["output"] = tile.chunk("output", slot)
    return tile.step(part, bases)


def _all_steps(tile: Tile, part: str, t: str, slots: str, now: str, following: str) -> None:
    """A part whose products are taken for all steps of the chunk at once."""
    code, found = tile.code, tile.plan.parts[part]
    stretch = code.multiply(tile.tables.number("rows.record"), tile.members)
    for number, groups in enumerate(found.groups):
        entries = code.multiply(slots, tile.members)
        _step(tile, part, t, "0", now, following).multiply(groups, entries)
        last = number == len(found.phases) - 1
        ends = last and part == "after" and (tile.plan.copies[part] or _output_part(tile.plan) == part)
        lines = [line for line in found.phases[number].lines if line.name not in tile.plan.joined.values()]
        if lines or ends:
            carried = [("ptr", now), ("ptr", following)]
            with code.loop(slots, carried=carried) as slot:
                own_now, own_following = slot.carried
                step = _step(tile, part, code.add(t, slot.index), slot.index, own_now, own_following)
                step.phase(number)
                if ends:
                    step.each(step.copies(part))
                    if _output_part(tile.plan) == part:
                        step.each([(tile.plan.task.cell.width(tile.plan.task.cell.output), _output(step))])
                slot.following = (code.row(own_now, stretch), code.row(own_following, stretch))


def _output_part(plan: Plan) -> str:
    """The part at whose end the output is known."""
    value = plan.task.schedule.output
    found = plan.part_of(value.name) if isinstance(value, Name) and value.role == "current" else ""
    return "after" if found == "after" else "loop"


def _loop(tile: Tile, t: str, slot: str, now: str, following: str) -> None:
    """One step."""
    plan, task = tile.plan, tile.plan.task
    cell = task.cell
    step = _step(tile, "loop", t, slot, now, following)
    if task.resets:
        step.each([(cell.width(state), _reset(step, state)) for state in cell.states])
    finish = step.copies("loop")
    finish += [(cell.width(state), _next_state(step, state)) for state in cell.states if not _lies_there(step, state)]
    place = output_place(task)
    if place.base == "output" and _output_part(plan) == "loop":
        finish.append((cell.width(cell.output), _output(step)))
    step.all_phases(finish)
    if place.base == "next":
        pointer = step.block(place, "0")
        tile.go_out("output", cell.width(cell.output), Base(pointer, tile.members), t, "1")


def is_set(step: Step, flag: str, at: At) -> str:
    """Whether a flag of this step is set, for each sequence."""
    code = step.code
    value = code.load(step.at(Place(flag, ""), At("0", at.member)))
    return code.compare("one", value, code.form.constant(0.0))


def _reset(step: Step, state: str) -> Action:
    def write(at: At, memo: Memo) -> None:
        code = step.code
        place = step.at(Place("now", f"record.state.{state}"), at)
        fresh = code.load(step.at(Place("fresh", f"states.{state}"), at))
        code.store(code.choose(is_set(step, "resets", at), fresh, code.load(place)), place)

    return write


def _kept(step: Step, state: str, value: Expression, at: At, memo: Memo) -> str:
    """The new value of a state, some of it the old one by zoneout."""
    code, new = step.code, step.read(value, at, memo)
    if state not in step.plan.task.zoneout:
        return new
    share = code.load(step.at(Place(f"zoneout.{state}", ""), at))
    old = step.read(Name(state, "previous"), at, memo)
    rest = code.binary("fsub", code.form.constant(1.0), share)
    return code.binary("fadd", code.binary("fmul", share, old), code.binary("fmul", rest, new))


def _lies_there(step: Step, state: str) -> bool:
    """Whether the value of the next state lies with it by itself, or is copied there."""
    (name,) = current([step.plan.task.schedule.states[state]]) or ("",)
    target = Place("next", f"record.state.{state}")
    return step.plan.places.get(name) == target or (name, target) in step.plan.copies["loop"]


def _next_state(step: Step, state: str) -> Action:
    task, code = step.plan.task, step.code
    value = task.schedule.states[state]
    target = Place("next", f"record.state.{state}")

    def write(at: At, memo: Memo) -> None:
        new = _kept(step, state, value, at, memo)
        if task.alive:
            new = code.choose(is_set(step, "alive", at), new, step.read(Name(state, "previous"), at, memo))
        step.put(new, target, at, clean=task.cell.width(state))

    return write


def _output(step: Step) -> Action:
    task, code = step.plan.task, step.code

    def write(at: At, memo: Memo) -> None:
        state, value = task.output_state, task.schedule.output
        output = _kept(step, state, value, at, memo) if state else step.read(value, at, memo)
        if task.alive:
            output = code.choose(is_set(step, "alive", at), output, code.form.constant(0.0))
        step.put(output, Place("output", ""), at)

    return write


def copy_rows(code: Code, rows: str, source: str, target: str) -> None:
    with code.when(code.less("0", rows)), code.loop(rows) as loop:
        code.store(code.load(code.row(source, loop.index)), code.row(target, loop.index))
