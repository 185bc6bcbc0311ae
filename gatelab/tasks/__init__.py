"""Tasks: each is its data, its head, its loss and its score. `TASKS` lists them by name."""

from __future__ import annotations

from gatelab.errors import TaskError, nearest
from gatelab.tasks.base import Task
from gatelab.tasks.digits import DIGITS
from gatelab.tasks.parity import PARITY

TASKS: dict[str, Task] = {task.name: task for task in (DIGITS, PARITY)}
"""Every task by its name; a new one is a file and a row here."""


def find_task(name: str) -> Task:
    """The task of a name.

    Raises:
        TaskError: there is none.
    """
    if name not in TASKS:
        raise TaskError(f"There is no task '{name}'.\n{nearest(name, TASKS)}")
    return TASKS[name]
