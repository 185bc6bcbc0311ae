"""A study on disk: nothing twice, nothing lost, nothing overlooked."""

from pathlib import Path

import pytest

from gatelab.errors import StoreError
from gatelab.studies import workers
from gatelab.studies.outcome import make_outcome
from gatelab.studies.plan import make_plan
from gatelab.studies.run import run_study
from gatelab.studies.spec import read_study
from gatelab.studies.store import Store
from gatelab.training.fit import fit

pytestmark = pytest.mark.usefixtures("every_step_is_watched")

TEXT = """
name = "small"
cells = ["f", "lstm", "o"]
seeds = 2
[tasks.digits]
hidden_sizes = [2]
steps = 20
"""


class Killed(BaseException):
    """Stands for a kill at a moment that a test chooses."""


@pytest.fixture
def plan():
    return make_plan(read_study(TEXT, "small.toml"), Path())


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "small")


def trained(seen):
    """A watch that notes which runs are made."""
    return lambda done, planned, progress: seen.append((done, planned.label)) if progress is None else None


def stands(store, plan):
    return [state.stands for state in store.states(plan)]


def test_a_study_makes_each_run_once(plan, store):
    first, second = [], []
    runs = run_study(plan, store, trained(first))
    assert first == [(0, "lstm"), (1, "f"), (2, "o")], "the longest begins first"
    assert run_study(plan, store, trained(second)) == runs
    assert second == []
    assert stands(store, plan) == ["finished"] * 3


def test_what_is_missing_is_made_and_nothing_else(plan, store):
    runs, seen = run_study(plan, store), []
    gone = store.place(plan.runs[1].settings)
    for path in gone.iterdir():
        path.unlink()
    assert stands(store, plan) == ["finished", "missing", "finished"]
    again = run_study(plan, store, trained(seen))
    assert seen == [(2, "lstm")]
    assert [run.results for run in again.values()] == [runs[key].results for key in again]


def test_a_killed_study_keeps_what_is_finished_and_goes_on_within_the_run(plan, store, tmp_path, monkeypatch):
    whole = run_study(plan, Store(tmp_path / "whole"))
    fit(plan.runs[0].settings, store.place(plan.runs[0].settings))
    monkeypatch.setattr(workers, "fit", lambda *args, **options: fit(*args, **options, checkpoint_seconds=0))

    def kill(done, planned, progress):
        if planned.label == "lstm" and progress is not None and progress.step == 10:
            raise Killed

    with pytest.raises(Killed):
        run_study(plan, store, kill)
    assert stands(store, plan) == ["finished", "stopped", "missing"]
    assert store.states(plan)[1].step == 10
    seen = []
    resumed = run_study(plan, store, trained(seen))
    assert seen == [(1, "lstm"), (2, "o")]
    assert {key: run.results for key, run in resumed.items()} == {key: run.results for key, run in whole.items()}


def test_what_another_process_makes_is_running_with_its_step_from_the_first_checkpoint_on(plan, store, monkeypatch):
    monkeypatch.setattr(workers, "fit", lambda *args, **options: fit(*args, **options, checkpoint_seconds=0))
    seen = {}

    def look(done, planned, progress):
        if planned.label == "lstm" and progress is not None:
            seen[progress.step] = stands(store, plan), store.states(plan)[1].step

    run_study(plan, store, look)
    (_, own, _), step = seen[10]
    assert (own, step) == ("running", 10)
    assert stands(store, plan) == ["finished"] * 3


def test_a_broken_finished_run_stops_the_study_with_the_cure(plan, store):
    run_study(plan, store)
    for index in (0, 2):
        (store.place(plan.runs[index].settings) / "run.json").write_text("{")
    seen = []
    with pytest.raises(StoreError, match=r"run\.json is broken(.|\n)*Delete the folder(.|\n)*run\.json is broken"):
        run_study(plan, store, trained(seen))
    assert seen == []
    assert stands(store, plan) == ["broken", "finished", "broken"]


def test_a_run_in_the_wrong_folder_is_not_counted(plan, store):
    run_study(plan, store)
    first, second = (store.place(plan.runs[index].settings) for index in (0, 1))
    for path in first.iterdir():
        (second / path.name).write_bytes(path.read_bytes())
    with pytest.raises(StoreError, match="holds the run digits-f-2"):
        run_study(plan, store)


def test_runs_with_other_settings_are_kept_apart_and_seen(plan, store):
    run_study(plan, store)
    more = make_plan(plan.study, Path(), seeds=3)
    assert stands(store, more) == ["missing"] * 3
    assert set(store.others(more)) == {run.settings.identity for run in plan.runs}
    run_study(more, store)
    outcome = make_outcome(more, store.finished(more))
    assert [group.seeds for group in outcome.groups] == [3, 3, 3]
