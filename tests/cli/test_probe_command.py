"""`gatelab probe`: what it prints and writes, and how it ends."""

import json
from functools import partial

import pytest

from gatelab.cli.main import main
from gatelab.training.fit import fit
from gatelab.training.settings import make_settings


@pytest.fixture
def probe(command, tmp_path, monkeypatch):
    """Runs the command in a folder with a small finished run; its exit code, output and error output."""
    monkeypatch.chdir(tmp_path)
    fit(make_settings("digits", "f", 2, (0, 4), steps=20), tmp_path / "run")
    return partial(command, "probe")


PICTURES = [
    f"{name}.{ending}" for name in ("heat-1", "heat-2", "heat-3", "lines", "spread") for ending in ("png", "svg")
]


def test_parity_with_one_unit_is_a_machine_of_two_states(probe, tmp_path):
    with pytest.raises(SystemExit) as end:
        main(["train", "parity", "--cell", "fo", "--hidden", "1", "--out", "parity", "-q"])
    assert not end.value.code
    code, out, err = probe("parity")
    assert (code, err) == (0, "")
    for words in ("shut, %", "half-life", "> 0  even     0  1", "1  odd      1  0", "100.00 % of steps", "all"):
        assert words in out
    written = sorted(path.name for path in (tmp_path / "parity" / "probe").iterdir())
    assert written == sorted([*PICTURES, "page.html"])
    assert all(name in out for name in written)


def test_json_has_everything_and_pictures_go_to_the_folder_that_is_named(probe, tmp_path):
    before = {path: path.read_bytes() for path in (tmp_path / "run").rglob("*") if path.is_file()}
    words = ("--inputs", "30", "--seed", "4", "--names", "f, c", "--out", "looks/one", "--no-page")
    code, out, err = probe("run", "--json", *words)
    found = json.loads(out)
    assert (code, err) == (0, "")
    assert (found["inputs"], found["seed"], found["machine"]) == (30, 4, None)
    assert [one["key"] for one in found["readings"]] == ["f", "c"]
    assert len(found["readings"][0]["saturation"]["shut_by_unit"]) == 2
    assert len(found["readings"][1]["half_life"]["by_unit"]) == 2
    assert set(found["hardened"]["scores"]["alone"]) == {"f"}
    assert sorted(path.rsplit("/")[-1] for path in found["written"]) == PICTURES
    assert sorted(path.name for path in (tmp_path / "looks" / "one").iterdir()) == PICTURES
    assert {path: path.read_bytes() for path in (tmp_path / "run").rglob("*") if path.is_file()} == before


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["nowhere"], 1, "nowhere holds no finished run"),
        (["run", "--seed", "1"], 2, "run has no seed 1.\nIt has: 0, 4."),
        (["run", "--names", "f,cc"], 2, "There is no 'cc' in the equations.\nDid you mean 'c'?"),
        (["run", "--bits", "01"], 2, "A model of digits does not read what --bits gives"),
        (["run", "--inputs", "400"], 2, "has 396 inputs, fewer than 400"),
        (["run", "--inputs", "1"], 2, "--inputs"),
        (["run", "--out", "run/cell.txt"], 1, "run/cell.txt can't be a folder"),
    ],
    ids=["run", "seed", "names", "bits", "more", "one", "out"],
)
def test_what_cannot_be_ends_with_an_error(probe, words, code, says):
    found, out, err = probe(*words)
    assert (found, out) == (code, "")
    assert says in err
    assert "Traceback" not in err


def broken(folder, kind):
    """Does to a run's folder what makes it one that can't be read."""
    record = folder / "run.json"
    if kind == "half-written":
        record.write_bytes(record.read_bytes()[:200])
    elif kind == "newer":
        facts = json.loads(record.read_text())
        facts["settings"]["invented_later"] = 1
        record.write_text(json.dumps(facts))
    elif kind == "no model":
        (folder / "model.safetensors").unlink()
    else:
        record.unlink()


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        ("half-written", "run.json is broken"),
        ("newer", "it is of a newer one.\nUpdate gatelab"),
        ("no model", "model.safetensors can't be read"),
        ("unfinished", "run holds no finished run"),
    ],
)
def test_a_run_that_cannot_be_read_says_why(probe, tmp_path, kind, says):
    broken(tmp_path / "run", kind)
    code, out, err = probe("run")
    assert (code, out) == (1, "")
    assert says in err
    assert not (tmp_path / "run" / "probe").exists()
