"""Digits: scikit-learn's 8x8 images of handwritten digits, read a row a step.

As in section 3.2 of the 2018 gate report: values from 0 to 16 as they come, 22 % of the images for the test,
batches of 100 drawn with replacement from the first 1,400 training images, Adam with 0.001 on the summed
cross-entropy, and every 100 steps a look whether the batch's sum has come under 5. The report does not print which
split it used; here all seeds share one, and `split` takes another: between splits the median of one cell moves by a
point.

The report chose its best run on the test images. With `validation`, a share of the training images is kept for
choosing the weights of each run, and nothing stops early.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from gatelab.nn.inputs import Features
from gatelab.tasks.base import STEPS, Batch, Classes, Learner, Measure, Model, Options, Problem, Task, Validation
from gatelab.tasks.courses import Draws
from gatelab.tasks.losses import accuracy_of_classes, summed_cross_entropy

TEST_SHARE = 0.22
DRAWN_FROM = 1400
"""Batches come from so many images; the training part holds one more, which the report never draws."""
CHECK_EVERY = 100
GOAL = 5.0
"""Nats, summed over the batch."""


@dataclass(frozen=True)
class Images:
    """Images as sequences of rows, batch first, and their digits: (N, T=8, I=8) and (N,)."""

    train: Tensor
    train_digits: Tensor
    test: Tensor
    test_digits: Tensor


@cache
def images(split: int = 0) -> Images:
    """The 1,797 images, 1,401 for training and 396 for the test, split with this random state."""
    from sklearn.datasets import load_digits  # noqa: PLC0415 - a second to load.
    from sklearn.model_selection import train_test_split  # noqa: PLC0415

    bunch = load_digits()
    parts = train_test_split(bunch.images, bunch.target, test_size=TEST_SHARE, random_state=split)
    train, test, train_digits, test_digits = (torch.as_tensor(part) for part in parts)
    return Images(train.float(), train_digits.long(), test.float(), test_digits.long())


class DigitsOptions(Options):
    """What can be chosen.

    Attributes:
        validation: the share of the training images that weights are chosen on; with 0 the last weights count, and
            a seed stops when the loss of its batch is small.
        split: which split into training and test images, a random state of scikit-learn's `train_test_split`.
    """

    validation: Annotated[float, Field(ge=0, le=0.5)] = 0.0
    split: Annotated[int, Field(ge=0, lt=2**32)] = 0


class DigitsCourse(Draws):
    """Batches of images for each replica; the goal is a small loss on the batch just learned."""

    def finished(self, step: int, batch: Batch, model: Learner) -> list[bool]:
        if step % CHECK_EVERY:
            return super().finished(step, batch, model)
        return [loss < GOAL for loss in model.losses(batch).tolist()]


def open_digits(options: DigitsOptions) -> Problem:
    """The problem with these options."""
    data = images(options.split)
    kept = round(options.validation * DRAWN_FROM)
    drawn_from = DRAWN_FROM - kept

    def gather(rows: Tensor) -> Batch:
        return Batch(data.train[rows].transpose(1, 2), data.train_digits[rows])

    def course(seeds: Sequence[int], batch_size: int) -> Draws:
        kind = Draws if kept else DigitsCourse
        return kind(seeds, drawn_from, batch_size, gather)

    def accuracy(model: Model, own: Tensor, digits: Tensor) -> Tensor:
        return accuracy_of_classes(model(own.transpose(0, 1)), digits)

    chosen_on = data.train[drawn_from:DRAWN_FROM], data.train_digits[drawn_from:DRAWN_FROM]
    return Problem(
        inputs=Features(data.train.shape[-1]),
        output_size=10,
        course=course,
        loss=summed_cross_entropy,
        score=accuracy_of_classes,
        test=lambda model: {"accuracy": accuracy(model, data.test, data.test_digits)},
        validation=Validation("accuracy, %", "highest", lambda model: accuracy(model, *chosen_on)) if kept else None,
        classes=Classes(tuple("0123456789"), lambda model: (model(data.test.transpose(0, 1)), data.test_digits)),
    )


DIGITS = Task(
    name="digits",
    about="Handwritten digits of 8x8 points, read a row a step.",
    revision=2,
    usual={"hidden_size": 30, "steps": 6000, "batch_size": 100, "learning_rate": 0.001, "validate_every": 100},
    measures=(Measure("accuracy", "%", best="highest"), Measure(STEPS, "", best="lowest", digits=0)),
    open=open_digits,
    options=DigitsOptions,
    goal="the summed cross-entropy of a batch of 100 is under 5",
)
