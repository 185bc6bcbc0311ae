"""What both ways through time share: tiles, chunks, the borders to torch's arrays, and where everything lies."""

from __future__ import annotations

from dataclasses import dataclass

from gatelab.backends.cpu.code import Code, Form
from gatelab.backends.cpu.plan import Part, Place, Plan
from gatelab.backends.cpu.products import SEGMENT_FIELDS
from gatelab.backends.cpu.step import Base, Step, Tables

ARGUMENTS = (
    ("ptr", "pointers"),
    ("ptr", "numbers"),
    ("i64", "T"),
    ("i64", "B"),
    ("i64", "tiles"),
    ("i64", "first"),
    ("i64", "last"),
    ("ptr", "scratch"),
    ("i64", "chunk"),
)
"""The arguments of a kernel: two tables, steps, sequences, in how many tiles these are parted, which of them to take,
memory for what a tile needs, and how many steps are taken at a time."""


@dataclass
class Tile:
    """A tile while its code is written.

    Attributes:
        first: its first member.
        members: how many there are.
        segments: room for the table of a product's segments.
    """

    code: Code
    plan: Plan
    tables: Tables
    form: Form
    prefix: str
    index: str
    first: str
    members: str
    segments: str

    @property
    def rows(self) -> bool:
        return self.plan.layout.is_rows

    @property
    def lanes(self) -> int:
        """Sequences of a member."""
        return 1 if self.rows else self.form.lanes

    def scratch(self, area: str) -> str:
        """Where an area of the scratch begins; its size is that of a tile with the most members."""
        return self.code.row("%scratch", self.tables.number(f"at.{area}"))

    def record(self, t: str) -> str:
        """The record of a step: tiles one behind the other, the steps of each too."""
        code, rows = self.code, self.tables.number("rows.record")
        before = code.multiply(code.multiply(code.add("%T", 1), rows), self.first)
        own = code.multiply(code.multiply(t, rows), self.members)
        return code.row(self.tables.pointer("record"), code.add(before, own))

    def chunk(self, name: str, slot: str) -> Base:
        """A value of the chunk at one of its steps."""
        code = self.code
        step = code.multiply("%chunk", self.members)
        start = code.row(self.scratch("chunk"), code.multiply(self.tables.number(f"chunk.{name}"), step))
        return Base(code.row(start, code.multiply(slot, self.members)), step)

    def bases(self, t: str, slot: str, now: str, following: str) -> dict[str, Base]:
        """Where blocks begin at a step."""
        code, task = self.code, self.plan.task
        chunk = code.multiply("%chunk", self.members)
        found = {
            "now": Base(now, self.members),
            "next": Base(following, self.members),
            "scratch": Base(self.scratch("scratch"), self.members),
            "chunk": Base(code.row(self.scratch("chunk"), code.multiply(slot, self.members)), chunk),
        }
        for mask, _ in task.masks:
            found[mask] = Base(self.scratch(f"around.{mask}"), self.members)
        for flag in ("resets", "alive"):
            if getattr(task, flag):
                found[flag] = self.chunk(flag, slot)
        for state in task.zoneout:
            found[f"zoneout.{state}"] = self.chunk(f"zoneout.{state}", slot)
        if task.resets:
            found["fresh"] = Base(self.scratch("around.fresh"), self.members)
        return found

    def step(self, part: str, bases: dict[str, Base], arriving: dict[str, Place] | None = None) -> Step:
        found: Part = self.plan.parts[part]
        return Step(
            self.code, self.plan, found, self.tables, bases, self.members, self.segments, self.prefix, arriving or {}
        )

    # Borders.

    def come_in(self, name: str, symbol: str, base: Base, t: str, slots: str, *, zeros: bool = False) -> None:
        """Sequences of torch's array `name` for some steps, from the step t on."""
        self._border("gather", name, symbol, base, t, slots, zeros)

    def go_out(self, name: str, symbol: str, base: Base, t: str, slots: str) -> None:
        """The other way."""
        self._border("scatter", name, symbol, base, t, slots, False)

    def seen_go_out(self, array: str, t: str, slots: str) -> None:
        """What is seen of the steps of a chunk: the first of every so many."""
        code = self.code
        for name, value in self.plan.seen.items():
            every = self.tables.step("every")
            first = code.whole("srem", code.whole("sub", every, code.whole("srem", t, every)), every)
            rest = code.whole("sub", code.add(slots, every), code.add(first, 1))
            count = code.whole("sdiv", rest, every)
            with code.when(code.less("0", count)):
                target, apart = code.whole("sdiv", code.add(t, first), every), code.multiply(every, self.members)
                symbol = self.plan.task.cell.width(name)
                base = self.chunk(value, first)
                self._border("scatter", f"{array}.{name}", symbol, base, target, count, False, apart)

    def flags_come_in(self, name: str, base: Base, t: str, slots: str) -> None:
        self._border("flags", name, "", base, t, slots, False)

    def _border(
        self,
        function: str,
        name: str,
        symbol: str,
        base: Base,
        t: str,
        slots: str,
        zeros: bool,
        apart: str | None = None,
    ) -> None:
        code, tables = self.code, self.tables
        time, batch = tables.step(f"{name} time"), tables.step(f"{name} batch")
        first = code.multiply(self.first, self.lanes)
        offset = code.add(code.multiply(t, time), code.multiply(first, batch))
        pointer = tables.pointer(name)
        absent = code.value(f"icmp eq ptr {pointer}, null")
        start = code.value(f"select i1 {absent}, ptr null, ptr {code.item(pointer, offset)}")
        code.call(
            f"{self.prefix}{function}",
            ("ptr", start),
            ("i64", time),
            ("i64", batch),
            ("i64", tables.width(symbol)),
            ("ptr", base.pointer),
            ("i64", base.step),
            ("i64", apart or self.members),
            ("i64", slots),
            ("i64", self.members),
            ("i64", code.whole("sub", "%B", first)),
            ("i64", int(zeros)),
        )

    def surroundings(self) -> None:
        """What comes in once for a tile: masks and fresh states."""
        cell, task = self.plan.task.cell, self.plan.task
        for mask, state in task.masks:
            self.come_in(mask, cell.width(state), Base(self.scratch(f"around.{mask}"), self.members), "0", "1")
        if task.resets:
            self.states_come_in("fresh", self.scratch("around.fresh"))

    def chunk_comes_in(self, t: str, slots: str) -> None:
        """What comes in for the steps of a chunk on both ways."""
        cell, task = self.plan.task.cell, self.plan.task
        self.come_in("x", cell.width("x"), self.chunk("x", "0"), t, slots)
        for flag in ("resets", "alive"):
            if getattr(task, flag):
                self.flags_come_in(flag, self.chunk(flag, "0"), t, slots)
        for state in task.zoneout:
            name = f"zoneout.{state}"
            self.come_in(name, cell.width(state), self.chunk(name, "0"), t, slots)

    def states_come_in(self, name: str, pointer: str, *, zeros: bool = False) -> None:
        for state in self.plan.task.cell.states:
            base = Base(self.state(pointer, state), self.members)
            self.come_in(f"{name}.{state}", self.plan.task.cell.width(state), base, "0", "1", zeros=zeros)

    def states_go_out(self, name: str, pointer: str) -> None:
        for state in self.plan.task.cell.states:
            base = Base(self.state(pointer, state), self.members)
            self.go_out(f"{name}.{state}", self.plan.task.cell.width(state), base, "0", "1")

    def state(self, pointer: str, state: str) -> str:
        """Where the blocks of a state begin among all states."""
        row = self.code.multiply(self.tables.number(f"states.{state}"), self.members)
        return self.code.row(pointer, row)


def begin(code: Code, plan: Plan, tables: Tables, form: Form, prefix: str, tile: str) -> Tile:
    """A tile: members as even as can be."""
    lanes = 1 if plan.layout.is_rows else form.lanes
    whole = code.whole("sdiv", code.add("%B", lanes - 1), lanes)
    first = code.whole("sdiv", code.multiply(whole, tile), "%tiles")
    last = code.whole("sdiv", code.multiply(whole, code.add(tile, 1)), "%tiles")
    most = max((len(group.segments) for group in plan.groups), default=1)
    segments = code.new()
    code.opening.append(f"  {segments} = alloca [{most * SEGMENT_FIELDS} x i64]")
    return Tile(code, plan, tables, form, prefix, tile, first, code.whole("sub", last, first), segments)
