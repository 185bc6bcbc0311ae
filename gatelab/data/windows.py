"""Windows of a series: what a forecast sees, what it is asked, and how wrong it is.

N steps, C columns, W windows; a forecast is for `ahead` steps of one column, from `past` steps of all of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from math import isclose

import torch
from torch import Tensor

from gatelab.errors import DataError, OptionError, ShapeError

MONTH = 30 * 24
ETT_HOURLY = (range(12 * MONTH), range(12 * MONTH, 16 * MONTH), range(16 * MONTH, 20 * MONTH))
"""The customary parts of ETT's hourly tables: 12, 4 and 4 months of 30 days, which leave the last 3,020 hours out."""

RESOLUTION = 0.1
"""The step of the slides' series, in radians, as is its span."""
SPAN = (0.0, 30.0)


@dataclass(frozen=True)
class Windows:
    """Views of a series, no copies.

    Attributes:
        x: the past of each window, (W, past, C).
        y: the target column's steps that follow it, (W, ahead).
    """

    x: Tensor
    y: Tensor


def windows(values: Tensor, past: int, ahead: int, target: int, stride: int = 1, rows: range | None = None) -> Windows:
    """Every window whose targets lie in `rows`, in the order of time.

    Args:
        values: a series, (N, C).
        past: steps that a forecast sees.
        ahead: steps that it is asked.
        target: the column that it is asked for.
        stride: steps from one window to the next.
        rows: one of `parts`, or None for the whole. The past of its first windows reaches back before it, as far
            as there are steps, since what lies there is known by then. Nothing reaches beyond its end, so a target
            of one part is never a target, nor in the past, of an earlier one.

    Raises:
        ShapeError: `values` is not (N, C) with a column `target`.
        OptionError: a length or the stride is under 1.
        DataError: the series ends before `rows`, or is shorter than one window.
    """
    if values.dim() != 2 or not 0 <= target < values.shape[1]:
        raise ShapeError(
            f"A series of shape {tuple(values.shape)} has no column {target}.\nIt is to be (N, C), target from 0."
        )
    if min(past, ahead, stride) < 1:
        raise OptionError(f"past={past}, ahead={ahead}, stride={stride}: none may be under 1.\nTake 1 or more steps.")
    rows = range(len(values)) if rows is None else rows
    if rows.stop > len(values):
        raise DataError(
            f"A series of {len(values)} steps ends before {rows}.\nTake a longer one, or other parts of it."
        )
    seen = values[max(rows.start - past, 0) : rows.stop]
    if len(seen) < past + ahead:
        raise DataError(_too_short(rows, past, ahead))
    x = seen[: len(seen) - ahead].unfold(0, past, stride).transpose(1, 2)
    return Windows(x, seen[past:, target].unfold(0, ahead, stride))


def _too_short(rows: range, past: int, ahead: int) -> str:
    cause = (
        f"{rows.stop} steps, the last {len(rows)} of them for targets, are too short for one window of past={past} "
        f"and ahead={ahead}, which is {past + ahead} steps."
    )
    longest = rows.stop - ahead
    if len(rows) < ahead or longest < 1:
        return f"{cause}\nTake a longer series, or ahead={min(len(rows), rows.stop - 1)} or less."
    return f"{cause}\nTake a longer series, or windows of at most {rows.stop} steps: with this ahead, past={longest}."


def parts(count: int, shares: Sequence[float] = (0.7, 0.1, 0.2)) -> tuple[range, ...]:
    """The rows of each part of a series, in the order of time: training, validation, test, unless told otherwise.

    Raises:
        OptionError: the shares do not add up to 1, or one gets no row.
    """
    if min(shares, default=0) <= 0 or not isclose(sum(shares), 1):
        raise OptionError(f"Shares of {tuple(shares)} do not divide a series.\nThey are to be above 0 with the sum 1.")
    ends = [0, *(round(share * count) for share in accumulate(shares))]
    found = tuple(range(start, end) for start, end in pairwise(ends))
    if not all(found):
        raise OptionError(f"{count} steps are too few for shares of {tuple(shares)}.\nEvery part needs one or more.")
    return found


