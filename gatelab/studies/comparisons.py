"""Cells against each other: paired by seed, and corrected for how many comparisons there are.

Cells of a study share their seeds, and with a seed the order of the data and the splits. So two cells are compared
on the seeds that both have, by the differences between their numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
import scipy

from gatelab.errors import OptionError, nearest
from gatelab.studies.statistics import CONFIDENCE, Array, Best, Interval, PairedTest, flip_test, mcnemar_test

FEWEST_SEEDS_TO_RANK = 5
"""From here on Friedman's 5 % refused 3 to 5.5 % of simulated studies of like cells; with 4 seeds up to 6.5 %."""


@dataclass(frozen=True)
class Comparison:
    """Two cells on one measure, on the seeds that both have.

    Attributes:
        first: the name of one cell.
        second: the name of the other.
        measure: what is compared.
        unit: of the measure; differences of "%" are percentage points.
        best: whether more or less of it is better.
        digits: how many to show after the point.
        pairs: how many seeds both have.
        difference: the mean of first minus second, since the test is of the mean; None without a pair.
        interval: for it; without 0 wherever p is at most 5 %. None for fewer than two pairs.
        test: its name.
        p: two-sided, from over 0 to 1; 1 without a pair.
        adjusted: p after Holm's correction.
        comparisons: how many were corrected for together.
        improvement: the share of seeds on which first is better, ties counted half; None without a pair.
        improvement_interval: for the probability that first is better on a seed.
        effect: Cohen's d_z, the mean difference over the deviation of the differences; None if they do not vary.
        paired: what a pair has in common, in a word.
    """

    first: str
    second: str
    measure: str
    unit: str
    best: Best
    digits: int
    pairs: int
    difference: float | None
    interval: Interval | None
    test: str
    p: float
    adjusted: float
    comparisons: int
    improvement: float | None
    improvement_interval: Interval | None
    effect: float | None
    paired: str = "seed"


@dataclass(frozen=True)
class Ranking:
    """How cells rank over the seeds that all of them have.

    Attributes:
        ranks: each cell's mean rank, the best first; 1 is the best that there can be.
        seeds: how many all have.
        statistic: of Friedman's test, with its correction for ties.
        p: of Friedman's test.
        alpha: the level of the critical difference.
        critical_difference: two cells whose mean ranks are so far apart differ, if p is at most alpha (Nemenyi).
        test: in words.
    """

    ranks: Mapping[str, float]
    seeds: int
    statistic: float
    p: float
    alpha: float
    critical_difference: float
    test: str

    def tells_apart(self, first: str, second: str) -> bool:
        """Whether the ranks of two cells differ by more than chance gives."""
        return self.p <= self.alpha and abs(self.ranks[first] - self.ranks[second]) >= self.critical_difference


def compare(
    first: Mapping[int, float],
    second: Mapping[int, float],
    best: Best,
    *,
    names: tuple[str, str] = ("first", "second"),
    measure: str = "",
    unit: str = "",
    digits: int = 1,
    test: Callable[[Array, Array], PairedTest] = flip_test,
) -> Comparison:
    """Two cells compared on the seeds that both have.

    Args:
        first: one cell's numbers, by seed.
        second: the other's.
        best: whether more or less is better.
        names: of the cells.
        measure: what the numbers are.
        unit: of the numbers.
        digits: how many to show after the point.
        test: takes the numbers of both, (n,) each.

    Raises:
        OptionError: a number is not finite.
    """
    seeds = sorted(first.keys() & second.keys())
    one, two = (_finite(name, values, seeds) for name, values in zip(names, (first, second), strict=True))
    differences, tested = one - two, test(one, two)
    better, better_interval = _improvement(differences if best == "highest" else -differences)
    return Comparison(
        *names,
        measure=measure,
        unit=unit,
        best=best,
        digits=digits,
        pairs=len(seeds),
        difference=float(differences.mean()) if seeds else None,
        interval=tested.interval,
        test=tested.name,
        p=tested.p,
        adjusted=tested.p,
        comparisons=1,
        improvement=better,
        improvement_interval=better_interval,
        effect=_effect(differences),
    )


def compare_all(
    values: Mapping[str, Mapping[int, float]],
    best: Best,
    reference: str | None = None,
    *,
    measure: str = "",
    unit: str = "",
    digits: int = 1,
    paired: str = "seed",
) -> tuple[Comparison, ...]:
    """Every two cells compared, or each with a reference, after Holm's correction.

    Args:
        values: by cell and seed.
        best: whether more or less is better.
        reference: a cell that each other one is compared with.
        measure: what the numbers are.
        unit: of the numbers.
        digits: how many to show after the point.
        paired: what the numbers of `values` have as keys, in a word.

    Raises:
        OptionError: there is no such reference, or a number is not finite.
    """
    found = [
        compare(values[one], values[two], best, names=(one, two), measure=measure, unit=unit, digits=digits)
        for one, two in _couples(values, reference)
    ]
    return tuple(replace(comparison, paired=paired) for comparison in adjust(found))


