"""A part of a study looked at closely: its page, where two of its cells read the same inputs, and its best run."""

from __future__ import annotations

from pathlib import Path

from gatelab.studies.outcome import Group, Outcome
from gatelab.studies.plan import Plan, PlannedRun
from gatelab.studies.store import Store
from gatelab.tasks import find_task
from gatelab.tasks.base import STEPS
from gatelab.views.run_scenes import scene_of_run
from gatelab.views.scene import Scene
from gatelab.views.tables import part_tables


def study_scene(plan: Plan, store: Store, found: Outcome, part: str) -> Scene:
    """The first cell of a part and the best of the others, at the first size and start, in their best seeds.

    Args:
        plan: of the study.
        store: where its runs are.
        found: what they say.
        part: one that is not searched.

    Raises:
        StoreError, DataError: as `scene_of_run` has it.
    """
    first, *others = first_groups(found, part)
    shown = [first, max(others, key=_rank)] if others else [first]
    folders = [store.place(planned_of(plan, group).settings) for group in shown]
    return scene_of_run(*folders, tables=part_tables(found, part))


def best_run(plan: Plan, store: Store, found: Outcome, part: str) -> Path:
    """The folder of the best run of a part that is not searched, of any size and start."""
    return store.place(planned_of(plan, max(found.of(part), key=_rank)).settings)


def first_groups(found: Outcome, part: str) -> list[Group]:
    """The cells of a part at its first size and start, in the order of the study."""
    first, *_ = groups = found.of(part)
    return [group for group in groups if (group.size, group.init) == (first.size, first.init)]


def _rank(group: Group) -> tuple[float, float]:
    """By the share solved where that is asked for, then by the median of the first score."""
    task = find_task(group.task)
    measure = next(one for one in task.measures if one.name != STEPS)
    summary = group.findings[measure.name].summary
    sign = 1 if measure.best == "highest" else -1
    median = float("-inf") if summary is None else sign * summary.median
    return (group.reached.count / group.reached.of if task.solves else 0.0, median)


def planned_of(plan: Plan, group: Group) -> PlannedRun:
    """The run that a group is of."""
    wanted = (group.part, group.cell, group.size, group.init)
    return next(
        planned
        for planned in plan.runs
        if planned.trial is None and (planned.part, planned.label, planned.size, planned.init) == wanted
    )
