"""What a handful of seeds can say, each number with the method behind its interval.

The mathematics is scipy's. With few seeds a bootstrap gives intervals that are too narrow (three values can be
resampled in ten ways only), so it serves from `ENOUGH` values on, and other methods below.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import stats

CONFIDENCE = 0.95
ENOUGH = 20
"""Values from which on a bootstrap's coverage is near its name."""
FEWEST_FOR_MEDIAN = 6
"""With 5 values even their whole range covers the median only with 93.75 %."""


@dataclass(frozen=True)
class Interval:
    """Where a quantity lies.

    Attributes:
        low: the lower end.
        high: the upper end.
        confidence: how often intervals made so cover it, from 0 to 1.
        method: how it was made.
    """

    low: float
    high: float
    confidence: float
    method: str


@dataclass(frozen=True)
class Summary:
    """Numbers of some seeds, and what they say of all seeds.

    Attributes:
        count: how many numbers.
        best: the highest or the lowest, whichever is better.
        median: of the numbers.
        mean: of the numbers.
        median_interval: for the median of all seeds; None for one number.
        mean_interval: for the mean of all seeds; None for one number.
    """

    count: int
    best: float
    median: float
    mean: float
    median_interval: Interval | None
    mean_interval: Interval | None


@dataclass(frozen=True)
class Share:
    """How many of some seeds did it, and an interval for the share of all seeds."""

    count: int
    of: int
    interval: Interval


def summarise(values: Sequence[float], best: Literal["highest", "lowest"]) -> Summary | None:
    """A summary of one or more finite numbers; None if there are none."""
    if not values:
        return None
    array = np.asarray(values, dtype=float)
    return Summary(
        count=len(array),
        best=float(array.max() if best == "highest" else array.min()),
        median=float(np.median(array)),
        mean=float(array.mean()),
        median_interval=median_interval(values),
        mean_interval=mean_interval(values),
    )


def median_interval(values: Sequence[float]) -> Interval | None:
    """An interval for the median from the ordered values, whatever their distribution.

    Each value lies above the median with probability one half, so how many do is binomial, and two ordered values
    have the median between them with a known probability.
    """
    count = len(values)
    if count < 2:
        return None
    if count < FEWEST_FOR_MEDIAN:
        covers = 1 - 2 * 0.5**count
        return Interval(float(min(values)), float(max(values)), covers, "range")
    found = stats.quantile_test(np.asarray(values), p=0.5).confidence_interval(CONFIDENCE)
    return Interval(float(found.low), float(found.high), CONFIDENCE, "order statistics")


def mean_interval(values: Sequence[float]) -> Interval | None:
    """An interval for the mean: Student's t for few values, the BCa bootstrap from `ENOUGH` on."""
    array = np.asarray(values, dtype=float)
    if len(array) < 2:
        return None
    if np.ptp(array) == 0:
        return Interval(float(array[0]), float(array[0]), CONFIDENCE, "all values equal")
    if len(array) < ENOUGH:
        low, high = stats.t.interval(CONFIDENCE, len(array) - 1, array.mean(), stats.sem(array))
        return Interval(float(low), float(high), CONFIDENCE, "Student's t")
    found = stats.bootstrap(
        (array,), np.mean, confidence_level=CONFIDENCE, method="BCa", random_state=np.random.default_rng(0)
    ).confidence_interval
    return Interval(float(found.low), float(found.high), CONFIDENCE, "BCa bootstrap")


def share(count: int, of: int) -> Share:
    """A share with the interval of Clopper and Pearson, which covers at least as often as it says."""
    found = stats.binomtest(count, of).proportion_ci(CONFIDENCE, method="exact")
    return Share(count, of, Interval(float(found.low), float(found.high), CONFIDENCE, "Clopper-Pearson"))
