"""A run as a table: what became of each seed."""

from __future__ import annotations

from gatelab.studies.statistics import summarise
from gatelab.tasks import find_task
from gatelab.tasks.base import STEPS
from gatelab.training.record import Run
from gatelab.views.tables import NOTHING, TableText

ENDS = {
    "goal": "reached the goal",
    "steps": "took all steps",
    "patience": "got no better",
    "diverged": "diverged",
}
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
            *(_number(result.scores[measure.name], measure.digits) for measure in scores),
        )
        for result in run.results
    ]
    sections = [tuple(rows)]
    if len(rows) > 1:
        medians = []
        for measure in scores:
            known = [value for result in run.results if (value := result.scores[measure.name]) is not None]
            summary = summarise(known, measure.best)
            medians.append(_number(summary.median if summary else None, measure.digits))
        sections.append((("", "median", "", *medians),))
    if run.baselines:
        sections.append(
            tuple(
                ("", name, "", *(_number(own.get(measure.name), measure.digits) for measure in scores))
                for name, own in run.baselines.items()
            )
        )
    caption = [f"Goal: {task.goal}."] if task.goal else []
    if any(result.looks for result in run.results):
        chosen = ", ".join(f"{result.chosen:,}" for result in run.results)
        caption.append(f"Weights are those that were best on the validation data, after step {chosen}.")
    caption += [*run.facts, f"{run.seconds:.1f} s, at most {settings.length}; {run.parameters:,} parameters."]
    return TableText(
        title=f"{settings.task}, {settings.cell}, {settings.hidden_size} unit{'s' * (settings.hidden_size > 1)}",
        headings=("seed", "end", "steps", *(f"{m.name}, {m.unit}".removesuffix(", ") for m in scores)),
        sections=tuple(sections),
        caption=tuple(caption),
    )


def _number(value: float | None, digits: int) -> str:
    return NOTHING if value is None else f"{value:,.{digits}f}"
