"""The season of a series, where it has one: the steps after which it comes again. N steps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import scipy  # Whose parts are loaded when they are asked for.
from numpy.typing import NDArray

SEASONS = 3
"""That a series must be long to show one."""
CHANCE = 0.01
"""Of a season in a series that has none, over all lags of values and changes together."""
PROMINENCE = 0.1
"""By which a peak must stand out of what is around it. On ETTh1's seven columns, a lower one finds seasons of 10, 14
and 17 hours beside those of a day."""
NEARLY, HALF = 0.9, 0.5
"""A shorter lag is taken whose peak is nearly as high as the highest and stands out at least half as much as any: two
seasons later a series is much the same, and noise in the changes leaves a small peak at lag 2."""
ROUNDING = 1e-6
"""Share of the largest value below which a spread is that of rounding, which has patterns of its own."""

Seen = Literal["values", "changes"]


@dataclass(frozen=True)
class Season:
    """A season.

    Attributes:
        steps: that it lasts.
        correlation: with what was a season ago, at most 1.
        of: what correlates: the values without their straight line, or their changes from step to step.
    """

    steps: int
    correlation: float
    of: Seen


def find_season(values: NDArray[np.floating]) -> Season | None:
    """The season of a series (N,), or None if no lag stands out.

    It is where the autocorrelation of the values without their straight line, or of their changes, has its highest
    peak. A series that wanders shows its season in the changes only, one with noise rather in the values.

    A peak counts if it is above Bartlett's limit, which the lags before it raise (Bartlett 1946; so in the M4
    competition, Makridakis et al. 2020), at a level that is divided by the number of lags.
    """
    lags = len(values) // SEASONS
    if lags < 2:
        return None
    least = ROUNDING * np.abs(values).max()
    views: dict[Seen, NDArray[np.floating]] = {"values": scipy.signal.detrend(values), "changes": np.diff(values)}
    found = [_season(own, lags, of) for of, own in views.items() if own.std() > least]
    return max(filter(None, found), key=lambda season: season.correlation, default=None)


def autocorrelation(values: NDArray[np.floating]) -> NDArray[np.float64]:
    """Of a series (N,) that is not constant, at the lags from 0 on, (N,)."""
    centred = np.asarray(values, np.float64) - np.mean(values)
    sums = scipy.signal.correlate(centred, centred, method="fft")[len(centred) - 1 :]
    return np.asarray(sums / sums[0])


def _season(values: NDArray[np.floating], lags: int, of: Seen) -> Season | None:
    """The season of up to so many steps that the highest peak shows, if there is one."""
    found = autocorrelation(values)[: lags + 2]
    peaks, facts = scipy.signal.find_peaks(found, height=_limits(found, len(values), lags), prominence=PROMINENCE)
    if not len(peaks):
        return None
    heights, prominences = facts["peak_heights"], facts["prominences"]
    alike = (heights >= NEARLY * heights.max()) & (prominences >= HALF * prominences.max())
    first = int(np.argmax(alike if alike.any() else heights))
    return Season(int(peaks[first]), float(heights[first]), of)


def _limits(found: NDArray[np.float64], count: int, lags: int) -> NDArray[np.float64]:
    """How high each lag may be by chance, (lags + 2,), for the autocorrelation of so many numbers."""
    before = np.concatenate([[0.0, 0.0], np.cumsum(found[1:-1] ** 2)])
    level = CHANCE / (lags * len(get_args(Seen)))
    return np.asarray(scipy.stats.norm.isf(level) * np.sqrt((1 + 2 * before) / count))
