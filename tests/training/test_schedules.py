"""Learning rates over a training."""

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatelab.training.schedules import SCHEDULES, rate_at


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        ("constant", [1.0, 1.0, 1.0]),
        ("linear", [1.0, 0.55, 0.1]),
        ("cosine", [1.0, 0.55, 0.1]),
        ("exponential", [1.0, math.sqrt(0.1), 0.1]),
    ],
)
def test_a_schedule_begins_with_all_and_ends_with_the_final_share(schedule, expected):
    assert [rate_at(step, 100, schedule, 0.1, 0) for step in (0, 50, 100)] == pytest.approx(expected)


def test_the_cosine_is_not_the_line():
    assert rate_at(25, 100, "cosine", 0.0, 0) == pytest.approx((1 + math.cos(math.pi / 4)) / 2)
    assert rate_at(25, 100, "linear", 0.0, 0) == pytest.approx(0.75)


def test_the_rate_grows_from_nothing_before_the_schedule_begins():
    rates = [rate_at(step, 14, "linear", 0.0, 4) for step in range(14)]
    assert rates == pytest.approx([0.25, 0.5, 0.75, 1.0, 1.0, *(1 - k / 10 for k in range(1, 10))])


@given(
    schedule=st.sampled_from(list(SCHEDULES)),
    last=st.integers(1, 50),
    warmup=st.integers(0, 60),
    final=st.floats(0, 1),
)
def test_rates_are_shares_and_never_grow_after_the_warmup(schedule, last, warmup, final):
    rates = [rate_at(step, last, schedule, final, warmup) for step in range(last)]
    assert all(0 <= rate <= 1 for rate in rates)
    after = rates[warmup:]
    assert all(later <= earlier + 1e-12 for earlier, later in pairwise(after))
