"""Which of its gates does a cell need on data of one's own? The cell whole, beside it without each of them in turn.

The study is a preset's, for forecasts, for classes of texts or for classes of series as the data have it, with these
cells, each of which is compared with the whole one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gatelab.data.table import Table, read_csv
from gatelab.errors import DataError, EquationError, OptionError
from gatelab.language.cell import Cell
from gatelab.language.expressions import names
from gatelab.language.lookup import WITHOUT, find_cell
from gatelab.studies.comparisons import Comparison
from gatelab.studies.spec import Study, find_study
from gatelab.studies.verdicts import fewest_seeds, kind_of

SERIES, TEXTS, LABELLED = "series-csv", "sentiment-csv", "series-classes"
"""The presets: what a column of numbers, a column of classes, and files of labelled series are asked for."""
LABELLED_FILES = (".ts", ".tsv")
"""How names of files of labelled series end; a table may end in the latter too, and then has a target."""
FEWEST_SEEDS = 8
"""More are taken where a cell has so many gates that eight can't show a difference."""
TEXT_WORDS = 4
"""A column with so many words in a cell, on average, holds texts; a date has fewer."""


class Asked(NamedTuple):
    """What is asked of the data.

    Attributes:
        preset: the study's name.
        options: of its task.
        what: is to be known, in words.
    """

    preset: str
    options: Mapping[str, Any]
    what: str


def make_ablation(
    cell: str,
    data: Path,
    target: str | None = None,
    *,
    text: str | None = None,
    forecast: bool = False,
    test: Path | None = None,
    hidden_size: int | None = None,
) -> Study:
    """The study of a cell on one's own data. Reads a table.

    Args:
        cell: a name of the catalogue, or the path of a file of equations.
        data: the path of a CSV file with a line of names; for forecasts its rows are in the order of time. Or that of a
            `.ts` or `.tsv` file of labelled series.
        target: the column to forecast, or of the classes; None for labelled series.
        text: the column of texts; None for the one with the longest, if there is one.
        forecast: to forecast the target, though a column of texts is there.
        test: the path of the labelled series of the test; None for NAME_TEST beside NAME_TRAIN.
        hidden_size: H; None for the preset's.

    Raises:
        DataError: the file is missing, broken or has no such column, or the target is no number and nothing is text.
        OptionError: there is no such cell, or no gate can be left out of it; or it is not said what is asked.
        EquationError: the cell's file does not hold a cell.
    """
    if target is None:
        if text is not None or forecast:
            raise OptionError("--text and --forecast are of a table.\nSay its column to know as well: --target COLUMN.")
        asked = _of_series(data, test)
    else:
        asked = _of_table(data, target, text, forecast, test)
    labels, refused = without_each(cell)
    study, _ = find_study(asked.preset)
    (part, plan), *_ = study.tasks.items()
    notes = [f"{gate} can't be left out: {why}." for gate, why in refused.items()]
    sizes = plan.hidden_sizes if hidden_size is None else [hidden_size]
    options = {**plan.choices.get("options", {}), **asked.options}
    own = plan.model_copy(update={"notes": [*plan.notes, *notes], "hidden_sizes": sizes, "options": options})
    name = "-".join(filter(None, ("ablate", find_cell(cell).name, data.name.split(".")[0], target)))
    return study.model_copy(
        update={
            "name": re.sub(r"[^A-Za-z0-9]+", "-", name)[:64].strip("-"),
            "about": f"Which gates does {cell} need to know {asked.what} of {data.name}?",
            "cells": [cell, *labels],
            "against": cell,
            "seeds": max(FEWEST_SEEDS, fewest_seeds(len(labels)) or 0),
            "tasks": {part: own},
        }
    )


