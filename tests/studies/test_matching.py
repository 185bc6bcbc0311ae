"""Sizes with as many parameters as another model."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatelab.errors import OptionError
from gatelab.studies.matching import matched_size
from gatelab.training.replicas import count_parameters
from gatelab.training.settings import make_settings


@given(
    square=st.integers(0, 5),
    line=st.integers(1, 20),
    constant=st.integers(0, 100),
    wanted=st.integers(1, 100_000),
    near=st.integers(1, 500),
)
def test_no_neighbour_is_nearer(square, line, constant, wanted, near):
    def count(units):
        return square * units**2 + line * units + constant

    size = matched_size(count, wanted, near)
    off = abs(count(size) - wanted)
    assert size >= 1
    assert off <= abs(count(size + 1) - wanted)
    if size > 1:
        assert off < abs(count(size - 1) - wanted), "of two as near it is the smaller"


@given(units=st.integers(1, 1000), near=st.integers(1, 1000))
def test_a_size_is_found_again_from_its_own_number(units, near):
    assert matched_size(lambda size: size**2 + size, units**2 + units, near) == units


def test_a_number_that_no_size_comes_near():
    with pytest.raises(OptionError, match=r"No hidden size gives 1,000 parameters"):
        matched_size(lambda units: min(units, 10), 1000, 3)


@pytest.mark.parametrize("cell", ["f", "gru"])
def test_a_cell_is_matched_with_another(cell):
    def count(name, units):
        return count_parameters(make_settings("digits", name, units))

    wanted = count("lstm", 30)
    size = matched_size(lambda units: count(cell, units), wanted, 30)
    assert size != 30
    off = [abs(count(cell, units) - wanted) for units in (size - 1, size, size + 1)]
    assert min(off) == off[1]
