"""What a study found: for every cell, size and start its seeds' numbers, beside what was reported."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from gatelab.studies.plan import Plan, PlannedRun
from gatelab.studies.statistics import Share, Summary, share, summarise
from gatelab.tasks import find_task
from gatelab.tasks.base import STEPS, Measure
from gatelab.training.record import Run, SeedResult


@dataclass(frozen=True)
class Finding:
    """One measure of one run.

    Attributes:
        measure: its name.
        values: of the seeds that it means something for, by seed.
        summary: of the values; None if there are none.
        reported: the number of the study's reference, if there is one.
    """

    measure: str
    values: Mapping[int, float]
    summary: Summary | None
    reported: float | None


@dataclass(frozen=True)
class Group:
    """One run of a study: all seeds of a cell with one size and start on one task.

    Attributes:
        task: its name.
        cell: what the study calls it.
        init: what the study calls the start.
        hidden_size: H.
        steps: how many were allowed.
        parameters: learned numbers of one model.
        seeds: how many.
        reached: the share of seeds that reached the task's goal.
        diverged: the seeds whose loss was not finite; they have no scores.
        findings: by measure, in the task's order.
    """

    task: str
    cell: str
    init: str
    hidden_size: int
    steps: int
    parameters: int
    seeds: int
    reached: Share
    diverged: tuple[int, ...]
    findings: Mapping[str, Finding]


@dataclass(frozen=True)
class Outcome:
    """What a study found.

    Attributes:
        name: of the study.
        about: what it asks.
        groups: in the order of the plan.
        differences: for each task, in words, what was asked for otherwise than in the study's file.
        notes: for each task, sentences that belong beside its numbers.
        sources: for each task, where the reported numbers are from.
    """

    name: str
    about: str
    groups: tuple[Group, ...]
    differences: Mapping[str, tuple[str, ...]]
    notes: Mapping[str, tuple[str, ...]]
    sources: Mapping[str, tuple[str, ...]]


def make_outcome(plan: Plan, runs: Mapping[str, Run]) -> Outcome:
    """What the runs of a plan say together.

    Args:
        plan: of the study.
        runs: all of its runs, by identity.
    """
    study = plan.study
    notes = {task: tuple(settings.notes) for task, settings in study.tasks.items()}
    sources = {
        task: tuple(dict.fromkeys(entry.source for entry in study.reference if entry.task == task))
        for task in study.tasks
    }
    groups = tuple(_make_group(plan, planned, runs[planned.settings.identity]) for planned in plan.runs)
    return Outcome(plan.name, study.about, groups, plan.differences, notes, sources)


def _make_group(plan: Plan, planned: PlannedRun, run: Run) -> Group:
    settings, task = planned.settings, find_task(planned.settings.task)
    findings = {}
    for measure in task.measures:
        values = _values(run, measure)
        findings[measure.name] = Finding(
            measure=measure.name,
            values=values,
            summary=summarise(list(values.values()), measure.best),
            reported=plan.study.reported(task.name, settings.hidden_size, planned.label, measure.name),
        )
    return Group(
        task=task.name,
        cell=planned.label,
        init=planned.init,
        hidden_size=settings.hidden_size,
        steps=settings.steps,
        parameters=planned.parameters,
        seeds=len(run.results),
        reached=share(sum(result.end == "goal" for result in run.results), len(run.results)),
        diverged=tuple(result.seed for result in run.results if result.end == "diverged"),
        findings=findings,
    )


def _values(run: Run, measure: Measure) -> dict[int, float]:
    """A measure of the seeds that it means something for."""
    ends = ("goal",) if measure.over == "solved" else ("goal", "steps")
    found = {result.seed: _value(result, measure.name) for result in run.results if result.end in ends}
    return {seed: value for seed, value in found.items() if value is not None}


def _value(result: SeedResult, measure: str) -> float | None:
    return float(result.steps) if measure == STEPS else result.scores[measure]
