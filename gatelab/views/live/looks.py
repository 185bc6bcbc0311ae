"""What a model does with one input, and how good it is on some of its test.

T time, B examples, W units, O outputs, K classes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from gatelab.errors import DataError
from gatelab.nn.models import SequenceModel
from gatelab.probes.probe import probe
from gatelab.views.answers import Values, answers_by_step
from gatelab.views.classification import probabilities
from gatelab.views.examples import Examples
from gatelab.views.live.hands import Hand, Typed

OF_STEPS = "The MSE is of all steps ahead, in units of the training part's standard deviation."


@dataclass(frozen=True, eq=False)
class Look:
    """What a model does with one input.

    Attributes:
        labels: what each step reads.
        inputs: (T, I), or None where the labels say it all; of a series in units of what is forecast.
        values: of each name in each layer by the probe's key, (T, W).
        names: of the answers.
        are_classes: whether these are classes; otherwise they are numbers.
        answers: if it stopped after each step: probabilities (T, K), or numbers (T, O) in units of the input.
        begin: the step, from 1, that the first number of `line` stands at.
        line: one number of the answer over the steps: the probability of the second of two classes or of the
            likeliest of more, the number that stands for the others, or a forecast.
        decimals: of answers that are numbers.
    """

    labels: tuple[str, ...]
    inputs: Values | None
    values: Mapping[str, Values]
    names: tuple[str, ...]
    are_classes: bool
    answers: Values
    begin: int
    line: Values
    decimals: int


@dataclass(frozen=True)
class Score:
    """How good a model is on some of its test.

    Attributes:
        value: a number.
        name: what it is.
        count: of how many examples.
        about: what else is to be known of the number, in a sentence.
    """

    value: float
    name: str
    count: int
    about: str = ""


@torch.no_grad()
def look(model: SequenceModel, typed: Typed, hand: Hand) -> Look:
    """What a model does with an input that has been read.

    Raises:
        DataError: an answer is not finite.
    """
    examples = typed.examples
    values = watched(model, examples, model.recurrent.cell.names)
    raw = answers_by_step(model, examples)[:, 0]
    if not raw.isfinite().all():
        raise DataError("The answer is not finite: numbers have grown beyond all bounds.\nChange the input.")
    answers = _answers(raw, typed)
    begin, line = _line(answers, typed, hand)
    return Look(
        labels=examples.labels[0],
        inputs=None if examples.kind == "tokens" else _in_units(examples.x[:, 0], typed),
        values={key: own[:, 0].float().numpy() for key, own in values.items()},
        names=examples.answers,
        are_classes=examples.are_classes,
        answers=answers,
        begin=begin,
        line=line,
        decimals=hand.decimals,
    )


@torch.no_grad()
def watched(model: SequenceModel, examples: Examples, names: tuple[str, ...]) -> dict[str, Tensor]:
    """The values of names of the equations while a model reads, (T, B, W) each, by the probe's keys."""
    with probe(model, *names) as record:
        model(examples.x, examples.lengths)
    return dict(record)


@lru_cache(maxsize=16)
@torch.no_grad()
def score_of(model: SequenceModel, examples: Examples, ahead: int = 0) -> Score:
    """The share of right answers in percent, or the mean squared error of numbers in the model's units.

    Forecasts of so many steps ahead count with all of these, by their medians where they are quantiles.
    """
    assert examples.target is not None
    answers, target = model(examples.x, examples.lengths), examples.target
    count = len(examples.labels)
    if not examples.are_classes:
        # As the task has it, no quantile lies above a higher one.
        middle, wanted = (
            part.unflatten(-1, (ahead or 1, -1)).sort(-1).values[..., examples.traced] for part in (answers, target)
        )
        return Score(float((middle - wanted).square().mean()), "MSE", count, OF_STEPS if ahead else "")
    chosen = (answers[..., 0] > 0).long() if answers.shape[-1] == 1 else answers.argmax(-1)
    return Score(100 * float((chosen == target).float().mean()), "% right", count)


def _answers(raw: Tensor, typed: Typed) -> Values:
    if typed.examples.are_classes:
        return probabilities(raw).astype("float32")
    return _in_units(raw, typed)


def _in_units(values: Tensor, typed: Typed) -> Values:
    found: Values = (values.float() * typed.scale + typed.offset).numpy()
    return found


def _line(answers: Values, typed: Typed, hand: Hand) -> tuple[int, Values]:
    """The line of the answers, and the step that it begins at."""
    examples, steps = typed.examples, len(answers)
    if hand.ahead:
        each = answers[-1].reshape(hand.ahead, -1)
        return steps + 1, each[:, examples.traced]
    if not examples.are_classes:
        # Of a series it is the next value, which stands a step later.
        return (2 if hand.surface == "points" else 1), answers[:, examples.traced]
    return 1, answers[:, 1] if answers.shape[1] == 2 else answers.max(-1)
