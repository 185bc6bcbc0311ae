"""Under what conditions everything is measured."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Conditions:
    """What all parts of a report share.

    Attributes:
        backend: the name of ours.
        threads: of torch, and cores for everyone.
        seconds: for a size, divided among the losses and all that takes turns there.
    """

    backend: str
    threads: int
    seconds: float
