"""Sine: the slides' series without noise, the next value at every step of a window.

As in the slides on recurrent networks (and chapter 14 of Géron 2017, "Hands-On Machine Learning", that they follow):
windows of 20 steps of t sin(t) / 3 + 2 sin(5 t), each step answered with the value that follows it; batches of 50
drawn anywhere in 0 to 30 radians, 100 units with relu, Glorot's start and Adam with 0.001.

The slides show it with a wrapper that projects every output to one number, and without it, where all outputs are
put into rows and projected in one product. These compute the same, and the second is what our head does; so there is
nothing to choose. Their loss is the sum of squares, ours the mean, which Adam cannot tell apart.

R replicas, T time, B batch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from gatelab.data.windows import RESOLUTION, SPAN, sine, sine_batch, sine_starts
from gatelab.nn.inputs import Features
from gatelab.nn.models import SequenceModel
from gatelab.tasks.base import Batch, Measure, Options, Problem, Task
from gatelab.tasks.courses import Draws
from gatelab.tasks.losses import mean_squared_error

WINDOW = 20
"""T."""
TESTED = 1000
"""Windows of the test, evenly spread."""
GRAINS = 2**24
"""Places where a drawn window may begin; float32 holds each share of them exactly."""
SETTLED = 4
"""Steps that a model may need to find its place in the series; from the fifth on it should know it."""


def sine_windows(shares: Tensor) -> tuple[Tensor, Tensor]:
    """Windows that begin at shares (..., B) of the span, and what follows each step: both (..., T, B, 1)."""
    x, y = sine_batch(sine_starts(shares, WINDOW), WINDOW)
    return x.movedim(-1, -2).unsqueeze(-1), y.movedim(-1, -2).unsqueeze(-1)


def _errors(answers: Tensor, target: Tensor) -> dict[str, Tensor]:
    """The scores, each (R,), of answers (R, T, B, 1) for what was to follow, (T, B, 1)."""
    return {
        "MSE": mean_squared_error(answers, target),
        "MSE from step 5": mean_squared_error(answers[..., SETTLED:, :, :], target[..., SETTLED:, :, :]),
    }


def open_sine(options: Options) -> Problem:
    """The problem; there is nothing to choose."""
    x, y = sine_windows(torch.linspace(0, 1, TESTED))

    def gather(places: Tensor) -> Batch:
        return Batch(*sine_windows(places / GRAINS))

    return Problem(
        inputs=Features(1),
        output_size=1,
        reads="every",
        course=lambda seeds, batch_size: Draws(seeds, GRAINS, batch_size, gather),
        loss=mean_squared_error,
        score=mean_squared_error,
        test=lambda model: _errors(model(x), y),
        baselines={"naive": {name: error.item() for name, error in _errors(x.unsqueeze(0), y).items()}},
        facts=(f"{TESTED:,} windows of {WINDOW} steps for the test, evenly spread over the same series.",),
        keeps={"kind": "series", "window": WINDOW},
    )


def from_zeros() -> Tensor:
    """A start that the series has nowhere, (T, 1, 1)."""
    return torch.zeros(WINDOW, 1, 1)


def from_the_series() -> Tensor:
    """The slides' real start, (T, 1, 1): the series from 30 radians on, just where what was learned ends."""
    return sine(SPAN[1] + RESOLUTION * torch.arange(WINDOW)).view(-1, 1, 1)


STARTS: Mapping[str, Callable[[], Tensor]] = {"zeros": from_zeros, "real": from_the_series}
"""What sequences may begin with, by name."""


@torch.no_grad()
def continue_series(model: SequenceModel, start: Tensor, steps: int, window: int | None = WINDOW) -> Tensor:
    """A start and what the model takes to follow it, each answer being the next input, (T0 + steps, B, 1).

    Args:
        model: one that answers every step with one number, without replicas.
        start: (T0, B, 1).
        steps: how many to add.
        window: how many of the last values are read anew for each step, as the slides do; None goes on from the
            states, which is quicker, and takes the model further than it was trained to go.
    """
    found = list(start.unbind())
    answers, state = model.run(start[-window:] if window else start)
    for _ in range(steps):
        found.append(answers[-1])
        if window:
            answers, _ = model.run(torch.stack(found[-window:]))
        else:
            answers, state = model.run(found[-1].unsqueeze(0), None, state)
    return torch.stack(found)


SINE = Task(
    name="sine",
    about="The next value of the slides' series, at every one of 20 steps.",
    revision=1,
    usual={"hidden_size": 100, "steps": 1500, "batch_size": 50, "learning_rate": 0.001, "init": "glorot"},
    measures=(
        Measure("MSE", "", best="lowest", digits=4),
        Measure("MSE from step 5", "", best="lowest", digits=4),
    ),
    open=open_sine,
    scored="MSE",
)
