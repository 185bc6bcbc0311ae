"""Tables, printed."""

from __future__ import annotations

from collections.abc import Iterable

from gatelab.cli.console import show
from gatelab.views.tables import TableText, draw_table


def show_tables(tables: Iterable[TableText]) -> None:
    """Prints them one below the other."""
    for table in tables:
        show(draw_table(table))
