"""`gatelab tasks`: what there is to train on."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from gatelab.cli.console import show
from gatelab.cli.options import Json
from gatelab.tasks import TASKS, find_task
from gatelab.views.tables import draw_table
from gatelab.views.tasks import task_rows, task_table, tasks_table


def command(
    name: Annotated[str | None, typer.Argument(help="Of one task, to see what can be chosen of it.")] = None,
    as_json: Json = False,
) -> None:
    tasks = TASKS if name is None else {name: find_task(name)}
    if as_json:
        print(json.dumps(task_rows(tasks), indent=1, default=str))
        return
    show(draw_table(tasks_table(tasks) if name is None else task_table(tasks[name])))
