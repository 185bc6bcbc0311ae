"""How the learning rate goes on: the share of it at each moment of a training."""

from __future__ import annotations

import math
from collections.abc import Callable

SCHEDULES: dict[str, Callable[[float, float], float]] = {
    "constant": lambda done, final: 1.0,
    "linear": lambda done, final: 1 + (final - 1) * done,
    "cosine": lambda done, final: final + (1 - final) * (1 + math.cos(math.pi * done)) / 2,
    "exponential": lambda done, final: max(final, 1e-4) ** done,
}
"""The share of the learning rate when this share of the training is done, ending with the share `final`."""


def rate_at(step: int, last: int, schedule: str, final: float, warmup: int) -> float:
    """The share of the learning rate for a step.

    Args:
        step: from 0.
        last: how many steps there are.
        schedule: a name of `SCHEDULES`.
        final: the share that it ends with.
        warmup: steps in which the rate grows from 0, before the schedule begins.
    """
    if step < warmup:
        return (step + 1) / warmup
    return SCHEDULES[schedule]((step - warmup) / max(1, last - warmup), final)
