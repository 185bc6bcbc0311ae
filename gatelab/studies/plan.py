"""From a study to the runs that it asks for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import product
from pathlib import Path
from typing import Any

from gatelab.errors import OptionError, nearest
from gatelab.language.cell import Cell
from gatelab.language.lookup import find_cell
from gatelab.nn.initialise import check_init
from gatelab.studies.importance import load_optuna
from gatelab.studies.matching import matched_size
from gatelab.studies.search import Trial
from gatelab.studies.spec import DEFAULT_INIT, QuickPart, Seeds, Study, TaskPlan
from gatelab.tasks import find_task
from gatelab.training.replicas import count_parameters
from gatelab.training.settings import Settings, make_settings

NO_LESS = QuickPart()
"""What is smaller where nothing is."""


@dataclass(frozen=True)
class PlannedRun:
    """One run: all seeds of one cell, size and start on one task.

    Attributes:
        part: what the study calls the task with its options.
        label: what the study calls the cell.
        init: what the study calls the start.
        size: the hidden size that the study asks for, or draws; the run has another one if parameters are matched.
        settings: of the run.
        trial: of the part's search; None where there is none.
    """

    part: str
    label: str
    init: str
    size: int
    settings: Settings
    trial: Trial | None = None

    @cached_property
    def parameters(self) -> int:
        """How many numbers one of its models learns; makes one, for which the data of its task are read."""
        return count_parameters(self.settings)

    @property
    def title(self) -> str:
        """Which it is, for a person: task, cell and size, and the number of a trial."""
        trial = f" trial {self.trial.number}" if self.trial else ""
        return f"{self.part} {self.label} {self.settings.hidden_size}{trial}"

    @property
    def asked(self) -> int | None:
        """The hidden size that the study asks for; None where it is drawn."""
        return None if self.trial and "hidden_size" in self.trial.drawn else self.size


@dataclass(frozen=True)
class Plan:
    """The runs of a study, in the order in which they are made.

    Attributes:
        name: of the study; a quick look has its own.
        study: the file.
        runs: of each part; two parts may share some.
        differences: for each part, in words, what is asked for otherwise than in the study's file.
    """

    name: str
    study: Study
    runs: tuple[PlannedRun, ...]
    differences: dict[str, tuple[str, ...]]

    @property
    def by_identity(self) -> dict[str, PlannedRun]:
        """What there is to make: each run once."""
        return {planned.settings.identity: planned for planned in self.runs}


def make_plan(
    study: Study,
    folder: Path,
    *,
    quick: bool = False,
    seeds: int | None = None,
    steps: int | None = None,
    parts: list[str] | None = None,
    options: Mapping[str, Any] | None = None,
) -> Plan:
    """The runs of a study. No data are read for it, but where parameters are matched: models are as wide as these ask.

    Args:
        study: what is asked for.
        folder: where paths of cells begin.
        quick: take the study's `[quick]` values.
        seeds: this many instead, from 0 on.
        steps: at most so many instead, on every task.
        parts: these parts of the study only; None for all.
        options: of tasks, for each part whose task has them.

    Raises:
        OptionError: a part, a cell, a start or another option that there is not, or the same run twice.
        EquationError: a cell's file does not hold a cell.
        DataError: parameters are matched, and the data of their task are missing or broken.
    """
    runs, differences = [], {}
    chosen_parts = _parts(study, parts)
    options_of = _shared_out(study, chosen_parts, options or {})
    for part in chosen_parts:
        plan = study.tasks[part]
        full = _as_seeds(plan.seeds or study.seeds)
        chosen = _as_seeds(seeds or (study.quick.seeds if quick else None) or full)
        look = study.quick.tasks.get(part, NO_LESS) if quick else NO_LESS
        smaller = _merged(look.choices, {"options": options_of[part]}) | ({} if steps is None else {"steps": steps})
        own = _Choices(study, folder, part, plan, chosen, _merged(plan.choices, smaller))
        cells, trials = plan.cells or study.cells, _trials(plan, look)
        sizes: list[int | None] = [*plan.hidden_sizes] or [None]
        wanted = product(sizes, plan.inits or study.inits, look.cells or cells, trials)
        runs += [own.of(trial).run(size, init, label) for size, init, label, trial in wanted]
        usual = {**find_task(study.task_of(part)).usual, **plan.choices}
        differences[part] = (*_fewer(plan, look, cells), *_differences(chosen, full, smaller, usual))
    _check_once(runs)
    return Plan(study.name + ("-quick" if quick else ""), study, tuple(runs), differences)


@dataclass(frozen=True)
class _Choices:
    """What the runs of one part have in common, and what one trial of it adds."""

    study: Study
    folder: Path
    part: str
    plan: TaskPlan
    seeds: tuple[int, ...]
    choices: Mapping[str, Any]
    trial: Trial | None = None

    def of(self, trial: Trial | None) -> _Choices:
        """These, with the settings that a trial has drawn."""
        if trial is None:
            return self
        for name in trial.drawn:
            if name in self.choices:  # A file that says both is refused when it is read.
                raise OptionError(f"{name} is searched in {self.part}, so it can't be given.\nLeave it out.")
        drawn = {name: value for name, value in trial.drawn.items() if name != "hidden_size"}
        return replace(self, choices={**self.choices, **drawn}, trial=trial)

    def run(self, size: int | None, init: str, label: str) -> PlannedRun:
        """The run of one cell; a size of None is drawn."""
        if size is None:
            assert self.trial is not None
            size = int(self.trial.drawn["hidden_size"])
        hidden = size
        if self.plan.match is not None and label != self.plan.match:
            wanted = count_parameters(self.settings(size, init, self.plan.match))
            hidden = matched_size(lambda units: count_parameters(self.settings(units, init, label)), wanted, size)
        return PlannedRun(self.part, label, init, size, self.settings(hidden, init, label), self.trial)

    def settings(self, hidden_size: int, init: str, label: str) -> Settings:
        cell = _find(label, self.folder)
        settings = make_settings(
            self.study.task_of(self.part),
            cell,
            hidden_size,
            self.seeds,
            **{
                "head_init": self.study.head_init,
                "init": None if init == DEFAULT_INIT else init,
                **self.choices,
            },
        )
        check_init(settings.init, cell)  # Here, so that a slip is known before any data are read.
        return settings


def _find(label: str, folder: Path) -> Cell:
    return find_cell(folder / label if "/" in label or Path(label).suffix else label)


def _parts(study: Study, wanted: list[str] | None) -> list[str]:
    from_study = list(study.tasks)
    for part in wanted or ():
        if part not in from_study:
            raise OptionError(f"The study has no part '{part}'.\nIt has: {', '.join(from_study)}.")
    return [part for part in from_study if not wanted or part in wanted]


def _shared_out(study: Study, parts: list[str], options: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The options that each part's task has, by the parts."""
    known = {part: find_task(study.task_of(part)).options.model_fields for part in parts}
    for name in options:
        if not any(name in own for own in known.values()):
            there = dict.fromkeys(option for own in known.values() for option in own)
            raise OptionError(f"No task of these parts has an option '{name}'.\n{nearest(name, there)}")
    return {part: {name: value for name, value in options.items() if name in own} for part, own in known.items()}


