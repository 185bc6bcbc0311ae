"""Where commands print."""

from __future__ import annotations

import shutil

from rich.console import Console, RenderableType

WIDEST = 100
"""Columns; tables do not read better on a wider screen."""


def show(drawn: RenderableType) -> None:
    """Prints to the output, as wide as the terminal up to `WIDEST`, without the spaces at the ends of lines."""
    width = min(WIDEST, shutil.get_terminal_size((WIDEST, 24)).columns)
    console = Console(width=width, markup=False, emoji=False)  # What users have written is printed as it is.
    with console.capture() as captured:
        console.print(drawn)
    print("\n".join(line.rstrip() for line in captured.get().splitlines()))
