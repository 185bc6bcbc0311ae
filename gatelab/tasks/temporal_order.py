"""Temporal order: two symbols, X or Y, far apart among others; which came first, and which second?

Experiment 6a of Hochreiter & Schmidhuber 1997, "Long Short-Term Memory": sequences begin with E and end with B, have
100 to 110 symbols, one of X and Y at a place from 10 to 20 and one at a place from 50 to 60, all drawn evenly, and
a, b, c or d elsewhere. The four classes are XX, XY, YX and YY. A sequence counts as right when no output is off by
0.3 or more, and the end is reached when the average error is under 0.1 and the 2,000 latest sequences are right.

Here outputs are the probabilities of a softmax, whose squares average under 0.1 when all are right, and the end is
looked for on 2,000 fresh sequences with the weights as they stand.

R replicas, B batch, T the longest length.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional

from gatelab.nn.inputs import Features
from gatelab.tasks.base import STEPS, Batch, Classes, Measure, Model, Options, Problem, Task
from gatelab.tasks.fresh import Fresh, fixed_sequences, whole
from gatelab.tasks.losses import accuracy_of_classes, mean_cross_entropy
from gatelab.tasks.parts import answers_in_parts

DISTRACTORS = 4
X, BEGIN, END = 4, 6, 7
"""The places of symbols in an input: a, b, c, d, X, Y, E, B."""
SYMBOLS = 8
ONE_HOT = torch.eye(SYMBOLS + 1, SYMBOLS)
"""The input of each symbol, (9, 8); the last row, of zeros, stands after the end."""
CLASSES = ("XX", "XY", "YX", "YY")
OFF = 0.3
"""Outputs of a right answer are off by less."""
CHECKED, TESTED = 2000, 2560
"""Sequences of a look and of the test, as many as in the paper."""


class TemporalOrderOptions(Options):
    """What can be chosen.

    Attributes:
        scale: how much longer than in the paper sequences are, and how much later the two symbols come.
    """

    scale: Annotated[float, Field(ge=0.1, le=10)] = 1.0


def spans(scale: float) -> tuple[range, range, range]:
    """From where to where the length and the two places go, both ends included; places are counted from 0."""
    edges = [(100, 110), (10, 20), (50, 60)]
    length, first, second = (range(round(low * scale), round(high * scale) + 1) for low, high in edges)
    return length, first, second


def make_sequences(shares: Tensor, scale: float) -> Batch:
    """Sequences of numbers drawn evenly from 0 to below 1, (R, B, T + 5): the last five say all but the distractors.

    Returns:
        x (R, T, B, 8), one-hot and 0 after the end, places in `CLASSES`, (R, B), and the lengths (R, B).
    """
    symbols = whole(shares[..., :-5], DISTRACTORS)
    *drawn, first, second = shares[..., -5:].unbind(-1)
    lengths, *places = (span.start + whole(share, len(span)) for span, share in zip(spans(scale), drawn, strict=True))
    kinds = whole(torch.stack([first, second], dim=-1), 2)
    symbols[..., 0] = BEGIN
    symbols.scatter_(-1, torch.stack(places, dim=-1), X + kinds)
    symbols.scatter_(-1, (lengths - 1).unsqueeze(-1), END)
    symbols[torch.arange(symbols.shape[-1]) >= lengths.unsqueeze(-1)] = SYMBOLS
    return Batch(ONE_HOT[symbols].transpose(-3, -2), 2 * kinds[..., 0] + kinds[..., 1], lengths)


def right(logits: Tensor, target: Tensor) -> Tensor:
    """The percent of sequences whose probabilities are all off by less than 0.3, (R,), of logits (R, B, 4)."""
    off = (logits.softmax(-1) - functional.one_hot(target, len(CLASSES))).abs().amax(-1)
    return 100 * (off < OFF).float().mean(-1)


def open_temporal_order(options: TemporalOrderOptions) -> Problem:
    """The problem with these options."""
    make, (lengths, first, second) = partial(make_sequences, scale=options.scale), spans(options.scale)
    count = lengths[-1] + 5

    def course(seeds: Sequence[int], batch_size: int) -> Fresh:
        return Fresh(seeds, batch_size, count, make, CHECKED, lambda *look: right(*look) == 100)

    def answers(model: Model) -> tuple[Tensor, Tensor]:
        batch = fixed_sequences(make, count, TESTED, "temporal order test")
        return answers_in_parts(model, batch.x, batch.lengths), batch.target

    def test(model: Model) -> dict[str, Tensor]:
        logits, target = answers(model)
        return {"right": right(logits, target), "accuracy": accuracy_of_classes(logits, target)}

    return Problem(
        inputs=Features(SYMBOLS),
        output_size=len(CLASSES),
        course=course,
        loss=mean_cross_entropy,
        score=accuracy_of_classes,
        test=test,
        classes=Classes(CLASSES, answers),
        baselines={"any class": {"right": 0.0, "accuracy": 100 / len(CLASSES)}},
        facts=(
            f"Lengths of {lengths[0]:,} to {lengths[-1]:,}, the two symbols at {first[0]:,} to {first[-1]:,} and at "
            f"{second[0]:,} to {second[-1]:,}.",
        ),
    )


TEMPORAL_ORDER = Task(
    name="temporal-order",
    about="In which order two symbols came, far apart among others.",
    revision=1,
    usual={"hidden_size": 32, "steps": 20_000, "batch_size": 64, "learning_rate": 0.005, "clip": 1.0},
    measures=(
        Measure(STEPS, "", best="lowest", over="solved", digits=0),
        Measure("right", "%", best="highest"),
        Measure("accuracy", "%", best="highest"),
    ),
    open=open_temporal_order,
    options=TemporalOrderOptions,
    goal="all of 2,000 fresh sequences are classified with probabilities off by less than 0.3",
    solves=True,
)
