"""What is known of a run when it has ended."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from typing import Literal

import numpy
import torch

from gatelab.training.settings import Settings

End = Literal["goal", "steps", "diverged"]
"""Why a replica stopped: it reached the task's goal, it had no steps left, or its loss was not finite."""


@dataclass(frozen=True)
class Point:
    """One point of a learning curve, on the batch of that step.

    Attributes:
        step: from 1.
        loss: as the task has it, in nats; None if it was not finite.
        accuracy: in percent.
    """

    step: int
    loss: float | None
    accuracy: float


@dataclass(frozen=True)
class SeedResult:
    """What became of one seed.

    Attributes:
        seed: which.
        end: why it stopped.
        steps: how many it took.
        scores: the task's test by name, in percent; None for a replica that diverged.
        curve: how it learned.
    """

    seed: int
    end: End
    steps: int
    scores: Mapping[str, float | None]
    curve: tuple[Point, ...]


@dataclass(frozen=True)
class Run:
    """A finished run.

    Attributes:
        settings: what decides it.
        results: in the order of the seeds.
        seconds: how long the training took, the parts before and after a resume together.
        versions: of what it ran on.
    """

    settings: Settings
    results: tuple[SeedResult, ...]
    seconds: float
    versions: Mapping[str, str]


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
