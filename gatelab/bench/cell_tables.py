"""The tables of further cells, as text that `draw_table` draws."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from gatelab.bench.cells import PER, CellRow
from gatelab.bench.losses import LOSSES
from gatelab.bench.texts import ABOUT_LOSSES, MARKS, grouped, judged, number, percent
from gatelab.views.tables import NOTHING, TableText

ABOUT_WORK = (
    "Over those of lstm: multiply-adds; bytes kept, which are the states and values that the way back reads; and the "
    "times of a step, a multiply-add and a byte kept. In the loop: the share of multiply-adds made step by step.",
    "Multiply-adds are those of matrices; elementwise work is counted nowhere.",
    "* No product is made in the loop: all that is done there is elementwise, and its time is put down to the few "
    "multiply-adds ahead of it. There the time of a multiply-add says little; that of a step or a byte kept says more.",
)


def cell_tables(rows: Sequence[CellRow]) -> tuple[TableText, ...]:
    """One table a loss of those beside eager; of those beside lstm one a size and loss."""
    eager: dict[str, list[CellRow]] = {}
    lstm: dict[tuple[str, str], list[CellRow]] = {}
    for row in rows:
        if len(row.ratios) == len(PER):
            lstm.setdefault((row.at, row.loss), []).append(row)
        else:
            eager.setdefault(row.loss, []).append(row)
    return (
        *_explained(tuple(map(_beside_eager, eager.values())), (MARKS.format("floor"), *ABOUT_LOSSES)),
        *_explained(tuple(map(_beside_lstm, lstm.values())), (*ABOUT_WORK, MARKS.format("ceiling"), *ABOUT_LOSSES)),
    )


def _explained(tables: tuple[TableText, ...], about: tuple[str, ...]) -> tuple[TableText, ...]:
    """Tables of one kind, with what is true of all below the last."""
    return (*tables[:-1], *(replace(table, caption=(*table.caption, *about)) for table in tables[-1:]))


def _beside_eager(rows: Sequence[CellRow]) -> TableText:
    """A row a cell, a column a size."""
    sizes = list(dict.fromkeys(row.at for row in rows))
    found = {(row.cell, row.at): row for row in rows}
    return TableText(
        title=f"Cells: times faster than eager, {LOSSES[rows[0].loss].words}",
        headings=("", "cell", *sizes),
        sections=(
            tuple(
                ("", cell, *(judged(found[cell, size].ratios[0]) for size in sizes))
                for cell in dict.fromkeys(row.cell for row in rows)
            ),
        ),
        caption=tuple(_reasons(rows)),
    )


def _beside_lstm(rows: Sequence[CellRow]) -> TableText:
    """A row a cell."""
    return TableText(
        title=f"Cells beside lstm at {rows[0].at}, {LOSSES[rows[0].loss].words}",
        headings=(
            "",
            "cell",
            "multiply-\nadds",
            "in the\nloop",
            "bytes\nkept",
            "\nms",
            *(f"time of\n{per.what}" for per in PER),
        ),
        sections=(tuple(map(_row, rows)),),
        caption=tuple(_reasons(rows)),
    )


def _row(row: CellRow) -> tuple[str, ...]:
    own, lstm = row.work
    return (
        "" if own.in_loop else "*",
        row.cell,
        number(own.multiply_adds / lstm.multiply_adds),
        percent(own.in_loop / own.multiply_adds) if own.multiply_adds else NOTHING,
        number(own.kept / lstm.kept),
        number(row.timings[0].median),
        *map(judged, row.ratios),
    )


def _reasons(rows: Sequence[CellRow]) -> list[str]:
    return grouped((each.why_not, row.cell, row.at) for row in rows for each in row.ratios[:1] if each.why_not)
