"""Settings as they are written on a command line."""

import pytest

from gatelab.cli.choices import read_backend, read_pairs
from gatelab.errors import OptionError

EXAMPLE = "--set dropout=0.5"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a=0.5", 0.5),
        ("a=3", 3),
        ("a=-1e-3", -1e-3),
        ("a=true", True),
        ("a=cosine", "cosine"),
        ('a="cosine"', "cosine"),
        ("a=[1, 2]", [1, 2]),
        ("a = 3 ", 3),
        ("a=b=c", "b=c"),
        ("a=", ""),
        ("a=True", "True"),
        ("a=data/my file.csv", "data/my file.csv"),
    ],
)
def test_values_are_tomls_or_words(text, value):
    found = read_pairs([text], EXAMPLE)
    assert found == {"a": value}
    assert type(found["a"]) is type(value)


def test_a_name_with_points_is_inside_of_another():
    assert read_pairs(["zoneout.c=0.1", "zoneout.h=0.2", "a=1"], EXAMPLE) == {"zoneout": {"c": 0.1, "h": 0.2}, "a": 1}


def test_the_last_of_two_counts():
    assert read_pairs(["a=1", "a=2"], EXAMPLE) == {"a": 2}


@pytest.mark.parametrize("text", ["dropout", "=3", " =3", ""])
def test_what_is_no_pair_is_shown_how(text):
    with pytest.raises(OptionError, match=r"not of the form NAME=VALUE\.\nWrite it as --set dropout=0\.5"):
        read_pairs([text], EXAMPLE)


def test_a_value_can_not_have_values_inside():
    with pytest.raises(OptionError, match=r"zoneout is given as a value(.|\n)*Give one of them"):
        read_pairs(["zoneout=0.1", "zoneout.c=0.2"], EXAMPLE)


@pytest.mark.parametrize("name", ["auto", "cpu", "eager", "torch"])
def test_a_backend_is_known_by_its_name(name):
    assert read_backend(name) == name


def test_a_slip_in_a_backend_is_named():
    with pytest.raises(OptionError, match=r"no backend 'eagre'\.\nDid you mean 'eager'"):
        read_backend("eagre")
