"""Some of a model's forecasts, beside what came and what would have been said without learning."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from gatelab.data.windows import Windows
from gatelab.tasks.base import Model
from gatelab.tasks.series import forecasts, prepare
from gatelab.tasks.series_options import SeriesOptions

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
