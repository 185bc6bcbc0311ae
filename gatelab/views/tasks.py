"""Tasks as tables: all of them, and what can be chosen of one."""

from __future__ import annotations

import inspect
import json
import re
from typing import Any

from gatelab.tasks.base import Options, Task
from gatelab.views.tables import TableText


def task_rows(tasks: dict[str, Task]) -> list[dict[str, Any]]:
    """A row a task: its name, what it is about, its measures and its options with their usual values."""
    return [
        {
            "task": name,
            "about": task.about,
            "goal": task.goal,
            "measures": [measure.name for measure in task.measures],
            "usual": dict(task.usual),
            "options": usual_options(task),
        }
        for name, task in tasks.items()
    ]


def tasks_table(tasks: dict[str, Task]) -> TableText:
    """All tasks, a row each."""
    rows = tuple((name, task.about) for name, task in tasks.items())
    return TableText(
        title="Tasks",
        headings=("task", "about"),
        sections=(rows,),
        caption=("gatelab tasks NAME shows what can be chosen of one.",),
        is_words=True,
    )


def task_table(task: Task) -> TableText:
    """What can be chosen of a task, each with its usual value and what it means."""
    meanings = meanings_of(task.options)
    options = tuple(
        (f"-o {name}", _shown(value), meanings.get(name, "")) for name, value in usual_options(task).items()
    )
    settings = tuple((name, _shown(value), "") for name, value in task.usual.items())
    measures = ", ".join(f"{measure.name} ({measure.best} is best)" for measure in task.measures)
    caption = [task.about, f"Measures: {measures}."]
    if task.goal:
        caption.append(f"Goal: {task.goal}.")
    caption.append(f"As in: gatelab train {task.name} --cell lstm" + (f" {options[0][0]}=..." if options else ""))
    return TableText(
        title=task.name,
        headings=("setting", "usual", "meaning"),
        sections=tuple(part for part in (settings, options) if part),
        caption=tuple(caption),
        is_words=True,
    )


def usual_options(task: Task) -> dict[str, Any]:
    """The options of a task with the values that they have where nobody says otherwise."""
    return {name: field.get_default(call_default_factory=True) for name, field in task.options.model_fields.items()}


def meanings_of(options: type[Options]) -> dict[str, str]:
    """What options mean, from the "Attributes" of their docstring."""
    _, _, listed = (inspect.getdoc(options) or "").partition("Attributes:\n")
    entries = re.findall(r"^ {4}(\w+): (.*(?:\n {8,}.*)*)", listed, re.MULTILINE)
    return {name: " ".join(text.split()) for name, text in entries}


def _shown(value: Any) -> str:
    if value is None:
        return "-"
    return value if isinstance(value, str) else json.dumps(value, default=str)
