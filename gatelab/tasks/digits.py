"""Digits: scikit-learn's 8x8 images of handwritten digits, read a row a step.

As in section 3.2 of the 2018 gate report: values from 0 to 16 as they come, 22 % of the images for the test,
batches of 100 drawn with replacement from the first 1,400 training images, Adam with 0.001 on the summed
cross-entropy, and every 100 steps a look whether the batch's sum has come under 5. The report does not print which
split it used; here all seeds share one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import Tensor

from gatelab.tasks.base import STEPS, Batch, Measure, Model, Task
from gatelab.tasks.losses import accuracy_of_classes, summed_cross_entropy
from gatelab.tasks.streams import Streams

TEST_SHARE = 0.22
SPLIT = 0
"""The random state of the one split into training and test images."""
DRAWN_FROM = 1400
"""Batches come from so many images; the training part holds one more, which the report never draws."""
BATCH = 100
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
def images() -> Images:
    """The 1,797 images, 1,401 for training and 396 for the test."""
    bunch = load_digits()
    parts = train_test_split(bunch.images, bunch.target, test_size=TEST_SHARE, random_state=SPLIT)
    train, test, train_digits, test_digits = (torch.as_tensor(part) for part in parts)
    return Images(train.float(), train_digits.long(), test.float(), test_digits.long())


class DigitsCourse:
    """Batches of images for each replica; the goal is a small loss on the batch just learned."""

    def __init__(self, seeds: Sequence[int]) -> None:
        self.streams = Streams(seeds, "batches", DRAWN_FROM, BATCH)

    def batch(self) -> Batch:
        data = images()
        rows = self.streams.draw()
        return Batch(data.train[rows].transpose(1, 2), data.train_digits[rows])

    def finished(self, step: int, batch: Batch, model: Model) -> Tensor:
        if step % CHECK_EVERY:
            return torch.zeros(len(batch.target), dtype=torch.bool)
        with torch.no_grad():
            return summed_cross_entropy(model(batch.x, batch.lengths), batch.target) < GOAL

    def stage(self) -> str:
        return ""

    def keep(self, rows: Tensor) -> None:
        self.streams.keep(rows)

    def state(self) -> dict[str, Tensor]:
        return self.streams.state()

    def restore(self, state: Mapping[str, Tensor]) -> None:
        self.streams.restore(state)


def score_test_images(model: Model) -> dict[str, Tensor]:
    """The accuracy on the 396 test images, (R,), in percent."""
    data = images()
    logits = model(data.test.transpose(0, 1))
    return {"accuracy": accuracy_of_classes(logits, data.test_digits)}


DIGITS = Task(
    name="digits",
    about="Handwritten digits of 8x8 points, read a row a step.",
    revision=1,
    input_size=8,
    output_size=10,
    steps=6000,
    learning_rate=0.001,
    optimizer="adam",
    goal="the summed cross-entropy of a batch of 100 is under 5",
    solves=False,
    measures=(
        Measure("accuracy", "%", best="highest", over="all"),
        Measure(STEPS, "", best="lowest", over="all"),
    ),
    course=DigitsCourse,
    loss=summed_cross_entropy,
    accuracy=accuracy_of_classes,
    test=score_test_images,
)
