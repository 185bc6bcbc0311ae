"""Study files: the preset, and slips."""

from pathlib import Path

import pytest

from gatelab.errors import EquationError, GatelabError, OptionError, TaskError
from gatelab.language.files import write_cell
from gatelab.language.lookup import find_cell
from gatelab.studies.plan import make_plan
from gatelab.studies.run import run_study
from gatelab.studies.spec import find_study, presets, read_study
from gatelab.studies.store import Store

SMALL = """
name = "small"
cells = ["f", "lstm"]
seeds = 2
[tasks.digits]
hidden_sizes = [2]
steps = 4
"""


LINES = {"cells": 'cells = ["f", "lstm"]', "sizes": "hidden_sizes = [2]", "seeds": "seeds = 2"}


def small(**replaced):
    text = SMALL
    for key, new in replaced.items():
        text = text.replace(LINES[key], new)
    return read_study(text, "small.toml")


@pytest.mark.slow  # Reading all of IMDB takes 20 seconds.
@pytest.mark.parametrize("name", presets())
def test_every_preset_can_be_planned_whole_and_quick(name, needs_data):
    needs_data("imdb", "glove/50")
    study, folder = find_study(name)
    assert study.name == name
    whole, quick = make_plan(study, folder), make_plan(study, folder, quick=True)
    assert len(whole.runs) == len(quick.runs) or any(run.trial for run in whole.runs)
    assert not any(whole.differences.values())
    one_is_enough = study.seeds == 1 or study.quick.seeds == 1
    assert one_is_enough or all(len(run.settings.seeds) >= 2 for run in quick.runs)


@pytest.mark.parametrize("name", presets())
def test_every_preset_is_called_like_its_file(name):
    assert find_study(name)[0].name == name


def test_the_2018_study_is_all_of_the_reports_sizes_and_cells():
    plan = make_plan(*find_study("gates-2018"), parts=["digits", "parity"])
    found = {(run.settings.task, run.settings.hidden_size, run.label) for run in plan.runs}
    cells = ("lstm", "f", "fo", "myfo", "io", "o")
    sizes = [("digits", 30), ("digits", 15), ("digits", 1), ("parity", 3), ("parity", 1)]
    assert found == {(*size, cell) for size in sizes for cell in cells}
    assert len(plan.runs) == 30
    for run in plan.runs:
        settings = run.settings
        assert (settings.init, settings.head_init) == ("zeros", "truncated_normal")
        assert len(settings.seeds) >= 10
        assert settings.learning_rate == {"digits": 0.001, "parity": 0.1}[settings.task]


def test_the_reports_numbers_are_found_by_task_size_cell_and_measure():
    study, _ = find_study("gates-2018")
    assert study.reported("digits", 1, "lstm", "accuracy") == 69.94
    assert study.reported("parity", 3, "o", "steps") == 47419
    assert study.reported("parity", 1, "o", "steps") is None
    assert study.reported("digits", 2, "lstm", "accuracy") is None


def test_what_is_asked_for_otherwise_is_said():
    study = read_study(SMALL + "[quick]\nseeds = 1\ntasks.digits.steps = 3", "small.toml")
    assert make_plan(study, Path(), quick=True).differences == {
        "digits": ("1 seed instead of 2", "at most 3 steps instead of 4")
    }
    assert make_plan(study, Path(), seeds=5).differences == {"digits": ("5 seeds instead of 2",)}
    assert make_plan(study, Path()).differences == {"digits": ()}


def test_options_go_to_the_parts_whose_tasks_have_them():
    study, _ = find_study("gates-2018")
    plan = make_plan(study, Path(), parts=["digits-chosen", "parity"], options={"validation": 0.2})
    found = {run.part: run.settings.options for run in plan.runs}
    assert found == {"digits-chosen": {"validation": 0.2, "split": 0}, "parity": {"curriculum": True, "more": 0}}
    assert plan.differences == {"digits-chosen": ("validation = 0.2 instead of 0.1",), "parity": ()}
    (run, *_) = make_plan(study, Path(), quick=True, parts=["sentiment"], options={"train": 500, "length": 9}).runs
    assert {name: run.settings.options[name] for name in ("train", "test", "length")} == {
        "train": 500,
        "test": 2000,
        "length": 9,
    }


def test_an_option_that_no_part_has_offers_the_nearest():
    with pytest.raises(OptionError, match="No task of these parts has an option 'moore'") as error:
        make_plan(*find_study("gates-2018"), parts=["digits", "parity"], options={"moore": 3})
    assert "more" in str(error.value)


def test_a_quick_look_has_a_folder_of_its_own():
    assert {make_plan(small(), Path(), quick=quick).name for quick in (False, True)} == {"small", "small-quick"}


def test_both_starts_fit_in_one_file(tmp_path):
    study = read_study(SMALL.replace("seeds = 2", 'inits = ["zeros", "default"]'), "small.toml")
    assert {(run.init, run.settings.init) for run in make_plan(study, tmp_path).runs} == {
        ("zeros", "zeros"),
        ("default", None),
    }


def test_seeds_can_be_named():
    plan = make_plan(small(seeds="seeds = [3, 5]"), Path())
    assert plan.runs[0].settings.seeds == (3, 5)


def test_a_cell_can_be_a_file_beside_the_study(tmp_path):
    (tmp_path / "mine.cell").write_text("h = tanh(W @ x + R @ h + b)")
    (tmp_path / "mine.toml").write_text(SMALL.replace('"lstm"', '"mine.cell"'))
    study, folder = find_study(str(tmp_path / "mine.toml"))
    runs = make_plan(study, folder).runs
    assert [(run.label, run.settings.cell) for run in runs] == [("f", "f"), ("mine.cell", "mine")]


