"""Numbers of a series as text: their decimals follow the deviation, since the level may be large beside it.

T time, C columns.
"""

from __future__ import annotations

from math import floor, log10

from torch import Tensor

SHOWN, TOLD, KEPT = 3, 4, 7
"""Digits of a deviation that the label of a step has, an answer, and an input: a model reads no more in float32."""
COLUMNS = 3
"""Columns that the label of a step has."""


def decimals(deviation: float, digits: int) -> int:
    """How many decimals tell so many digits of a deviation."""
    return max(0, digits - 1 - floor(log10(deviation)))


def step_labels(values: Tensor, deviation: Tensor) -> tuple[str, ...]:
    """The first numbers of each step, dots behind them if there are more, for values (T, C) of a deviation (C,)."""
    places = [decimals(one, SHOWN) for one in deviation.tolist()[:COLUMNS]]
    dots = ("…",) * (values.shape[1] > COLUMNS)
    return tuple(
        ", ".join((*(f"{one:.{place}f}" for one, place in zip(step, places, strict=False)), *dots))
        for step in values.tolist()
    )
