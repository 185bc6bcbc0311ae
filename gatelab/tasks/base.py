"""What a task is.

A task with its options chosen and its data at hand is a problem: it says what a model reads and how wide its answer
is, gives batches, says how wrong the answers are, when a model has learned enough, and how it is judged. All of it is
for R replicas at once: R seeds of one model, trained side by side, each with data of its own. Replica r must see
exactly what the same seed would see alone, so nothing a course does may depend on the other replicas.

T time, B batch, I input, O outputs, R replicas, N sequences.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from pydantic import BaseModel, ConfigDict
from torch import Tensor

from gatelab.nn.inputs import Inputs
from gatelab.nn.models import Reads


@dataclass(frozen=True)
class Batch:
    """Sequences and what is asked about them.

    Attributes:
        x: inputs, (R, T, B, I), or tokens (R, T, B) of long.
        target: what the answers should be: (R, B) or (R, B, O) for the last output, (R, T, B) or (R, T, B, O) for
            every one.
        lengths: the steps of each sequence, (R, B), or None if all have T.
        goes_on: whether the sequences go on where those of the batch before it ended, so that states are kept.
    """

    x: Tensor
    target: Tensor
    lengths: Tensor | None = None
    goes_on: bool = False


class Model(Protocol):
    """Anything that gives answers (R, B, O), or (R, T, B, O) of every step, for inputs and lengths.

    Inputs are ([R,] T, B, I) or tokens ([R,] T, B), lengths ([R,] B).
    """

    def __call__(self, x: Tensor, lengths: Tensor | None = None, /) -> Tensor: ...

    def run(self, x: Tensor, lengths: Tensor | None = None, state: Any = None, /) -> tuple[Tensor, Any]:
        """The answers, and the states after the last step, from which the next call may go on."""


class Learner(Model, Protocol):
    """A model between two steps of its training."""

    def losses(self, batch: Batch, /) -> Tensor:
        """How wrong its answers are, (R,), as `Problem.loss` has it."""


class Course(Protocol):
    """What R replicas are taught, from their first batch to the goal. It holds random states, so it changes."""

    epoch: int | None
    """Steps in which each replica sees all of its data once; None where data have no end."""

    def batch(self) -> Batch:
        """The next batch to learn from."""

    def finished(self, step: int, batch: Batch, model: Learner) -> list[bool]:
        """Which replicas have reached the goal. Called once after each step.

        Args:
            step: the number of the step just taken, from 1.
            batch: what it was taken on.
            model: after the step.
        """

    def stage(self) -> str:
        """Where the replicas stand, for a progress bar; may be empty."""

    def keep(self, rows: Tensor) -> None:
        """Goes on with these replicas only, (kept,) of long."""

    def state(self) -> dict[str, Tensor]:
        """All that `restore` needs to go on with the same bits."""

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Takes up a course where `state` was taken."""


Best = Literal["highest", "lowest"]


@dataclass(frozen=True)
class Measure:
    """One number that a trained model is judged by.

    Attributes:
        name: as in `Problem.test`, or "steps" for the steps taken.
        unit: what follows the number, such as "%".
        best: whether more or less of it is better.
        over: whether it means something for every seed, or only for those that reached the goal.
        digits: how many to show after the point.
    """

    name: str
    unit: str
    best: Best
    over: Literal["all", "solved"] = "all"
    digits: int = 1


STEPS = "steps"
"""The name of the measure that counts the training steps until the goal or the end."""


@dataclass(frozen=True)
class Validation:
    """How models are compared while they learn, on data that is neither learned from nor in the test.

    Attributes:
        name: of what is measured, with its unit.
        best: whether more or less of it is better.
        score: of a model, (R,).
    """

    name: str
    best: Best
    score: Callable[[Model], Tensor]


@dataclass(frozen=True)
class Classes:
    """What a classifier's report needs.

    Attributes:
        names: of the classes.
        answers: the logits of a model for every test sequence, (R, N, O), and the classes, (N,).
    """

    names: tuple[str, ...]
    answers: Callable[[Model], tuple[Tensor, Tensor]]


@dataclass(frozen=True)
class Problem:
    """A task with its options chosen and its data at hand.

    Attributes:
        inputs: what the model reads.
        output_size: O.
        reads: whether the answer is the last output or every one.
        stateful: whether batches may go on where the batch before ended.
        course: makes the course of replicas with these seeds and batches of this size.
        loss: of answers and targets, one number a replica, (R,).
        score: likewise, how right they are: what a progress bar and learning curves show.
        test: the scores of a trained model by name, each (R,), on data that no replica has learned from.
        validation: how to choose the best weights; None takes the last ones.
        classes: for classifiers.
        baselines: scores of forecasts or guesses that learn nothing, by their names and the measures'.
        facts: what is worth knowing of the data, for the caption of a table.
        keeps: what a file of a trained model should hold to be of use alone, such as the words of a vocabulary.
    """

    inputs: Inputs
    output_size: int
    course: Callable[[Sequence[int], int], Course]
    loss: Callable[[Tensor, Tensor], Tensor]
    score: Callable[[Tensor, Tensor], Tensor]
    test: Callable[[Model], dict[str, Tensor]]
    reads: Reads = "last"
    stateful: bool = False
    validation: Validation | None = None
    classes: Classes | None = None
    baselines: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    facts: tuple[str, ...] = ()
    keeps: Mapping[str, Any] = field(default_factory=dict)


class Options(BaseModel):
    """What can be chosen of a task; a subclass of it lists its own, with their usual values."""

    model_config = ConfigDict(extra="forbid", frozen=True)


@dataclass(frozen=True)
class Task:
    """One row of `TASKS`.

    Attributes:
        name: what the command line calls it.
        about: one line.
        revision: raised when data, loss or goal change, so that older runs do not count as the same.
        usual: the settings where nobody says otherwise, by the names of `Settings`.
        measures: what tables show, in their order.
        open: the problem with these options; reads the data.
        options: what can be chosen.
        goal: what a replica must reach to stop early, in words; empty if there is nothing.
        solves: whether reaching the goal means that the task is solved; otherwise it only stops training.
        scored: what `Problem.score` measures, with its unit.
        validated: the name of `Problem.validation`, by the options that were chosen.
    """

    name: str
    about: str
    revision: int
    usual: Mapping[str, Any]
    measures: tuple[Measure, ...]
    open: Callable[[Any], Problem]
    options: type[Options] = Options
    goal: str = ""
    solves: bool = False
    scored: str = "%"
    validated: Callable[[Mapping[str, Any]], str] = lambda _: "accuracy, %"
