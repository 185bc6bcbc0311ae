"""Makes the runs of a study that are not there yet, one after the other."""

from __future__ import annotations

from collections.abc import Callable

from gatelab.studies.plan import Plan, PlannedRun
from gatelab.studies.store import Store
from gatelab.training.fit import fit
from gatelab.training.loop import Progress
from gatelab.training.record import Run

Watch = Callable[[int, PlannedRun, Progress | None], None]
"""Told how many runs are finished, which run is in hand, and where it stands (None when it begins)."""


def run_study(plan: Plan, store: Store, watch: Watch | None = None) -> dict[str, Run]:
    """All runs of a plan, by identity. Those in the store are read; the others are made and stored.

    A study that is killed goes on where it was: finished runs stay, and the one in hand goes on from its checkpoint.

    Raises:
        StoreError: a stored run is broken, or one can't be written.
    """
    runs = store.finished(plan)
    for planned in plan.runs:
        settings = planned.settings
        if settings.identity in runs:
            continue
        done = len(runs)
        if watch is not None:
            watch(done, planned, None)
        runs[settings.identity] = fit(
            settings,
            store.place(settings),
            watch=None if watch is None else _told(watch, done, planned),
        ).run
    return runs


def _told(watch: Watch, done: int, planned: PlannedRun) -> Callable[[Progress], None]:
    return lambda progress: watch(done, planned, progress)
