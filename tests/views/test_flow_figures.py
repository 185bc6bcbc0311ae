"""Figures of gradients, eigenvalues and hard gates: the numbers, and that they can be drawn."""

import math
from itertools import pairwise

import pytest
import torch

from gatelab.errors import OptionError
from gatelab.probes.dynamics import Spectrum
from gatelab.probes.flow import Flow, LayerFlow
from gatelab.probes.hardening import Hardening
from gatelab.views.figures import draw_figure, save_figure
from gatelab.views.flow_figures import (
    EXPLODES,
    HOLDS,
    MOST_POINTS,
    VANISHES,
    draw_flow,
    draw_spectra,
    flow_lines,
    hardening_figure,
    spectrum_points,
)


def falls(*rates, steps=11):
    """Seeds whose gradient goes by so many orders of magnitude a step, two sequences each."""
    lags = torch.arange(float(steps), dtype=torch.float64)
    seeds = torch.stack([7 * 10.0 ** (rate * lags) for rate in rates], dim=1)
    flow = Flow(torch.stack([seeds, seeds], dim=-1))
    return LayerFlow({"h": flow, "c": flow}, torch.ones(len(rates)))


@pytest.fixture
def found():
    return {"down": falls(-2, -1, -3), "even": falls(0, -0.1, 0.2), "up": falls(0.5, 1, 2)}


def test_lines_begin_at_one_and_tell_what_becomes_of_it(found):
    lines = flow_lines(found)
    assert [(line.label, line.fate) for line in lines] == [("down", VANISHES), ("even", HOLDS), ("up", EXPLODES)]
    for line in lines:
        assert line.name == "c"
        assert line.middle[0] == line.low[0] == line.high[0] == 0
    ends = [end for line in lines for end in (line.low[-1], line.middle[-1], line.high[-1])]
    assert ends == pytest.approx([-30, -20, -10, -1, 0, 2, 5, 10, 20])


def test_what_has_become_nothing_is_drawn_to_the_edge(tmp_path):
    norms = torch.tensor([1.0, 1e-30, 0.0, 0.0]).view(4, 1, 1)
    lines = flow_lines({"gone": LayerFlow({"h": Flow(norms)}, torch.ones(1)), "up": falls(1, steps=4)})
    assert lines[0].fate is VANISHES
    assert lines[0].middle[-1] == -math.inf
    save_figure(draw_flow(lines), tmp_path / "gone")


def test_labels_of_lines_that_end_together_lie_apart():
    lines = flow_lines({f"line {number}": falls(-1) for number in range(12)})
    figure = draw_flow(lines)
    heights = sorted(text.xyann[1] for text in figure.axes[0].texts)
    assert len(heights) == 12
    assert all(high - low > 0.045 for low, high in pairwise(heights))
    assert heights[-1] <= 1


def eigenvalues(*values, steps=4):
    return Spectrum("eigenvalues", torch.tensor(values, dtype=torch.complex128).expand(steps, 2, -1).clone())


def test_points_are_counted_outside_of_the_circle():
    spectrum = eigenvalues(2j, -2j, 0.5, 0.1)
    spectrum.values[2:, 1] = torch.nan
    (points,) = spectrum_points({"one": spectrum})
    assert (points.label, points.outside, points.radius) == ("one", 0.5, 2.0)
    assert len(points.real) == 6 * 4
    assert sorted({*points.imaginary.tolist()}) == [-2, 0, 2]


def test_many_points_are_thinned_by_whole_steps():
    (points,) = spectrum_points({"one": eigenvalues(1j, -1j, steps=10 * MOST_POINTS)})
    assert 0 < len(points.real) <= MOST_POINTS
    assert points.imaginary.sum() == 0


def test_singular_values_lie_in_no_plane():
    with pytest.raises(OptionError, match="Ask for the kind 'eigenvalues'"):
        spectrum_points({"one": Spectrum("singular", torch.ones(2, 2, 2))})


def test_hard_gates_have_a_row_each():
    data = hardening_figure(Hardening((95.0, 97.0), (60.0, 80.0), {"f": (90.0, 91.0)}), "accuracy, %")
    ((panel,),) = data.grid
    assert panel.quantity == "accuracy, %"
    assert [(row.label, row.median) for row in panel.rows] == [("soft", 96.0), ("f hard", 90.5), ("all hard", 70.0)]
    assert (panel.rows[0].interval.low, panel.rows[0].interval.high) == (95.0, 97.0)
    assert hardening_figure(Hardening((95.0,), (60.0,), {}), "%").grid[0][0].rows[0].interval is None


def drawings(found):
    return {
        "flow": draw_flow(flow_lines(found)),
        "spectra": draw_spectra(spectrum_points({"a": eigenvalues(1j, -1j), "b": eigenvalues(2, 0.5)})),
        "hardening": draw_figure(hardening_figure(Hardening((95.0, 97.0), (60.0, 80.0), {"f": (90.0, 91.0)}), "%")),
    }


def test_files_are_the_same_again(found, tmp_path):
    for again in ("one", "two"):
        (tmp_path / again).mkdir()
        for name, figure in drawings(found).items():
            save_figure(figure, tmp_path / again / name)
    for path in sorted((tmp_path / "one").iterdir()):
        assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes()
