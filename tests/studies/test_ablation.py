"""Leaving out each gate of a cell, on a table of one's own."""

from pathlib import Path

import pytest

from gatelab.errors import DataError, OptionError
from gatelab.language.lookup import cells, find_cell
from gatelab.studies.ablation import answer, make_ablation, without_each
from gatelab.studies.comparisons import compare_all
from gatelab.studies.plan import make_plan

OPTIONS = ("data", "target", "csv", "text", "label", "train", "test")
TEXTS = "mood,review\n" + "".join(f"{n % 2},these are {n} words of text\n" for n in range(6))
READINGS = "day,load\n" + "".join(f"2020-01-{n:02} 10:00,{n}.5\n" for n in range(1, 9))


def table(tmp_path, text, name="my table.csv"):
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


def options_of(study):
    (plan,) = study.tasks.values()
    return {name: plan.choices["options"][name] for name in OPTIONS if name in plan.choices["options"]}


def test_a_column_of_numbers_is_forecast(tmp_path):
    data = table(tmp_path, READINGS)
    study = make_ablation("lstm", data, "load")
    assert list(study.tasks) == ["series"]
    assert options_of(study) == {"data": str(data), "target": "load"}
    assert study.cells == ["lstm", "lstm without i", "lstm without f", "lstm without o"]
    assert (study.name, study.against, study.seeds) == ("ablate-lstm-my-table-load", "lstm", 8)


def test_classes_beside_texts_are_told_by_the_texts_even_where_they_are_numbers(tmp_path):
    data = table(tmp_path, TEXTS)
    study = make_ablation("gru", data, "mood", hidden_size=7)
    assert list(study.tasks) == ["sentiment"]
    assert options_of(study) == {"csv": str(data), "text": "review", "label": "mood"}
    assert study.tasks["sentiment"].hidden_sizes == [7]
    assert study.cells == ["gru", "gru without r"]
    assert "z can't be left out: nothing would be left that reads x." in study.tasks["sentiment"].notes


def test_the_column_of_texts_can_be_named(tmp_path):
    rows = "".join(f"{n},up,a long text with many words\n" for n in range(3))
    data = table(tmp_path, "load,title,note\n" + rows)
    assert options_of(make_ablation("lstm", data, "load"))["text"] == "note"
    assert options_of(make_ablation("lstm", data, "load", text="title"))["text"] == "title"
    with pytest.raises(DataError, match="no column 'titel'"):
        make_ablation("lstm", data, "load", text="titel")


def test_numbers_with_fractions_are_forecast_and_whole_ones_where_that_is_asked(tmp_path):
    rows = "{n}{half},a remark of some five words\n"
    half = table(tmp_path, "load,note\n" + "".join(rows.format(n=n, half=".5") for n in range(4)))
    assert list(make_ablation("lstm", half, "load").tasks) == ["series"]
    assert list(make_ablation("lstm", half, "load", text="note").tasks) == ["sentiment"]
    whole = table(tmp_path, "load,note\n" + "".join(rows.format(n=n, half="") for n in range(4)))
    assert list(make_ablation("lstm", whole, "load").tasks) == ["sentiment"]
    assert list(make_ablation("lstm", whole, "load", forecast=True).tasks) == ["series"]


def test_labelled_series_have_their_classes_with_them(tmp_path):
    train, test = table(tmp_path, "", "Arrow_TRAIN.ts"), table(tmp_path, "", "Arrow_TEST.ts")
    other = table(tmp_path, "", "others.tsv")
    study = make_ablation("gru", train)
    assert (list(study.tasks), study.name) == (["series-classes"], "ablate-gru-Arrow-TRAIN")
    assert study.about == "Which gates does gru need to know the classes of Arrow_TRAIN.ts?"
    assert options_of(study) == {"train": str(train), "test": str(test)}
    assert options_of(make_ablation("gru", train, test=other)) == {"train": str(train), "test": str(other)}
    assert options_of(make_ablation("gru", other, test=train)) == {"train": str(other), "test": str(train)}