def without_each(label: str) -> tuple[list[str], dict[str, str]]:
    """What to call the cell without each of its gates, and the gates that can't be left out, with the reason.

    Raises:
        OptionError: there is no such cell, or no gate can be left out of it.
        EquationError: the cell's file does not hold a cell.
    """
    cell = find_cell(label)
    faults = {gate: _fault(cell, gate) for gate in cell.gates}
    labels = [f"{label}{WITHOUT}{gate}" for gate, fault in faults.items() if not fault]
    if not labels:
        which = f": its gates are {', '.join(cell.gates)}" if cell.gates else ""
        raise OptionError(
            f"No gate can be left out of '{cell.name}'{which}.\n"
            "Take a cell with gates; `gatelab cells NAME` shows them."
        )
    return labels, {gate: fault for gate, fault in faults.items() if fault}


def answer(comparisons: Iterable[Comparison], whole: str) -> str:
    """What leaving gates out has come to, in a sentence or two.

    Args:
        comparisons: of the cell without each gate (first) with the whole one (second).
        whole: what the study calls the whole one.
    """
    kinds: dict[str, list[str]] = {}
    for found in comparisons:
        gate = found.first.removeprefix(whole + WITHOUT)
        kinds.setdefault(_came_to(found), []).append(gate)
    return " ".join(f"{words} {', '.join(kinds[kind])}." for kind, words in ANSWERS.items() if kind in kinds)


ANSWERS = {
    "worse": "Needed, as without it the cell is worse:",
    "better": "Better left out:",
    "untold": "No difference shown with and without:",
    "equal": "The same with and without:",
    "few": "Too few seeds to tell:",
    "apart": "Diverged, so nothing can be said of:",
}
"""How the sentence on some gates begins, by what leaving them out came to."""


def _came_to(found: Comparison) -> str:
    kind = kind_of(found)
    if kind != "claim":
        return kind
    assert found.difference is not None
    return "better" if (found.difference > 0) == (found.best == "highest") else "worse"


def _fault(cell: Cell, gate: str) -> str:
    """Why the cell without a gate is none, or nothing."""
    try:
        lines = cell.without(gate).lines
    except EquationError as error:
        return str(error).partition("\n")[0].rstrip(".")
    return "" if any("x" in names(line.expression) for line in lines) else "nothing would be left that reads x"


def _of_series(data: Path, test: Path | None) -> Asked:
    """What is asked of files of labelled series."""
    if test is None and data.suffix not in LABELLED_FILES:
        raise OptionError(f"It is not said which column of {data.name} to know.\nSay it: --target COLUMN.")
    if test is None:
        test = data.with_name(data.name.replace("TRAIN", "TEST"))
        if test == data or not test.is_file():
            raise OptionError(
                f"{data.name} has series to learn from, and those of the test are not beside it.\n"
                "Say where they are: --test FILE. Of a table with a column to know, say which: --target COLUMN."
            )
    return Asked(LABELLED, {"train": str(data), "test": str(test)}, "the classes")


def _of_table(data: Path, target: str, text: str | None, forecast: bool, test: Path | None) -> Asked:
    """What is asked of a table."""
    if test is not None:
        raise OptionError("--test is of labelled series, --target of a table.\nTake one of them out.")
    if data.suffix == ".ts":
        raise OptionError(f"{data.name} holds labelled series, and --target is a column of a table.\nLeave it out.")
    table = read_csv(data)
    column = table.column(target)
    if text is None and not forecast and not _has_fractions(column):
        text = _longest_texts(table, target)
    if text is not None:
        table.column(text)
        return Asked(TEXTS, {"csv": str(data), "text": text, "label": target}, target)
    if column.dtype == object:
        raise DataError(
            f"{table.name}: column '{target}' holds classes, and no other column holds texts to tell them by.\n"
            "Say which does: --text COLUMN. To forecast, take a column of numbers as the target."
        )
    return Asked(SERIES, {"data": str(data), "target": target}, target)


def _has_fractions(column: NDArray[Any]) -> bool:
    """Whether these are numbers and not all whole, as those of classes are."""
    return column.dtype != object and bool((column[np.isfinite(column)] % 1).any())


def _longest_texts(table: Table, target: str) -> str | None:
    words = {
        name: float(np.mean([len(cell.split()) for cell in column]))
        for name, column in table.columns.items()
        if column.dtype == object and name != target
    }
    most = max(words, key=lambda name: words[name], default=None)
    return most if most is not None and words[most] >= TEXT_WORDS else None
