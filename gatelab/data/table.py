"""Tables from CSV files: columns by name, each of numbers or of text."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gatelab.data.fetch import find
from gatelab.data.reading import delimiter_of, opened, refuse_twice
from gatelab.errors import DataError, nearest

MISSING = frozenset({"", "?", "na", "n/a", "nan", "null", "none"})
"""What a cell without a value holds, in any case of letters."""
SHOWN = 40
"""Characters of a cell that a message repeats."""


@dataclass(frozen=True, eq=False)
class Table:
    """The columns of a file, N rows long.

    Attributes:
        name: the file's.
        columns: by name, in the file's order, each (N,). A column of numbers is float64 with NaN where a value is
            missing; one with a cell that is neither a number nor missing keeps every cell as text, as objects,
            since a fixed width would give each row the room of the longest.
        lines: the line of the file where each row begins, N of them, from 1.
    """

    name: str
    columns: Mapping[str, NDArray[Any]]
    lines: tuple[int, ...]

    @property
    def numeric(self) -> tuple[str, ...]:
        """The names of the columns of numbers, those that are empty left out."""
        return tuple(name for name, column in self.columns.items() if column.dtype != object and name not in self.empty)

    @property
    def empty(self) -> tuple[str, ...]:
        """The names of the columns in which every value is missing; a comma at the end of each line makes one."""
        return tuple(name for name, column in self.columns.items() if column.dtype != object and np.isnan(column).all())

    def column(self, name: str) -> NDArray[Any]:
        """A column, (N,), of float64 or of text.

        Raises:
            DataError: there is none of that name.
        """
        if name not in self.columns:
            raise DataError(f"{self.name} has no column '{name}'.\n{nearest(name, self.columns)}")
        return self.columns[name]

    def numbers(self, name: str) -> NDArray[np.float64]:
        """A column of finite numbers, (N,).

        Raises:
            DataError: there is none of that name, it holds text, or values are missing or infinite.
        """
        column = self.column(name)
        if column.dtype == object:
            self._refuse_text(name)
        gaps = np.flatnonzero(~np.isfinite(column))
        if len(gaps):
            raise DataError(
                f"{self.name}: {len(gaps)} of the {len(column)} values of column '{name}' are missing or infinite, "
                f"the first of them on line {self.lines[gaps[0]]}.\n"
                "Fill them in or take those rows out, or leave the column out: -o columns=[...]."
            )
        return column

    def _refuse_text(self, name: str) -> None:
        cells = self.columns[name]
        row = next(row for row, cell in enumerate(cells) if number(cell) is None)
        others = f"The columns of numbers are: {', '.join(self.numeric)}." if self.numeric else "None has numbers only."
        raise DataError(
            f"{self.name}, line {self.lines[row]}: {cells[row][:SHOWN]!r} in column '{name}' is no number.\n"
            f"Numbers are written as in 1234.5, with a point. {others}"
        )


def number(cell: str, missing: Collection[str] = MISSING) -> float | None:
    """The number that a cell holds: NaN if it is missing, None if it is neither.

    Python reads 20_1 as two hundred and one; in a file it is a name, so it is no number here.
    """
    text = cell.strip()
    if text.lower() in missing:
        return math.nan
    try:
        return None if "_" in text else float(text)
    except ValueError:
        return None


def read_csv(path: Path) -> Table:
    """The table in a CSV file with a line of names, plain or .gz, UTF-8.

    Cells are separated by commas, semicolons or tabs, whichever gives the line of names the most cells, and quoted
    as in RFC 4180. Blank lines do not count.

    Raises:
        DataError: the file is empty, has only the names or one name twice, rows of different lengths, an open
            quote, NUL bytes, or is no UTF-8.
    """
    rows = list(_rows(path.name, _text(path)))
    if len(rows) < 2:
        found = "holds only a line of names" if rows else "is empty"
        raise DataError(f"{path.name} {found}.\nA table is a line of names and at least one row under it.")
    names = [cell.strip() for cell in rows[0][1]]
    refuse_twice(path.name, names)
    for line, cells in rows[1:]:
        if len(cells) != len(names):
            raise DataError(
                f"{path.name}, line {line}: {len(cells)} cells where the line of names has {len(names)}.\n"
                "Every row needs a cell for each name; a cell with the separator in it is put in quotes."
            )
    columns = zip(*(cells for _, cells in rows[1:]), strict=True)
    by_name = {name: _column(cells) for name, cells in zip(names, columns, strict=True)}
    return Table(path.name, by_name, tuple(line for line, _ in rows[1:]))


def _text(path: Path) -> str:
    with opened(path) as stream:
        text = stream.read()
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise DataError(
            f"{path.name}, line {line}: a NUL byte, which no text has.\n"
            "The file is broken or no CSV; save the table once more as CSV in UTF-8."
        )
    return text


def _rows(name: str, text: str) -> Iterator[tuple[int, list[str]]]:
    """The rows that are not blank, each with the line where it begins."""
    stream = io.StringIO(text, newline="")
    reader, line = csv.reader(stream, delimiter=delimiter_of(stream), strict=True), 1
    try:
        for cells in reader:
            if cells:
                yield line, cells
            line = reader.line_num + 1
    except csv.Error as error:
        raise DataError(
            f"{name}, line {line}: the row that begins here cannot be read ({error}).\n"
            "A quote that opens a cell must close at its end, and one within it is written twice."
        ) from error


def _column(cells: Sequence[str]) -> NDArray[Any]:
    values = []
    for cell in cells:
        value = number(cell)
        if value is None:
            return np.array(cells, dtype=object)
        values.append(value)
    return np.array(values)


def etth1() -> Table:
    """Oil temperature ("OT", °C) and six loads of a transformer, hourly for two years, with a "date": 17,420 rows.

    Zhou et al. 2021, "Informer", AAAI.
    """
    return read_csv(find("ett/ETTh1"))


def airline() -> Table:
    """The "Passengers" of airlines (thousands) by "Month" from 1949 to 1960: 144 rows. Box & Jenkins 1976."""
    return read_csv(find("airline-passengers"))


def temperatures() -> Table:
    """The lowest "Temp" (°C) of each "Date" in Melbourne from 1981 to 1990: 3,650 rows."""
    return read_csv(find("daily-min-temperatures"))
