"""Windows, parts, scaling, plain forecasts and their errors."""

import math
import re

import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from sklearn.metrics import mean_pinball_loss
from sklearn.preprocessing import StandardScaler

from gatelab.data.windows import (
    ETT_HOURLY,
    RESOLUTION,
    Scaler,
    coverage,
    mae,
    mse,
    naive,
    parts,
    pinball,
    seasonal_naive,
    sine,
    sine_batch,
    sine_starts,
    windows,
)
from gatelab.errors import DataError, OptionError, ShapeError

small = st.integers(1, 6)


def series(count, columns=2):
    """Each value tells its step and its column."""
    return torch.arange(count).unsqueeze(-1) * 10.0 + torch.arange(columns)


@given(st.integers(1, 40), small, small, small)
def test_windows_are_the_slices_of_the_series(count, past, ahead, stride):
    assume(past + ahead <= count)
    values = series(count)
    found = windows(values, past, ahead, target=1, stride=stride)
    starts = range(0, count - past - ahead + 1, stride)
    assert torch.equal(found.x, torch.stack([values[at : at + past] for at in starts]))
    assert torch.equal(found.y, torch.stack([values[at + past : at + past + ahead, 1] for at in starts]))


def test_windows_are_views():
    values = series(50)
    found = windows(values, 5, 3, target=0)
    storage = values.untyped_storage().data_ptr()
    assert found.x.untyped_storage().data_ptr() == found.y.untyped_storage().data_ptr() == storage


@given(st.integers(30, 80), small, small)
def test_parts_share_no_target_and_reach_back_only(count, past, ahead):
    values, whole = series(count, 1), parts(count, (0.5, 0.25, 0.25))
    found = [windows(values, past, ahead, target=0, rows=rows) for rows in whole]
    asked = [set((one.y / 10).long().flatten().tolist()) for one in found]
    assert asked[0] == set(whole[0]) - set(range(past))
    assert asked[1:] == [set(rows) for rows in whole[1:]]
    for one, rows in zip(found, whole, strict=True):
        assert one.x.max() / 10 < rows.stop
        assert one.x.min() / 10 == max(rows.start - past, 0)


def test_parts_divide_the_whole_in_order():
    assert parts(10) == (range(7), range(7, 8), range(8, 10))
    assert parts(7, (0.5, 0.5)) == (range(4), range(4, 7))


@given(st.integers(3, 10_000), st.lists(st.integers(1, 9), min_size=1, max_size=4))
def test_parts_leave_nothing_out(count, weights):
    assume(count >= 2 * sum(weights))
    found = parts(count, [weight / sum(weights) for weight in weights])
    assert [row for rows in found for row in rows] == list(range(count))


def test_ett_has_its_customary_parts():
    """The numbers of windows that papers on ETT print for 96 steps ahead of 96."""
    counts = [len(windows(torch.zeros(17_420, 7), 96, 96, target=6, rows=rows).x) for rows in ETT_HOURLY]
    assert counts == [8640 - 191, 2880 - 95, 2880 - 95]


@pytest.mark.parametrize(
    ("asked", "error", "said"),
    [
        (
            {"past": 8, "ahead": 3},
            DataError,
            "10 steps, .* too short .* which is 11 steps.\n.*at most 10 .* past=7\\.$",
        ),
        ({"past": 8, "ahead": 10}, DataError, "10 steps, .* which is 18 steps.\n.*ahead=9 or less"),
        ({"past": 2, "ahead": 4, "rows": range(5, 8)}, DataError, "8 steps, the last 3 .*\n.*ahead=3 or less"),
        ({"past": 8, "ahead": 2, "rows": range(5, 8)}, DataError, "8 steps, the last 3 .*\n.* past=6\\.$"),
        ({"past": 0, "ahead": 1}, OptionError, "past=0"),
        ({"past": 1, "ahead": 1, "stride": 0}, OptionError, "stride=0"),
        ({"past": 1, "ahead": 1, "target": 2}, ShapeError, "no column 2"),
        ({"past": 1, "ahead": 1, "rows": range(5, 11)}, DataError, "10 steps ends before range"),
    ],
)
def test_windows_that_do_not_fit(asked, error, said):
    with pytest.raises(error, match=said):
        windows(series(10), **{"target": 0, **asked})


@given(st.integers(0, 8), st.integers(1, 8), st.integers(1, 12), st.integers(1, 12))
def test_what_an_error_offers_is_the_longest_that_fits(start, count, past, ahead):
    values, rows = series(start + count), range(start, start + count)
    try:
        windows(values, past, ahead, target=0, rows=rows)
    except DataError as error:
        name, offered = re.search(r"(past|ahead)=(\d+)[^=]*$", str(error)).groups()
        assume(int(offered) >= 1)
        asked = {"past": past if name == "past" else 1, "ahead": ahead, name: int(offered)}
        assert len(windows(values, **asked, target=0, rows=rows).x) >= 1
        with pytest.raises(DataError):
            windows(values, **{**asked, name: int(offered) + 1}, target=0, rows=rows)


