"""Any cell of the catalogue: beside eager where that is quick enough, elsewhere beside lstm."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from gatelab.bench.conditions import Conditions
from gatelab.bench.sizes import Size, fit_size
from gatelab.bench.timing import Timing, Watch, take_turns
from gatelab.bench.torch_steps import recurrent_step
from gatelab.bench.verdicts import Verdict, judge, judge_ratio
from gatelab.bench.work import multiply_adds
from gatelab.language.cell import Cell
from gatelab.language.lookup import find_cell

SHARE = 0.04
"""Of the seconds for a size: so long each cell is measured there. There are many, and a median of few will do."""


@dataclass(frozen=True)
class CellRow:
    """A cell at a size.

    Attributes:
        cell: its name.
        at: the size.
        multiply_adds: of one way forth.
        timings: of our step, and of the other that took turns with it.
        verdict: eager's time over ours; or the time a multiply-add takes, over that in lstm. There is no such ratio
            for a cell without matrices.
    """

    cell: str
    at: str
    multiply_adds: int
    timings: tuple[Timing, Timing]
    verdict: Verdict


def measure_cells(cells: Sequence[str], size: Size, conditions: Conditions, watch: Watch) -> tuple[CellRow, ...]:
    """A row a cell."""
    measure = _beside_eager if size.is_small else _beside_lstm
    rows = []
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        for number, name in enumerate(cells):
            watch(name, number / len(cells))
            rows.append(measure(find_cell(name), size, conditions))
    return tuple(rows)


def _beside_eager(cell: Cell, size: Size, conditions: Conditions) -> CellRow:
    ours, eager = _turns(cell, "eager", cell, "eager", size, conditions)
    verdict = judge_ratio(eager, ours, size.name, at_least=size.eager)
    return CellRow(cell.name, size.name, multiply_adds(cell, fit_size(size, cell)), (ours, eager), verdict)


def _beside_lstm(cell: Cell, size: Size, conditions: Conditions) -> CellRow:
    lstm = find_cell("lstm")
    ours, beside = _turns(cell, "lstm beside it", lstm, conditions.backend, size, conditions)
    own, lstms = (multiply_adds(each, fit_size(size, each)) for each in (cell, lstm))
    name = f"{cell.name} / lstm, a multiply-add"
    if own:
        verdict = judge_ratio(ours, beside, size.name, name=name, times=lstms / own, at_most=size.cells)
    else:
        verdict = judge(name, size.name, None, why_not=f"{cell.name} has no matrices")
    return CellRow(cell.name, size.name, own, (ours, beside), verdict)


def _turns(
    cell: Cell, beside: str, other: Cell, backend: str, size: Size, conditions: Conditions
) -> tuple[Timing, Timing]:
    """Our step of a cell, taking turns with another step that is called `beside`."""
    steps = {
        cell.name: recurrent_step(cell, size, conditions.backend),
        beside: recurrent_step(other, size, backend),
    }
    ours, others = take_turns(steps, SHARE * conditions.seconds)
    return ours, others
