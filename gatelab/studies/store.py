"""A study's folder: one folder a run, named by its content, so that no run is made or counted twice."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from gatelab.errors import StoreError
from gatelab.files import read_tensors
from gatelab.studies.plan import Plan, PlannedRun
from gatelab.training.folder import CHECKPOINT, is_claimed, is_finished, read_run
from gatelab.training.record import Run
from gatelab.training.settings import Settings

RUNS = "runs"
"""The folder of the runs within that of a study."""


Stands = Literal["finished", "running", "stopped", "missing", "broken"]


@dataclass(frozen=True)
class State:
    """Where one run of a study stands.

    Attributes:
        planned: which.
        stands: whether it is finished, is made by another process right now, was stopped before its end, has not
            begun, or can't be read.
        step: the steps in the checkpoint of one that is made or was stopped.
        run: the record of one that is finished.
    """

    planned: PlannedRun
    stands: Stands
    step: int = 0
    run: Run | None = None


@dataclass(frozen=True)
class Store:
    """The runs of one study, under `folder`."""

    folder: Path

    def place(self, settings: Settings) -> Path:
        """The folder of a run."""
        return self.folder / RUNS / settings.identity

    def finished(self, plan: Plan) -> dict[str, Run]:
        """The finished runs of a plan, by identity.

        Raises:
            StoreError: some are broken; the message names all of them.
        """
        runs, broken = {}, []
        for identity, planned in plan.by_identity.items():
            if not is_finished(self.place(planned.settings)):
                continue
            try:
                runs[identity] = self._read(planned.settings)
            except StoreError as error:
                broken.append(str(error))
        if broken:
            raise StoreError("\n".join(broken))
        return runs

    def states(self, plan: Plan) -> tuple[State, ...]:
        """Where every run of a plan stands."""
        return tuple(self._state(planned) for planned in plan.runs)

    def others(self, plan: Plan) -> tuple[str, ...]:
        """What lies among the runs and is not of this plan: runs with other settings."""
        ours = plan.by_identity
        folder = self.folder / RUNS
        return tuple(sorted(path.name for path in folder.glob("*") if path.name not in ours))

    def _read(self, settings: Settings) -> Run:
        place = self.place(settings)
        run = read_run(place)
        if run.settings.identity != settings.identity:
            raise StoreError(
                f"{place} holds the run {run.settings.identity}.\nDelete the folder; the run is then made again."
            )
        return run

    def _state(self, planned: PlannedRun) -> State:
        place = self.place(planned.settings)
        try:
            if is_finished(place):
                return State(planned, "finished", run=self._read(planned.settings))
            runs, step = is_claimed(place), None
            if (place / CHECKPOINT).exists():
                step = int(read_tensors(place / CHECKPOINT).facts["taken"])
        except (StoreError, KeyError, ValueError):
            return State(planned, "broken")
        return State(planned, "running" if runs else "missing" if step is None else "stopped", step or 0)
