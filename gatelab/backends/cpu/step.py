"""One step of a plan as code: products, operations over units, and the rest unit by unit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from gatelab.backends.cpu.code import Code
from gatelab.backends.cpu.operations import EMITTERS
from gatelab.backends.cpu.over_units import MIXING, REDUCTIONS
from gatelab.backends.cpu.plan import Group, Place, Plan, mixes, operand_width
from gatelab.compiler.phases import Phase
from gatelab.compiler.shapes import SINGLE
from gatelab.language.expressions import Apply, Expression, Line, Name, Number, Product

Memo = dict[Expression, str]
"""What the body of a loop over units has read or made so far."""
Action = Callable[[str, Memo], None]
"""Writes something for one unit, given by its index."""


@dataclass
class Tables:
    """The arguments of a kernel that come in tables, read where the function begins.

    Attributes:
        pointers: names, in the order of their table.
        numbers: likewise.
    """

    code: Code
    pointers: dict[str, str] = field(default_factory=dict)
    numbers: dict[str, str] = field(default_factory=dict)

    def pointer(self, name: str) -> str:
        return self._entry(self.pointers, "pointers", "ptr", name)

    def number(self, name: str) -> str:
        return self._entry(self.numbers, "numbers", "i64", name)

    def width(self, symbol: str) -> str:
        return self.number(f"width.{symbol}") if symbol else "1"

    def _entry(self, entries: dict[str, str], table: str, kind: str, name: str) -> str:
        if name not in entries:
            place, value = self.code.new(), self.code.new()
            self.code.opening.append(f"  {place} = getelementptr i64, ptr %{table}, i64 {len(entries)}")
            self.code.opening.append(f"  {value} = load {kind}, ptr {place}")
            entries[name] = value
        return entries[name]


@dataclass
class Step:
    """Writes the lines of a plan.

    Attributes:
        bases: where the rows of each kind begin now, by the names that places use.
        arriving: where gradients arrive, by their names.
        singles: values that are one number a sequence, once they are made.
    """

    code: Code
    plan: Plan
    tables: Tables
    bases: dict[str, str]
    arriving: dict[str, Place] = field(default_factory=dict)
    singles: dict[str, str] = field(default_factory=dict)

    def take(self) -> None:
        """All phases in order."""
        for phase, groups in zip(self.plan.phases, self.plan.groups, strict=True):
            for group in groups:
                self._products(group)
            for line in phase.lines:
                if mixes(line.expression):
                    self._mix(line)
            self._unit_by_unit(phase)

    def each_unit(self, actions: list[tuple[str, Action]]) -> None:
        """One loop for all actions of a width, by its symbol."""
        for symbol in dict.fromkeys(symbol for symbol, _ in actions):
            memo: Memo = {}
            members = [action for other, action in actions if other == symbol]
            if symbol == SINGLE:
                for action in members:
                    action("0", memo)
                continue
            with self.code.loop(self.tables.width(symbol)) as loop:
                for action in members:
                    action(loop.index, memo)

    def at(self, place: Place, unit: str) -> str:
        """The pointer to a unit of a value."""
        row = self.code.add(self.tables.number(place.row), unit) if place.row else unit
        return self.code.row(self.bases[place.base], row)

    def read(self, value: Expression, unit: str, memo: Memo) -> str:
        """A number or a name, for one unit of all sequences."""
        if isinstance(value, Name) and value.role == "current" and value.name in self.singles:
            return self.singles[value.name]
        if value not in memo:
            memo[value] = self._read(value, unit)
        return memo[value]

    def _read(self, value: Expression, unit: str) -> str:
        cell, code = self.plan.task.cell, self.code
        match value:
            case Number(value=number):
                return code.form.constant(number)
            case Name(name=name, role="constant"):
                return code.form.constant(cell.constants[name])
            case Name(name=name, role="current"):
                own = unit if self.plan.task.schedule.widths[name] else "0"
                return code.load(self.at(self._place(name), own))
            case Name(name=name, role="previous"):
                return code.load(self.at(Place("now", f"record.state.{name}"), unit))
            case Name(role="input"):
                return code.load(self.at(Place("x", ""), unit))
            case Name(name=name, role="vector") if name in self.plan.task.mask_of:
                return code.load(self.at(Place(name, ""), unit))
            case Name(name=name, role="vector"):
                offset = code.add(self.tables.number(f"weights.{name}"), unit)
                return code.spread(code.item(self.tables.pointer("weights"), offset))
            case Name(name=name, role="scalar"):
                offset = self.tables.number(f"weights.{name}")
                return code.spread(code.item(self.tables.pointer("weights"), offset))
            case Name(name=name, role="arriving"):
                return code.load(self.at(self.arriving[name], unit))
        raise AssertionError(value)

    def _place(self, name: str) -> Place:
        """Where a line lies; a product, where it was first written."""
        return Place("product", f"product.{name}") if name in self.plan.products else self.plan.places[name]

    def _products(self, group: Group) -> None:
        """Products of some units at a time, their sums in registers.

        The weights of these units lie one behind the other in the order in which they are read; see `pack`.
        """
        code, tables, widths = self.code, self.tables, self.plan.task.schedule.widths
        rows = tables.width(widths[group.lines[0].name])
        columns = tables.width(self._columns(group.products[0]))
        count = group.units * len(group.lines)
        weights = code.item(tables.pointer("weights"), tables.number(f"weights.{group.name}"))
        with code.loop(rows, step=group.units) as units:
            own = code.item(weights, code.multiply(code.multiply(units.index, len(group.lines)), columns))
            zeros = [(code.form.vector, code.form.constant(0.0))] * count
            with code.loop(columns, carried=zeros) as loop:
                vector = self.read(group.operand, loop.index, {})
                place = code.item(own, code.multiply(loop.index, count))
                loop.following = tuple(
                    code.fma(code.spread(code.item(place, k)), vector, loop.carried[k]) for k in range(count)
                )
            for unit in range(group.units):
                for k, line in enumerate(group.lines):
                    target = self.at(Place("product", f"product.{line.name}"), code.add(units.index, unit))
                    code.store(loop.following[unit * len(group.lines) + k], target)

    def _columns(self, product: Product) -> str:
        rows, columns = self.plan.task.cell.shapes.matrices[product.matrix]
        return rows if product.transposed else columns

    def _mix(self, line: Line) -> None:
        """A reduction, or an operation whose every unit depends on others."""
        assert isinstance(line.expression, Apply)
        (argument,) = line.expression.arguments
        count = self.tables.width(operand_width(self.plan.task, argument))

        def read(unit: str) -> str:
            return self.read(argument, unit, {})

        def write(unit: str, value: str) -> None:
            self.code.store(value, self.at(self.plan.places[line.name], unit))

        operation = line.expression.operation
        if operation in MIXING:
            MIXING[operation](self.code, read, count, write)
        else:
            self._give(line, REDUCTIONS[operation](self.code, read, count))

    def _unit_by_unit(self, phase: Phase) -> None:
        """What is left, a loop a width; products that lie elsewhere too are copied there by the way."""
        widths = self.plan.task.schedule.widths
        lines = [line for line in phase.lines if not mixes(line.expression)]
        copies = [line for line in phase.products if line.name in self.plan.places]
        for line in lines:
            if not widths[line.name]:
                self._give(line, self._operation(line, "0", {}))
        self.each_unit([(widths[line.name], self._line(line)) for line in (*copies, *lines) if widths[line.name]])

    def _line(self, line: Line) -> Action:
        def write(unit: str, memo: Memo) -> None:
            value = self._operation(line, unit, memo)
            memo[Name(line.name, "current")] = value
            if line.name in self.plan.places:
                self.code.store(value, self.at(self.plan.places[line.name], unit))

        return write

    def _operation(self, line: Line, unit: str, memo: Memo) -> str:
        match line.expression:
            case Apply(operation=operation, arguments=arguments):
                return EMITTERS[operation](self.code, *(self.read(a, unit, memo) for a in arguments))
            case Product():
                return self.read(Name(line.name, "current"), unit, memo)
        return self.read(line.expression, unit, memo)

    def _give(self, line: Line, value: str) -> None:
        """A number a sequence: from here on at hand, and put away if it is kept."""
        self.singles[line.name] = value
        if line.name in self.plan.places:
            self.code.store(value, self.at(self.plan.places[line.name], "0"))
