"""What a task is.

A task gives batches, says how wrong a model's answers are, when a model has learned enough, and how it is tested.
All of it is for R replicas at once: R seeds of one model, trained side by side, each with data of its own. Replica
r must see exactly what the same seed would see alone, so nothing a course does may depend on the other replicas.

T time, B batch, I input, O outputs, R replicas.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from torch import Tensor


@dataclass(frozen=True)
class Batch:
    """Sequences and what is asked about them.

    Attributes:
        x: inputs, (R, T, B, I).
        target: the class or the bit of each sequence, (R, B).
        lengths: the steps of each sequence, (R, B), or None if all have T.
    """

    x: Tensor
    target: Tensor
    lengths: Tensor | None = None


class Model(Protocol):
    """Anything that gives logits (R, B, O) for inputs ([R,] T, B, I) and lengths ([R,] B)."""

    def __call__(self, x: Tensor, lengths: Tensor | None = None, /) -> Tensor: ...


class Course(Protocol):
    """What R replicas are taught, from their first batch to the goal. It holds random states, so it changes."""

    def batch(self) -> Batch:
        """The next batch to learn from."""

    def finished(self, step: int, batch: Batch, model: Model) -> Tensor:
        """Which replicas have reached the goal, (R,) of bool. Called once after each step.

        Args:
            step: the number of the step just taken, from 1.
            batch: what it was taken on.
            model: the model after the step.
        """

    def stage(self) -> str:
        """Where the replicas stand, for a progress bar; may be empty."""

    def keep(self, rows: Tensor) -> None:
        """Goes on with these replicas only, (kept,) of long."""

    def state(self) -> dict[str, Tensor]:
        """All that `restore` needs to go on with the same bits."""

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Takes up a course where `state` was taken."""


@dataclass(frozen=True)
class Measure:
    """One number that a trained model is judged by.

    Attributes:
        name: as in `Task.test`, or "steps" for the steps taken.
        unit: what follows the number, such as "%".
        best: whether more or less of it is better.
        over: whether it means something for every seed, or only for those that reached the goal.
    """

    name: str
    unit: str
    best: Literal["highest", "lowest"]
    over: Literal["all", "solved"]


STEPS = "steps"
"""The name of the measure that counts the training steps until the goal or the end."""


@dataclass(frozen=True)
class Task:
    """One row of `TASKS`.

    Attributes:
        name: what the command line calls it.
        about: one line.
        revision: raised when data, loss or goal change, so that older runs do not count as the same.
        input_size: I.
        output_size: O.
        steps: at most so many training steps.
        learning_rate: of the optimizer.
        optimizer: its name.
        goal: what a replica must reach to stop early, in words.
        solves: whether reaching the goal means that the task is solved; otherwise it only stops training.
        measures: what tables show, in their order.
        course: makes the course of replicas with these seeds.
        loss: of logits (R, B, O) and targets (R, B), one number a replica, (R,).
        accuracy: likewise, in percent.
        test: the scores of a trained model by name, each (R,), on data that no replica has learned from.
    """

    name: str
    about: str
    revision: int
    input_size: int
    output_size: int
    steps: int
    learning_rate: float
    optimizer: str
    goal: str
    solves: bool
    measures: tuple[Measure, ...]
    course: Callable[[Sequence[int]], Course]
    loss: Callable[[Tensor, Tensor], Tensor]
    accuracy: Callable[[Tensor, Tensor], Tensor]
    test: Callable[[Model], dict[str, Tensor]]
