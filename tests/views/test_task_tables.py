"""Tasks as tables: each option of each task is there, with its usual value and a meaning."""

import pytest

from gatelab.tasks import TASKS
from gatelab.views.tables import table_text
from gatelab.views.tasks import meanings_of, task_rows, task_table, tasks_table, usual_options


@pytest.mark.parametrize("task", TASKS.values(), ids=list(TASKS))
def test_every_option_has_a_meaning(task):
    meanings = meanings_of(task.options)
    assert set(meanings) == set(task.options.model_fields)
    assert all(len(text.split()) >= 2 for text in meanings.values())


@pytest.mark.parametrize("task", TASKS.values(), ids=list(TASKS))
def test_a_tasks_table_has_its_settings_and_options(task):
    text = table_text((task_table(task),))
    for name in (*task.usual, *usual_options(task)):
        assert name in text


def test_all_tasks_are_listed():
    text = table_text((tasks_table(TASKS),))
    assert all(name in text for name in TASKS)
    assert [row["task"] for row in task_rows(TASKS)] == list(TASKS)