@dataclass(frozen=True)
class Scaler:
    """Takes the mean from each column and divides it by its deviation.

    Attributes:
        mean: (C,).
        deviation: (C,), of the population; 1 for a column that does not change, which so becomes 0.
    """

    mean: Tensor
    deviation: Tensor

    @classmethod
    def of(cls, values: Tensor) -> Scaler:
        """The scaler that fits `values` (N, C): the training part, never what a model is tested on."""
        changes = values.amax(0) > values.amin(0)
        return cls(values.mean(0), torch.where(changes, values.std(0, correction=0), 1.0))

    def column(self, target: int) -> Scaler:
        """The scaler of one column, for forecasts and targets (W, ahead)."""
        return Scaler(self.mean[target], self.deviation[target])

    def apply(self, values: Tensor) -> Tensor:
        """What a model sees, (..., C)."""
        return (values - self.mean) / self.deviation

    def undo(self, values: Tensor) -> Tensor:
        """Scaled values (..., C) in their own units again."""
        return values * self.deviation + self.mean


def naive(x: Tensor, ahead: int, target: int) -> Tensor:
    """The forecast that all stays as it was last, (W, ahead), from windows x (W, past, C)."""
    return seasonal_naive(x, ahead, season=1, target=target)


def seasonal_naive(x: Tensor, ahead: int, season: int, target: int) -> Tensor:
    """The forecast that all comes as one season ago, (W, ahead), from windows x (W, past, C).

    A forecast beyond one season repeats the last one seen. Hyndman & Athanasopoulos 2021, section 5.2.

    Raises:
        OptionError: the season is longer than the past, or under 1.
    """
    past = x.shape[-2]
    if not 1 <= season <= past:
        raise OptionError(
            f"A season of {season} is not in a past of {past} steps.\nTake past={season} or more, season 1 or more."
        )
    return x[..., past - season + torch.arange(ahead) % season, target]


def mse(forecast: Tensor, target: Tensor) -> Tensor:
    """The mean squared error over windows and steps, (...), of forecasts (..., W, ahead) and targets alike."""
    return (forecast - _alike(forecast, target)).square().mean((-2, -1))


def mae(forecast: Tensor, target: Tensor) -> Tensor:
    """The mean absolute error over windows and steps, (...), of forecasts (..., W, ahead) and targets alike."""
    return (forecast - _alike(forecast, target)).abs().mean((-2, -1))


def pinball(forecast: Tensor, target: Tensor, quantiles: Sequence[float]) -> Tensor:
    """The mean pinball loss over windows, steps and quantiles, (...): max(q e, (q - 1) e) with e = target - forecast.

    Koenker & Bassett 1978, "Regression Quantiles", Econometrica 46.

    Args:
        forecast: of each quantile, (..., W, ahead, Q).
        target: (..., W, ahead) or (W, ahead).
        quantiles: Q numbers between 0 and 1.
    """
    if forecast.shape[-1] != len(quantiles) or not all(0 < one < 1 for one in quantiles):
        cause = f"Forecasts of shape {tuple(forecast.shape)} for the quantiles {tuple(quantiles)}"
        raise ShapeError(f"{cause}.\nTheir last axis has one for each quantile, and those lie between 0 and 1.")
    error = _alike(forecast[..., 0], target).unsqueeze(-1) - forecast
    q = error.new_tensor(quantiles)
    return torch.maximum(q * error, (q - 1) * error).mean((-3, -2, -1))


def coverage(low: Tensor, high: Tensor, target: Tensor) -> Tensor:
    """The share of targets (..., W, ahead) that lie in their interval, ends included, (...), from 0 to 1."""
    return ((_alike(low, target) >= low) & (_alike(high, target) <= high)).float().mean((-2, -1))


def _alike(forecast: Tensor, target: Tensor) -> Tensor:
    """The target, if it has the forecast's windows and steps: a broadcast would pair each with the wrong one."""
    if forecast.shape[-2:] != target.shape[-2:]:
        raise ShapeError(
            f"Forecasts {tuple(forecast.shape)} for targets {tuple(target.shape)}.\nBoth end in (W, ahead)."
        )
    return target


def sine(t: Tensor) -> Tensor:
    """The slides' series at the times `t` (radians): t sin(t) / 3 + 2 sin(5 t)."""
    return t * torch.sin(t) / 3 + 2 * torch.sin(5 * t)


def sine_starts(shares: Tensor, steps: int) -> Tensor:
    """Times at which windows of so many steps begin, spread by shares in [0, 1) over `SPAN`, like `shares`."""
    return SPAN[0] + shares * (SPAN[1] - SPAN[0] - steps * RESOLUTION)


def sine_batch(starts: Tensor, steps: int = 20) -> tuple[Tensor, Tensor]:
    """Windows of the slides' series from times `starts` (...) on: x (..., steps) and y, which is x one step later.

    A step is `RESOLUTION`, and the series is `sine`.
    """
    series = sine(starts.unsqueeze(-1) + RESOLUTION * torch.arange(steps + 1, dtype=starts.dtype))
    return series[..., :-1], series[..., 1:]
