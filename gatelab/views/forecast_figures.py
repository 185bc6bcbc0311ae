"""The figure of some forecasts."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from gatelab.views.figures import INK, REPORT_COLOUR, SEED_COLOUR, dot_of, tidy_series
from gatelab.views.forecasts import Forecast


def draw_forecasts(found: tuple[Forecast, ...], title: str) -> Figure:
    """A panel a forecast: the past, what came, and the forecast with its outer interval."""
    figure = Figure(figsize=(8, 0.6 + 2.0 * len(found)), layout=ConstrainedLayoutEngine())
    panels = figure.subplots(len(found), 1, squeeze=False)[:, 0]
    for axes, one in zip(panels, found, strict=True):
        _draw_one(axes, one)
    panels[0].set_title(title, loc="left", fontsize=11, fontweight="bold", color=INK)
    panels[-1].set_xlabel("row of the data", fontsize=9, color=INK)
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside upper right", ncols=4, frameon=False, fontsize=9)
    return figure


def _draw_one(axes: Axes, one: Forecast) -> None:
    before, after = range(one.first - len(one.past), one.first), range(one.first, one.first + len(one.true))
    shares = sorted(one.quantiles)
    if len(shares) > 1:
        low, high = one.quantiles[shares[0]], one.quantiles[shares[-1]]
        label = f"{100 * shares[0]:g} to {100 * shares[-1]:g} %"
        axes.fill_between(after, low, high, color=SEED_COLOUR, alpha=0.2, linewidth=0, label=label)
    axes.plot(before, one.past, color=INK, linewidth=1.0)
    axes.plot(after, one.true, color=INK, linewidth=1.0, marker=".", markersize=4, label="what came")
    dot = dot_of(len(after))
    axes.plot(after, one.quantiles[0.5], color=SEED_COLOUR, linewidth=1.8, marker=dot, label="forecast")
    naive = [one.past[-1]] * len(after)
    axes.plot(after, naive, color=REPORT_COLOUR, linestyle="--", linewidth=1.0, marker=dot, label="naive")
    tidy_series(axes)
