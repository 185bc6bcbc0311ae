"""A run as a table: what became of each seed."""

from __future__ import annotations

from gatelab.studies.statistics import summarise
from gatelab.tasks import find_task
from gatelab.tasks.base import STEPS
from gatelab.training.record import Run
from gatelab.views.tables import NOTHING, TableText

ENDS = {"goal": "reached the goal", "steps": "took all steps", "diverged": "diverged"}
"""Why a seed stopped, in words."""


def run_table(run: Run) -> TableText:
    """A row a seed, and one for the medians where there are several."""
    settings, task = run.settings, find_task(run.settings.task)
    scores = [measure for measure in task.measures if measure.name != STEPS]
    rows = [
        (
            str(result.seed),
            ENDS[result.end],
            f"{result.steps:,}",
            *(_percent(result.scores[measure.name]) for measure in scores),
        )
        for result in run.results
    ]
    sections = [tuple(rows)]
    if len(rows) > 1:
        medians = []
        for measure in scores:
            known = [value for result in run.results if (value := result.scores[measure.name]) is not None]
            summary = summarise(known, measure.best)
            medians.append(_percent(summary.median if summary else None))
        sections.append((("", "median", "", *medians),))
    return TableText(
        title=f"{settings.task}, {settings.cell}, {settings.hidden_size} unit{'s' * (settings.hidden_size > 1)}",
        headings=("seed", "end", "steps", *(f"{measure.name}, {measure.unit}" for measure in scores)),
        sections=tuple(sections),
        caption=(f"Goal: {task.goal}.", f"{run.seconds:.1f} s, at most {settings.steps:,} steps."),
    )


def _percent(value: float | None) -> str:
    return NOTHING if value is None else f"{value:.1f}"
