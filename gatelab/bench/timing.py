"""Times of things that take turns, so that a busy moment of the machine meets all of them."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median, quantiles

Step = Callable[[], object]
Watch = Callable[[str, float], None]
"""What is in hand, and what share of it is done."""

MOST = 1500
"""Times that anything is measured."""
FEWEST, FEWEST_SLOW, SLOW = 3, 2, 2_500.0
"""Times that it is measured at least; less where one takes longer than so many ms."""
BURST = 60.0
"""Each turn is so many ms of steps, and one at least; where there are several, the first does not count.

In training a step follows one like it. After a step of another layer it finds that one's data in the cache and that
one's threads still spinning, which costs the smallest steps a multiple of their time.
"""


@dataclass(frozen=True)
class Timing:
    """How long something takes, in ms.

    Attributes:
        name: what.
        median: of all times; None if it was not measured.
        low: the first quartile.
        high: the third quartile.
        count: of times.
        first: the very first, with whatever was compiled in it.
        why_not: the reason, if it was not measured.
    """

    name: str
    median: float | None = None
    low: float | None = None
    high: float | None = None
    count: int = 0
    first: float | None = None
    why_not: str = ""


def take_turns(steps: Mapping[str, Step], seconds: float, watch: Watch = lambda words, share: None) -> list[Timing]:
    """The time of each step, all together measured for so many seconds, or until the slowest have the fewest times.

    The next turn is that of the step on which the least time was spent, so each gets the same share of the seconds,
    spread over the whole. One that fails is not measured, and its error becomes the reason.
    """
    first: dict[str, float] = {}
    times: dict[str, list[float]] = {}
    reasons = {}
    for name, step in steps.items():
        watch(name, 0.0)
        try:
            first[name] = clock(step)
            second = clock(step)
        except Exception as error:  # Whatever a layer of someone else may raise; the others are still measured.
            reasons[name] = reason(error)
        else:
            # A second step that is slow is warm enough to count, and too long to be made for nothing.
            times[name] = [second] if second > SLOW else []
    gc.collect()
    gc.disable()
    try:
        began = time.perf_counter()
        while waiting := _waiting(times, in_time := (passed := time.perf_counter() - began) < seconds):
            name = min(waiting, key=lambda name: sum(times[name]))
            watch(name, passed / seconds if in_time else 1.0)
            times[name] += burst(steps[name])
    finally:
        gc.enable()
    return [
        Timing(name, why_not=reasons[name]) if name in reasons else _timing(name, times[name], first[name])
        for name in steps
    ]


def _waiting(times: Mapping[str, Sequence[float]], in_time: bool) -> list[str]:
    """Those that have not been measured often enough; when the time is up, a few times are enough."""
    return [name for name, own in times.items() if len(own) < (MOST if in_time else fewest(own))]


def fewest(times: Sequence[float]) -> int:
    """How often something is measured at least, by the times that it took so far."""
    return FEWEST_SLOW if times and min(times) > SLOW else FEWEST


def burst(step: Step) -> list[float]:
    """The times of the steps of one turn."""
    times: list[float] = []
    began = time.perf_counter()
    while not times or (time.perf_counter() - began < BURST / 1e3 and len(times) < MOST):
        times.append(clock(step))
    return times[1:] if len(times) > 2 else times


def clock(step: Step) -> float:
    """The time of one step, in ms."""
    began = time.perf_counter()
    step()
    return (time.perf_counter() - began) * 1e3


def reason(error: Exception) -> str:
    """An error in one line."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def _timing(name: str, times: list[float], first: float) -> Timing:
    low, _, high = quantiles(times, n=4, method="inclusive")
    return Timing(name, median(times), low, high, len(times), first)