def shares(solved: Mapping[str, Mapping[int, bool]], reference: str | None = None) -> tuple[Comparison, ...]:
    """Which cells do it on more seeds, every two or each with a reference, after Holm's correction.

    Args:
        solved: whether a seed did it, by cell and seed.
        reference: a cell that each other one is compared with.

    Raises:
        OptionError: there is no such reference.
    """
    percent = {name: {seed: 100.0 * done for seed, done in of.items()} for name, of in solved.items()}
    found = [
        compare(percent[one], percent[two], "highest", names=(one, two), measure="solved", unit="%", test=mcnemar_test)
        for one, two in _couples(solved, reference)
    ]
    return adjust(found)


def adjust(comparisons: Sequence[Comparison]) -> tuple[Comparison, ...]:
    """The comparisons with p corrected for all of them together; those without a pair of seeds do not count."""
    tested = [comparison for comparison in comparisons if comparison.pairs]
    adjusted = iter(holm([comparison.p for comparison in tested]))
    return tuple(
        replace(each, adjusted=next(adjusted) if each.pairs else 1.0, comparisons=len(tested)) for each in comparisons
    )


def holm(p: Sequence[float]) -> list[float]:
    """Adjusted p values (Holm 1979), in the order of the given ones.

    The smallest is taken as many times as there are, the next once less, and none is below one before it.
    """
    order = np.argsort(p, kind="stable")
    adjusted = np.empty(len(p))
    adjusted[order] = np.maximum.accumulate(np.asarray(p, dtype=float)[order] * np.arange(len(p), 0, -1))
    return [float(value) for value in np.minimum(adjusted, 1.0)]


def rank(values: Mapping[str, Mapping[int, float]], best: Best, alpha: float = 0.05) -> Ranking | None:
    """Mean ranks with the tests of Friedman and Nemenyi (Demsar 2006); None for under three cells or five seeds.

    Args:
        values: by cell and seed.
        best: whether more or less is better.
        alpha: the level of the critical difference.

    Raises:
        OptionError: a number is not finite.
    """
    seeds = sorted(set.intersection(*(set(of) for of in values.values()))) if values else []
    if len(values) < 3 or len(seeds) < FEWEST_SEEDS_TO_RANK:
        return None
    table = np.array([_finite(name, of, seeds) for name, of in values.items()])
    ranks = scipy.stats.rankdata(-table if best == "highest" else table, axis=0)
    # Where all cells tie on every seed, the statistic is 0 / 0.
    statistic, p = scipy.stats.friedmanchisquare(*ranks) if np.ptp(ranks) else (0.0, 1.0)
    reach = scipy.stats.studentized_range.ppf(1 - alpha, len(values), np.inf) / np.sqrt(2)
    means = dict(zip(values, (float(mean) for mean in ranks.mean(axis=1)), strict=True))
    return Ranking(
        ranks=dict(sorted(means.items(), key=lambda item: item[1])),
        seeds=len(seeds),
        statistic=float(statistic),
        p=float(p),
        alpha=alpha,
        critical_difference=float(reach * np.sqrt(len(values) * (len(values) + 1) / (6 * len(seeds)))),
        test="Friedman test, then Nemenyi's",
    )


def _couples(names: Mapping[str, object], reference: str | None) -> list[tuple[str, str]]:
    if reference is None:
        return list(combinations(names, 2))
    if reference not in names:
        raise OptionError(f"There is no cell '{reference}' to compare with.\n{nearest(reference, names)}")
    return [(name, reference) for name in names if name != reference]


def _finite(name: str, values: Mapping[int, float], seeds: Sequence[int]) -> Array:
    found = np.array([values[seed] for seed in seeds], dtype=float)
    if not np.isfinite(found).all():
        seed = seeds[int(np.argmin(np.isfinite(found)))]
        raise OptionError(
            f"Seed {seed} of '{name}' has {values[seed]}, which can't be compared.\nLeave out seeds that diverged."
        )
    return found


def _improvement(gains: Array) -> tuple[float | None, Interval | None]:
    """The share of gains over 0, ties counted half, with the interval of Clopper and Pearson.

    Its formula takes halves too. A tie varies less than a win or a loss, so the interval covers no less often.
    """
    count = len(gains)
    if not count:
        return None, None
    wins, tail = float(np.count_nonzero(gains > 0) + np.count_nonzero(gains == 0) / 2), (1 - CONFIDENCE) / 2
    low = float(scipy.stats.beta.ppf(tail, wins, count - wins + 1)) if wins else 0.0
    high = float(scipy.stats.beta.isf(tail, wins + 1, count - wins)) if wins < count else 1.0
    return wins / count, Interval(low, high, CONFIDENCE, "Clopper-Pearson")


def _effect(differences: Array) -> float | None:
    if len(differences) < 2 or np.ptp(differences) == 0:
        return None
    return float(differences.mean() / differences.std(ddof=1))
