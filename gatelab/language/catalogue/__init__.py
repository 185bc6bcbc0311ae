"""The catalogue: recurrent cells as data, a file a family."""

from __future__ import annotations

from collections.abc import Mapping

from gatelab.language.catalogue import (
    bistable,
    elman,
    exponential,
    fast,
    gated,
    gru,
    lstm,
    lstm_extended,
    multiplicative,
    odyssey,
    oscillators,
    report_2018,
    scans,
    strongly_typed,
)
from gatelab.language.catalogue.entry import Entry

FAMILIES = (
    elman.CELLS,
    multiplicative.CELLS,
    lstm.CELLS,
    report_2018.CELLS,
    odyssey.CELLS,
    lstm_extended.CELLS,
    exponential.CELLS,
    gru.CELLS,
    gated.CELLS,
    bistable.CELLS,
    fast.CELLS,
    oscillators.CELLS,
    strongly_typed.CELLS,
    scans.CELLS,
)
"""A tuple of cells from each file."""

ENTRIES: Mapping[str, Entry] = {cell.name: cell for family in FAMILIES for cell in family}
"""Every cell by its name, in the order of the families."""

NAMES = tuple(ENTRIES)
ALIASES: Mapping[str, str] = {alias: cell.name for cell in ENTRIES.values() for alias in cell.aliases}
ALL_NAMES = (*NAMES, *ALIASES)


def entry(name: str) -> Entry:
    """The entry of a name or an alias.

    Raises:
        KeyError: there is no such cell.
    """
    return ENTRIES[ALIASES.get(name, name)]
