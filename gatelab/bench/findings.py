"""A table of one more question: rows of times or amounts, each with a verdict."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from gatelab.bench.verdicts import Verdict


@dataclass(frozen=True)
class Finding:
    """A row.

    Attributes:
        what: that was measured.
        at: at which size, or when.
        numbers: by the headings of the table's columns; None where there is none.
        verdict: the last column.
    """

    what: str
    at: str
    numbers: Mapping[str, float | None]
    verdict: Verdict


@dataclass(frozen=True)
class Findings:
    """A table.

    Attributes:
        title: above it.
        unit: of the numbers.
        rows: of it.
        notes: sentences below it.
    """

    title: str
    unit: str
    rows: tuple[Finding, ...]
    notes: tuple[str, ...]
