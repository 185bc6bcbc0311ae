"""From a study to the runs that it asks for."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from pathlib import Path

from gatelab.errors import OptionError
from gatelab.language.lookup import find_cell
from gatelab.studies.spec import DEFAULT_INIT, Seeds, Study, TaskPlan
from gatelab.tasks import TASKS
from gatelab.training.replicas import make_model
from gatelab.training.settings import Settings, make_settings


@dataclass(frozen=True)
class PlannedRun:
    """One run: all seeds of one cell, size and start on one task.

    Attributes:
        label: what the study calls the cell.
        init: what the study calls the start.
        settings: of the run.
        parameters: how many numbers one of its models learns.
    """

    label: str
    init: str
    settings: Settings
    parameters: int

    @property
    def title(self) -> str:
        """Which it is, for a person: task, cell and size."""
        return f"{self.settings.task} {self.label} {self.settings.hidden_size}"


@dataclass(frozen=True)
class Plan:
    """The runs of a study, in the order in which they are made.

    Attributes:
        name: of the study; a quick look has its own.
        study: the file.
        runs: each once.
        differences: for each task, in words, what is asked for otherwise than in the study's file.
    """

    name: str
    study: Study
    runs: tuple[PlannedRun, ...]
    differences: dict[str, tuple[str, ...]]


def make_plan(
    study: Study, folder: Path, *, quick: bool = False, seeds: int | None = None, steps: int | None = None
) -> Plan:
    """The runs of a study, checked before the first of them is made.

    Args:
        study: what is asked for.
        folder: where paths of cells begin.
        quick: take the study's `[quick]` values.
        seeds: this many instead, from 0 on.
        steps: at most so many instead, on every task.

    Raises:
        OptionError: a cell, a start or another option that there is not, or the same run twice.
        EquationError: a cell's file does not hold a cell.
    """
    full = _as_seeds(study.seeds)
    chosen = _as_seeds(seeds or (study.quick.seeds if quick else None) or study.seeds)
    runs, differences = [], {}
    for task, plan in study.tasks.items():
        wanted = plan.steps or TASKS[task].steps
        allowed = steps or (study.quick.steps.get(task) if quick else None) or wanted
        runs += [
            _plan_run(study, folder, task, plan, size, label, init, chosen, allowed)
            for size, init, label in product(plan.hidden_sizes, study.inits, study.cells)
        ]
        differences[task] = _differences(chosen, full, allowed, wanted)
    _check_once(runs)
    return Plan(study.name + ("-quick" if quick else ""), study, tuple(runs), differences)


def _plan_run(
    study: Study,
    folder: Path,
    task: str,
    plan: TaskPlan,
    hidden_size: int,
    label: str,
    init: str,
    seeds: tuple[int, ...],
    steps: int,
) -> PlannedRun:
    settings = make_settings(
        task,
        find_cell(folder / label if "/" in label or Path(label).suffix else label),
        hidden_size,
        seeds,
        steps=steps,
        learning_rate=plan.learning_rate,
        optimizer=plan.optimizer,
        num_layers=plan.num_layers,
        clip=plan.clip,
        init=None if init == DEFAULT_INIT else init,
        head_init=study.head_init,
    )
    # A model that can't be made raises here, and not hours later.
    model = make_model(settings, None)
    return PlannedRun(label, init, settings, sum(parameter.numel() for parameter in model.parameters()))


def _as_seeds(seeds: Seeds) -> tuple[int, ...]:
    return tuple(range(seeds)) if isinstance(seeds, int) else tuple(seeds)


def _differences(seeds: tuple[int, ...], all_seeds: tuple[int, ...], steps: int, all_steps: int) -> tuple[str, ...]:
    found = []
    if len(seeds) != len(all_seeds):
        found.append(f"{len(seeds)} seed{'s' if len(seeds) > 1 else ''} instead of {len(all_seeds)}")
    if steps != all_steps:
        found.append(f"at most {steps:,} steps instead of {all_steps:,}")
    return tuple(found)


def _check_once(runs: list[PlannedRun]) -> None:
    seen: dict[str, PlannedRun] = {}
    for run in runs:
        twin = seen.setdefault(run.settings.identity, run)
        if twin is not run:
            raise OptionError(
                f"The study asks for the same run twice: '{twin.label}' and '{run.label}' on {run.settings.task} "
                f"with {run.settings.hidden_size} units.\nTake one of them out."
            )
