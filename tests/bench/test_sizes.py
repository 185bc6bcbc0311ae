"""Sizes by name, and the work that a cell is at one."""

from dataclasses import replace

import pytest

from gatelab.bench.sizes import SIZES, find_size, fit_size, further_widths
from gatelab.bench.timing import Timing
from gatelab.bench.verdicts import judge, judge_ratio
from gatelab.bench.work import gflops, multiply_adds, work
from gatelab.errors import OptionError
from gatelab.language.cell import Cell
from gatelab.language.lookup import cells, find_cell

SIZE = find_size("2x3x5x7")


def test_names_and_sizes_of_your_own():
    assert find_size("digits") is SIZES["digits"]
    assert (SIZE.B, SIZE.T, SIZE.I, SIZE.H, SIZE.torch) == (2, 3, 5, 7, None)
    for name in ("digit", "0x1x1x1", "1x2x3"):
        with pytest.raises(OptionError, match="no size"):
            find_size(name)


@pytest.mark.parametrize(("name", "gates"), [("lstm", 4), ("f", 2), ("gru", 3), ("mgu", 2), ("peephole", 4)])
def test_multiply_adds_of_gated_cells(name, gates):
    cell = find_cell(name)
    assert multiply_adds(cell, SIZE) == 3 * 2 * gates * 7 * (5 + 7)
    assert gflops(cell, SIZE, 2.0) == pytest.approx(6 * multiply_adds(cell, SIZE) / 2e6)


def test_a_matrix_counts_as_often_as_it_is_used():
    twice = Cell("h = tanh(R @ tanh(R @ h) + W @ x)")
    same = Cell("a = tanh(W @ x)\nb = sigmoid(W @ x)\nh = a * b")
    assert multiply_adds(twice, SIZE) == 3 * 2 * 7 * (7 + 7 + 5)
    assert multiply_adds(same, SIZE) == 3 * 2 * 7 * 5


@pytest.mark.parametrize(
    ("name", "in_loop", "kept"), [("lstm", 4 * 7 * 7, 6), ("f", 2 * 7 * 7, 3), ("min_gru", 0, 3), ("gru", 3 * 7 * 7, 5)]
)
def test_work_in_the_loop_and_bytes_kept(name, in_loop, kept):
    found = work(find_cell(name), SIZE)
    assert (found.in_loop, found.kept) == (3 * 2 * in_loop, 4 * 3 * 2 * 7 * kept)
    assert found.multiply_adds == multiply_adds(find_cell(name), SIZE)


@pytest.mark.parametrize("name", cells())
def test_every_cell_fits(name):
    cell = find_cell(name)
    size = fit_size(SIZE, cell)
    assert size in (SIZE, replace(SIZE, I=7))
    cell.sizes(size.I, size.H, further_widths(size, cell))
    assert 0 <= work(cell, size).in_loop <= multiply_adds(cell, size)


def test_verdicts():
    assert judge("a", "b", 2.0, at_least=2).holds is True
    assert judge("a", "b", 2.0, at_least=2.1).holds is False
    assert judge("a", "b", 2.0, at_most=1.9).holds is False
    assert judge("a", "b", 2.0).holds is None
    over, under, none = Timing("x", 6.0), Timing("y", 2.0), Timing("z", why_not="gone")
    assert judge_ratio(over, under, "b", at_least=3).value == 3.0
    missing = judge_ratio(over, none, "b", at_least=3)
    assert (missing.name, missing.value, missing.holds, missing.why_not) == ("x / z", None, None, "z: gone")
