"""Reading a run's folder, and what happens when it is not one."""

import json

import pytest

from gatelab.errors import BusyError, OptionError, StoreError
from gatelab.language.lookup import find_cell
from gatelab.nn.saving import load
from gatelab.training.fit import fit
from gatelab.training.folder import claim, read_run
from gatelab.training.settings import make_settings


@pytest.fixture
def folder(tmp_path):
    fit(make_settings("digits", "f", 2, (0, 1), steps=2), tmp_path / "run")
    return tmp_path / "run"


def test_the_equations_in_the_folder_are_a_cell_file(folder):
    assert find_cell(folder / "cell.txt") == find_cell("f")


def test_the_record_says_what_it_ran_on(folder):
    run = read_run(folder)
    assert run.versions["torch"]
    assert run.seconds > 0
    assert run.settings.seeds == (0, 1)


def test_the_record_is_plain_json(folder):
    record = json.loads((folder / "run.json").read_text())
    assert [result["seed"] for result in record["results"]] == [0, 1]


def test_a_folder_without_a_run(tmp_path):
    for path in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(StoreError, match=r"holds no finished run: it has no run\.json"):
            read_run(path)


def change(record):
    record["results"][0]["end"] = "unknown"
    return record


def change_settings(record):
    record["settings"]["steps"] = -1
    return record


@pytest.mark.parametrize(
    "spoil",
    [
        lambda text: text[: len(text) // 2],
        lambda text: "",
        lambda text: "[]",
        lambda text: json.dumps(change(json.loads(text))),
        lambda text: json.dumps(change_settings(json.loads(text))),
    ],
    ids=["half", "empty", "list", "unknown word", "impossible setting"],
)
def test_a_broken_record_is_named_with_the_cure(folder, spoil):
    path = folder / "run.json"
    path.write_text(spoil(path.read_text()))
    with pytest.raises(StoreError, match=r"run\.json is broken(.|\n)*Delete the folder"):
        read_run(folder)


def test_a_record_that_is_not_text(folder):
    (folder / "run.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(StoreError, match="is broken"):
        read_run(folder)


@pytest.mark.parametrize("spoil", [lambda path: path.unlink(), lambda path: path.write_bytes(b"half")])
def test_a_run_without_its_weights_is_broken(folder, spoil):
    spoil(folder / "model.safetensors")
    with pytest.raises(StoreError, match=r"model\.safetensors can't be read"):
        read_run(folder)


def test_a_seed_that_the_run_does_not_have(folder):
    with pytest.raises(OptionError, match="It has: 0, 1"):
        load(folder, seed=2)


def test_a_run_that_another_process_makes_is_not_made_twice(tmp_path):
    settings = make_settings("digits", "f", 2, (0,), steps=2)
    (tmp_path / "run").mkdir()
    with claim(tmp_path / "run"), pytest.raises(BusyError, match="Another process makes the run"):
        fit(settings, tmp_path / "run")
    assert fit(settings, tmp_path / "run").run.results
    assert {path.name for path in (tmp_path / "run").iterdir()} == {"run.json", "model.safetensors", "cell.txt"}


def test_what_another_process_has_just_finished_is_read(tmp_path, monkeypatch):
    settings = make_settings("digits", "f", 2, (0,), steps=2)
    first = fit(settings, tmp_path / "run")
    looks = iter([False, True])
    monkeypatch.setattr("gatelab.training.fit.is_finished", lambda folder: next(looks))
    assert fit(settings, tmp_path / "run").run == first.run


def test_a_folder_that_cannot_be_written_to_is_named(tmp_path):
    (tmp_path / ".lock").mkdir()
    with pytest.raises(StoreError, match="can't be written to"), claim(tmp_path):
        pass
