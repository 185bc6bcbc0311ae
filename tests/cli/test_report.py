"""`gatelab report`: what it prints and writes, and how it ends."""

import json
from functools import partial

import pytest

from gatelab.training.fit import fit
from gatelab.training.settings import make_settings


@pytest.fixture
def report(command, tmp_path, monkeypatch):
    """Runs the command in a folder with a finished run of two seeds; its exit code, output and error output."""
    monkeypatch.chdir(tmp_path)
    fit(make_settings("digits", "f", 3, (0, 4), steps=20), tmp_path / "run")
    return partial(command, "report")


def test_tables_are_printed_and_nothing_is_written(report, tmp_path):
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    code, out, _ = report("run")
    assert code == 0
    for words in ("The model", "in all", "digits: the test", "precision, %", "Expected calibration error"):
        assert words in out
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_a_training_may_end_with_its_report(report, command):
    words = [
        "train",
        "digits",
        "--cell",
        "f",
        "--hidden",
        "2",
        "--steps",
        "3",
        "--seed",
        "7",
        "--out",
        "other",
        "--report",
    ]
    code, out, _ = command(*words)
    assert code == 0
    for part in ("took all steps", "The model", "precision, %", "Expected calibration error"):
        assert part in out
    code, _, err = command(*words, "--json")
    assert code == 2
    assert "gatelab report other --json" in err


def test_json_is_the_whole_report_of_the_seed(report):
    code, out, _ = report("run", "--seed", "4", "--json")
    found = json.loads(out)
    assert code == 0
    assert found["result"]["seed"] == 4
    assert sum(map(sum, found["classification"]["confusion"])) == 396
    assert found["summary"]["learned"] == sum(layer["learned"] for layer in found["summary"]["layers"])


def test_figures_go_to_the_folder_that_is_named(report, tmp_path):
    code, out, _ = report("run", "--out", "figures/one")
    assert code == 0
    written = sorted(path.name for path in (tmp_path / "figures" / "one").iterdir())
    assert written == [f"{name}.{kind}" for name in ("calibration", "confusion", "curves") for kind in ("png", "svg")]
    assert all(name in out for name in written)
    assert json.loads(report("run", "--out", "figures/one", "--json")[1])["names"] == list("0123456789")


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["nowhere"], 1, "nowhere holds no finished run"),
        (["run", "--seed", "1"], 2, "The run has no seed 1.\nIt has: 0, 4."),
        (["run", "--out", "run/cell.txt"], 1, "run/cell.txt can't be a folder (File exists).\nChoose another"),
    ],
    ids=["run", "seed", "out"],
)
def test_what_cannot_be_ends_with_an_error(report, words, code, says):
    found, _, err = report(*words)
    assert found == code
    assert says in err
    assert "Traceback" not in err


def test_forecasts_have_a_figure_of_their_own(report, tmp_path):
    (tmp_path / "up.csv").write_text("\n".join(["level", *(str(step % 7 + step / 50) for step in range(200))]))
    options = {"data": "up.csv", "past": 9, "ahead": 2}
    fit(make_settings("series", "f", 3, (0,), steps=2, options=options), tmp_path / "forecast")
    code, _, _ = report("forecast", "--out", "figures")
    assert code == 0
    assert sorted(path.name for path in (tmp_path / "figures").iterdir()) == [
        f"{name}.{kind}" for name in ("curves", "forecasts") for kind in ("png", "svg")
    ]
    assert len(json.loads(report("forecast", "--json")[1])["forecasts"]) == 3
