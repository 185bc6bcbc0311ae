"""The scene of finished runs: their best seeds on examples of the test, and at the foot all that made them."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from pathlib import Path

from gatelab.errors import OptionError
from gatelab.nn.saving import load, read_facts
from gatelab.tasks import find_task, read_options
from gatelab.tasks.base import STEPS
from gatelab.training.folder import read_run
from gatelab.training.record import Run, SeedResult, current_versions
from gatelab.views.examples import Examples
from gatelab.views.scene import ROOM, Facts, Find, Scene, make_scene
from gatelab.views.tables import TableText
from gatelab.views.task_examples import EXAMPLES

SHOWN = 8
"""Examples of a scene."""


def scene_of_run(
    folder: Path,
    *others: Path,
    seed: int | None = None,
    count: int = SHOWN,
    tables: Sequence[TableText] = (),
    finds: Sequence[Find] = (),
    room: int = ROOM,
) -> Scene:
    """What the models of finished runs make of examples of their test.

    Args:
        folder: of a run.
        others: of further runs of the same problem, to be compared with it.
        seed: which one of each run; None for the best by the run's record.
        count: how many examples.
        tables, finds, room: as `make_scene` takes them.

    Raises:
        StoreError: there is no finished run, or a file of it is broken.
        OptionError: a run has no such seed, or the runs are of different problems.
        DataError: the data of the test are not at hand.
    """
    folders = (folder, *others)
    runs = [read_run(one) for one in folders]
    _check_alike(folders, runs)
    seeds = [best_seed(run) if seed is None else seed for run in runs]
    models = [load(one, own) for one, own in zip(folders, seeds, strict=True)]
    settings = runs[0].settings
    page = Facts("this page", tuple(current_versions().items()))
    return make_scene(
        dict(zip(_names(runs), models, strict=True)),
        examples_of(folder, settings.task, count),
        title=f"{settings.task}: {' and '.join(dict.fromkeys(run.settings.cell for run in runs))}",
        tables=tables,
        finds=finds,
        foot=(*(facts_of(one, run, own) for one, run, own in zip(folders, runs, seeds, strict=True)), page),
        room=room,
    )


def examples_of(folder: Path, task: str, count: int = SHOWN) -> Examples:
    """Examples of the test of a finished run.

    Raises:
        StoreError: a file of the run is missing or broken.
        DataError: the data of the test are not at hand.
    """
    options = read_options(find_task(task), read_run(folder).settings.options)
    return EXAMPLES[task](options, read_facts(folder).get("keeps", {}), count)


def best_seed(run: Run) -> int:
    """The seed with the best scores in the test, by the task's first measure, of equals by the next; then the quickest.

    A seed that diverged counts only if all have.
    """
    measures = [measure for measure in find_task(run.settings.task).measures if measure.name != STEPS]

    def rank(result: SeedResult) -> tuple[float, ...]:
        signs = [1 if measure.best == "highest" else -1 for measure in measures]
        scores = [result.scores.get(measure.name) for measure in measures]
        own = [-float("inf") if one is None else sign * one for sign, one in zip(signs, scores, strict=True)]
        return (result.end != "diverged", *own, -result.steps)

    return max(run.results, key=rank).seed


def facts_of(folder: Path, run: Run, seed: int) -> Facts:
    """What made a run and how to make it again."""
    settings = run.settings
    result = next(one for one in run.results if one.seed == seed)
    scores = ", ".join(f"{name} {value:.5g}" for name, value in result.scores.items() if value is not None)
    rows = {
        "run": settings.identity,
        "to make it again": f"gatelab train --from {shlex.quote(folder.name)} --out again",
        "seed shown": f"{seed}, one of {len(run.results)}",
        "its test": scores or "none",
        "its end": f"{result.end}, after {result.steps:,} steps; weights of step {result.chosen:,}",
        "parameters": f"{run.parameters:,}",
        **{name: _text(value) for name, value in settings.model_dump(mode="json").items()},
        **{f"version of {name}": value for name, value in run.versions.items()},
        **{f"data {place}": fact for place, fact in enumerate(run.facts, 1)},
    }
    return Facts(f"{settings.cell} on {settings.task}", tuple(rows.items()))


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _check_alike(folders: Sequence[Path], runs: Sequence[Run]) -> None:
    first = runs[0].settings
    for folder, run in zip(folders, runs, strict=True):
        own = run.settings
        if (own.task, own.options) != (first.task, first.options):
            raise OptionError(
                f"{folder} is a run of {own.task} and {folders[0]} one of {first.task}, or their options differ.\n"
                "Compare runs of one task with the same options, which read the same inputs."
            )


def _names(runs: Sequence[Run]) -> list[str]:
    """What to call the models: the cell; with its size, and a number if need be, where several are of one cell."""
    cells = [run.settings.cell for run in runs]
    names = [
        run.settings.cell if cells.count(run.settings.cell) == 1 else f"{run.settings.cell} {run.settings.hidden_size}"
        for run in runs
    ]
    return [name if names.count(name) == 1 else f"{name}, {place}" for place, name in enumerate(names, 1)]
