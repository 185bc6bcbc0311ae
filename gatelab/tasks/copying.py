"""Copying: ten symbols, a long wait, and the ten symbols again from memory.

As in Arjovsky, Shah & Bengio 2016, "Unitary Evolution Recurrent Neural Networks", section 4.1, after Hochreiter &
Schmidhuber 1997: ten of eight symbols, blanks, a marker at step T + 10, and ten blanks, T + 20 steps in all. The
answer is blank up to the marker, and then the ten symbols in their order. Who remembers nothing does best to answer
blanks, and then each symbol with 1/8: 10 ln 8 / (T + 20) nats a step.

R replicas, B batch, T the delay, S = T + 20 steps.
"""

from __future__ import annotations

import math
from functools import partial
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from gatelab.nn.inputs import Features
from gatelab.tasks.base import STEPS, Batch, Measure, Model, Options, Problem, Task
from gatelab.tasks.fresh import Fresh, fixed_sequences, whole
from gatelab.tasks.losses import mean_cross_entropy
from gatelab.tasks.parts import answers_in_parts

SYMBOLS = 8
BLANK, MARKER = SYMBOLS, SYMBOLS + 1
ONE_HOT = torch.eye(MARKER + 1)
RECALLED = 10
CHECKED, TESTED = 128, 1024
"""Sequences of a look and of the test; with ten symbols each, a look knows an accuracy to a point."""
ENOUGH = 99.0
"""The percent of symbols recalled that counts as solved."""


class CopyingOptions(Options):
    """What can be chosen.

    Attributes:
        delay: steps from the last symbol seen to the first one asked, T.
    """

    delay: Annotated[int, Field(ge=1)] = 20


def make_sequences(shares: Tensor, delay: int) -> Batch:
    """Sequences of numbers drawn evenly from 0 to below 1, (R, B, 10).

    Returns:
        x (R, S, B, 10), one-hot, and the classes asked for, (R, S, B).
    """
    shown = whole(shares, SYMBOLS).transpose(-2, -1)
    waiting = shown.new_full((*shown.shape[:-2], delay - 1, shown.shape[-1]), BLANK)
    marker, asked = torch.full_like(shown[..., :1, :], MARKER), torch.full_like(shown, BLANK)
    x = torch.cat([shown, waiting, marker, asked], dim=-2)
    blanks = torch.full_like(x[..., RECALLED:, :], BLANK)
    return Batch(ONE_HOT[x], torch.cat([blanks, shown], dim=-2))


def recalled(logits: Tensor, target: Tensor) -> Tensor:
    """The percent of symbols recalled, (R,), of logits (R, S, B, O) and the targets (R, S, B) or (S, B)."""
    right = logits[..., -RECALLED:, :, :].argmax(-1) == target[..., -RECALLED:, :]
    return 100 * right.float().mean((-2, -1))


def open_copying(options: CopyingOptions) -> Problem:
    """The problem with these options."""
    make = partial(make_sequences, delay=options.delay)

    def test(model: Model) -> dict[str, Tensor]:
        batch = fixed_sequences(make, RECALLED, TESTED, "copying test")
        logits = answers_in_parts(model, batch.x)
        loss = mean_cross_entropy(logits, batch.target.expand(logits.shape[:-1]))
        return {"symbols": recalled(logits, batch.target), "loss": loss}

    steps = options.delay + 2 * RECALLED
    return Problem(
        inputs=Features(MARKER + 1),
        output_size=BLANK + 1,
        reads="every",
        course=lambda seeds, batch_size: Fresh(
            seeds, batch_size, RECALLED, make, CHECKED, lambda *look: recalled(*look) >= ENOUGH
        ),
        loss=mean_cross_entropy,
        score=recalled,
        test=test,
        baselines={"no memory": {"symbols": 100 / SYMBOLS, "loss": RECALLED * math.log(SYMBOLS) / steps}},
        facts=(f"{steps} steps: 10 symbols of 8, a delay of {options.delay}, 10 answers.",),
    )


COPYING = Task(
    name="copying",
    about="Ten symbols are shown, and asked for after a delay.",
    revision=1,
    usual={"hidden_size": 64, "steps": 20_000, "batch_size": 64, "learning_rate": 0.005, "clip": 1.0},
    measures=(
        Measure(STEPS, "", best="lowest", over="solved", digits=0),
        Measure("symbols", "%", best="highest"),
        Measure("loss", "nats", best="lowest", digits=4),
    ),
    open=open_copying,
    options=CopyingOptions,
    goal="99 % of the symbols of 128 fresh sequences are recalled",
    solves=True,
)
