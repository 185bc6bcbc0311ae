"""`gatelab ablate`, as a person calls it."""

import json

import numpy as np
import pytest


@pytest.fixture
def readings(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    load = np.sin(np.arange(300) / 3)
    (tmp_path / "sensor.csv").write_text("load\n" + "\n".join(f"{value:.4f}" for value in load))
    return "sensor.csv"


SMALL = ("--steps", "5", "--seeds", "2", "--workers", "1", "--hidden", "3", "-o", "past=8", "-o", "ahead=2")


def test_a_table_ends_in_an_answer(command, readings, tmp_path):
    code, out, err = command("ablate", readings, "--target", "load", *SMALL, "--no-page")
    assert code == 0, err
    assert "lstm without f" in out
    assert out.endswith("Too few seeds to tell: i, f, o.\n")
    found = json.loads((tmp_path / "runs" / "ablate-lstm-sensor-load" / "study.json").read_text())
    pairs = [(each["first"], each["second"]) for each in found["compared"][0]["comparisons"]]
    assert pairs == [("lstm without i", "lstm"), ("lstm without f", "lstm"), ("lstm without o", "lstm")]


def test_json_is_all_that_is_printed(command, readings):
    code, out, _ = command("ablate", readings, "--target", "load", "--cell", "mgu", *SMALL, "--no-page", "--json")
    assert code == 0
    assert [group["cell"] for group in json.loads(out)["groups"]] == ["mgu", "mgu without f"]


def test_a_run_of_it_is_made_again_from_its_folder(command, readings, tmp_path):
    command("ablate", readings, "--target", "load", *SMALL, "--no-page")
    (run,) = (tmp_path / "runs" / "ablate-lstm-sensor-load" / "runs").glob("*without_f*")
    code, _, err = command("train", "--from", str(run), "--out", "again", "-q")
    assert code == 0, err
    assert (tmp_path / "again" / "model.safetensors").read_bytes() == (run / "model.safetensors").read_bytes()


def test_a_slip_is_wrong_usage_or_a_failure_with_a_cure(command, readings):
    assert command("ablate", readings)[0] == 2
    code, _, err = command("ablate", readings, "--target", "lod")
    assert (code, "load" in err) == (1, True)
    code, _, err = command("ablate", readings, "--target", "load", "--cell", "elman")
    assert (code, "Take a cell with gates" in err) == (2, True)
    code, _, err = command("ablate", readings, "--target", "load", "--text", "note", "--forecast")
    assert (code, "Take one of them out" in err) == (2, True)


def test_labelled_series(command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    head = "@problemName Waves\n@timeStamps false\n@univariate true\n@classLabel true low high\n@data\n"
    for part, count in (("TRAIN", 20), ("TEST", 8)):
        rows = [
            ",".join(f"{np.sin(k * n):.3f}" for n in range(6 + k % 3)) + f":{('low', 'high')[k % 2]}"
            for k in range(count)
        ]
        (tmp_path / f"Waves_{part}.ts").write_text(head + "\n".join(rows) + "\n")
    few = ("--steps", "5", "--seeds", "2", "--workers", "1", "--hidden", "3", "--no-page")
    code, out, err = command("ablate", "Waves_TRAIN.ts", *few)
    assert code == 0, err
    assert "2 classes, 1 channel, 6 to 8 steps" in out
    assert out.endswith("Too few seeds to tell: i, f, o.\n")
