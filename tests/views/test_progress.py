"""Progress bars are for people at a terminal only."""

from pathlib import Path

import pytest

from gatelab.studies.plan import make_plan
from gatelab.studies.spec import read_study
from gatelab.studies.store import Store
from gatelab.training.loop import Progress
from gatelab.views.progress import study_bar, training_bar
from gatelab.views.states import state_table

STUDY = 'name = "small"\ncells = ["f", "o"]\n[tasks.digits]\nhidden_sizes = [2]'
HALF = Progress(step=50, steps=100, learning=2, replicas=3, loss=0.5, score=75.0, stage="length 4", best=81.25)


@pytest.fixture
def terminal(monkeypatch):
    """Has rich take the error stream for a wide terminal."""
    monkeypatch.setenv("TTY_COMPATIBLE", "1")
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "140")


def show_training(quiet=False):
    with training_bar("parity o", quiet) as watch:
        watch(HALF)


def show_study(quiet=False):
    plan = make_plan(read_study(STUDY, "small.toml"), Path())
    with study_bar(2, quiet) as watch:
        watch(1, plan.runs[1], None)
        watch(1, plan.runs[1], HALF)


@pytest.mark.parametrize("show", [show_training, show_study])
def test_nothing_is_shown_where_there_is_no_terminal(show, capfd):
    show()
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("show", [show_training, show_study])
def test_nothing_is_shown_where_none_is_wanted(show, capfd, terminal):
    show(quiet=True)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("show", [show_training, show_study])
def test_a_bar_shows_loss_accuracy_and_where_it_stands(show, capfd, terminal):
    show()
    out, err = capfd.readouterr()
    assert out == ""
    for words in ("loss 0.500", "score 75", "2 of 3 seeds", "best 81.25", "length 4", "50/100"):
        assert words in err


def test_where_a_study_stands(tmp_path):
    plan = make_plan(read_study(STUDY, "small.toml"), Path())
    store = Store(tmp_path)
    broken = store.place(plan.runs[0].settings)
    broken.mkdir(parents=True)
    (broken / "run.json").write_text("{")
    (tmp_path / "runs" / "something").mkdir()
    table = state_table(plan, store)
    assert [row[4] for row in table.sections[0]] == ["broken", "missing"]
    caption = " ".join(table.caption)
    assert "1 missing, 1 broken" in caption
    assert str(broken) in caption
    assert "Besides, 1 with other settings" in caption