@pytest.mark.parametrize("shares", [(0.5, 0.4), (1.5, -0.5), (), (0.999, 0.001), (math.nan, 0.5)])
def test_shares_that_divide_nothing(shares):
    with pytest.raises(OptionError, match="hares of"):
        parts(10, shares)


def test_scaling_is_that_of_scikit_learn_and_back_again():
    torch.manual_seed(0)
    values = torch.cat([torch.randn(50, 2, dtype=torch.float64) * 3 + 7, torch.full((50, 1), 0.1)], dim=1)
    scaler = Scaler.of(values)
    expected = torch.from_numpy(StandardScaler().fit_transform(values.numpy()))
    torch.testing.assert_close(scaler.apply(values), expected, atol=1e-9, rtol=1e-9)
    torch.testing.assert_close(scaler.undo(scaler.apply(values)), values)
    torch.testing.assert_close(scaler.column(1).undo(scaler.apply(values)[:, 1]), values[:, 1])


def test_a_column_that_does_not_change_becomes_zero():
    assert Scaler.of(torch.full((3, 1), 0.1)).apply(torch.full((2, 1), 0.1)).abs().max() < 1e-6


def test_naive_forecasts():
    x = windows(series(20), 6, 5, target=1).x[:1]
    assert naive(x, 3, target=1).tolist() == [[51.0, 51.0, 51.0]]
    assert seasonal_naive(x, 5, season=3, target=1).tolist() == [[31.0, 41.0, 51.0, 31.0, 41.0]]


@given(small, small, st.integers(1, 15))
def test_a_seasonal_series_is_forecast_without_error(season, spare, ahead):
    values = (torch.arange(60) % season).float().unsqueeze(-1)
    found = windows(values, season + spare, ahead, target=0)
    assert torch.equal(seasonal_naive(found.x, ahead, season, target=0), found.y)


@pytest.mark.parametrize("season", [0, 7])
def test_a_season_must_be_in_the_past(season):
    with pytest.raises(OptionError, match=f"season of {season} is not in a past of 6"):
        seasonal_naive(torch.zeros(1, 6, 1), 2, season, target=0)


def test_errors_by_hand_and_by_replica():
    target = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    forecasts = torch.stack([target, target + torch.tensor([[1.0, -1.0], [0.0, 4.0]])])
    assert mse(forecasts, target).tolist() == [0.0, 4.5]
    assert mae(forecasts, target).tolist() == [0.0, 1.5]
    assert coverage(forecasts - 1, forecasts + 1, target).tolist() == [1.0, 0.75]


def test_pinball_is_that_of_scikit_learn():
    torch.manual_seed(0)
    forecast, target, quantiles = torch.randn(3, 8, 4, 3), torch.randn(8, 4), (0.1, 0.5, 0.9)
    expected = [
        sum(mean_pinball_loss(target, one[..., q], alpha=level) for q, level in enumerate(quantiles)) / 3
        for one in forecast
    ]
    assert pinball(forecast, target, quantiles).tolist() == pytest.approx(expected)


def test_forecasts_and_targets_must_be_alike():
    for loss in (mse, mae):
        with pytest.raises(ShapeError, match=r"Forecasts \(4, 1\) for targets \(4, 2\)"):
            loss(torch.zeros(4, 1), torch.zeros(4, 2))
    for quantiles in ((0.5,), (0.0, 0.5)):
        with pytest.raises(ShapeError, match="for the quantiles"):
            pinball(torch.zeros(4, 1, 2), torch.zeros(4, 1), quantiles)


def test_the_sine_series():
    t = 7.3
    assert sine(torch.tensor(t, dtype=torch.float64)).item() == pytest.approx(t * math.sin(t) / 3 + 2 * math.sin(5 * t))


def test_batches_of_the_sine_series_look_one_step_ahead_within_its_span():
    starts = sine_starts(torch.tensor([[0.0, 0.5], [0.25, 1.0]], dtype=torch.float64), steps=20)
    x, y = sine_batch(starts, steps=20)
    assert x.shape == y.shape == (2, 2, 20)
    assert torch.equal(x[..., 1:], y[..., :-1])
    torch.testing.assert_close(x[..., 0], sine(starts))
    torch.testing.assert_close(y[1, 1, -1], sine(torch.tensor(30.0, dtype=torch.float64)))
    torch.testing.assert_close(x[0, 1, 7], sine(starts[0, 1] + 7 * RESOLUTION))
