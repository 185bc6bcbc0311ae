"""Makes the runs of a study that are not there yet, the longest first."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from gatelab.errors import GatelabError
from gatelab.studies.plan import Plan, PlannedRun
from gatelab.studies.store import Store
from gatelab.studies.workers import Job, Made, make_runs
from gatelab.training.loop import Progress
from gatelab.training.record import Run

Watch = Callable[[int, PlannedRun, Progress | None], None]
"""Told how many runs are finished, which run is in hand, and where it stands (None when it begins)."""

WORTH_A_STEP = 800
"""Learned numbers with which a step of ten seeds takes twice as long as with hardly any: 0.5 ms more."""
WORTH_AN_EPOCH = 300
"""Steps that an epoch is taken for where nobody has counted them yet."""
BUSY_SECONDS = 1.0
"""Between two looks at runs that are all in the hands of other processes."""


def run_study(
    plan: Plan, store: Store, watch: Watch | None = None, workers: int = 1, backend: str = "auto"
) -> dict[str, Run]:
    """All runs of a plan, by identity. Those in the store are read; the others are made and stored.

    A study that is killed goes on where it was: finished runs stay, and those in hand go on from their checkpoints.
    What another process makes is waited for, after all else.

    Args:
        plan: of the study.
        store: where its runs are kept.
        watch: told of the progress.
        workers: how many runs are made at a time, each in a process of its own; 1 makes them in this one. The
            results are the same.
        backend: of the layers, by name; how a run is computed does not make it another one.

    Raises:
        OptionError: the model of a missing run can't be made.
        DataError: its data are missing or broken.
        StoreError: a stored run is broken.
        GatelabError: some runs failed, or a worker was killed; the others are stored.
    """
    runs = store.finished(plan)
    failed: list[Made] = []
    missing = [planned for identity, planned in plan.by_identity.items() if identity not in runs]
    # To tell how long they take, a model of each is made: one that can't be raises here, and not hours later.
    longest_first = sorted(missing, key=_work_of, reverse=True)
    todo = [Job(planned, store.place(planned.settings), backend) for planned in longest_first]

    def tell(planned: PlannedRun, progress: Progress | None) -> None:
        if watch is not None:
            watch(len(runs), planned, progress)

    while todo:
        busy: list[Made] = []
        for made in make_runs(todo, workers, tell):
            if made.run is not None:
                runs[made.job.planned.settings.identity] = made.run
            else:
                (busy if made.failure is None else failed).append(made)
        if len(busy) == len(todo):
            time.sleep(BUSY_SECONDS)
        todo = [made.job for made in busy]
    if failed:
        raise GatelabError(_explain(failed))
    return runs


def _work_of(planned: PlannedRun) -> int:
    """How long a run may take, in no unit: the last to begin should be short, so that no worker is long alone."""
    settings = planned.settings
    return (settings.steps or (settings.epochs or 1) * WORTH_AN_EPOCH) * (WORTH_A_STEP + planned.parameters)


def _explain(failed: Sequence[Made]) -> str:
    lines = [f"{made.job.planned.title}: {made.failure}" for made in failed]
    return "\n".join(
        [
            f"{len(failed)} run{'s' if len(failed) > 1 else ''} failed; what is finished is stored.",
            *lines,
            "When the cause is gone, run the same command again.",
        ]
    )
