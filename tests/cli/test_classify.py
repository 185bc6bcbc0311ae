"""Texts are classified from the folder of a run alone."""

import io
import json

import pytest

from gatelab.cli.main import main

GOOD, BAD = "a fine film full of joy", "a poor film full of tedium"


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("classify")
    data = folder / "texts.csv"
    data.write_text("text,label\n" + "".join(f"{GOOD} {n},good\n{BAD} {n},bad\n" for n in range(40)))
    words = ["train", "sentiment", "--cell", "f", "--hidden", "6", "--epochs", "12", "--batch", "8", "--quiet"]
    options = [f"csv={data}", "vectors=learned", "dimensions=4", "validation=0"]
    main_of([*words, "--lr", "0.02", "--out", str(folder / "run"), *(part for o in options for part in ("-o", o))])
    data.unlink()
    return folder / "run"


def main_of(words):
    with pytest.raises(SystemExit) as ended:
        main(words)
    return ended.value.code


def test_texts_get_their_classes(run, capsys):
    assert main_of(["classify", str(run), GOOD, BAD, "", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [row["class"] for row in found[:2]] == ["good", "bad"]
    assert all(0.5 <= row["probability"] <= 1 for row in found)
    assert [row["known"] for row in found] == [6, 6, 0]


def test_a_text_without_a_known_word_is_marked(run, capsys):
    assert main_of(["classify", str(run), GOOD, "1 2", "wholly unheard"]) == 0
    shown = capsys.readouterr().out
    assert shown.count("%") == 1 and "-: the model knows no word of this text" in shown
    assert main_of(["classify", str(run), GOOD]) == 0
    assert "knows no word" not in capsys.readouterr().out


def test_lines_come_in(run, capsys, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{BAD}\n{GOOD}\n"))
    assert main_of(["classify", str(run)]) == 0
    shown = capsys.readouterr().out
    assert shown.index("bad") < shown.index("good")


def test_without_a_text(run, capsys, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    assert main_of(["classify", str(run)]) == 2
    assert "There is no text" in capsys.readouterr().err


def test_a_model_of_something_else(tmp_path, capsys):
    main_of(["train", "parity", "--steps", "2", "--hidden", "2", "--out", str(tmp_path / "run"), "--quiet"])
    assert main_of(["classify", str(tmp_path / "run"), GOOD]) == 2
    assert "sentiment" in capsys.readouterr().err


def test_brackets_and_colons_are_texts_like_others(run, capsys):
    assert main_of(["classify", str(run), "[/b] great :smile: [red]joy[/red]"]) == 0
    assert "[/b] great :smile: [red]joy[/red]" in capsys.readouterr().out
