"""Intervals, against what is known of them."""

import math

import numpy as np
import pytest

from gatelab.studies.statistics import mean_interval, median_interval, share, summarise


def test_best_is_the_better_end():
    values = [3.0, 1.0, 2.0]
    assert summarise(values, "highest").best == 3.0
    assert summarise(values, "lowest").best == 1.0
    assert (summarise(values, "highest").median, summarise(values, "highest").mean) == (2.0, 2.0)


def test_nothing_has_no_summary_and_one_value_no_interval():
    assert summarise([], "highest") is None
    one = summarise([4.0], "highest")
    assert (one.count, one.best, one.median) == (1, 4.0, 4.0)
    assert one.median_interval is None
    assert one.mean_interval is None


@pytest.mark.parametrize(("count", "confidence"), [(2, 0.5), (3, 0.75), (4, 0.875), (5, 0.9375)])
def test_a_few_values_give_their_range_with_the_confidence_it_has(count, confidence):
    found = median_interval(list(range(count)))
    assert (found.low, found.high, found.method) == (0, count - 1, "range")
    assert found.confidence == confidence


@pytest.mark.parametrize(("count", "below"), [(6, 0), (8, 0), (9, 1), (10, 1), (20, 5)])
def test_more_values_give_the_ordered_ones_that_cover_95_percent(count, below):
    """The tightest pair of the k-th values from both ends with 1 - 2 P(Binomial(n, 1/2) < k) of at least 95 %."""
    found = median_interval([float(value) for value in range(count)])
    assert (found.low, found.high) == (below, count - 1 - below)
    assert (found.confidence, found.method) == (0.95, "order statistics")


def test_the_median_interval_covers_as_often_as_it_says():
    """Over 2,000 samples of a skewed distribution whose median is ln 2."""
    rng = np.random.default_rng(0)
    covered = [
        found.low <= math.log(2) <= found.high
        for found in (median_interval(list(rng.exponential(size=10))) for _ in range(2000))
    ]
    assert 0.95 <= np.mean(covered) <= 0.99


def test_the_mean_of_few_values_has_students_interval():
    found = mean_interval([1.0, 2.0, 3.0])
    # t(0.975, 2 degrees of freedom) = 4.3027, standard error 1 / sqrt(3)
    assert (found.low, found.high) == pytest.approx((2 - 4.3027 / math.sqrt(3), 2 + 4.3027 / math.sqrt(3)), abs=1e-4)
    assert found.method == "Student's t"


def test_the_mean_of_many_values_has_a_bootstrap_the_same_every_time():
    values = list(np.random.default_rng(1).normal(5, 2, size=40))
    found = mean_interval(values)
    assert found.method == "BCa bootstrap"
    assert found == mean_interval(values)
    mean, reach = np.mean(values), 1.96 * np.std(values, ddof=1) / math.sqrt(40)
    assert (found.low, found.high) == pytest.approx((mean - reach, mean + reach), abs=0.15)


@pytest.mark.parametrize("count", [3, 30])
def test_equal_values_have_an_interval_of_no_width(count):
    found = summarise([2.5] * count, "highest")
    assert (found.mean_interval.low, found.mean_interval.high) == (2.5, 2.5)
    assert (found.median_interval.low, found.median_interval.high) == (2.5, 2.5)


@pytest.mark.parametrize(("count", "low", "high"), [(0, 0.0, 0.7076), (3, 0.2924, 1.0), (1, 0.0084, 0.9057)])
def test_a_share_of_three_has_the_interval_of_clopper_and_pearson(count, low, high):
    found = share(count, 3)
    assert (found.count, found.of, found.interval.method) == (count, 3, "Clopper-Pearson")
    assert (found.interval.low, found.interval.high) == pytest.approx((low, high), abs=1e-4)
