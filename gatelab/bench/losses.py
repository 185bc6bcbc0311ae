"""Which of a layer's outputs the loss of a training step reads; a row each, the same for every contender."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from gatelab.errors import OptionError, nearest


@dataclass(frozen=True)
class Loss:
    """A sum of what is read of the outputs, weighted by random numbers.

    Attributes:
        name: what `--loss` calls it.
        words: what titles call it.
        meaning: the sum of what, and where such a loss is found.
        reads: what is read of the outputs, (T, B, H), which may be an array of any library.
    """

    name: str
    words: str
    meaning: str
    reads: Callable[[Any], Any]


ALL = Loss("all", "loss on all outputs", "of all outputs as in a language model", lambda outputs: outputs)
LAST = Loss("last", "loss on the last output", "of the last output as in a classifier", lambda outputs: outputs[-1])
LOSSES = {loss.name: loss for loss in (ALL, LAST)}

FLOORS = LAST
"""The floors of `sizes.py` were set under it; they are judged under each."""

BOTH = "both"
CHOICES = {**{name: (loss,) for name, loss in LOSSES.items()}, BOTH: tuple(LOSSES.values())}


def find_losses(name: str) -> tuple[Loss, ...]:
    """What `--loss` stands for.

    Raises:
        OptionError: there is no such loss.
    """
    if name not in CHOICES:
        raise OptionError(f"There is no loss '{name}'.\n{nearest(name, CHOICES)}")
    return CHOICES[name]
