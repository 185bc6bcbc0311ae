"""The page of a part of a study."""

import pytest

from gatelab.studies.outcome import make_outcome
from gatelab.studies.plan import make_plan
from gatelab.studies.run import run_study
from gatelab.studies.spec import find_study
from gatelab.studies.store import Store
from gatelab.views.study_pages import first_groups, study_scene

TEXT = """
name = "few"
cells = ["f", "lstm", "o"]
seeds = 2

[tasks.digits]
hidden_sizes = [4, 2]
steps = 40

[tasks.parity]
cells = ["f"]
hidden_sizes = [2]
steps = 3
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("study")
    (folder / "few.toml").write_text(TEXT)
    plan, store = make_plan(*find_study(str(folder / "few.toml"))), Store(folder / "few")
    return plan, store, make_outcome(plan, run_study(plan, store))


def test_the_first_cell_beside_the_best_of_the_others(made):
    plan, store, found = made
    scene = study_scene(plan, store, found, "digits")
    others = {group.cell: group.findings["accuracy"].summary.median for group in first_groups(found, "digits")[1:]}
    assert others.keys() == {"lstm", "o"}
    assert [side.title for side in scene.sides] == ["f", max(others, key=others.get)]
    assert [table.title for table in scene.tables] == ["few: digits"]
    assert all(side.about.startswith("4 units") for side in scene.sides)


def test_a_part_with_one_cell(made):
    scene = study_scene(*made, "parity")
    assert [side.title for side in scene.sides] == ["f"]
    assert scene.tables[0].title == "few: parity"