def test_a_table_of_tabs_has_a_target(tmp_path):
    data = table(tmp_path, READINGS.replace(",", "\t"), "readings.tsv")
    assert list(make_ablation("lstm", data, "load").tasks) == ["series"]


@pytest.mark.parametrize(
    ("name", "asked", "says"),
    [
        ("Arrow_TRAIN.ts", {}, r"not beside it\.\nSay where they are: --test FILE"),
        ("Arrow.ts", {}, r"not beside it\.\nSay where they are: --test FILE"),
        ("readings.csv", {}, r"which column of readings\.csv to know\.\nSay it: --target COLUMN"),
        ("readings.csv", {"forecast": True}, r"are of a table\.\nSay its column to know as well"),
        ("Arrow.ts", {"text": "note"}, r"are of a table\.\nSay its column to know as well"),
        ("Arrow.ts", {"target": "load"}, r"holds labelled series, and --target is a column of a table\.\nLeave it out"),
        ("readings.csv", {"target": "load", "test": Path("other.ts")}, r"--target of a table\.\nTake one of them out"),
    ],
)
def test_what_is_asked_must_be_said(tmp_path, name, asked, says):
    with pytest.raises(OptionError, match=says):
        make_ablation("lstm", table(tmp_path, READINGS, name), **asked)


def test_a_cell_of_ones_own(tmp_path):
    own = table(tmp_path, "g = sigmoid(W_g @ x + b_g)\nh = g * tanh(W @ x + R @ h)", "own.cell")
    study = make_ablation(str(own), table(tmp_path, READINGS), "load")
    plan = make_plan(study, Path())
    assert [run.settings.cell for run in plan.runs] == ["own", "own without g"]
    assert "g" not in find_cell(f"{own} without g").names


def test_every_cell_of_the_catalogue_has_gates_to_leave_out_or_an_error_that_says_so():
    for name in cells():
        gates = find_cell(name).gates
        try:
            labels, refused = without_each(name)
        except OptionError as error:
            assert "No gate can be left out" in str(error)
            continue
        assert len(labels) + len(refused) == len(gates)
        assert all("x" in find_cell(label).equations for label in labels)


def test_many_gates_need_more_seeds(tmp_path):
    data = table(tmp_path, READINGS)
    gates = "".join(f"g{n} = sigmoid(W_{n} @ x)\n" for n in range(9))
    own = table(tmp_path, gates + "h = tanh(R @ h) * " + " * ".join(f"g{n}" for n in range(9)), "many.cell")
    assert make_ablation(str(own), data, "load").seeds == 9


@pytest.mark.parametrize(
    ("cell", "target", "says"),
    [
        ("elman", "load", "No gate can be left out of 'elman'"),
        ("f", "load", "its gates are f"),
        ("lsmt", "load", "Did you mean 'lstm'"),
        ("lstm", "laod", "no column 'laod'"),
        ("lstm", "day", "no other column holds texts"),
    ],
)
def test_what_can_not_be_asked(tmp_path, cell, target, says):
    with pytest.raises((DataError, OptionError), match=says):
        make_ablation(cell, table(tmp_path, READINGS), target)


def test_the_answer_names_the_gates_by_what_leaving_them_out_came_to():
    def around(middle):
        return {seed: middle + seed / 100 for seed in range(8)}

    shifted = {seed: value + (-1) ** seed * (0.5 + seed) for seed, value in around(5.0).items()}
    values = {"my.cell": around(5.0), "my.cell without f": around(9.0), "my.cell without i": around(2.0)}
    values |= {"my.cell without o": shifted, "my.cell without q": around(5.0), "my.cell without r": {}}
    assert answer(compare_all(values, "lowest", "my.cell"), "my.cell") == (
        "Needed, as without it the cell is worse: f. Better left out: i. No difference shown with and without: o. "
        "The same with and without: q. Diverged, so nothing can be said of: r."
    )
    few = {name: {0: 1.0 + len(name)} for name in ("my.cell", "my.cell without f")}
    assert answer(compare_all(few, "highest", "my.cell"), "my.cell") == "Too few seeds to tell: f."
