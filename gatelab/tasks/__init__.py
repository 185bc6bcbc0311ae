"""Tasks: each is its data, its loss and its scores. `TASKS` lists them by name."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from pydantic import ValidationError

from gatelab.errors import OptionError, TaskError, explain_problem, first_problem, nearest
from gatelab.tasks.adding import ADDING
from gatelab.tasks.base import Options, Problem, Task
from gatelab.tasks.copying import COPYING
from gatelab.tasks.digits import DIGITS
from gatelab.tasks.language_model import LANGUAGE_MODEL
from gatelab.tasks.mnist import MNIST
from gatelab.tasks.parity import PARITY
from gatelab.tasks.sentiment import SENTIMENT
from gatelab.tasks.series import SERIES
from gatelab.tasks.series_classes import SERIES_CLASSES
from gatelab.tasks.sine import SINE
from gatelab.tasks.temporal_order import TEMPORAL_ORDER

TASKS: dict[str, Task] = {
    task.name: task
    for task in (
        DIGITS,
        PARITY,
        MNIST,
        SENTIMENT,
        LANGUAGE_MODEL,
        SERIES,
        SINE,
        COPYING,
        ADDING,
        TEMPORAL_ORDER,
        SERIES_CLASSES,
    )
}
"""Every task by its name; a new one is a file and a row here."""


def find_task(name: str) -> Task:
    """The task of a name.

    Raises:
        TaskError: there is none.
    """
    if name not in TASKS:
        raise TaskError(f"There is no task '{name}'.\n{nearest(name, TASKS)}")
    return TASKS[name]


def read_options(task: Task, options: Mapping[str, Any]) -> Options:
    """Options of a task, the usual ones where none are given.

    Raises:
        OptionError: the task has no such option, or not with this value.
    """
    try:
        return task.options.model_validate(dict(options))
    except ValidationError as error:
        problem = explain_problem(first_problem(error.errors()), task.options.model_fields)
        raise OptionError(f"An option of the task {task.name}: {problem}") from None


def open_problem(name: str, options: Mapping[str, Any]) -> Problem:
    """A task with these options and its data at hand; found again when it is asked for again.

    Raises:
        DataError: the data are missing or broken.
    """
    return _open(name, json.dumps(dict(options), sort_keys=True))


@lru_cache(maxsize=4)  # Data of a few tasks fit the memory.
def _open(name: str, options: str) -> Problem:
    task = find_task(name)
    return task.open(read_options(task, json.loads(options)))
