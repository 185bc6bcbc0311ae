"""`gatelab generate` with a model of a series: from zeros, and from where the series was left."""

import json

import pytest

from gatelab.cli.main import main
from gatelab.nn.saving import MODEL, load
from gatelab.tasks.sine import STARTS, continue_series
from gatelab.training.fit import fit
from gatelab.training.settings import make_settings


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sine") / "run"
    fit(make_settings("sine", "elman_relu", 5, (3, 5), steps=2, batch_size=4), folder)
    return folder


@pytest.fixture
def gatelab(capfd):
    """Runs `gatelab generate`; its exit code, output and error output."""

    def call(*words):
        with pytest.raises(SystemExit) as end:
            main(["generate", *map(str, words)])
        out, err = capfd.readouterr()
        return end.value.code or 0, out, err

    return call


@pytest.mark.parametrize("start", ["zeros", "real"])
def test_the_numbers_follow_the_start(gatelab, run, start):
    code, out, err = gatelab(run, "--seed", 5, "--prompt", start, "--length", 30)
    assert (code, err) == (0, "")
    made = continue_series(load(run, 5), STARTS[start](), 30)[20:].flatten().tolist()
    assert [float(line) for line in out.splitlines()] == pytest.approx(made, rel=1e-4, abs=1e-5)


def test_json_has_the_start_and_what_was_made(gatelab, run):
    code, out, _ = gatelab(run / MODEL, "--prompt", "real", "--length", 3, "--json")
    found = json.loads(out)
    assert code == 0
    assert found["start"] == pytest.approx(STARTS["real"]().flatten().tolist())
    assert len(found["series"]) == found["length"] == 3
    assert json.loads(gatelab(run, "--json")[1])["start"] == [0.0] * 20


def test_a_figure_is_written_where_one_is_asked_for(gatelab, run, tmp_path):
    code, out, err = gatelab(run, "--out", tmp_path / "made", "--length", 4)
    assert code == 0
    written = sorted(path.name for path in tmp_path.iterdir())
    assert written == ["made.png", "made.svg"]
    assert all(name in err for name in written)
    assert len(out.splitlines()) == 4, "only numbers, for other programs to read"


def test_a_figure_that_cannot_be_written(gatelab, run, tmp_path):
    code, _, err = gatelab(run, "--out", tmp_path / "nowhere" / "made")
    assert code == 1
    assert "made.png can't be written" in err


def test_a_start_that_there_is_not(gatelab, run):
    code, _, err = gatelab(run, "--prompt", "zeroes")
    assert code == 2
    assert "A series can't begin with 'zeroes'.\nDid you mean 'zeros'?" in err


def test_a_text_has_no_figure(gatelab, tmp_path):
    (tmp_path / "own.txt").write_text("the cat sat on the mat\n" * 60)
    options = {"text": str(tmp_path / "own.txt"), "units": "characters", "length": 20, "size": 4}
    fit(make_settings("language-model", "f", 4, (0,), options=options, steps=1, batch_size=4), tmp_path / "run")
    code, out, err = gatelab(tmp_path / "run", "--out", tmp_path / "made")
    assert (code, out) == (2, "")
    assert "A text has no figure.\nLeave --out away." in err
