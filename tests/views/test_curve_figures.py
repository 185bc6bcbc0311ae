"""Learning curves: the median of the seeds at each step, with an interval."""

import numpy as np
import pytest

from gatelab.errors import OptionError
from gatelab.training.record import Look, Point, Run, SeedResult
from gatelab.training.settings import make_settings
from gatelab.views.curve_figures import draw_curves, learning_curves


def run_of(*curves, looks=()):
    results = tuple(
        SeedResult(seed, "steps", curve[-1][0], {}, tuple(Point(step, loss, 10 * step) for step, loss in curve), looks)
        for seed, curve in enumerate(curves)
    )
    return Run(make_settings("digits", "f", 4, tuple(range(len(curves)))), results, 1.0, {})


def test_the_median_of_what_each_seed_had_last():
    run = run_of([(1, 3.0), (2, 2.0), (4, 1.0)], [(1, 5.0), (3, 4.0)], [(1, 4.0), (2, 3.0), (4, 0.5)])
    loss, score = learning_curves({"f": run})
    (line,) = loss.lines
    assert line.steps.tolist() == [1, 2, 3, 4] and line.seeds == 3
    assert line.middle.tolist() == [4.0, 3.0, 3.0, 1.0]
    assert (line.low.tolist(), line.high.tolist()) == ([3.0, 2.0, 2.0, 0.5], [5.0, 5.0, 4.0, 4.0])
    assert score.quantity == "score of a batch, %" and score.lines[0].middle.tolist() == [10, 20, 20, 40]


def test_one_seed_has_no_interval_and_what_is_not_finite_no_point():
    (line,) = learning_curves({"f": run_of([(1, 3.0), (2, None), (3, 1.0)])})[0].lines
    assert line.steps.tolist() == [1, 3]
    assert np.array_equal(line.low, line.middle) and np.array_equal(line.high, line.middle)


def test_validation_has_a_panel_where_there_is_some():
    looks = (Look(2, 50.0), Look(4, 60.0))
    panels = learning_curves({"f": run_of([(1, 3.0)], [(1, 2.0)], looks=looks)})
    assert [panel.quantity for panel in panels] == ["loss of a batch", "score of a batch, %", "validation, accuracy, %"]
    assert panels[-1].lines[0].middle.tolist() == [50.0, 60.0]


def test_one_seed_has_no_shade_to_explain():
    figure = draw_curves(learning_curves({"f": run_of([(1, 3.0), (2, 2.0)])}), "digits")
    assert figure.get_supxlabel() == "One seed a line."


def test_the_figure_has_a_line_a_run_and_says_how_many_seeds():
    runs = {"f": run_of([(1, 3.0), (2, 2.0)]), "lstm": run_of([(1, 3.0), (2, 2.5)], [(1, 4.0), (2, 3.5)])}
    figure = draw_curves(learning_curves(runs), "digits")
    assert [len(axes.lines) for axes in figure.axes] == [2, 2]
    assert "1 to 2 seeds" in figure.get_supxlabel()
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["f", "lstm"]


def test_nothing_to_draw():
    with pytest.raises(OptionError, match="no run to draw"):
        learning_curves({})
