"""What is known of a run when it has ended."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Literal

import numpy
import torch

from gatelab.training.settings import Settings

End = Literal["goal", "steps", "patience", "diverged"]
"""Why a replica stopped: it reached the task's goal, it had no steps left, it got no better on the validation data for
as long as its patience lasts, or its loss was not finite."""


@dataclass(frozen=True)
class Point:
    """One point of a learning curve, on the batch of that step.

    Attributes:
        step: from 1.
        loss: as the task has it, in nats; None if it was not finite.
        score: as the task has it.
    """

    step: int
    loss: float | None
    score: float | None


@dataclass(frozen=True)
class Look:
    """One look at the validation data.

    Attributes:
        step: after which.
        score: as the task's validation has it; None if it was not finite.
    """

    step: int
    score: float | None


@dataclass(frozen=True)
class SeedResult:
    """What became of one seed.

    Attributes:
        seed: which.
        end: why it stopped.
        steps: how many it took.
        scores: the task's test by name; None for a replica that diverged.
        curve: how it learned.
        looks: at the validation data.
        chosen: the step whose weights were kept: the best on the validation data, or the last.
    """

    seed: int
    end: End
    steps: int
    scores: Mapping[str, float | None]
    curve: tuple[Point, ...]
    looks: tuple[Look, ...] = ()
    chosen: int = 0


@dataclass(frozen=True)
class Run:
    """A finished run.

    Attributes:
        settings: what decides it.
        results: in the order of the seeds.
        seconds: how long the training took, the parts before and after a resume together.
        versions: of what it ran on.
        parameters: how many numbers one model learns.
        baselines: scores of what learns nothing, by its name and the measure's.
        facts: what is worth knowing of the data.
    """

    settings: Settings
    results: tuple[SeedResult, ...]
    seconds: float
    versions: Mapping[str, str]
    parameters: int = 0
    baselines: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    facts: tuple[str, ...] = ()


def current_versions() -> dict[str, str]:
    """What a reader needs to know to get the same bits."""
    return {
        "gatelab": version("gatelab"),
        "torch": torch.__version__,
        "numpy": numpy.__version__,
        "python": platform.python_version(),
        "machine": platform.machine(),
        "threads": str(torch.get_num_threads()),
    }
