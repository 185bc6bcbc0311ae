"""What a search found of one cell: its best trial, how its trials spread, and which settings mattered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from gatelab.studies.importance import importance
from gatelab.studies.plan import PlannedRun
from gatelab.studies.search import Drawn, Range
from gatelab.studies.statistics import Summary, summarise
from gatelab.tasks.base import STEPS, Measure
from gatelab.training.record import Run, SeedResult

QUARTILES = (25, 75)


@dataclass(frozen=True)
class Tried:
    """One trial of one cell.

    Attributes:
        number: from 0 on; the trials of a number have the same drawn settings in all cells.
        drawn: the searched settings.
        hidden_size: H; beside a drawn one another where parameters are matched.
        parameters: learned numbers of one model.
        values: the measure, by the seeds that it means something for.
        score: the median of the values; None if there are none.
        diverged: the seeds whose loss was not finite.
        run: the identity of the run.
    """

    number: int
    drawn: Mapping[str, Drawn]
    hidden_size: int
    parameters: int
    values: Mapping[int, float]
    score: float | None
    diverged: tuple[int, ...]
    run: str


@dataclass(frozen=True)
class Searched:
    """All trials of one cell, of one size and start.

    Attributes:
        part: what the study calls the task with its options.
        task: its name.
        cell: what the study calls it.
        init: what the study calls the start.
        size: the hidden size that the study asks for; None where it is drawn.
        length: how long training could take, in words.
        seeds: of each trial.
        measure: what the score is, the task's first measure.
        ranges: of the searched settings.
        trials: by number.
        best: the one with the best score; None if none has any.
        summary: of the scores; None if there are none.
        quartiles: the scores that a quarter and three quarters of them are below; None if there are none.
        importance: the share of the scores' variance, from 0 to 1, that each setting explains by itself; None for
            too few scores.
    """

    part: str
    task: str
    cell: str
    init: str
    size: int | None
    length: str
    seeds: int
    measure: str
    ranges: Mapping[str, Range]
    trials: tuple[Tried, ...]
    best: Tried | None
    summary: Summary | None
    quartiles: tuple[float, float] | None
    importance: Mapping[str, float] | None

    @property
    def scores(self) -> dict[int, float]:
        """The scores that there are, by the trial's number."""
        return {tried.number: tried.score for tried in self.trials if tried.score is not None}


def values_of(run: Run, measure: Measure) -> dict[int, float]:
    """A measure of the seeds that it means something for, by seed."""
    found = {
        result.seed: _value(result, measure.name)
        for result in run.results
        if (result.end == "goal" if measure.over == "solved" else result.end != "diverged")
    }
    return {seed: value for seed, value in found.items() if value is not None}


def score_of(values: Mapping[int, float]) -> float | None:
    """The score of a trial, the median of its seeds' values; None if there are none."""
    return float(np.median(list(values.values()))) if values else None


def diverged_in(run: Run) -> tuple[int, ...]:
    """The seeds whose loss was not finite."""
    return tuple(result.seed for result in run.results if result.end == "diverged")


def make_tried(planned: PlannedRun, run: Run, measure: Measure) -> Tried:
    """The record of one trial, finished as `run`."""
    assert planned.trial is not None
    values = values_of(run, measure)
    return Tried(
        number=planned.trial.number,
        drawn=planned.trial.drawn,
        hidden_size=planned.settings.hidden_size,
        parameters=run.parameters,
        values=values,
        score=score_of(values),
        diverged=diverged_in(run),
        run=planned.settings.identity,
    )


def make_searched(
    first: PlannedRun, ranges: Mapping[str, Range], measure: Measure, trials: Sequence[Tried]
) -> Searched:
    """What the trials of one cell come to.

    Args:
        first: the run of one of them, which says what they have in common.
        ranges: of the searched settings.
        measure: what is scored.
        trials: all of them.
    """
    scored = [(tried, tried.score) for tried in trials if tried.score is not None]
    scores = [score for _, score in scored]
    choose = max if measure.best == "highest" else min
    return Searched(
        part=first.part,
        task=first.settings.task,
        cell=first.label,
        init=first.init,
        size=first.asked,
        length=first.settings.length,
        seeds=len(first.settings.seeds),
        measure=measure.name,
        ranges=dict(ranges),
        trials=tuple(trials),
        best=choose(scored, key=lambda pair: pair[1])[0] if scored else None,
        summary=summarise(scores, measure.best),
        quartiles=_quartiles(scores) if scores else None,
        importance=importance(ranges, [tried.drawn for tried, _ in scored], scores),
    )


def _value(result: SeedResult, measure: str) -> float | None:
    return float(result.steps) if measure == STEPS else result.scores[measure]


def _quartiles(scores: Sequence[float]) -> tuple[float, float]:
    low, high = np.percentile(scores, QUARTILES)
    return float(low), float(high)