def _trials(plan: TaskPlan, look: QuickPart) -> tuple[Trial | None, ...]:
    """The trials of a part's search, or one that is none."""
    if plan.search is None:
        return (None,)
    load_optuna()  # What is missing is said before the first run, and not after the last.
    return plan.search.draw(look.trials or plan.search.trials)


def _merged(choices: Mapping[str, Any], smaller: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of a part with those of a quick look over them; how long is said in one way only."""
    kept = dict(choices)
    if {"steps", "epochs"} & smaller.keys():
        kept = {name: value for name, value in kept.items() if name not in ("steps", "epochs")}
    options = {**kept.get("options", {}), **smaller.get("options", {})}
    return {**kept, **smaller} | ({"options": options} if options else {})


def _as_seeds(seeds: Seeds | tuple[int, ...]) -> tuple[int, ...]:
    return tuple(range(seeds)) if isinstance(seeds, int) else tuple(seeds)


def _fewer(plan: TaskPlan, look: QuickPart, cells: list[str]) -> list[str]:
    counts = {"cell": (len(look.cells or cells), len(cells))}
    if plan.search:
        counts = {"trial": (look.trials or plan.search.trials, plan.search.trials), **counts}
    return [
        f"{now} {word}{'s' if now > 1 else ''} instead of {usual}"
        for word, (now, usual) in counts.items()
        if now != usual
    ]


def _differences(
    seeds: tuple[int, ...], all_seeds: tuple[int, ...], smaller: Mapping[str, Any], usual: Mapping[str, Any]
) -> tuple[str, ...]:
    found = []
    if len(seeds) != len(all_seeds):
        found.append(f"{len(seeds)} seed{'s' if len(seeds) > 1 else ''} instead of {len(all_seeds)}")
    flat = {**smaller, **smaller.get("options", {})}
    before = {**usual, **usual.get("options", {})}
    for name, value in flat.items():
        if name != "options" and value != before.get(name):
            found.append(_difference(name, value, before.get(name)))
    return tuple(found)


def _difference(name: str, value: object, before: object) -> str:
    if name not in ("steps", "epochs"):
        return f"{name} = {value}" + (f" instead of {before}" if before is not None else "")
    return f"at most {value:,} {name}" + (f" instead of {before:,}" if before is not None else "")


def _check_once(runs: list[PlannedRun]) -> None:
    """Raises if a part has the same run twice."""
    seen: dict[tuple[str, str], PlannedRun] = {}
    for run in runs:
        twin = seen.setdefault((run.part, run.settings.identity), run)
        if twin is not run:
            matched = "" if twin.size == run.size else f", to which the sizes {twin.size} and {run.size} are matched"
            raise OptionError(
                f"The study asks for the same run twice: '{twin.label}' and '{run.label}' on {run.part} "
                f"with {run.settings.hidden_size} units{matched}.\nTake one of them out."
            )
