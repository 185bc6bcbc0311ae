"""The catalogue as a table, and one cell as a page."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from rich.box import SIMPLE_HEAD
from rich.table import Table

from gatelab.errors import OptionError
from gatelab.language import catalogue
from gatelab.language.cell import Cell
from gatelab.language.lookup import cells, find_cell


@dataclass(frozen=True)
class CellLine:
    """A cell in one line of the list."""

    name: str
    states: tuple[str, ...]
    gates: tuple[str, ...]
    about: str
    cite: str


@dataclass(frozen=True)
class CellPage:
    """All there is to say of a cell at given sizes.

    Attributes:
        name: of the cell.
        about: one line; empty for a cell of a file.
        cite: the paper; may be empty.
        aliases: other names in the catalogue.
        equations: as a person would write them.
        latex: the same.
        states: the names that carry over a step.
        gates: the names between 0 and 1.
        output: the name whose value the layer gives.
        constants: plain numbers.
        init: what the cell says about how parameters start.
        sizes: by width symbol, I and H first.
        parameters: the shape of each.
        parameter_count: all of them together.
    """

    name: str
    about: str
    cite: str
    aliases: tuple[str, ...]
    equations: str
    latex: str
    states: tuple[str, ...]
    gates: tuple[str, ...]
    output: str
    constants: Mapping[str, float]
    init: Mapping[str, float | str]
    sizes: Mapping[str, int]
    parameters: Mapping[str, tuple[int, ...]]
    parameter_count: int


def cell_lines() -> tuple[CellLine, ...]:
    """The catalogue, in its order."""
    lines = []
    for name in cells():
        cell, entry = find_cell(name), catalogue.ENTRIES[name]
        lines.append(CellLine(name, cell.states, cell.gates, entry.about, cell.cite))
    return tuple(lines)


def cell_page(wanted: str, input_size: int, hidden_size: int, widths: Mapping[str, int]) -> CellPage:
    """The page of a cell of the catalogue or of a file.

    Args:
        wanted: a name or a path.
        input_size: I; a cell that adds its input to hidden vectors is shown with I = H.
        hidden_size: H.
        widths: further widths; one that is not given is H.

    Raises:
        OptionError: there is no such cell, or a width is not one of its.
        EquationError: a file does not hold a cell.
    """
    cell = find_cell(wanted)
    sizes = dict.fromkeys(cell.width_names, hidden_size) | dict(widths)
    parameters, input_size = _parameters(cell, input_size, hidden_size, sizes)
    entry = catalogue.ENTRIES.get(cell.name)
    known = entry if entry is not None and cell == find_cell(cell.name) else None
    return CellPage(
        name=cell.name,
        about=known.about if known else "",
        cite=cell.cite,
        aliases=known.aliases if known else (),
        equations=cell.equations,
        latex=cell.latex(),
        states=cell.states,
        gates=cell.gates,
        output=cell.output,
        constants=dict(cell.constants),
        init=dict(cell.init),
        sizes={"I": input_size, "H": hidden_size, **sizes},
        parameters=parameters,
        parameter_count=cell.parameter_count(input_size, hidden_size, **sizes),
    )


def draw_cell_lines(lines: tuple[CellLine, ...]) -> Table:
    """The list as a table."""
    table = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False, collapse_padding=True)
    table.add_column("cell", no_wrap=True)
    for heading, widest in (("states", 10), ("gates", 10), ("about", None), ("paper", 24)):
        table.add_column(heading, max_width=widest)
    for line in lines:
        table.add_row(line.name, ", ".join(line.states), ", ".join(line.gates), line.about, _authors(line.cite))
    return table


def page_text(page: CellPage) -> str:
    """The page as plain text."""
    facts = {
        "aliases": ", ".join(page.aliases),
        "paper": page.cite,
        "states": ", ".join(page.states),
        "gates": ", ".join(page.gates) or "none",
        "output": page.output,
        "constants": ", ".join(f"{name} = {value:g}" for name, value in page.constants.items()),
        "starts": ", ".join(f"{name} = {value}" for name, value in page.init.items()),
    }
    sizes = ", ".join(f"{symbol} = {size}" for symbol, size in page.sizes.items())
    shapes = [f"    {name:<8} {_shape(shape)}" for name, shape in page.parameters.items()]
    parts = [
        f"{page.name}: {page.about}" if page.about else page.name,
        "\n".join("    " + line for line in page.equations.splitlines()),
        "\n".join(f"{label + ':':<10} {value}" for label, value in facts.items() if value),
        "\n".join([f"parameters: {page.parameter_count:,} with {sizes}", *shapes]),
        page.latex,
    ]
    return "\n\n".join(parts) + "\n"


def _parameters(
    cell: Cell, input_size: int, hidden_size: int, sizes: Mapping[str, int]
) -> tuple[dict[str, tuple[int, ...]], int]:
    needed = cell.width("x")
    if needed != "I":
        input_size = {"H": hidden_size, **sizes}[needed]
    return cell.parameters(input_size, hidden_size, **sizes), input_size


def _authors(cite: str) -> str:
    """A citation up to its year."""
    found = re.match(r".*?\b\d{4}\b", cite)
    return found[0] if found else cite


def _shape(shape: tuple[int, ...]) -> str:
    return "one number" if not shape else " x ".join(map(str, shape))


def read_widths(given: list[str]) -> dict[str, int]:
    """Widths from texts such as "P=32".

    Raises:
        OptionError: one has another form.
    """
    widths = {}
    for text in given:
        name, _, size = text.partition("=")
        if not name.strip() or not size.strip().isdigit():
            raise OptionError(f"The width {text!r} is not of the form P=32.")
        widths[name.strip()] = int(size)
    return widths
