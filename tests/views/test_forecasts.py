"""Forecasts in the units of the data, and their figure."""

import pytest
import torch

from gatelab.tasks import find_task, read_options
from gatelab.views.figures import save_figure
from gatelab.views.forecast_figures import draw_forecasts
from gatelab.views.forecasts import some_forecasts

LEVELS = [step % 7 + step / 50 for step in range(200)]


@pytest.fixture
def options(tmp_path):
    """A function that gives the options of a small file."""
    (tmp_path / "up.csv").write_text("\n".join(["other,level", *(f"{-step},{LEVELS[step]}" for step in range(200))]))

    def read(**others):
        return read_options(
            find_task("series"), {"data": str(tmp_path / "up.csv"), "past": 9, "ahead": 2, "season": 7, **others}
        )

    return read


def zeros(x, lengths=None):
    return torch.zeros(1, x.shape[1], 2)


def test_they_are_spread_over_the_test_part_in_its_own_units(options):
    found = some_forecasts(zeros, options())
    assert [one.first for one in found] == [160, 179, 198]
    for one in found:
        assert one.past == pytest.approx(LEVELS[one.first - 9 : one.first], abs=1e-5)
        assert one.true == pytest.approx(LEVELS[one.first : one.first + 2], abs=1e-5)
        assert one.quantiles == {0.5: pytest.approx((one.past[-1],) * 2, abs=1e-5)}


def test_zeros_are_the_mean_if_nothing_is_relative(options):
    mean = sum(LEVELS[:140]) / 140
    for one in some_forecasts(zeros, options(relative=False)):
        assert one.quantiles[0.5] == pytest.approx((mean, mean), abs=1e-5)


def test_quantiles_that_cross_are_put_in_order(options):
    quantiles = [0.1, 0.5, 0.9]
    crossed = torch.tensor([1.0, 0.0, 2.0] * 2)
    (one, *_) = some_forecasts(lambda x, lengths=None: crossed.expand(1, x.shape[1], -1), options(quantiles=quantiles))
    assert list(one.quantiles) == quantiles
    assert one.quantiles[0.1][0] < one.quantiles[0.5][0] < one.quantiles[0.9][0]
    assert one.quantiles[0.1][0] == pytest.approx(one.past[-1], abs=1e-5)


def test_the_figure_has_a_panel_a_forecast_and_is_the_same_again(options, tmp_path):
    found = some_forecasts(zeros, options())
    figure = draw_forecasts(found, "up")
    assert len(figure.axes) == 3
    past, true, forecast, naive = (list(line.get_ydata()) for line in figure.axes[1].get_lines())
    assert (tuple(past), tuple(true), tuple(forecast)) == (found[1].past, found[1].true, found[1].quantiles[0.5])
    assert naive == pytest.approx(forecast)
    for name in ("one", "two"):
        save_figure(draw_forecasts(found, "up"), tmp_path / name)
    assert (tmp_path / "one.svg").read_bytes() == (tmp_path / "two.svg").read_bytes()
