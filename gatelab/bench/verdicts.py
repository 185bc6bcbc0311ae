"""Numbers held against what is asked of them."""

from __future__ import annotations

from dataclasses import dataclass

from gatelab.bench.timing import Timing


@dataclass(frozen=True)
class Verdict:
    """A number and what is asked of it.

    Attributes:
        name: what the number is.
        at: at which size, or where else.
        value: the number, or None if it could not be measured.
        unit: "x" for a ratio.
        loss: with which the training steps were measured, by name; empty where only one is (see `report.MORE`).
        at_least: the floor.
        at_most: the ceiling.
        holds: whether the number keeps to them; None if it could not be measured or nothing is asked.
        why_not: the reason, if it could not be measured.
    """

    name: str
    at: str
    value: float | None
    unit: str
    loss: str
    at_least: float | None
    at_most: float | None
    holds: bool | None
    why_not: str


def judge(
    name: str,
    at: str,
    value: float | None,
    unit: str = "x",
    *,
    loss: str = "",
    at_least: float | None = None,
    at_most: float | None = None,
    why_not: str = "",
) -> Verdict:
    """The verdict on a number."""
    holds = None
    if value is not None and (at_least is not None or at_most is not None):
        holds = (at_least is None or value >= at_least) and (at_most is None or value <= at_most)
    return Verdict(name, at, value, unit, loss, at_least, at_most, holds, why_not)


def judge_ratio(
    over: Timing,
    under: Timing,
    at: str,
    *,
    name: str = "",
    loss: str = "",
    times: float = 1.0,
    at_least: float | None = None,
    at_most: float | None = None,
) -> Verdict:
    """The verdict on the time of one thing over that of another, times a factor."""
    value = None if over.median is None or under.median is None else times * over.median / under.median
    reasons = [f"{timing.name}: {timing.why_not}" for timing in (over, under) if timing.why_not]
    return judge(
        name or f"{over.name} / {under.name}",
        at,
        value,
        loss=loss,
        at_least=at_least,
        at_most=at_most,
        why_not="; ".join(reasons),
    )
