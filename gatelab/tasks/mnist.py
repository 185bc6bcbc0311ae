"""MNIST and Fashion-MNIST: images of 28x28 points, read a row a step or a point a step.

Rows of 28 points are how Géron's book (Hands-On Machine Learning, 2017, chapter 14) gives MNIST to a recurrent
network. A point a step makes 784 steps, in reading order or in one order drawn by chance for all images: the
sequential and the permuted MNIST of Le, Jaitly & Hinton 2015, "A Simple Way to Initialize Recurrent Networks of
Rectified Linear Units".
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor

from gatelab.data.images import CLASSES, SIDE, images
from gatelab.errors import OptionError
from gatelab.nn.inputs import Features
from gatelab.tasks.base import Batch, Classes, Measure, Model, Options, Problem, Task, Validation
from gatelab.tasks.courses import Epochs
from gatelab.tasks.losses import accuracy_of_classes, mean_cross_entropy
from gatelab.tasks.parts import answers_in_parts
from gatelab.tasks.streams import stream_seed

PERMUTATION = 0
"""The seed of the one order of points that all seeds of all runs share."""
BRIGHTEST = 255
NAMES = {
    "mnist": tuple("0123456789"),
    "fashion-mnist": (
        *("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat"),
        *("Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
    ),
}
"""The classes of each data set."""


class MnistOptions(Options):
    """What can be chosen.

    Attributes:
        dataset: digits or pieces of clothing.
        order: a row a step, a point a step, or a point a step in one order drawn by chance.
        scale: whether points are 0 to 1; otherwise 0 to 255, as in the files.
        validation: the share of the training images, the last ones, that weights are chosen on; with 0 the last
            weights count.
        train: how many of the first training images there are for training and validation together; None for all.
    """

    dataset: Literal["mnist", "fashion-mnist"] = "mnist"
    order: Literal["rows", "pixels", "permuted"] = "rows"
    scale: bool = True
    validation: Annotated[float, Field(ge=0, le=0.5)] = 1 / 12
    train: Annotated[int, Field(ge=1)] | None = None


def point_order() -> Tensor:
    """Which point of an image is read at each of the 784 steps of the order drawn by chance, (784,)."""
    generator = torch.Generator().manual_seed(stream_seed(PERMUTATION, "order of points"))
    return torch.randperm(SIDE * SIDE, generator=generator)


def as_sequences(found: Tensor, order: str) -> Tensor:
    """Images, (N, 28, 28), as sequences, (N, T, I)."""
    if order == "rows":
        return found
    points = found.flatten(1)
    return (points[:, point_order()] if order == "permuted" else points).unsqueeze(-1)


def open_mnist(options: MnistOptions) -> Problem:
    """The problem with these options.

    Raises:
        OptionError: there are fewer images than are asked for.
        DataError: a file is missing or broken.
    """
    data = images(options.dataset)
    count = _count(options.train, len(data.train))
    learned_from = count - round(options.validation * count)
    # Points stay bytes until they are in a batch: as floats they would take four times the memory.
    train, test = (as_sequences(part, options.order) for part in (data.train[:count], data.test))
    brightest = BRIGHTEST if options.scale else 1

    def inputs(found: Tensor) -> Tensor:
        return found.transpose(-3, -2).float() / brightest

    def gather(rows: Tensor) -> Batch:
        return Batch(inputs(train[rows]), data.train_labels[rows])

    def course(seeds: Sequence[int], batch_size: int) -> Epochs:
        return Epochs(seeds, learned_from, batch_size, gather)

    def accuracy(model: Model, found: Tensor, labels: Tensor) -> Tensor:
        return accuracy_of_classes(answers_in_parts(model, inputs(found)), labels)

    chosen_on = train[learned_from:], data.train_labels[learned_from:count]
    kept = count - learned_from
    return Problem(
        inputs=Features(train.shape[-1]),
        output_size=CLASSES,
        course=course,
        loss=mean_cross_entropy,
        score=accuracy_of_classes,
        test=lambda model: {"accuracy": accuracy(model, test, data.test_labels)},
        validation=Validation("accuracy, %", "highest", lambda model: accuracy(model, *chosen_on)) if kept else None,
        classes=Classes(
            NAMES[options.dataset], lambda model: (answers_in_parts(model, inputs(test)), data.test_labels)
        ),
        baselines={"most frequent class": {"accuracy": _most_frequent(data.train_labels[:count], data.test_labels)}},
        facts=(f"{learned_from:,} images to learn from, {kept:,} to choose weights on, {len(test):,} for the test.",),
        keeps={"kind": "classes", "names": NAMES[options.dataset]},
    )


def _count(wanted: int | None, there: int) -> int:
    if wanted is not None and wanted > there:
        raise OptionError(f"train is {wanted:,}, and there are {there:,} training images.\nTake so many or fewer.")
    return wanted or there


def _most_frequent(train: Tensor, test: Tensor) -> float:
    """The accuracy of always saying the class that the training has most of, in percent."""
    return 100 * (test == train.bincount().argmax()).float().mean().item()


MNIST = Task(
    name="mnist",
    about="Images of 28x28 points, digits or clothing, read a row or a point a step.",
    revision=1,
    usual={"hidden_size": 128, "epochs": 5, "batch_size": 128, "learning_rate": 0.001, "clip": 1.0},
    measures=(Measure("accuracy", "%", best="highest", digits=2),),
    open=open_mnist,
    options=MnistOptions,
)
