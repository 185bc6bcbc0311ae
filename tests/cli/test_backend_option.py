"""The option --backend of the commands that train."""

import json

import pytest

from gatelab.cli.main import main

STUDY = """
name = "small"
cells = ["f"]
seeds = 1
[tasks.digits]
hidden_sizes = [2]
steps = 3
"""
TRAIN = ["train", "digits", "--hidden", "3", "--steps", "3"]


@pytest.fixture
def gatelab(capfd, tmp_path, monkeypatch):
    """Runs a command in an empty folder; its exit code, output and error output."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "small.toml").write_text(STUDY)

    def run(*words):
        with pytest.raises(SystemExit) as end:
            main(words)
        out, err = capfd.readouterr()
        return end.value.code or 0, out, err

    return run


@pytest.mark.parametrize("backend", ["auto", "cpu", "eager"])
def test_a_run_notes_its_backend_and_is_the_same_run(gatelab, tmp_path, backend):
    code, out, _ = gatelab(*TRAIN, "--backend", backend, "--json")
    assert code == 0
    assert json.loads(out)["versions"]["backend"] == backend
    assert gatelab(*TRAIN)[1].splitlines()[-1].startswith("Made before, in runs/digits-lstm-3-")


def test_the_runs_of_a_study_note_it(gatelab, tmp_path):
    assert gatelab("study", "small.toml", "--backend", "eager", "--workers", "1")[0] == 0
    (record,) = tmp_path.glob("runs/small/runs/*/run.json")
    assert json.loads(record.read_text())["versions"]["backend"] == "eager"


@pytest.mark.parametrize("words", [TRAIN, ["study", "small.toml"]], ids=["train", "study"])
def test_a_slip_in_its_name_ends_with_2_before_anything_is_made(gatelab, tmp_path, words):
    code, out, err = gatelab(*words, "--backend", "eagre")
    assert (code, out) == (2, "")
    assert "Did you mean 'eager'?" in err
    assert not (tmp_path / "runs").exists()


def test_what_it_can_not_do_ends_with_2_and_leaves_the_folder_for_another(gatelab):
    code, out, err = gatelab(*TRAIN, "--backend", "torch")
    assert (code, out) == (2, "")
    assert "torch has no replicas.\nTake backend='auto'" in err
    assert "Written to" in gatelab(*TRAIN)[1]
