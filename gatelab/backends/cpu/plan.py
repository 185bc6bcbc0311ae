"""Where everything lies: what a kernel computes in which order, and the place of every value that is read again.

A *record* holds, for each step, what the way back needs of it: the states as the step read them, and values that were
kept. The *scratch* holds what one step needs for itself. A *chunk* holds the factors of the weight gradients for some
steps. All are rows, a row being one unit of one value for as many sequences as a vector has lanes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from gatelab.backends.cpu.task import Task
from gatelab.compiler.phases import Phase, phases, waits
from gatelab.compiler.program import Lines, needed
from gatelab.compiler.shapes import SINGLE, width_of
from gatelab.language.expressions import Apply, Expression, Name, Product, names
from gatelab.language.ops import OPERATIONS

BLOCK = 4
"""Rows and columns of a block of a weight gradient; what it writes is padded to whole blocks."""

PRODUCT_PADDING = 8
"""Products are taken for 4 or 8 units at a time; what they write is padded to whole blocks."""


@dataclass(frozen=True)
class Rows:
    """Values one behind the other.

    Attributes:
        name: of the whole.
        members: name and width symbol of each.
        padding: to a multiple of how many rows.
    """

    name: str
    members: tuple[tuple[str, str], ...]
    padding: int = 1

    def measure(self, sizes: Mapping[str, int]) -> dict[str, int]:
        """The row at which each begins, as "name.member", and the number of all, as "rows.name"."""
        found, row = {}, 0
        for member, symbol in self.members:
            found[f"{self.name}.{member}"] = row
            row += round_up(sizes[symbol] if symbol else 1, self.padding)
        return {**found, f"rows.{self.name}": row}


def round_up(value: int, multiple: int) -> int:
    return -(-value // multiple) * multiple


@dataclass(frozen=True)
class Place:
    """Where a value lies.

    Attributes:
        base: the pointer it is counted from, which may move from step to step.
        row: its row there, by name.
    """

    base: str
    row: str


@dataclass(frozen=True)
class Group:
    """Products with the same vector, taken together.

    Attributes:
        name: of their packed weights.
        operand: the vector.
        lines: the products, all of one width.
        units: how many units are taken at a time.
    """

    name: str
    operand: Expression
    lines: Lines
    units: int

    @property
    def products(self) -> tuple[Product, ...]:
        return tuple(line.expression for line in self.lines if isinstance(line.expression, Product))


@dataclass(frozen=True)
class Factor:
    """One side of a weight gradient: rows for each step.

    Attributes:
        place: of the first row.
        symbol: how many rows, as a width.
        copied: what has to be copied there first, if it does not lie there by itself.
    """

    place: Place
    symbol: str
    copied: Expression | None = None


@dataclass(frozen=True)
class Outer:
    """The gradient of a matrix: the sum over steps and sequences of rows times columns."""

    matrix: str
    rows: Factor
    columns: Factor


@dataclass(frozen=True, eq=False)
class Plan:
    """What a kernel does in a step, and where it finds and leaves everything; made once for each kernel.

    Attributes:
        phases: the lines, in order.
        groups: the products of each phase.
        places: of lines that are read again.
        areas: which rows lie where.
        outers: the weight gradients.
    """

    task: Task
    phases: tuple[Phase, ...]
    groups: tuple[tuple[Group, ...], ...]
    places: Mapping[str, Place]
    areas: tuple[Rows, ...]
    outers: tuple[Outer, ...] = ()

    @cached_property
    def products(self) -> frozenset[str]:
        """The names of the lines that are products."""
        return frozenset(line.name for phase in self.phases for line in phase.products)

    @cached_property
    def all_groups(self) -> tuple[Group, ...]:
        return tuple(group for part in self.groups for group in part)


def forward_plan(task: Task, saves: bool, registers: int) -> Plan:
    """The plan of the way forth.

    Args:
        saves: whether the record is kept for the way back.
        registers: vectors that the processor holds.
    """
    schedule = task.schedule
    way = schedule.forwards
    lines = (*way.before, *(x for phase in way.loop for x in (*phase.products, *phase.lines)), *way.after)
    results = _current([*schedule.states.values(), schedule.output])
    kept = kept_values(task) if saves else ()
    wanted = {*results, *kept}
    lines = tuple(line for line in lines if line.name in needed(lines, wanted))
    steps = phases(lines)
    places = {name: Place("now", f"record.{name}") for name in kept}
    places |= {name: Place("next", f"record.state.{state}") for name, state in _lies_with_state(task).items()}
    scratch = [name for name in _read_again(steps, wanted, schedule.widths) if name not in places]
    places |= {name: Place("scratch", f"scratch.{name}") for name in scratch}
    areas = (record(task, saves), _states("states", task), _scratch(task, scratch), _products(task, steps))
    return Plan(task, steps, _groups(task, steps, registers), places, areas)


def backward_plan(task: Task, input_gradient: bool, registers: int) -> Plan:
    """The plan of the way back.

    Args:
        input_gradient: whether the gradient of the input is wanted.
        registers: vectors that the processor holds.
    """
    schedule, adjoint, way = task.schedule, task.schedule.adjoint, task.schedule.backwards
    lines = (
        *schedule.again,
        *way.before,
        *(x for phase in way.loop for x in (*phase.products, *phase.lines)),
        *way.after,
    )
    vectors = {name: value for name, value in adjoint.vectors.items() if name not in task.mask_of}
    results = [*adjoint.states.values(), *vectors.values(), *([adjoint.input] if input_gradient else [])]
    factors = [side for m in adjoint.matrices for side in (m.delta, m.operand)]
    wanted = {*_current([*results, *factors])}
    kept = {name: Place("now", f"record.{name}") for name in kept_values(task)}
    kept |= {name: Place("next", f"record.state.{state}") for name, state in _lies_with_state(task).items()}
    lines = tuple(line for line in lines if line.name in needed(lines, wanted) and line.name not in kept)
    steps = phases(lines)
    computed = {line.name for line in lines}
    sides = _Sides(task, computed, dict(kept))
    outers = tuple(sides.outer(m.matrix, m.delta, m.operand, m.transposed) for m in adjoint.matrices)
    places = sides.places
    scratch = [name for name in _read_again(steps, wanted, schedule.widths) if name not in places]
    places |= {name: Place("scratch", f"scratch.{name}") for name in scratch}
    output = (("d.out", task.cell.width(task.cell.output)),)
    around = tuple((f"{what}.{s}", task.cell.width(s)) for s in task.cell.states for what in ("d.next", "d.rest"))
    areas = (
        record(task, saves=True),
        _states("states", task),
        _scratch(task, scratch, () if task.is_plain else (*output, *around)),
        _products(task, steps),
        Rows("sums", tuple((name, task.cell.shapes.vectors.get(name, SINGLE)) for name in vectors)),
        Rows("chunk", tuple(sides.chunk.items())),
    )
    return Plan(task, steps, _groups(task, steps, registers), places, areas, outers)


def kept_values(task: Task) -> tuple[str, ...]:
    """The values in the record beside the states."""
    schedule, elsewhere = task.schedule, _lies_with_state(task)
    states = [name for name in _current(schedule.states.values()) if name not in elsewhere]
    return tuple(dict.fromkeys((*schedule.saved, *states)))


def record(task: Task, saves: bool) -> Rows:
    """One step of the record."""
    kept = kept_values(task) if saves else ()
    states = ((f"state.{state}", width) for state, width in _states("", task).members)
    return Rows("record", (*states, *((name, task.schedule.widths[name]) for name in kept)))


def _lies_with_state(task: Task) -> dict[str, str]:
    """The values that are a state of the next step as they are, and so lie there and nowhere else."""
    if not task.is_plain:
        return {}
    found: dict[str, str] = {}
    for state, value in task.schedule.states.items():
        for name in _current([value]):
            if task.schedule.widths[name] == task.cell.width(state):
                found.setdefault(name, state)
    return found


def _states(name: str, task: Task) -> Rows:
    return Rows(name, tuple((state, task.cell.width(state)) for state in task.cell.states))


def _scratch(task: Task, lines: Sequence[str], more: tuple[tuple[str, str], ...] = ()) -> Rows:
    return Rows("scratch", (*((name, task.schedule.widths[name]) for name in lines), *more))


def _products(task: Task, steps: Sequence[Phase]) -> Rows:
    lines = [line for phase in steps for line in phase.products]
    return Rows("product", tuple((line.name, task.schedule.widths[line.name]) for line in lines), PRODUCT_PADDING)


def _current(expressions: Iterable[Expression]) -> tuple[str, ...]:
    """The lines among them, each once."""
    return tuple(dict.fromkeys(e.name for e in expressions if isinstance(e, Name) and e.role == "current"))


def _read_again(steps: Sequence[Phase], wanted: set[str], widths: Mapping[str, str]) -> list[str]:
    """Vectors, other than products, that are read outside of the loop over units that makes them."""
    phase_of = {line.name: k for k, phase in enumerate(steps) for line in (*phase.products, *phase.lines)}
    elsewhere = set(wanted)
    for k, phase in enumerate(steps):
        for line in (*phase.products, *phase.lines):
            for name in names(line.expression, "current"):
                if name in phase_of and (phase_of[name] != k or waits(line.expression)):
                    elsewhere.add(name)
    lines = [line for phase in steps for line in phase.lines]
    return [line.name for line in lines if widths[line.name] and (line.name in elsewhere or waits(line.expression))]


def _groups(task: Task, steps: Sequence[Phase], registers: int) -> tuple[tuple[Group, ...], ...]:
    """The products of each phase by the vector that they multiply, as many at a time as registers allow."""
    most = 6 if registers >= 32 else 3
    found = []
    for k, phase in enumerate(steps):
        members: dict[tuple[Expression, str], list[int]] = {}
        for index, line in enumerate(phase.products):
            assert isinstance(line.expression, Product)
            key = line.expression.operand, task.schedule.widths[line.name]
            members.setdefault(key, []).append(index)
        groups = []
        for (operand, _), indices in members.items():
            for start in range(0, len(indices), most):
                lines = tuple(phase.products[i] for i in indices[start : start + most])
                units = 8 if len(lines) == 1 else 4
                groups.append(Group(f"{k}.{lines[0].name}", operand, lines, units))
        found.append(tuple(groups))
    return tuple(found)


@dataclass
class _Sides:
    """Finds or makes a place for both sides of each weight gradient.

    Attributes:
        computed: the lines of the way back.
        chunk: the rows of a chunk so far, with their widths.
    """

    task: Task
    computed: set[str]
    places: dict[str, Place]

    def __post_init__(self) -> None:
        self.chunk: dict[str, str] = {}

    def outer(self, matrix: str, delta: Expression, operand: Expression, transposed: bool) -> Outer:
        rows, columns = self.task.cell.shapes.matrices[matrix]
        if transposed:
            delta, operand = operand, delta
        return Outer(matrix, self._factor(delta, rows), self._factor(operand, columns))

    def _factor(self, value: Expression, symbol: str) -> Factor:
        widths = self.task.schedule.widths
        match value:
            case Name(name=name, role="input"):
                return Factor(Place("x", ""), symbol)
            case Name(name=name, role="previous"):
                return Factor(Place("now", f"record.state.{name}"), symbol)
            case Name(name=name, role="current") if widths[name] == symbol:
                if name not in self.places and name in self.computed:
                    self.chunk[name] = symbol
                    self.places[name] = Place("chunk", f"chunk.{name}")
                return Factor(self.places[name], symbol)
        name = f"copy.{len(self.chunk)}"
        self.chunk[name] = symbol
        return Factor(Place("chunk", f"chunk.{name}"), symbol, copied=value)


def operand_width(task: Task, expression: Expression) -> str:
    """The width symbol of what an operation over units reads."""
    return width_of(expression, task.cell, task.schedule.widths)


def mixes(expression: Expression) -> bool:
    return isinstance(expression, Apply) and OPERATIONS[expression.operation].mixes
