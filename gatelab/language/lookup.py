"""From a name, or a path, to a Cell."""

from __future__ import annotations

from functools import cache
from os import PathLike, fspath
from pathlib import Path

from gatelab.errors import OptionError, nearest
from gatelab.language import catalogue
from gatelab.language.cell import Cell
from gatelab.language.files import read_cell

WITHOUT = " without "
"""Between a cell and a gate of it that is left out, in its name and in what is asked for."""


def cells() -> tuple[str, ...]:
    """The names of the catalogue."""
    return catalogue.NAMES


def find_cell(wanted: str | PathLike[str] | Cell) -> Cell:
    """The cell of a catalogue name or alias, of a text file of equations, or the cell itself.

    A name or a path may leave out gates, as in "lstm without f" or "my.cell without i without o".

    Raises:
        OptionError: no cell has this name and no file this path.
        EquationError: the file does not hold a cell, or the cell has no such gate.
    """
    if isinstance(wanted, Cell):
        return wanted
    if not isinstance(wanted, str | PathLike):
        raise OptionError(
            f"A cell is a name, a path or a Cell, not {type(wanted).__name__}.\nWrite Recurrent('lstm', ...)."
        )
    text = fspath(wanted)
    whole, *gates = text.split(WITHOUT)
    if gates and not Path(text).is_file():
        cell = find_cell(whole if isinstance(wanted, str) else Path(whole))
        for gate in gates:
            cell = cell.without(gate.strip())
        return cell
    name = text.strip().lower().replace("-", "_").replace(" ", "_")
    if isinstance(wanted, str) and name in catalogue.ALL_NAMES:
        return _from_catalogue(catalogue.entry(name).name)
    if not isinstance(wanted, str) or Path(text).suffix or "/" in text or Path(text).is_file():
        return read_cell(text)
    raise OptionError(
        f"There is no cell '{text}' in the catalogue, and no such file.\n{nearest(name, catalogue.ALL_NAMES)}\n"
        "`gatelab cells` lists them."
    )


@cache
def _from_catalogue(name: str) -> Cell:
    entry = catalogue.entry(name)
    if not entry.base:
        return Cell(
            entry.equations,
            name=entry.name,
            cite=entry.cite,
            output=entry.output,
            constants=entry.constants,
            parameters=entry.parameters,
            widths=entry.widths,
            init=entry.init,
        )
    cell = _from_catalogue(entry.base)
    for edit, *arguments in entry.edits:
        cell = getattr(cell, edit)(*arguments)
    return cell.called(entry.name, entry.cite, entry.init or None)
