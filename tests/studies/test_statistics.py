"""Intervals, against what is known of them."""

import math

import numpy as np
import pytest
from scipy import stats

from gatelab.studies.statistics import (
    EXACT_PAIRS,
    flip_test,
    iqm_interval,
    mcnemar_test,
    mean_interval,
    median_interval,
    share,
    smallest_p,
    summarise,
)

DARWIN = np.array([49, -67, 8, 16, 6, 23, 28, 41, 14, 29, 56, 24, 75, 60, -48], dtype=float)
"""Cross-fertilised minus self-fertilised maize, in eighths of an inch (Fisher 1935, The Design of Experiments)."""
SLEEP = (
    np.array([0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0]),
    np.array([1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4]),
)
"""Hours of sleep gained with two drugs by the same ten patients (Student 1908)."""


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
    assert (one.iqm, one.iqm_interval, one.deviation) == (4.0, None, None)


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


@pytest.mark.parametrize(
    ("values", "iqm"),
    [([1, 2, 9], 4.0), ([0, 4, 6, 90], 5.0), ([9, 1, 2, 3, 4], 3.0), ([*range(8), 99, -99], 3.5)],
)
def test_the_interquartile_mean_leaves_out_whole_values_of_both_quarters(values, iqm):
    """A quarter of n, rounded down, from each end, which is what rliable's `aggregate_iqm` does."""
    assert summarise([float(value) for value in values], "highest").iqm == iqm


def test_the_deviation_is_of_a_sample():
    assert summarise([1.0, 2.0, 3.0, 6.0], "highest").deviation == pytest.approx(math.sqrt(14 / 3))


def test_few_values_have_no_interval_of_the_interquartile_mean():
    assert iqm_interval([float(value) for value in range(7)]) is None
    assert iqm_interval([2.0] * 8).method == "all values equal"


def test_the_interval_of_the_interquartile_mean_is_the_same_every_time_and_forgets_an_outlier():
    values = list(np.random.default_rng(2).normal(90, 1, size=12))
    found = iqm_interval(values)
    assert found == iqm_interval(values)
    assert found.low < stats.trim_mean(values, 0.25) < found.high
    assert found.method == "percentile bootstrap"
    with_outlier = iqm_interval([*values[:-1], -1000.0])
    assert with_outlier.low > 85 > mean_interval([*values[:-1], -1000.0]).low


def test_the_sleep_of_ten_patients():
    """Nine differences have one sign and one is 0: four of the 1,024 flips are as extreme."""
    found = flip_test(*SLEEP)
    assert found.p == 4 / 1024
    assert found.interval.low < -1.58 < found.interval.high < 0


def test_darwins_maize_has_the_p_of_all_flips():
    """863 of the 32,768 flips give the sum of 314 or more."""
    found = flip_test(DARWIN, np.zeros(15))
    assert found.p == 2 * 863 / 32768
    assert found.interval.low < 0 < found.interval.high


@pytest.mark.parametrize("pairs", [2, 5, 6, 10, EXACT_PAIRS])
def test_all_flips_give_the_p_of_scipy(pairs):
    """On quarters of points too, where many flips tie with the one found."""
    rng = np.random.default_rng(pairs)
    for first in (rng.normal(0.5, 1, pairs), rng.integers(-2, 5, pairs) / 4):
        wanted = stats.permutation_test(
            (first, np.zeros(pairs)), lambda one, two, axis: np.mean(one - two, axis=axis),
            permutation_type="samples", vectorized=True, n_resamples=2**EXACT_PAIRS,
        )  # fmt: skip
        assert flip_test(first, np.zeros(pairs)).p == pytest.approx(wanted.pvalue)


def test_drawn_flips_give_nearly_the_p_of_many_more():
    first = np.random.default_rng(3).normal(0.35, 1, 30)
    wanted = stats.permutation_test(
        (first, np.zeros(30)), lambda one, two, axis: np.mean(one - two, axis=axis), permutation_type="samples",
        vectorized=True, n_resamples=100_000, rng=np.random.default_rng(4),
    )  # fmt: skip
    found = flip_test(first, np.zeros(30))
    assert 0.01 < found.p < 0.2
    # Four standard errors of the two shares.
    assert found.p == pytest.approx(wanted.pvalue, abs=4 * math.sqrt(2 * found.p * (1 / 65_536 + 1 / 100_000)))


