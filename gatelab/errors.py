"""Every error that gatelab raises on purpose. Each names the cause and the cure."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any


class GatelabError(Exception):
    """The base of all errors of gatelab."""


class EquationError(GatelabError, ValueError):
    """The equations of a cell, or an edit of them, do not make a cell."""


class ShapeError(GatelabError, ValueError):
    """A tensor's shape, dtype or device does not fit the layer."""


class OptionError(GatelabError, ValueError):
    """An option has a value that it cannot have."""


class TaskError(GatelabError, ValueError):
    """A task's name or its data does not fit."""


class DataError(GatelabError, ValueError):
    """A data set's file is missing, broken or does not fit."""


class StoreError(GatelabError, OSError):
    """A file or folder of a run is missing, broken or not ours."""


class BusyError(StoreError):
    """Another process makes the run in a folder."""


def nearest(name: str, known: Iterable[str]) -> str:
    """A sentence that offers the known name most like `name`, or lists them all: the cure of a slip."""
    names = sorted(known)
    close = difflib.get_close_matches(name.lower(), names, n=1, cutoff=0.6)
    if close:
        return f"Did you mean '{close[0]}'?"
    return "There are: " + ", ".join(names) + "."


def explain_problem(problem: Mapping[str, Any], known: Iterable[str]) -> str:
    """One problem that pydantic found, as a sentence with a cure; `known` are the keys that there are."""
    names = sorted(known)
    place = [str(part) for part in problem["loc"]]
    # Beside keys, pydantic names the kinds of value that it tried.
    while len(place) > 1 and place[-1] not in names and not place[-1].isdigit() and "[" in place[-1] + place[-2]:
        place.pop()
    place = [part for part in place if part in names or not _is_kind(part)] or place[:1]
    key = ".".join(place) or "it"
    match problem["type"]:
        case "extra_forbidden":
            return f"There is no key '{key}'.\n{nearest(place[-1], names)}"
        case "missing":
            return f"The key '{key}' is missing.\nAdd it."
        case "value_error":
            return str(problem["ctx"]["error"])
        case _:
            return f"{key} is {problem['input']!r}.\n{problem['msg']}."


def _is_kind(part: str) -> bool:
    """Whether pydantic's word for a place is that of a kind of value, and no key."""
    return "[" in part or part.startswith("constrained-")


def first_problem(problems: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """The one to tell of: of a value that may be of several kinds, the problem with the kind that fits best."""
    key = problems[0]["loc"][:1]
    return max((problem for problem in problems if problem["loc"][:1] == key), key=lambda problem: len(problem["loc"]))
