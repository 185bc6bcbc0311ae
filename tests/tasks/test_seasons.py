"""Seasons: those that are there are found, and none where there is none."""

import numpy as np
import pytest
from scipy.signal import lfilter

from gatelab.data.table import airline, etth1
from gatelab.tasks.seasons import CHANCE, autocorrelation, find_season


@pytest.fixture
def random():
    return np.random.default_rng(0)


@pytest.mark.parametrize("season", [2, 7, 12, 24, 90])
@pytest.mark.parametrize("trend", [0.0, 0.05, -1.0])
def test_a_wave_is_found_whatever_its_trend(random, season, trend):
    steps = np.arange(360)
    pattern = random.normal(size=season)
    found = find_season(pattern[steps % season] + trend * steps + 0.1 * random.normal(size=len(steps)))
    assert found.steps == season
    assert 0.7 < found.correlation <= 1


def test_a_day_is_taken_and_not_several(random):
    """Two days later all is as it was, too, and in the changes the noise shows at lag 2."""
    steps = np.arange(24 * 40)
    for _ in range(20):
        values = np.sin(2 * np.pi * steps / 24) + 0.1 * random.normal(size=len(steps))
        assert find_season(values).steps == 24


def test_a_week_is_found_in_days_of_work_and_rest(random):
    days = np.arange(400)
    assert find_season(5.0 * (days % 7 < 5) + random.normal(size=len(days))).steps == 7


@pytest.mark.parametrize("count", [30, 300, 3000])
@pytest.mark.parametrize(
    "make",
    [
        lambda noise: noise,
        lambda noise: noise.cumsum(),
        lambda noise: noise.cumsum().cumsum(),
        lambda noise: lfilter([1], [1, -0.9], noise),
    ],
    ids=["noise", "random walk", "random walk of changes", "autoregressive"],
)
def test_where_there_is_none_none_is_found(random, make, count):
    found = [find_season(make(random.normal(size=count))) for _ in range(100)]
    # Of 100 fair tries at a chance of 1 %, more than four find something once in 280 times.
    assert sum(season is not None for season in found) <= 4
    assert CHANCE == 0.01


@pytest.mark.parametrize(
    "values",
    [np.ones(50), np.full(50, 1e6) + 1e-12, np.arange(50.0), np.zeros(0), np.zeros(1), np.arange(4.0) % 2],
    ids=["constant", "large", "line", "empty", "one", "too short"],
)
def test_what_does_not_change_or_is_too_short_has_none(values):
    assert find_season(values) is None


def test_a_season_that_comes_less_than_three_times_is_none():
    pattern = np.random.default_rng(1).normal(size=30)
    assert find_season(np.tile(pattern, 2)) is None
    assert find_season(np.tile(pattern, 4)).steps == 30


def test_the_autocorrelation_is_numpys(random):
    values = random.normal(size=40)
    centred = values - values.mean()
    direct = np.correlate(centred, centred, "full")[39:] / (centred @ centred)
    assert autocorrelation(values) == pytest.approx(direct)


@pytest.mark.parametrize("season", [5, 12])
def test_a_series_that_wanders_shows_its_season_in_its_changes(random, season):
    steps = np.arange(600)
    found = find_season(2 * random.normal(size=season)[steps % season] + random.normal(size=600).cumsum())
    assert (found.steps, found.of) == (season, "changes")


def test_known_series_have_the_seasons_that_one_would_give(needs_data):
    needs_data("ett/ETTh1", "airline-passengers")
    assert find_season(etth1().numbers("OT")[:8640]).steps == 24
    assert find_season(airline().numbers("Passengers")[:86]).steps == 12
