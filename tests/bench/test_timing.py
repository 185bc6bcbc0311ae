"""How times are taken: in turns, each often enough, and what fails does not stop the others."""

import time

import pytest

from gatelab.bench.timing import FEWEST, FEWEST_SLOW, MOST, SLOW, fewest, take_turns


def test_everything_is_measured_and_a_failure_has_a_reason():
    def fails():
        raise ValueError("no such thing\nand more")

    calls = []
    slow, broken, quick = take_turns(
        {"slow": lambda: time.sleep(0.01), "broken": fails, "quick": lambda: calls.append(0)}, seconds=0.01
    )
    assert slow.count >= FEWEST and slow.median >= 10 and slow.low <= slow.median <= slow.high
    assert (broken.median, broken.count, broken.why_not) == (None, 0, "no such thing")
    assert FEWEST <= quick.count <= len(calls) - 2 and quick.first is not None


def test_turns_are_spread_over_the_whole():
    order = []

    def step(name):
        return lambda: (order.append(name), time.sleep(0.07))

    take_turns({"a": step("a"), "b": step("b")}, seconds=0.6)
    warm_up, rest = order[:4], order[4:]
    assert warm_up == ["a", "a", "b", "b"]
    assert rest[:2] == ["a", "b"]
    assert len(rest) >= 2 * FEWEST


def test_each_has_the_same_share_of_the_time():
    long, short = take_turns({"long": lambda: time.sleep(0.02), "short": lambda: time.sleep(0.005)}, seconds=0.3)
    assert short.count > long.count >= FEWEST


@pytest.mark.parametrize(("times", "count"), [([], FEWEST), ([1.0], FEWEST), ([2 * SLOW], FEWEST_SLOW)])
def test_how_often_at_least(times, count):
    assert fewest(times) == count


def test_nothing_is_measured_for_ever():
    (timing,) = take_turns({"nothing": lambda: None}, seconds=60.0)
    assert timing.count >= MOST
