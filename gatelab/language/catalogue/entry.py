"""What the catalogue says of one cell."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A cell as data: its equations, or another cell and edits of it.

    Attributes:
        name: lower case, words joined by underscores.
        cite: the paper, with an arXiv number or DOI, and the equations where their numbers are known.
        about: one line, what is special about the cell.
        equations: the lines, in the language of cells.
        base: the name of the cell that `edits` start from, instead of `equations`.
        edits: methods of a cell with their arguments, in order, such as `("without", "i")`.
        aliases: other names that people know the cell by.
        output: the name whose value the layer gives.
        constants: plain numbers in the equations.
        parameters: learned parameters that are not named like one.
        widths: vectors whose width is not the hidden one.
        init: how parameters start, where the paper makes it part of the cell; by name or pattern.

    With a `base`, the edits say everything but `init`, which takes the place of the base's where it is given.
    """

    name: str
    cite: str
    about: str
    equations: str = ""
    base: str = ""
    edits: tuple[tuple[str, ...], ...] = ()
    aliases: tuple[str, ...] = ()
    output: str = "h"
    constants: Mapping[str, float] = field(default_factory=dict)
    parameters: Mapping[str, Literal["scalar", "vector"]] = field(default_factory=dict)
    widths: Mapping[str, str] = field(default_factory=dict)
    init: Mapping[str, float | str] = field(default_factory=dict)
