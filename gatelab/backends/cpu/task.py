"""What a pair of kernels is made for: a cell and what happens around its steps, but no sizes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache

from gatelab.compiler.schedule import Schedule, compile_cell
from gatelab.language.cell import Cell
from gatelab.language.edits import text_of
from gatelab.language.expressions import Apply, Expression, Name, Product, names, transform


@dataclass(frozen=True, eq=False)
class Task:
    """One cell and its surroundings; equal ones are made once, so that finding their kernels costs nothing.

    Attributes:
        cell: the equations; with recurrent dropout the masks are vectors in them.
        masks: the vectors of the cell that have values of their own for each sequence, and the state of each.
        resets: whether sequences start afresh at some steps.
        alive: whether some steps are none.
        zoneout: the states of which a share stays as it was.
    """

    cell: Cell
    masks: tuple[tuple[str, str], ...] = ()
    resets: bool = False
    alive: bool = False
    zoneout: tuple[str, ...] = ()

    @property
    def schedule(self) -> Schedule:
        return compile_cell(self.cell)

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
def find_task(same: Same, masks: tuple[str, ...], resets: bool, alive: bool, zoneout: tuple[str, ...]) -> Task:
    """The task of a run.

    Args:
        masks: the states with recurrent dropout.
    """
    return _make_task(same.cell, masks, resets, alive, zoneout)


@lru_cache(maxsize=1024)
def _make_task(cell: Cell, masks: tuple[str, ...], resets: bool, alive: bool, zoneout: tuple[str, ...]) -> Task:
    changed, found = with_masks(cell, masks) if masks else (cell, ())
    return Task(changed, found, resets, alive, zoneout)


def with_masks(cell: Cell, states: tuple[str, ...]) -> tuple[Cell, tuple[tuple[str, str], ...]]:
    """The cell with a vector times each of the states, where it is read inside of a product.

    Returns:
        The cell, and the name of the vector for each state.
    """
    taken = {line.name for line in cell.lines} | set(cell.parameter_names) | set(cell.constants)
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
    made = Cell(
        text_of(lines),
        name=cell.name,
        output=cell.output,
        constants=cell.constants,
        parameters={**cell.declared, **{mask: "vector" for mask, _ in found}},
        widths=cell.widths,
    )
    return made, found


def _new_name(name: str, taken: set[str]) -> str:
    while name in taken:
        name += "_"
    return name