@pytest.mark.parametrize("pairs", [6, 10, 20])
def test_the_interval_is_where_the_test_does_not_refuse(pairs):
    first, zeros = np.random.default_rng(pairs).normal(size=pairs), np.zeros(pairs)
    interval = flip_test(first, zeros).interval
    for end, inside in ((interval.low, 1e-4), (interval.high, -1e-4)):
        assert flip_test(first - end - inside, zeros).p > 0.05
        assert flip_test(first - end + inside, zeros).p <= 0.05


def test_the_interval_covers_as_often_as_it_says():
    rng = np.random.default_rng(5)
    found = [flip_test(rng.laplace(3.0, 1.0, size=8), np.zeros(8)).interval for _ in range(2000)]
    # Of the 256 places among the means of subsets, 2 x 6 are refused: 95.3 %, and 4 standard errors of 0.5 %.
    assert np.mean([each.low <= 3.0 <= each.high for each in found]) == pytest.approx(1 - 12 / 256, abs=0.02)


@pytest.mark.parametrize(("pairs", "confidence"), [(2, 0.5), (5, 0.9375)])
def test_few_pairs_give_their_range_with_the_confidence_it_has(pairs, confidence):
    found = flip_test(np.arange(1.0, pairs + 1), np.zeros(pairs))
    assert (found.interval.low, found.interval.high, found.interval.confidence) == (1, pairs, confidence)
    assert found.p == smallest_p(pairs)


def test_no_pair_and_one_pair_tell_nothing():
    for count in (0, 1):
        for test in (flip_test, mcnemar_test):
            found = test(np.full(count, 100.0), np.zeros(count))
            assert (found.p, found.interval) == (1.0, None)


def test_rounding_to_24_bits_does_not_undo_ties():
    second = np.array([97.1, 96.3, 95.4, 97.0, 96.6, 96.2, 96.1])
    first = second + np.array([0.3, 0.1, -0.3, 0.2, 0.4, -0.1, 0.2])
    rough = [values.astype(np.float32).astype(float) for values in (first, second)]
    exact = flip_test(np.round(10 * first), np.round(10 * second))
    assert flip_test(*rough).p == flip_test(first, second).p == exact.p


def successes(both, only_first, only_second, none):
    counts = [both, only_first, only_second, none]
    return np.repeat([100.0, 100.0, 0.0, 0.0], counts), np.repeat([100.0, 0.0, 100.0, 0.0], counts)


def test_children_before_and_after_a_transplantation():
    """Bentur et al. 2009 as in Fagerland, Lydersen & Laake 2014: -0.286, Tango -0.517 to -0.026, exact p 0.0703."""
    found = mcnemar_test(*successes(1, 1, 7, 12))
    assert found.p == pytest.approx(0.0703, abs=5e-5)
    assert (found.interval.low, found.interval.high) == pytest.approx((-51.7, -2.6), abs=0.05)


@pytest.mark.parametrize("pairs", [2, 6, 10, 31])
def test_a_difference_of_shares_never_has_a_claim_with_0_in_its_interval(pairs):
    for only_first in range(pairs + 1):
        for only_second in range(pairs + 1 - only_first):
            found = mcnemar_test(*successes(pairs - only_first - only_second, only_first, only_second, 0))
            difference = 100 * (only_first - only_second) / pairs
            assert found.interval.low - 1e-6 <= difference <= found.interval.high + 1e-6
            assert found.p > 0.05 or not found.interval.low <= 0 <= found.interval.high


def test_mcnemar_is_the_permutation_test_of_successes():
    first, second = successes(2, 7, 1, 3)
    assert mcnemar_test(first, second).p == pytest.approx(flip_test(first, second).p)


def test_cells_that_always_succeed_may_still_differ():
    found = mcnemar_test(*successes(10, 0, 0, 0))
    assert found.p == 1.0
    # Tango's ends without a discordant pair are z^2 / (n + z^2).
    assert (found.interval.low, found.interval.high) == pytest.approx((-27.753, 27.753), abs=1e-3)
