"""A part of a plan as code: products, operations over units, and the rest unit by unit."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from gatelab.backends.cpu.code import Code
from gatelab.backends.cpu.operations import EMITTERS
from gatelab.backends.cpu.over_units import MIXING, REDUCTIONS, Units
from gatelab.backends.cpu.plan import Group, Part, Place, Plan, line_text, mixes, operand_width
from gatelab.backends.cpu.products import SEGMENT_FIELDS
from gatelab.compiler.shapes import SINGLE
from gatelab.language.expressions import Apply, Expression, Line, Name, Number, Product

Memo = dict[Expression, str]
"""What the body of a loop has read or made so far."""


@dataclass(frozen=True)
class At:
    """One vector of a value.

    Attributes:
        block: its index.
        member: likewise.
    """

    block: str
    member: str


Action = Callable[[At, Memo], None]
"""Writes something for one vector."""


@dataclass(frozen=True)
class Base:
    """Where blocks begin.

    Attributes:
        pointer: the first vector of the first member.
        step: vectors from a block to the next.
    """

    pointer: str
    step: str


@dataclass
class Tables:
    """The arguments of a kernel that come in tables, read where the function begins.

    Attributes:
        pointers: names, in the order of their table; numbers that change from call to call are among them.
        numbers: likewise.
    """

    code: Code
    pointers: dict[str, str] = field(default_factory=dict)
    numbers: dict[str, str] = field(default_factory=dict)

    def pointer(self, name: str) -> str:
        return self._entry(self.pointers, "pointers", "ptr", name)

    def step(self, name: str) -> str:
        """A number in the table of pointers."""
        return self._entry(self.pointers, "pointers", "i64", name)

    def number(self, name: str) -> str:
        return self._entry(self.numbers, "numbers", "i64", name)

    def width(self, symbol: str) -> str:
        return self.number(f"width.{symbol}") if symbol else "1"

    def blocks(self, symbol: str) -> str:
        return self.number(f"blocks.{symbol}") if symbol else "1"

    def _entry(self, entries: dict[str, str], table: str, kind: str, name: str) -> str:
        if name not in entries:
            place, value = self.code.new(), self.code.new()
            self.code.opening.append(f"  {place} = getelementptr i64, ptr %{table}, i64 {len(entries)}")
            self.code.opening.append(f"  {value} = load {kind}, ptr {place} ; {name}")
            entries[name] = value
        return entries[name]


@dataclass
class Step:
    """Writes the lines of a part.

    Attributes:
        part: which.
        bases: where the blocks of each kind begin now, by the names that places use.
        members: of the tile.
        segments: room for the table of a product's segments.
        arriving: where gradients arrive, by their names.
        prefix: of the functions that are called.
    """

    code: Code
    plan: Plan
    part: Part
    tables: Tables
    bases: Mapping[str, Base]
    members: str
    segments: str
    prefix: str
    arriving: Mapping[str, Place] = field(default_factory=dict)

    # Products.

    def multiply(self, groups: tuple[Group, ...], entries: str) -> None:
        """The products of a phase, for so many vectors of each block."""
        code, tables = self.code, self.tables
        for group in groups:
            for text in group.texts():
                code.note(text)
            for k, (operand, symbol) in enumerate(group.segments):
                place = self._operand(operand)
                base = self.bases[place.base]
                width = tables.width(symbol)
                for j, (kind, value) in enumerate(
                    (("ptr", self.block(place, "0")), ("i64", base.step), ("i64", width))
                ):
                    at = code.value(f"getelementptr i64, ptr {self.segments}, i64 {k * SEGMENT_FIELDS + j}")
                    code.write(f"store {kind} {value}, ptr {at}")
            weights = code.item(tables.pointer("weights"), tables.number(f"weights.{group.name}"))
            code.call(
                f"{self.prefix}product",
                ("ptr", self.block(group.place, "0")),
                ("i64", self.bases[group.place.base].step),
                ("i64", entries),
                ("i64", tables.number(f"targets.{group.name}")),
                ("ptr", self.segments),
                ("i64", len(group.segments)),
                ("ptr", weights),
                ("i64", tables.number(f"depth.{group.name}")),
                ("i64", int(group.adds)),
            )

    def _operand(self, operand: Expression) -> Place:
        match operand:
            case Name(role="input"):
                return Place("chunk", "chunk.x")
            case Name(name=name, role="previous"):
                return Place("now", f"record.state.{name}")
            case Name(name=name):
                return self.plan.places[name]
        raise AssertionError(operand)

    def all_phases(self, finish: list[tuple[str, Action]]) -> None:
        """All of the part for one step, products and what follows them, and at the end some more actions."""
        phases = self.part.phases
        for number, groups in enumerate(self.part.groups):
            self.multiply(groups, self.members)
            self.phase(number, finish if number == len(phases) - 1 else None)
        if not phases:
            self.each(finish)

    # Vector by vector.

    def phase(self, number: int, actions: list[tuple[str, Action]] | None = None) -> None:
        """What a phase does vector by vector.

        Args:
            actions: what is to be done after it in the same loops, by width symbol.
        """
        widths = self.plan.widths
        phase = self.part.phases[number]
        lines = [line for line in phase.lines if line.name not in self.plan.joined.values()]
        for line in (line for line in lines if mixes(line.expression)):
            self._mix(line)
        rest = [line for line in lines if not mixes(line.expression)]
        self.each(
            [(widths[line.name], self._line(line)) for line in rest if not widths[line.name]],
        )
        self.each([(widths[line.name], self._line(line)) for line in rest if widths[line.name]] + (actions or []))

    def each(self, actions: list[tuple[str, Action]]) -> None:
        """Loops over blocks and members for all actions of a width, by its symbol; numbers come first."""
        for symbol in sorted({symbol for symbol, _ in actions}):
            members = [action for other, action in actions if other == symbol]
            if symbol == SINGLE:
                with self.code.loop(self.members) as member:
                    memo: Memo = {}
                    for action in members:
                        action(At("0", member.index), memo)
                continue
            with self.code.loop(self.tables.blocks(symbol)) as block, self.code.loop(self.members) as member:
                memo = {}
                for action in members:
                    action(At(block.index, member.index), memo)

    def block(self, place: Place, block: str) -> str:
        """The pointer to a block of a value."""
        base = self.bases[place.base]
        row = self.code.add(self.tables.number(place.row), block) if place.row else block
        return self.code.row(base.pointer, self.code.multiply(row, base.step))

    def at(self, place: Place, at: At) -> str:
        """The pointer to a vector of a value."""
        return self.code.row(self.block(place, at.block), at.member)

    def put(self, value: str, place: Place, at: At, clean: str | None = None) -> None:
        """Stores a vector; with the symbol of a width, zeros beyond it."""
        if clean and self.plan.layout.is_rows:
            left = self.code.whole("sub", self.tables.width(clean), self.code.multiply(at.block, self.code.form.lanes))
            value = self.code.choose(self.code.lanes_below(left), value, self.code.form.constant(0.0))
        self.code.store(value, self.at(place, at))

    def read(self, value: Expression, at: At, memo: Memo) -> str:
        """A number or a name, one vector of it."""
        if value not in memo:
            memo[value] = self._read(value, at)
        return memo[value]

    def _read(self, value: Expression, at: At) -> str:
        cell, code = self.plan.task.cell, self.code
        match value:
            case Number(value=number):
                return code.form.constant(number)
            case Name(name=name, role="constant"):
                return code.form.constant(cell.constants[name])
            case Name(name=name, role="current"):
                own = at if self.plan.widths[name] else At("0", at.member)
                return code.load(self.at(self.plan.places[name], own))
            case Name(name=name, role="previous"):
                return code.load(self.at(Place("now", f"record.state.{name}"), at))
            case Name(role="input"):
                return code.load(self.at(Place("chunk", "chunk.x"), at))
            case Name(name=name, role="vector") if name in self.plan.task.mask_of:
                return code.load(self.at(Place(name, ""), at))
            case Name(name=name, role="vector"):
                start = code.item(self.tables.pointer("weights"), self.tables.number(f"weights.{name}"))
                if self.plan.layout.is_rows:
                    return code.load(code.row(start, at.block), lasting=True)
                return code.spread(code.item(start, at.block), lasting=True)
            case Name(name=name, role="scalar"):
                start = code.item(self.tables.pointer("weights"), self.tables.number(f"weights.{name}"))
                return code.spread(start, lasting=True)
            case Name(name=name, role="arriving"):
                return code.load(self.at(self.arriving[name], at))
        raise AssertionError(value)

    def _mix(self, line: Line) -> None:
        """A reduction, or an operation whose every unit depends on others: sequence by sequence."""
        assert isinstance(line.expression, Apply)
        (argument,) = line.expression.arguments
        symbol = operand_width(self.plan.task, self.plan.widths, argument)
        with self.code.loop(self.members) as member:
            units = Units(
                code=self.code,
                rows=self.plan.layout.is_rows,
                width=self.tables.width(symbol),
                blocks=self.tables.blocks(symbol),
                read=lambda block: self.read(argument, At(block, member.index), {}),
            )
            operation, place = line.expression.operation, self.plan.places[line.name]
            if operation in MIXING:
                MIXING[operation](units, lambda block, value: self._store(line.name, value, At(block, member.index)))
            else:
                self.code.store(REDUCTIONS[operation](units), self.at(place, At("0", member.index)))

    def _store(self, name: str, value: str, at: At) -> None:
        clean = self.plan.widths[name] if name in self.plan.clean else None
        self.put(value, self.plan.places[name], at, clean)

    def _line(self, line: Line) -> Action:
        def write(at: At, memo: Memo) -> None:
            self.code.note(line_text(line))
            value = self._operation(line, at, memo)
            memo[Name(line.name, "current")] = value
            if line.name in self.plan.places:
                self._store(line.name, value, at)

        return write

    def _operation(self, line: Line, at: At, memo: Memo) -> str:
        match line.expression:
            case Apply(operation=operation, arguments=arguments):
                return EMITTERS[operation](self.code, *(self.read(a, at, memo) for a in arguments))
            case Product():
                raise AssertionError(line)
        return self.read(line.expression, at, memo)

    def copies(self, part: str) -> list[tuple[str, Action]]:
        """What lies elsewhere and has to be in the record too."""

        def copy(name: str, place: Place) -> Action:
            clean = self.plan.widths[name] if name in self.plan.clean else None
            return lambda at, memo: self.put(self.read(Name(name, "current"), at, memo), place, at, clean)

        return [(self.plan.widths[name], copy(name, place)) for name, place in self.plan.copies[part]]