def test_a_quick_look_keeps_the_cell_that_others_are_compared_with():
    text = 'against = "f"\n' + SMALL + "[quick]\ntasks.digits.cells = ['lstm']\n"
    with pytest.raises(OptionError, match="quick leaves out 'f' in digits"):
        read_study(text, "small.toml")
    assert read_study(text.replace("['lstm']", "['lstm', 'f']"), "small.toml").against == "f"


def test_a_gate_can_be_left_out_of_a_cell_by_its_name(tmp_path):
    (tmp_path / "mine.cell").write_text("g = sigmoid(W_g @ x)\nh = g * tanh(W @ x + R @ h + b)")
    text = SMALL.replace('"f", "lstm"', '"lstm without i without o", "mine.cell without g"')
    first, second = make_plan(read_study(text, "small.toml"), tmp_path).runs
    assert first.settings.equations == write_cell(find_cell("lstm").without("i").without("o"))
    assert (second.label, second.settings.cell) == ("mine.cell without g", "mine without g")


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("seeds = 2", "seed = 2", r"no key 'seed'.\n.*'seeds'"),
        ("steps = 4", "step = 4", r"tasks\.digits, there is no key 'step'.\n.*'steps'"),
        ("steps = 4", "hidden_size = 4", r"Write hidden_sizes"),
        ("steps = 4", "steps = 4\n[quick]\nseds = 2", r"no key 'quick\.seds'.\n.*'seeds'"),
        ("steps = 4", "steps = 4\n[[reference]]\ntaks = 'digits'", r"'reference\.0\.t"),
        ('name = "small"', "", "'name' is missing"),
        ('name = "small"', 'name = "../up"', "name is '../up'"),
        ('cells = ["f", "lstm"]', "cells = []", r"digits has no cells.\nAdd cells"),
        ("seeds = 2", "seeds = 2\nagainst = 'ltsm'", r"against names 'ltsm', which digits lacks.\n.*'lstm'"),
        ("seeds = 2", "seeds = 0", "seeds is 0"),
        ("seeds = 2", "seeds = [0, -1]", r"seeds\.1 is -1"),
        ("seeds = 2", "seeds = []", "seeds is"),
        ("seeds = 2", "seeds = 'two'", "seeds"),
        ("steps = 4", "steps = -4", r"steps is -4"),
        ("steps = 4", "steps = 4\nlearning_rate = nan", r"learning_rate is nan"),
        ("[2]", "[]", r"hidden_sizes is \[\]"),
        ("[2]", "[2.5]", r"hidden_sizes\.0 is 2\.5"),
        ("steps = 4", "steps = = 4", "is not TOML"),
        ("[tasks.digits]", "[tasks.digit]", "no task 'digit'"),
        (
            "steps = 4",
            "steps = 4\n[quick]\ntasks.digts.steps = 2",
            r"quick speaks of 'digts', which the study lacks.\n.*'digits'",
        ),
    ],
)
def test_a_slip_is_named_with_its_place(old, new, words):
    assert old in SMALL
    with pytest.raises(GatelabError, match=words) as caught:
        read_study(SMALL.replace(old, new), "small.toml")
    assert isinstance(caught.value, OptionError | TaskError)


@pytest.mark.parametrize(
    ("measure", "cell", "words"),
    [("acuracy", "f", "Did you mean 'accuracy'"), ("accuracy", "fo", "not a cell of the study")],
)
def test_a_reference_to_nothing_is_a_slip(measure, cell, words):
    reference = f"""
[[reference]]
task = "digits"
hidden_size = 2
measure = "{measure}"
source = "somewhere"
values = {{ {cell} = 1 }}
"""
    with pytest.raises(OptionError, match=words):
        read_study(SMALL + reference, "small.toml")


@pytest.mark.parametrize(
    ("replaced", "error", "words"),
    [
        ({"cells": 'cells = ["f", "lstn"]'}, OptionError, "Did you mean 'lstm'"),
        ({"cells": 'cells = ["f", "none.cell"]'}, OptionError, "can't be read"),
        ({"cells": 'cells = ["f", "forget_only"]'}, OptionError, "the same run twice: 'f' and 'forget_only'"),
        ({"cells": 'cells = ["f", "f"]'}, OptionError, "twice"),
        ({"seeds": 'inits = ["zeroes"]'}, OptionError, "zeros"),
        ({"sizes": "hidden_sizes = [2]\noptimizer = 'adan'"}, OptionError, "Did you mean 'adam'"),
        # It adds its input, 8 wide, to hidden vectors.
        ({"cells": 'cells = ["ran", "sru"]'}, OptionError, "input"),
    ],
)
def test_what_cannot_be_trained_is_known_before_anything_is(tmp_path, replaced, error, words):
    with pytest.raises(error, match=words):
        run_study(make_plan(small(**replaced), tmp_path), Store(tmp_path))
    assert not list(tmp_path.iterdir())


def test_a_cell_file_with_a_slip(tmp_path):
    (tmp_path / "mine.cell").write_text("h = tahn(W @ x)")
    with pytest.raises(EquationError, match="tahn"):
        make_plan(small(cells='cells = ["mine.cell"]'), tmp_path)


def test_no_such_study(tmp_path):
    with pytest.raises(OptionError, match="Did you mean 'gates-2018'"):
        find_study("gates2018")
    with pytest.raises(OptionError, match="can't be read"):
        find_study(str(tmp_path / "none.toml"))
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(OptionError, match="not UTF-8"):
        find_study(str(tmp_path / "binary.toml"))
