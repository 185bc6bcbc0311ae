"""Some of a model's forecasts, beside what came and what would have been said without learning."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from torch import Tensor

from gatelab.data.windows import Windows
from gatelab.tasks.base import Model
from gatelab.tasks.series import forecasts, prepare
from gatelab.tasks.series_options import SeriesOptions
from gatelab.views.figures import FAINT, INK, REPORT_COLOUR, SEED_COLOUR

SHOWN = 3
"""Windows, evenly spread over the test part."""


@dataclass(frozen=True)
class Forecast:
    """One forecast, in the units of the data.

    Attributes:
        first: the row of the data that it begins at, from 0.
        past: what the model saw of the target.
        true: what came.
        quantiles: by the number that is to lie above such a share of the values; 0.5 alone for a point.
    """

    first: int
    past: tuple[float, ...]
    true: tuple[float, ...]
    quantiles: dict[float, tuple[float, ...]]


@torch.no_grad()
def some_forecasts(model: Model, options: SeriesOptions) -> tuple[Forecast, ...]:
    """Forecasts for `SHOWN` windows of the test part, by a model of one replica.

    Raises:
        DataError: the data are not at hand.
    """
    series, quantiles = prepare(options), options.quantiles or (0.5,)
    test, target = series.parts[-1], series.target
    chosen = torch.linspace(0, len(test.x) - 1, min(SHOWN, len(test.x))).round().long()
    part = Windows(test.x[chosen], test.y[chosen])
    answers, _ = forecasts(model, part, target, options.relative)
    levels = answers[0].unflatten(-1, (options.ahead, -1)).sort(-1).values
    if options.relative:
        levels = levels + part.x[:, -1, target].view(-1, 1, 1)
    own, last = series.scaler.column(target), series.rows[-1].stop - options.ahead + 1 - len(test.x)

    def values(tensor: Tensor) -> tuple[float, ...]:
        return tuple(own.undo(tensor).tolist())

    return tuple(
        Forecast(
            first=last + int(number),
            past=values(part.x[row, :, target]),
            true=values(part.y[row]),
            quantiles={share: values(levels[row, :, place]) for place, share in enumerate(quantiles)},
        )
        for row, number in enumerate(chosen)
    )


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
    axes.plot(after, one.quantiles[0.5], color=SEED_COLOUR, linewidth=1.8, label="forecast")
    axes.plot(after, [one.past[-1]] * len(after), color=REPORT_COLOUR, linestyle="--", linewidth=1.0, label="naive")
    axes.grid(axis="y", color=FAINT, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.margins(x=0.01)
    axes.tick_params(length=0, labelsize=9, colors=INK)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
