"""Where a study stands: trials with what they have drawn and their scores, and no data read for it."""

import json
from pathlib import Path

import pytest
import torch

from gatelab import tasks
from gatelab.cli.main import main
from gatelab.files import write_tensors
from gatelab.nn.models import SequenceModel
from gatelab.studies.plan import make_plan
from gatelab.studies.spec import read_study
from gatelab.studies.store import Store
from gatelab.training.folder import CHECKPOINT, write_run
from gatelab.training.record import Run, SeedResult
from gatelab.views.tables import WIDTH, table_text
from gatelab.views.trial_states import status_rows, status_tables, trial_states

TEXT = """
name = "both"
cells = ["lstm", "f"]
seeds = 3
[tasks.plain]
task = "digits"
hidden_sizes = [2]
steps = 5
[tasks.drawn]
task = "digits"
steps = 5
[tasks.drawn.search]
trials = 2
hidden_size = { low = 2, high = 9 }
learning_rate = { low = 1e-3, high = 1e-1, log = true }
"""
SCORES = {0: 91.0, 1: None, 2: 94.0}


def plan_of(text=TEXT, **others):
    return make_plan(read_study(text, "both.toml"), Path(), **others)


@pytest.fixture
def store(tmp_path):
    """Of a study whose first trial of f is finished: one seed of it has diverged."""
    found, (planned,) = Store(tmp_path), [run for run in plan_of().runs if run.label == "f" and is_first(run)]
    results = tuple(
        SeedResult(seed, "diverged" if score is None else "steps", 5, {"accuracy": score}, ())
        for seed, score in SCORES.items()
    )
    folder = found.place(planned.settings)
    folder.mkdir(parents=True)
    model = SequenceModel("f", 8, planned.settings.hidden_size, 10, replicas=3)
    write_run(folder, Run(planned.settings, results, 1.0, {}), model, {})
    return found


def is_first(planned):
    return planned.trial is not None and planned.trial.number == 0


@pytest.fixture
def no_data(monkeypatch):
    def fail(name, options):
        raise AssertionError(f"the data of {name} are read")

    monkeypatch.setattr(tasks, "_open", fail)


def test_every_trial_has_its_number_what_it_has_drawn_and_its_score(store):
    plan = plan_of()
    found = trial_states(plan, store)
    assert list(found) == [run.settings.identity for run in plan.runs if run.trial]
    assert [(one.number, one.of) for one in found.values()] == [(0, 2), (1, 2)] * 2
    assert [one.drawn for one in found.values()] == [run.trial.drawn for run in plan.runs if run.trial]
    assert [(one.state.stands, one.score) for one in found.values()] == [
        *(("missing", None), ("missing", None)),
        *(("finished", 92.5), ("missing", None)),
    ]


def test_rows_of_trials_say_more_than_those_of_other_runs(store):
    plain, more, *rest = status_rows(plan_of(), store)
    assert {row["part"] for row in (plain, more)} == {"plain"}
    assert not {"trial", "drawn", "score"} & plain.keys()
    assert [row["score"] for row in rest] == [None, None, 92.5, None]
    assert rest[2]["drawn"].keys() == {"hidden_size", "learning_rate"}
    assert rest[2]["units"] == rest[2]["drawn"]["hidden_size"]


def test_searched_parts_have_a_table_of_their_own(store):
    plain, drawn = status_tables(plan_of(), store)
    assert [row[2] for row in plain.sections[0]] == ["plain"] * 2
    assert drawn.title == "both: drawn, trials"
    lstm, f = drawn.sections
    rate = next(run for run in plan_of().runs if run.label == "f" and is_first(run)).settings.learning_rate
    assert dict(zip(drawn.headings, f[0], strict=True)) | {"size": ""} == {
        **{"trial": "0", "cell": "f", "size": "", "start": "default"},
        **{"learning_rate": str(rate), "stands": "finished", "accuracy": "92.5"},
    }
    assert [row[-1] for row in (*lstm, f[1])] == ["-"] * 3
    assert drawn.caption == (
        "Trials 0 to 1 of each cell; those of one number have the same draws in all cells.",
        "1 finished, 5 missing.",
    )
    assert all(len(line) <= WIDTH for line in table_text((plain, drawn)).splitlines())


def test_a_study_without_a_search_has_one_table(tmp_path):
    (table,) = status_tables(plan_of(TEXT.split("[tasks.drawn]")[0]), Store(tmp_path))
    assert table.caption == ("2 missing.",)


def test_a_study_that_is_all_search_has_no_empty_table(store):
    (table,) = status_tables(plan_of(parts=["drawn"]), store)
    assert table.title == "both: drawn, trials"
    assert table.caption[-1] == "1 finished, 3 missing."


def test_a_stopped_trial_shows_its_step(store):
    plan = plan_of(parts=["drawn"])
    place = store.place(plan.runs[1].settings)
    place.mkdir(parents=True)
    write_tensors(place / CHECKPOINT, {"weights": torch.zeros(1)}, {"taken": 1234})
    (table,) = status_tables(plan, store)
    assert table.sections[0][1][-2:] == ("stopped, step 1,234", "-")


def test_no_data_are_read_for_it(no_data, store):
    assert len(status_rows(plan_of(), store)) == 6
    assert len(status_tables(plan_of(), store)) == 2


def test_sizes_that_are_matched_need_the_data(no_data):
    with pytest.raises(AssertionError, match="the data of digits are read"):
        plan_of(TEXT.replace("hidden_sizes = [2]", "hidden_sizes = [2]\nmatch = 'lstm'"))


@pytest.mark.parametrize("words", [("gates-2018",), ("imdb-small",), ("odyssey-lite", "--quick"), ("slides",)])
def test_the_command_reads_no_data(no_data, words, tmp_path, capsys):
    with pytest.raises(SystemExit) as end:
        main(["study", *words, "--status", "--json", "--out", str(tmp_path)])
    assert not end.value.code
    assert {row["stands"] for row in json.loads(capsys.readouterr().out)} == {"missing"}
