"""What makes a run the same run."""

import math

import pytest

from gatelab.errors import OptionError, TaskError
from gatelab.language.cell import Cell
from gatelab.tasks import TASKS
from gatelab.training.settings import make_settings


def settings(cell="f", hidden_size=3, seeds=(0,), **options):
    return make_settings("digits", cell, hidden_size, seeds, **options)


def test_what_is_not_given_is_the_tasks():
    for name, task in TASKS.items():
        found = make_settings(name, "f")
        for key, value in task.usual.items():
            assert getattr(found, key) == value
        assert (found.cell, found.seeds) == ("f", (0,))


@pytest.mark.parametrize(
    "other",
    [
        {"cell": "fo"},
        {"hidden_size": 4},
        {"seeds": (1,)},
        {"seeds": (0, 1)},
        {"steps": 7},
        {"learning_rate": 0.5},
        {"optimizer": "sgd"},
        {"num_layers": 2},
        {"clip": 1.0},
        {"init": "zeros"},
        {"head_init": "truncated_normal"},
    ],
    ids=str,
)
def test_everything_that_decides_the_result_is_in_the_identity(other):
    assert settings(**other).identity != settings().identity


def test_names_and_citations_are_not():
    one = Cell("h = tanh(W @ x + R @ h + b)", name="mine", cite="2001")
    two = Cell("h = tanh(W@x + R@h + b)", name="mine", cite="2002")
    assert settings(one).identity == settings(two).identity
    assert settings(one.called("yours")).identity.split("-")[-1] == settings(one).identity.split("-")[-1]


def test_a_cells_start_and_constants_are():
    text = "h = a * h + tanh(W @ x + b)"
    one = Cell(text, constants={"a": 0.5}, init={"b": 1.0})
    for other in (Cell(text, constants={"a": 0.4}, init={"b": 1.0}), Cell(text, constants={"a": 0.5})):
        assert settings(one).identity != settings(other).identity


def test_a_number_is_the_same_however_it_is_written():
    assert settings(learning_rate=1, clip=2).identity == settings(learning_rate=1.0, clip=2.0).identity


def test_a_name_of_a_file_does_not_leave_the_folder():
    cell = Cell("h = tanh(W @ x)", name="../../etc/passwd x")
    assert "/" not in settings(cell).identity
    assert " " not in settings(cell).identity


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"steps": 0}, "steps is 0"),
        ({"hidden_size": 0}, "hidden_size is 0"),
        ({"num_layers": -1}, "num_layers is -1"),
        ({"learning_rate": 0}, "learning_rate is 0"),
        ({"learning_rate": math.nan}, "learning_rate is nan"),
        ({"clip": math.inf}, "clip is inf"),
        ({"seeds": ()}, "seeds"),
        ({"seeds": (1, 1)}, "each only once"),
        ({"seeds": (-1,)}, r"seeds\.0 is -1(.|\n)*greater than or equal to 0"),
        ({"optimizer": "adm"}, "Did you mean 'adam'"),
        ({"head_init": "normal"}, "start of the head"),
        ({"cell": "nothing_like_it"}, "no cell"),
    ],
)
def test_a_value_that_cannot_be_is_one_clear_error(options, words):
    with pytest.raises(OptionError, match=words):
        settings(**options)


def test_an_unknown_task():
    with pytest.raises(TaskError, match="digits"):
        make_settings("digit", "f", 3)
