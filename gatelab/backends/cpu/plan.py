"""What a kernel computes in which order, and the place of every value that is read again.

Both ways through time go chunk by chunk, a chunk being some steps. A way has three *parts*: `before` and `after` take
their products for all steps of a chunk at once, `loop` step by step. The areas where values lie:

    record    for each step, what the way back needs: the states as the step read them, and values that were kept
    chunk     for the steps of a chunk: what comes in or goes out, and what one part leaves for another
    scratch   what a step needs for itself

All are blocks of vectors; see `layout.py`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache

from gatelab.backends.cpu.layout import Layout
from gatelab.backends.cpu.task import Task
from gatelab.compiler.phases import Phase, phases, waits
from gatelab.compiler.program import Lines, needed
from gatelab.compiler.schedule import Pass
from gatelab.compiler.shapes import SINGLE, width_of
from gatelab.language.expressions import Apply, Expression, Line, Name, Number, Product, names, show_in_time, transform
from gatelab.language.ops import OPERATIONS

PARTS = ("before", "loop", "after")


@dataclass(frozen=True)
class Rows:
    """Values one behind the other.

    Attributes:
        name: of the whole.
        members: name and width symbol of each.
    """

    name: str
    members: tuple[tuple[str, str], ...]

    def measure(self, sizes: Mapping[str, int], layout: Layout) -> dict[str, int]:
        """The block at which each begins, as "name.member", and the number of all, as "rows.name"."""
        found, row = {}, 0
        for member, symbol in self.members:
            found[f"{self.name}.{member}"] = row
            row += layout.blocks(sizes[symbol]) if symbol else 1
        return {**found, f"rows.{self.name}": row}


@dataclass(frozen=True)
class Place:
    """Where a value lies.

    Attributes:
        base: the pointer it is counted from, which may move from step to step.
        row: its first block there, by name.
    """

    base: str
    row: str


@dataclass(frozen=True)
class Group:
    """Products that are taken together.

    Attributes:
        name: of their packed weights.
        segments: the operands, with their width symbols; what they give is summed.
        targets: the values that the sums are, with their width symbols; they lie one behind the other.
        products: for each target the product of each segment.
        place: of the first target.
        adds: whether there is something already that they are added to.
    """

    name: str
    segments: tuple[tuple[Expression, str], ...]
    targets: tuple[tuple[str, str], ...]
    products: tuple[tuple[Product, ...], ...]
    place: Place
    adds: bool

    def texts(self) -> list[str]:
        """The value that each sum is, in words of the language."""
        sign = "+=" if self.adds else "="
        return [
            f"{name} {sign} {' + '.join(map(show_in_time, products))}"
            for (name, _), products in zip(self.targets, self.products, strict=True)
        ]


@dataclass(frozen=True)
class Part:
    """A part of a way through time: its phases, and the products that come first in each."""

    phases: tuple[Phase, ...] = ()
    groups: tuple[tuple[Group, ...], ...] = ()


@dataclass(frozen=True)
class Outer:
    """Gradients of matrices: the sum over steps and sequences of a left factor times a right one.

    Attributes:
        left: the values that become rows, with their width symbols; they lie one behind the other.
        right: the value that becomes columns.
        matrices: whose gradient each left value gives.
    """

    left: tuple[tuple[str, str], ...]
    right: tuple[str, str]
    matrices: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Plan:
    """What a kernel does in a step, and where it finds and leaves everything; made once for each kernel.

    Attributes:
        parts: by name.
        widths: of all lines.
        places: of values that are read again.
        joined: products and sums that are parts of a larger sum, and the name of that.
        copies: what lies in the chunk and has to be copied to the record as well, by part.
        areas: which rows lie where.
        clean: values that need zeros in the lanes that pad them, since products and gradients read these.
        outers: the weight gradients.
        sums: for each learned vector or scalar, the value whose sum is its gradient.
        input: the value that is the gradient of the input.
        seen: for each name that is watched what goes out: on the way forth its value, on the way back its gradient.
    """

    task: Task
    layout: Layout
    parts: Mapping[str, Part]
    widths: Mapping[str, str]
    places: Mapping[str, Place]
    joined: Mapping[str, str]
    copies: Mapping[str, tuple[tuple[str, Place], ...]]
    areas: tuple[Rows, ...]
    clean: frozenset[str]
    outers: tuple[Outer, ...] = ()
    sums: Mapping[str, str] = field(default_factory=dict)
    input: str | None = None
    seen: Mapping[str, str] = field(default_factory=dict)

    @property
    def groups(self) -> tuple[Group, ...]:
        return tuple(group for part in self.parts.values() for groups in part.groups for group in groups)

    @cached_property
    def vectors(self) -> tuple[str, ...]:
        """The learned vectors and scalars that are the same for all sequences."""
        shapes = self.task.cell.shapes
        return tuple(name for name in (*shapes.vectors, *shapes.scalars) if name not in self.task.given)

    def part_of(self, name: str) -> str:
        """The part that makes a value; "" if none does."""
        for part, found in self.parts.items():
            if any(line.name == name for phase in found.phases for line in (*phase.products, *phase.lines)):
                return part
        return ""


def line_text(line: Line) -> str:
    return f"{line.name} = {show_in_time(line.expression)}"


def forward_plan(task: Task, layout: Layout, saves: bool) -> Plan:
    """The plan of the way forth.

    Args:
        saves: whether the record is kept for the way back.
    """
    schedule = task.schedule
    kept = kept_values(task) if saves else ()
    with_state = _lies_with_state(task)
    values = {name: schedule.values[name] for name in task.watched if not (saves and place_in_record(task, name))}
    results = current([*schedule.states.values(), schedule.output, *values.values()])
    fixed = {name: Place("now", f"record.{name}") for name in kept}
    fixed |= {name: Place("next", f"record.state.{state}") for name, state in with_state.items()}
    draft = _Draft(task, layout, _parts(schedule.forwards, layout, {*results, *kept}), {*results, *kept}, fixed)
    draft.prepare()
    draft.clean |= set(with_state)
    seen = {name: draft.in_chunk(value, task.cell.width(name)) for name, value in values.items()}
    if output_place(task) == Place("output", ""):
        draft.chunk_values.append(("output", task.cell.width(task.cell.output)))
    return draft.plan(record(task, saves), seen=seen)


@lru_cache(maxsize=4096)
def place_in_record(task: Task, name: str) -> tuple[str, int] | None:
    """Where a watched name lies in a record that is kept: its row, and how many steps later; None if it does not."""
    value, states = task.schedule.values[name], _lies_with_state(task)
    if (
        not isinstance(value, Name)
        or value.role != "current"
        or task.schedule.widths[value.name] != task.cell.width(name)
    ):
        return None
    if value.name in states:
        return f"record.state.{states[value.name]}", 1
    return (f"record.{value.name}", 0) if value.name in kept_values(task) else None


def output_place(task: Task) -> Place:
    """Where a step leaves its output: with the state of the next step, if it lies there, else in the chunk."""
    states = _lies_with_state(task)
    found = [states[name] for name in current([task.schedule.output]) if name in states]
    return Place("next", f"record.state.{found[0]}") if found else Place("output", "")


def backward_plan(task: Task, layout: Layout, input_gradient: bool) -> Plan:
    """The plan of the way back.

    Args:
        input_gradient: whether the gradient of the input is wanted.
    """
    schedule, adjoint = task.schedule, task.schedule.adjoint
    vectors = {
        name: value
        for name, value in adjoint.vectors.items()
        if name not in task.given and not isinstance(value, Number)
    }
    taps = {name: value for tap, name in task.taps if not isinstance(value := adjoint.vectors[tap], Number)}
    inputs = [adjoint.input] if input_gradient and not isinstance(adjoint.input, Number) else []
    results = current([*adjoint.states.values(), *vectors.values(), *taps.values(), *inputs])
    factors = [side for m in adjoint.matrices for side in (m.delta, m.operand)]
    kept = {name: Place("now", f"record.{name}") for name in kept_values(task)}
    kept |= {name: Place("next", f"record.state.{state}") for name, state in _lies_with_state(task).items()}
    wanted = {*results, *current(factors)}
    way = schedule.backwards
    again = tuple(line for line in schedule.again if line.name not in kept)
    early = needed((*again, *way.before), {line.name for line in way.before})
    before = tuple(line for line in (*again, *way.before) if line.name in early)
    loop = (*(line for line in again if line.name not in early), *_lines(way.loop))
    parts = _parts(Pass(before, phases(loop), way.after), layout, wanted, known=set(kept))
    fixed: dict[str, Place] = {}
    if task.is_plain:
        for state, value in adjoint.states.items():
            for name in current([value]):
                if schedule.widths[name] == task.cell.width(state):
                    fixed.setdefault(name, Place("following", f"states.{state}"))
    draft = _Draft(task, layout, parts, wanted, fixed, kept)
    draft.prepare()
    cell = task.cell
    for m in adjoint.matrices:
        rows, columns = cell.shapes.matrices[m.matrix]
        delta, operand = (m.operand, m.delta) if m.transposed else (m.delta, m.operand)
        draft.outer(m.matrix, (delta, rows), (operand, columns))
    sums = {name: draft.in_chunk(value, cell.shapes.vectors.get(name, SINGLE)) for name, value in vectors.items()}
    found = draft.in_chunk(inputs[0], cell.width("x")) if inputs else None
    seen = {name: draft.in_chunk(value, cell.width(name)) for name, value in taps.items()}
    draft.chunk_values.append(("d.output", cell.width(cell.output)))
    if not task.is_plain:
        draft.step_values += [("d.out", cell.width(cell.output))] if task.output_state else []
        draft.step_values += [(f"{what}.{s}", cell.width(s)) for s in cell.states for what in ("d.next", "d.rest")]
    totals = Rows("sums", tuple((name, cell.shapes.vectors.get(name, SINGLE)) for name in sums))
    return draft.plan(record(task, saves=True), totals, sums=sums, input=found, seen=seen)


def _lines(steps: Sequence[Phase]) -> Lines:
    return tuple(line for phase in steps for line in (*phase.products, *phase.lines))


def _parts(way: Pass, layout: Layout, wanted: set[str], known: Collection[str] = ()) -> dict[str, list[Line]]:
    """The lines of each part that serve what is wanted. Lanes gain nothing by products of many steps at once."""
    all_lines = (*way.before, *_lines(way.loop), *way.after)
    serve = needed(tuple(line for line in all_lines if line.name not in known), wanted)
    parts = {"before": way.before, "loop": _lines(way.loop), "after": way.after}
    if not layout.is_rows:
        parts = {"before": (), "loop": all_lines, "after": ()}
    return {name: [line for line in lines if line.name in serve] for name, lines in parts.items()}


def kept_values(task: Task) -> tuple[str, ...]:
    """The values in the record beside the states."""
    schedule, elsewhere = task.schedule, _lies_with_state(task)
    states = [name for name in current(schedule.states.values()) if name not in elsewhere]
    return tuple(name for name in dict.fromkeys((*schedule.saved, *states)))


def record(task: Task, saves: bool) -> Rows:
    """One step of the record."""
    kept = kept_values(task) if saves else ()
    states = ((f"state.{state}", task.cell.width(state)) for state in task.cell.states)
    return Rows("record", (*states, *((name, task.schedule.widths[name]) for name in kept)))


def _lies_with_state(task: Task) -> dict[str, str]:
    """The values that are a state of the next step as they are, and so lie there and nowhere else."""
    if not task.is_plain:
        return {}
    early = {line.name for line in (*task.schedule.forwards.before, *task.schedule.forwards.after)}
    found: dict[str, str] = {}
    for state, value in task.schedule.states.items():
        for name in current([value]):
            if task.schedule.widths[name] == task.cell.width(state) and name not in early:
                found.setdefault(name, state)
    return found


def current(expressions: Iterable[Expression]) -> tuple[str, ...]:
    """The lines among them, each once."""
    return tuple(dict.fromkeys(e.name for e in expressions if isinstance(e, Name) and e.role == "current"))


def operand_width(task: Task, widths: Mapping[str, str], expression: Expression) -> str:
    """The width symbol of what an operation over units reads."""
    return width_of(expression, task.cell, widths)


def mixes(expression: Expression) -> bool:
    return isinstance(expression, Apply) and OPERATIONS[expression.operation].mixes


@dataclass
class _Draft:
    """A plan in the making.

    Attributes:
        lines: of each part.
        wanted: lines that something outside of the way reads.
        fixed: lines of this way whose place is known.
        known: values that are not of this way, and where they lie.
    """

    task: Task
    layout: Layout
    lines: dict[str, list[Line]]
    wanted: set[str]
    fixed: dict[str, Place]
    known: dict[str, Place] = field(default_factory=dict)
    chunk_values: list[tuple[str, str]] = field(default_factory=list)
    step_values: list[tuple[str, str]] = field(default_factory=list)
    outers: list[tuple[str, str, str]] = field(default_factory=list)
    to_chunk: set[str] = field(default_factory=set)
    clean: set[str] = field(default_factory=set)
    joined: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.widths = dict(self.task.schedule.widths)
        self.copied: dict[tuple[Expression, str, str], str] = {}
        cell, task = self.task.cell, self.task
        self.chunk_values.append(("x", cell.width("x")))
        self.chunk_values += [(flag, SINGLE) for flag in ("resets", "alive") if getattr(task, flag)]
        self.chunk_values += [(f"zoneout.{state}", cell.width(state)) for state in task.zoneout]

    def prepare(self) -> None:
        """Operands become whole vectors in memory, and sums of products one product each."""
        for part in PARTS:
            made: list[Line] = []
            for line in self.lines[part]:
                if isinstance(line.expression, Product):
                    product = line.expression
                    operand = self._operand(product, part, made)
                    line = replace(line, expression=replace(product, operand=operand))
                elif part == "after":
                    line = replace(line, expression=transform(line.expression, self._arrived))
                made.append(line)
            self.lines[part] = made

    def _made(self) -> dict[str, str]:
        """The part of every line of this way."""
        return {line.name: part for part in PARTS for line in self.lines[part]}

    def _arrived(self, value: Expression) -> Expression:
        """A gradient that arrives is there only while the loop runs."""
        if not isinstance(value, Name) or value.role != "arriving":
            return value
        name = self._copy(value, width_of(value, self.task.cell, self.widths), "loop", self.lines["loop"])
        self.to_chunk.add(name)
        return Name(name, "current")

    def _operand(self, product: Product, part: str, made: list[Line]) -> Expression:
        """The operand as a product can read it, copied to where it can if need be."""
        rows, columns = self.task.cell.shapes.matrices[product.matrix]
        symbol = rows if product.transposed else columns
        operand = product.operand
        in_loop = part == "loop"
        match operand:
            case Name(role="input"):
                return operand
            case Name(role="previous") if in_loop:
                return operand
            case Name(name=name, role="current") if self.widths[name] == symbol:
                own = name in self._made() or any(line.name == name for line in made)
                if own and (in_loop or name not in self.fixed):
                    if not in_loop:
                        self.to_chunk.add(name)
                    self.clean.add(name)
                    return operand
                # The record of a state is clean, other kept values are not.
                if not own and in_loop and self.known[name].row.startswith("record.state."):
                    return operand
        if part == "after" and not any(isinstance(operand, Name) and line.name == operand.name for line in made):
            # While the loop runs, what it reads and makes is there.
            name = self._copy(operand, symbol, "loop", self.lines["loop"])
            self.to_chunk.add(name)
            return Name(name, "current")
        return Name(self._copy(operand, symbol, part, made), "current")

    def _copy(self, value: Expression, symbol: str, part: str, made: list[Line]) -> str:
        """A line that has the value of another in a place of its own."""
        key = value, symbol, part
        if key not in self.copied:
            name = f"copy.{len(self.copied)}"
            self.copied[key] = name
            self.widths[name] = symbol
            made.append(Line(name, value))
            self.clean.add(name)
            if part != "loop":
                self.to_chunk.add(name)
        return self.copied[key]

    def in_chunk(self, value: Expression, symbol: str) -> str:
        """The name under which a value lies in the chunk, made so if it does not."""
        if isinstance(value, Name) and value.role == "input":
            return "x"
        parts = self._made()
        own = isinstance(value, Name) and value.role == "current" and value.name in parts
        if isinstance(value, Name) and own and value.name not in self.fixed and self.widths[value.name] == symbol:
            self.to_chunk.add(value.name)
            return value.name
        part = parts.get(value.name, "loop") if isinstance(value, Name) else "loop"
        name = self._copy(value, symbol, part, self.lines[part])
        self.to_chunk.add(name)
        self.wanted.add(name)
        return name

    def outer(self, matrix: str, left: tuple[Expression, str], right: tuple[Expression, str]) -> None:
        found = [self.in_chunk(*side) for side in (left, right)]
        self.clean |= set(found)
        self.outers.append((matrix, found[0], found[1]))

    def plan(
        self,
        *areas: Rows,
        sums: Mapping[str, str] | None = None,
        input: str | None = None,
        seen: Mapping[str, str] | None = None,
    ) -> Plan:
        """Everything in its place."""
        self.wanted |= {*(sums or {}).values(), *(side for _, *sides in self.outers for side in sides)}
        self.wanted |= {input} if input else set()
        self.wanted |= set((seen or {}).values())
        self._join()
        steps = {part: phases(tuple(self.lines[part])) for part in PARTS}
        places, copies = self._places(steps)
        order = {
            area: [name for name in self._order(steps) if places.get(name, Place("", "")).base == area]
            for area in ("chunk", "scratch")
        }
        chunk = [*((name, self.widths[name]) for name in order["chunk"]), *self.chunk_values]
        scratch = [*((name, self.widths[name]) for name in order["scratch"]), *self.step_values]
        states = tuple((state, self.task.cell.width(state)) for state in self.task.cell.states)
        parts = self._grouped(steps, places, order)
        rank = {name: k for k, name in enumerate(order["chunk"])}
        return Plan(
            task=self.task,
            layout=self.layout,
            parts=parts,
            widths=self.widths,
            places=places,
            joined=self.joined,
            copies=copies,
            areas=(*areas, Rows("states", states), Rows("chunk", tuple(chunk)), Rows("scratch", tuple(scratch))),
            clean=frozenset(self.clean),
            outers=self._outers(rank),
            sums=sums or {},
            input=input,
            seen=seen or {},
        )

    # Sums of products.

    def _join(self) -> None:
        """Finds sums of products that nothing else reads: they are taken in one place.

        A sum of products and other things is written with the products first.
        """
        reads = Counter(name for part in PARTS for line in self.lines[part] for name in _read(line.expression))
        reads.update(self.wanted)
        made = {line.name: line for part in PARTS for line in self.lines[part]}
        inner: set[str] = set()

        def free(value: Expression, symbol: str) -> Line | None:
            """The line of a value that may become part of a sum."""
            if isinstance(value, Name) and value.role == "current" and value.name in made:
                line = made[value.name]
                ok = reads[value.name] == 1 and value.name not in self.fixed and value.name not in self.to_chunk
                return line if ok and self.widths[value.name] == symbol else None
            return None

        def leaves(value: Expression, symbol: str) -> list[Expression]:
            line = free(value, symbol)
            if line and _is_sum(line.expression):
                assert isinstance(line.expression, Apply)
                inner.add(line.name)
                return [leaf for argument in line.expression.arguments for leaf in leaves(argument, symbol)]
            return [value]

        for part in reversed(PARTS):
            for line in reversed(self.lines[part]):
                if not _is_sum(line.expression) or line.name in inner:
                    continue
                assert isinstance(line.expression, Apply)
                symbol = self.widths[line.name]
                before = set(inner)
                found = [leaf for argument in line.expression.arguments for leaf in leaves(argument, symbol)]
                products = [
                    leaf for leaf in found if (own := free(leaf, symbol)) and isinstance(own.expression, Product)
                ]
                if len(products) < 2:
                    inner = before if len(found) == 2 else inner
                    continue
                self._rewrite(line, sorted(inner - before), products, [x for x in found if x not in products])

    def _rewrite(self, root: Line, parts: list[str], products: list[Expression], rest: list[Expression]) -> None:
        """The sum again: of its products, then of what is left, under the names that its parts had."""
        part = self._made()[root.name]
        for other in PARTS:
            self.lines[other] = [line for line in self.lines[other] if line.name not in parts]
        whole = root.name if not rest else parts.pop()
        for product in products:
            assert isinstance(product, Name)
            self.joined[product.name] = whole
        made = [Line(whole, Apply("add", tuple(products)))]
        self.widths[whole] = self.widths[root.name]
        value: Expression = Name(whole, "current")
        for k, found in enumerate(rest):
            other_value = transform(found, self._arrived) if part == "after" else found
            name = root.name if k == len(rest) - 1 else parts.pop()
            made.append(Line(name, Apply("add", (value, other_value))))
            value = Name(name, "current")
        at = next(k for k, line in enumerate(self.lines[part]) if line.name == root.name)
        self.lines[part][at : at + 1] = made

    # Places.

    def _order(self, steps: Mapping[str, tuple[Phase, ...]]) -> list[str]:
        """All names: first what products give, in order, so that groups of them lie side by side."""
        products = [
            self.joined.get(line.name, line.name) for part in PARTS for phase in steps[part] for line in phase.products
        ]
        others = [line.name for part in PARTS for line in _lines(steps[part])]
        return list(dict.fromkeys((*products, *others)))

    def _places(
        self, steps: Mapping[str, tuple[Phase, ...]]
    ) -> tuple[dict[str, Place], dict[str, tuple[tuple[str, Place], ...]]]:
        at = {
            line.name: (part, k)
            for part in PARTS
            for k, phase in enumerate(steps[part])
            for line in (*phase.products, *phase.lines)
        }
        readers: dict[str, set[tuple[str, int, bool]]] = {}
        for part in PARTS:
            for k, phase in enumerate(steps[part]):
                for line in (*phase.products, *phase.lines):
                    for name in names(line.expression, "current"):
                        readers.setdefault(name, set()).add((part, k, waits(line.expression)))
        made_by: dict[str, set[str]] = {}
        for name, whole in self.joined.items():
            made_by.setdefault(whole, set()).add(at[name][0])
        lines = {line.name: line for part in PARTS for line in self.lines[part]}
        places = dict(self.known)
        copies: dict[str, list[tuple[str, Place]]] = {part: [] for part in PARTS}
        for name, (part, phase_number) in at.items():
            if name in self.joined:
                continue
            is_product = isinstance(lines[name].expression, Product) or name in made_by
            own = {part} | made_by.get(name, set())
            elsewhere = {(p, k) for p, k, _ in readers.get(name, ())} - {(part, phase_number)}
            # Around the loop each phase goes through all steps before the next one does.
            later = elsewhere or (name in self.wanted and phase_number < len(steps[part]) - 1)
            outside = (
                (part != "loop" and bool(later))
                or (is_product and own != {"loop"})
                or any(p != part for p, _ in elsewhere)
                or name in self.to_chunk
                or len(own) > 1
            )
            # A product fills up its vectors with whatever comes, so where zeros have to be it is copied.
            late = name in self.fixed and self.fixed[name].base == "following" and outside
            copied = late or (name in self.fixed and is_product and (outside or name in self.clean))
            if copied:
                copies["after" if part == "after" else "loop"].append((name, self.fixed[name]))
            if name in self.fixed and not copied:
                places[name] = self.fixed[name]
            elif outside:
                places[name] = Place("chunk", f"chunk.{name}")
            elif (
                is_product
                or elsewhere
                or name in self.wanted
                or waits(lines[name].expression)
                or not self.widths[name]
                or any(w for _, _, w in readers.get(name, ()))
            ):
                places[name] = Place("scratch", f"scratch.{name}")
        return places, {part: tuple(found) for part, found in copies.items()}

    # Groups.

    def _grouped(
        self, steps: Mapping[str, tuple[Phase, ...]], places: Mapping[str, Place], order: Mapping[str, list[str]]
    ) -> dict[str, Part]:
        written: set[str] = set()
        parts = {}
        for part in PARTS:
            found = []
            for number, phase in enumerate(steps[part]):
                groups = self._groups(f"{part}.{number}", phase, places, order, written)
                written |= {name for group in groups for name, _ in group.targets}
                found.append(tuple(groups))
            parts[part] = Part(steps[part], tuple(found))
        return parts

    def _groups(
        self,
        name: str,
        phase: Phase,
        places: Mapping[str, Place],
        order: Mapping[str, list[str]],
        written: set[str],
    ) -> list[Group]:
        """The products of a phase: those with the same operands together, if their results lie side by side."""
        members: dict[str, list[Product]] = {}
        for line in phase.products:
            assert isinstance(line.expression, Product)
            members.setdefault(self.joined.get(line.name, line.name), []).append(line.expression)
        runs: dict[tuple[object, ...], list[list[str]]] = {}
        for target, products in members.items():
            base = places[target].base
            key = (tuple(p.operand for p in products), base, target in written)
            found = runs.setdefault(key, [])
            names_there = order.get(base, [])
            if found and base in order and names_there.index(target) == names_there.index(found[-1][-1]) + 1:
                found[-1].append(target)
            else:
                found.append([target])
        groups = []
        for (_, _, adds), found in runs.items():
            for targets in found:
                products = members[targets[0]]
                groups.append(
                    Group(
                        name=f"{name}.{targets[0]}",
                        segments=tuple((p.operand, self._depth(p)) for p in products),
                        targets=tuple((target, self.widths[target]) for target in targets),
                        products=tuple(tuple(members[target]) for target in targets),
                        place=places[targets[0]],
                        adds=bool(adds),
                    )
                )
        return groups

    def _depth(self, product: Product) -> str:
        rows, columns = self.task.cell.shapes.matrices[product.matrix]
        return rows if product.transposed else columns

    def _outers(self, rank: Mapping[str, int]) -> tuple[Outer, ...]:
        """Gradients with the same right factor together, if their left ones lie side by side."""
        found: list[Outer] = []
        cell = self.task.cell
        ordered = sorted(self.outers, key=lambda outer: (outer[2], rank.get(outer[1], -1)))
        for matrix, left, right in ordered:
            rows, columns = cell.shapes.matrices[matrix]
            last = found[-1] if found else None
            if last and last.right == (right, columns) and rank.get(left, -9) == rank.get(last.left[-1][0], -1) + 1:
                found[-1] = Outer((*last.left, (left, rows)), last.right, (*last.matrices, matrix))
            else:
                found.append(Outer(((left, rows),), (right, columns), (matrix,)))
        return tuple(found)


def _is_sum(expression: Expression) -> bool:
    return isinstance(expression, Apply) and expression.operation == "add"


def _read(expression: Expression) -> list[str]:
    """The lines that one operation reads, as often as it does."""
    match expression:
        case Apply(arguments=arguments):
            values = list(arguments)
        case Product(operand=operand):
            values = [operand]
        case _:
            values = [expression]
    return [value.name for value in values if isinstance(value, Name) and value.role == "current"]
