"""What a pair of kernels is made for: a cell and what happens around its steps, but no sizes."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache

from gatelab.backends.taps import tapped_lines
from gatelab.compiler.program import rewrite
from gatelab.compiler.schedule import Pass, Schedule, compile_cell
from gatelab.language.cell import Cell
from gatelab.language.edits import ZERO, fold, text_of
from gatelab.language.expressions import Apply, Expression, Line, Name, Product, names, transform


@dataclass(frozen=True, eq=False)
class Task:
    """One cell and its surroundings; equal ones are made once, so that finding their kernels costs nothing.

    Attributes:
        cell: the equations; with recurrent dropout the masks are vectors in them.
        masks: the vectors of the cell that have values of their own for each sequence, and the state of each.
        resets: whether sequences start afresh at some steps.
        alive: whether some steps are none.
        zoneout: the states of which a share stays as it was.
        watched: the names whose values go out.
        taps: vectors of the cell that are zero and only there for their gradients, and the name that each is added to.
    """

    cell: Cell
    masks: tuple[tuple[str, str], ...] = ()
    resets: bool = False
    alive: bool = False
    zoneout: tuple[str, ...] = ()
    watched: tuple[str, ...] = ()
    taps: tuple[tuple[str, str], ...] = ()

    @cached_property
    def schedule(self) -> Schedule:
        return silenced(compile_cell(self.cell), {tap for tap, _ in self.taps})

    @cached_property
    def given(self) -> frozenset[str]:
        """The vectors of the cell that are not learned."""
        return frozenset(name for name, _ in (*self.masks, *self.taps))

    @property
    def is_plain(self) -> bool:
        """Whether the states before a step are just the values of the step before."""
        return not (self.resets or self.alive or self.zoneout)

    @property
    def output_state(self) -> str | None:
        """The state that the output is, if it is one; then zoneout acts on the output too."""
        return self.cell.stored_as.get(self.cell.output)

    @cached_property
    def mask_of(self) -> Mapping[str, str]:
        return dict(self.masks)


class Same:
    """A cell by identity: a layer asks with the same one each time, and comparing equations costs more than a step."""

    __slots__ = ("cell",)

    def __init__(self, cell: Cell) -> None:
        self.cell = cell

    def __hash__(self) -> int:
        return id(self.cell)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Same) and other.cell is self.cell


@lru_cache(maxsize=1024)
def find_task(
    same: Same,
    masks: tuple[str, ...],
    resets: bool,
    alive: bool,
    zoneout: tuple[str, ...],
    watched: tuple[str, ...] = (),
    taps: tuple[str, ...] = (),
) -> Task:
    """The task of a run.

    Args:
        masks: the states with recurrent dropout.
        taps: the names whose gradients go out.
    """
    return _make_task(same.cell, masks, resets, alive, zoneout, watched, taps)


@lru_cache(maxsize=1024)
def _make_task(cell: Cell, masks: tuple[str, ...], resets: bool, alive: bool, zoneout: tuple[str, ...],
               watched: tuple[str, ...], taps: tuple[str, ...]) -> Task:  # fmt: skip
    changed, masked = with_masks(cell, masks) if masks else (cell, ())
    tapped, found = with_taps(changed, taps) if taps else (changed, ())
    return Task(tapped, masked, resets, alive, zoneout, watched, found)


def with_masks(cell: Cell, states: tuple[str, ...]) -> tuple[Cell, tuple[tuple[str, str], ...]]:
    """The cell with a vector times each of the states, where it is read inside of a product.

    Returns:
        The cell, and the name of the vector for each state.
    """
    taken = _names(cell)
    masks = {state: _new_name(f"mask_{state}", taken) for state in states}

    def masked(node: Expression) -> Expression:
        if isinstance(node, Name) and node.role == "previous" and cell.stored_as[node.name] in masks:
            return Apply("multiply", (node, Name(masks[cell.stored_as[node.name]], "vector")))
        return node

    def change(node: Expression) -> Expression:
        """Down to the outermost products only, since those inside of them are changed with them."""
        match node:
            case Product():
                return transform(node, masked)
            case Apply(arguments=arguments):
                return replace(node, arguments=tuple(change(argument) for argument in arguments))
        return node

    lines = tuple(replace(line, expression=change(line.expression)) for line in cell.lines)
    read = {name for line in lines for name in names(line.expression, "vector")}
    found = tuple((masks[state], state) for state in states if masks[state] in read)
    return _with_vectors(cell, lines, [mask for mask, _ in found]), found


def with_taps(cell: Cell, watched: tuple[str, ...]) -> tuple[Cell, tuple[tuple[str, str], ...]]:
    """The cell with a tap added to each of the names.

    Returns:
        The cell, and the name of the tap and of what it is added to.
    """
    taken = _names(cell)
    found = tuple((_new_name(f"tap_{name}", taken), name) for name in watched)
    tap_of = {line: Name(tap, "vector") for tap, name in found for line in tapped_lines(cell, name)}
    lines = tuple(
        replace(line, expression=Apply("add", (line.expression, tap_of[line.name]))) if line.name in tap_of else line
        for line in cell.lines
    )
    return _with_vectors(cell, lines, [tap for tap, _ in found]), found


def silenced(schedule: Schedule, taps: Collection[str]) -> Schedule:
    """The schedule with these vectors known to be zero."""
    if not taps:
        return schedule

    def change(node: Expression) -> Expression:
        return ZERO if isinstance(node, Name) and node.role == "vector" and node.name in taps else fold(node)

    def through(way: Pass) -> Pass:
        loop = tuple(replace(phase, lines=rewrite(phase.lines, change)) for phase in way.loop)
        return Pass(rewrite(way.before, change), loop, rewrite(way.after, change))

    again = rewrite(schedule.again, change)
    return replace(schedule, forwards=through(schedule.forwards), backwards=through(schedule.backwards), again=again)


def _with_vectors(cell: Cell, lines: tuple[Line, ...], vectors: Iterable[str]) -> Cell:
    """The cell with other lines, in which there are vectors that it had not."""
    return Cell(
        text_of(lines),
        name=cell.name,
        output=cell.output,
        constants=cell.constants,
        parameters={**cell.declared, **dict.fromkeys(vectors, "vector")},
        widths=cell.widths,
    )


def _names(cell: Cell) -> set[str]:
    return {line.name for line in cell.lines} | set(cell.parameter_names) | set(cell.constants)


def _new_name(name: str, taken: set[str]) -> str:
    while name in taken:
        name += "_"
    return name
