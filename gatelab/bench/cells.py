"""Any cell of the catalogue: beside eager where that is quick enough, elsewhere beside lstm."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from gatelab.bench.conditions import Conditions
from gatelab.bench.losses import Loss
from gatelab.bench.sizes import Size, fit_size
from gatelab.bench.timing import Timing, Watch, take_turns
from gatelab.bench.torch_steps import recurrent_step
from gatelab.bench.verdicts import Verdict, judge, judge_ratio
from gatelab.bench.work import Work, work
from gatelab.language.cell import Cell
from gatelab.language.lookup import find_cell

SHARE = 0.04
"""Of the seconds for a size: so long each cell is measured there. There are many, and a median of few will do."""


@dataclass(frozen=True)
class Per:
    """What the time of a step is divided by, before it is held against that of lstm.

    Attributes:
        what: one of them.
        amount: how many there are in a step.
        ceiling: which field of a size says how much longer than lstm's it may take; empty where nothing is asked.
    """

    what: str
    amount: Callable[[Work], int]
    ceiling: str = ""


PER = (
    Per("a multiply-add", lambda work: work.multiply_adds, "cells"),
    Per("a step", lambda work: 1),
    Per("a byte kept", lambda work: work.kept),
)
"""Only the first is judged. It means little where elementwise work takes the time, as in a cell that has no product in
the loop: there the other two say more."""


@dataclass(frozen=True)
class CellRow:
    """A cell at a size, with one loss, and the other that took turns with it: itself in eager, or lstm.

    Attributes:
        cell: its name.
        at: the size.
        loss: by name.
        timings: of a step of both.
        work: in a step of both.
        ratios: eager's time over ours; or our time over lstm's, one for each of `PER`.
    """

    cell: str
    at: str
    loss: str
    timings: tuple[Timing, Timing]
    work: tuple[Work, Work]
    ratios: tuple[Verdict, ...]


def measure_cells(
    cells: Sequence[str], size: Size, loss: Loss, conditions: Conditions, watch: Watch
) -> tuple[CellRow, ...]:
    """A row a cell."""
    measure = _beside_eager if size.is_small else _beside_lstm
    rows = []
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        for number, name in enumerate(cells):
            watch(name, number / len(cells))
            rows.append(measure(find_cell(name), size, loss, conditions))
    return tuple(rows)


def _beside_eager(cell: Cell, size: Size, loss: Loss, conditions: Conditions) -> CellRow:
    ours, eager = _turns(cell, "eager", cell, "eager", size, loss, conditions)
    own = work(cell, fit_size(size, cell))
    verdict = judge_ratio(eager, ours, size.name, loss=loss.name, at_least=size.eager)
    return CellRow(cell.name, size.name, loss.name, (ours, eager), (own, own), (verdict,))


def _beside_lstm(cell: Cell, size: Size, loss: Loss, conditions: Conditions) -> CellRow:
    lstm = find_cell("lstm")
    timings = _turns(cell, "lstm beside it", lstm, conditions.backend, size, loss, conditions)
    own, lstms = (work(each, fit_size(size, each)) for each in (cell, lstm))
    ratios = tuple(_over_lstm(per, timings, (own, lstms), size, loss) for per in PER)
    return CellRow(cell.name, size.name, loss.name, timings, (own, lstms), ratios)


def _over_lstm(per: Per, timings: tuple[Timing, Timing], works: tuple[Work, Work], size: Size, loss: Loss) -> Verdict:
    ours, beside = timings
    own, lstms = map(per.amount, works)
    name = f"{ours.name} / lstm, {per.what}"
    at_most = getattr(size, per.ceiling) if per.ceiling else None
    if not own:
        return judge(name, size.name, None, loss=loss.name, why_not=f"{ours.name} has no matrices")
    return judge_ratio(ours, beside, size.name, name=name, loss=loss.name, times=lstms / own, at_most=at_most)


def _turns(
    cell: Cell, beside: str, other: Cell, backend: str, size: Size, loss: Loss, conditions: Conditions
) -> tuple[Timing, Timing]:
    """Our step of a cell, taking turns with another step that is called `beside`."""
    steps = {
        cell.name: recurrent_step(cell, size, loss, conditions.backend),
        beside: recurrent_step(other, size, loss, backend),
    }
    ours, others = take_turns(steps, SHARE * conditions.seconds)
    return ours, others
