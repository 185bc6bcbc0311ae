"""What has become of each seed so far: curves, looks at the validation data, and ends."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from gatelab.training.record import End, Look, Point, SeedResult


@dataclass
class History:
    """Of one seed; it grows.

    Attributes:
        end: why it stopped, or None while it learns.
        steps: how many it took, when it has ended.
        chosen: the step whose weights were kept, likewise.
        curve: how it learned.
        looks: at the validation data.
    """

    end: End | None = None
    steps: int = 0
    chosen: int = 0
    curve: list[Point] = field(default_factory=list)
    looks: list[Look] = field(default_factory=list)

    def add_point(self, step: int, loss: float, score: float) -> None:
        self.curve.append(Point(step, finite_or_none(loss), finite_or_none(score)))

    def add_look(self, step: int, score: float) -> None:
        self.looks.append(Look(step, finite_or_none(score)))

    def close(self, end: End, steps: int, chosen: int) -> None:
        self.end, self.steps, self.chosen = end, steps, chosen

    def result(self, seed: int, scores: Mapping[str, float]) -> SeedResult:
        """The seed's line in the record of its run, with the scores of its test."""
        assert self.end is not None, "results are asked before the end"
        own = {name: None if self.end == "diverged" else plain(score) for name, score in scores.items()}
        return SeedResult(seed, self.end, self.steps, own, tuple(self.curve), tuple(self.looks), self.chosen)

    def facts(self) -> dict[str, Any]:
        """All of it, as JSON can hold it."""
        rows = {
            "curve": [list(asdict(point).values()) for point in self.curve],
            "looks": [list(asdict(look).values()) for look in self.looks],
        }
        return {"end": self.end, "steps": self.steps, "chosen": self.chosen, **rows}

    @classmethod
    def of(cls, facts: Mapping[str, Any]) -> History:
        """What `facts` gave."""
        curve: Sequence[Sequence[Any]] = facts["curve"]
        points, looks = [Point(*values) for values in curve], [Look(*values) for values in facts["looks"]]
        return cls(facts["end"], facts["steps"], facts["chosen"], points, looks)


def plain(score: float) -> float | None:
    """A score as a number that reads well; None if it is not finite."""
    return finite_or_none(float(f"{score:.6g}"))


def finite_or_none(value: float) -> float | None:
    """JSON has no infinities."""
    return value if math.isfinite(value) else None
