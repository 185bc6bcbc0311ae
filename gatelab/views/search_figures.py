"""The figures of searched parts: every trial's score over each searched setting, and how much each setting mattered.

`search_figure` gives the numbers of one part as a record; `draw_search` in `search_drawing.py` draws it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gatelab.studies.outcome import Outcome
from gatelab.studies.search import Among, Drawn, Range
from gatelab.studies.trials import Searched
from gatelab.tasks import find_task
from gatelab.tasks.base import Measure

MOST_RATIO = 30.0
"""Of the highest to the lowest score, from which on errors, of which less is better, stand on a logarithmic axis."""


@dataclass(frozen=True)
class Scale:
    """The axis of one setting.

    Attributes:
        setting: its name.
        low: the lower end of its range.
        high: the upper end.
        logarithmic: whether logarithms were drawn evenly.
        names: of the values, which then stand at 0, 1, ..., where they are not drawn between two ends.
    """

    setting: str
    low: float
    high: float
    logarithmic: bool
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class Places:
    """Where the trials of a cell stand on the axis of one setting.

    Attributes:
        scored: those that have a score.
        lost: those without, since every seed diverged.
    """

    scored: tuple[float, ...]
    lost: tuple[float, ...]


@dataclass(frozen=True)
class SearchRow:
    """The trials of one cell, of one size and start.

    Attributes:
        cell: what the study calls it.
        kind: the size and start, in words; empty if the part has only one of each.
        scores: of the trials that have one.
        best: the place of the best of them; None if there are none.
        places: on the axis of each setting.
        shares: of the scores' variance that each setting explains, in percent; None for too few scores.
    """

    cell: str
    kind: str
    scores: tuple[float, ...]
    best: int | None
    places: tuple[Places, ...]
    shares: tuple[float, ...] | None


@dataclass(frozen=True)
class SearchFigure:
    """A part's figure.

    Attributes:
        title: above all.
        measure: what the scores are.
        logarithmic: whether the scores' axis is.
        scales: of the settings, from left to right.
        rows: from top to bottom.
        footnote: below all.
    """

    title: str
    measure: Measure
    logarithmic: bool
    scales: tuple[Scale, ...]
    rows: tuple[SearchRow, ...]
    footnote: str


def search_figure(found: Outcome, part: str) -> SearchFigure:
    """The numbers of the figure of a part that is searched."""
    own = [cell for cell in found.searched if cell.part == part]
    first = own[0]
    measure = next(one for one in find_task(first.task).measures if one.name == first.measure)
    scores = [score for cell in own for score in cell.scores.values()]
    return SearchFigure(
        title=f"{found.name}: {part}",
        measure=measure,
        logarithmic=measure.best == "lowest" and bool(scores) and 0 < MOST_RATIO * min(scores) < max(scores),
        scales=tuple(_scale(name, of) for name, of in first.ranges.items()),
        rows=tuple(_row(cell, own) for cell in own),
        footnote=_footnote(found, own),
    )


def _scale(setting: str, of: Range) -> Scale:
    if isinstance(of, Among):
        return Scale(setting, 0, len(of.among) - 1, False, tuple(map(str, of.among)))
    return Scale(setting, of.low, of.high, of.log)


def _row(cell: Searched, own: Sequence[Searched]) -> SearchRow:
    scored = [tried for tried in cell.trials if tried.score is not None]
    lost = [tried for tried in cell.trials if tried.score is None]
    return SearchRow(
        cell=cell.cell,
        kind=_kind(cell, own),
        scores=tuple(cell.scores.values()),
        best=None if cell.best is None else scored.index(cell.best),
        places=tuple(
            Places(*(tuple(_place(of, tried.drawn[name]) for tried in some) for some in (scored, lost)))
            for name, of in cell.ranges.items()
        ),
        shares=None if cell.importance is None else tuple(100 * cell.importance[name] for name in cell.ranges),
    )


def _kind(cell: Searched, own: Sequence[Searched]) -> str:
    size = f"{cell.size} unit{'s' if cell.size != 1 else ''}"
    counts = {size: len({one.size for one in own}), f"start {cell.init}": len({one.init for one in own})}
    return ", ".join(words for words, count in counts.items() if count > 1)


def _place(of: Range, value: Drawn) -> float:
    return float(of.among.index(value) if isinstance(of, Among) else value)


def _footnote(found: Outcome, cells: Sequence[Searched]) -> str:
    first = cells[0]
    seeds = f"the median of {first.seeds} seeds" if first.seeds > 1 else "one seed"
    lines = [f"{len(first.trials)} trials of each cell, each {seeds}, at most {first.length}."]
    if found.differences[first.part]:
        lines.append(f"Otherwise than in the study's file: {', '.join(found.differences[first.part])}.")
    if any(cell.importance is not None for cell in cells):
        lines.append(
            "Share of variance: what each setting explains by itself; functional ANOVA (Hutter, Hoos & Leyton-Brown "
            "2014)."
        )
    return "\n".join(lines)
