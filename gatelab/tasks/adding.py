"""Adding: the sum of the two marked numbers of a long sequence.

After experiment 4 of Hochreiter & Schmidhuber 1997, "Long Short-Term Memory", in the form of Arjovsky, Shah & Bengio
2016: numbers from 0 to 1 in one channel and markers in the other, one in each half of the sequence. The sum of two
even numbers has the variance 1/6, which is the squared error of always saying 1.

In 1997 a sequence counts as right when the answer is off by less than 0.04, and the end is reached when the mean
squared error is under 0.01 and the 2,000 latest sequences are right. The target there is half of ours (their numbers
go from -1 to 1, and their target is 0.5 plus a quarter of the sum), so the same closeness is 0.08 here. The end here
is looked for on 2,000 fresh sequences with the weights as they stand.
"""

from __future__ import annotations

from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from gatelab.nn.inputs import Features
from gatelab.tasks.base import STEPS, Batch, Measure, Model, Options, Problem, Task
from gatelab.tasks.fresh import Fresh, fixed_sequences, whole
from gatelab.tasks.losses import mean_squared_error
from gatelab.tasks.parts import answers_in_parts

CLOSE = 0.08
"""How far off a right answer may be."""
CHECKED, TESTED = 2000, 2560
"""Sequences of a look and of the test, as many as in the paper."""


class AddingOptions(Options):
    """What can be chosen.

    Attributes:
        length: steps of a sequence.
    """

    length: Annotated[int, Field(ge=2)] = 50


def make_sequences(shares: Tensor) -> Batch:
    """Sequences of numbers drawn evenly from 0 to below 1, (R, B, T + 2): the last two say where the markers are.

    Returns:
        x (R, T, B, 2) with the numbers and the markers, and the sums (R, B, 1).
    """
    numbers, (first, second) = shares[..., :-2], shares[..., -2:].unbind(-1)
    length = numbers.shape[-1]
    half = length // 2
    places = torch.stack([whole(first, half), half + whole(second, length - half)], dim=-1)
    markers = torch.zeros_like(numbers).scatter_(-1, places, 1.0)
    x = torch.stack([numbers, markers], dim=-1).transpose(-3, -2)
    return Batch(x, (numbers * markers).sum(-1, keepdim=True))


def close(answers: Tensor, target: Tensor) -> Tensor:
    """The percent of sequences whose answer is right, (R,)."""
    return 100 * ((answers - target).abs() < CLOSE).squeeze(-1).float().mean(-1)


def test_adding(model: Model, length: int) -> dict[str, Tensor]:
    """The mean squared error and the percent that is right, each (R,), on sequences that are always the same."""
    batch = fixed_sequences(make_sequences, length + 2, TESTED, "adding test")
    answers = answers_in_parts(model, batch.x)
    return {"right": close(answers, batch.target), "mse": mean_squared_error(answers, batch.target)}


def open_adding(options: AddingOptions) -> Problem:
    """The problem with these options."""
    return Problem(
        inputs=Features(2),
        output_size=1,
        course=lambda seeds, batch_size: Fresh(
            seeds, batch_size, options.length + 2, make_sequences, CHECKED, lambda *look: close(*look) == 100
        ),
        loss=mean_squared_error,
        score=close,
        test=lambda model: test_adding(model, options.length),
        baselines={"always 1": {"right": 100 * (1 - (1 - CLOSE) ** 2), "mse": 1 / 6}},
        facts=(f"{options.length} steps.",),
    )


ADDING = Task(
    name="adding",
    about="The sum of the two marked numbers of a sequence.",
    revision=1,
    usual={"hidden_size": 64, "steps": 20_000, "batch_size": 64, "learning_rate": 0.003, "clip": 1.0},
    measures=(
        Measure(STEPS, "", best="lowest", over="solved", digits=0),
        Measure("right", "%", best="highest"),
        Measure("mse", "", best="lowest", digits=5),
    ),
    open=open_adding,
    options=AddingOptions,
    goal="all of 2,000 fresh sequences are answered with an error under 0.08",
    solves=True,
)
