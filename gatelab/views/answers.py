"""What a model would answer if it stopped after each step, as text and as numbers.

T time, B examples, O outputs.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from gatelab.nn.models import SequenceModel
from gatelab.views.examples import Examples

SAID = 10
"""Answers that are kept of each step, the likeliest or the first ones."""

Values = NDArray[np.float32]
Said = tuple[tuple[tuple[str, float], ...], ...]
"""For each step of an example some answers with their probabilities, the likeliest first, or some numbers."""


def answers_by_step(model: SequenceModel, examples: Examples) -> Tensor:
    """What a model would answer if it stopped after each step, (T, B, O)."""
    x, lengths = examples.x, examples.lengths
    read = x if model.embedding is None else model.embedding(x)
    output, _ = model.recurrent(read, None, lengths)
    if not model.recurrent.bidirectional or model.reads == "every":
        return model.head(output)  # type: ignore[no-any-return]
    # Going backwards it would have begun elsewhere, so that each stop is a reading of its own.
    steps, count = x.shape[:2]
    stops = torch.arange(1, steps + 1).repeat_interleave(count)
    answers: Tensor = model(x.repeat(1, steps, *[1] * (x.ndim - 2)), stops).unflatten(0, (steps, count))
    return answers


def _probabilities(answers: Tensor) -> Tensor:
    """Of classes (..., classes), for logits (..., O); one logit is that of the second class, whose other has 0."""
    both = functional.pad(answers, (1, 0)) if answers.shape[-1] == 1 else answers
    return both.softmax(-1)


def says(answers: Tensor, examples: Examples) -> tuple[Said, ...]:
    """The answers (T, B, O) of each example as text."""
    if examples.are_classes:
        shares, places = _probabilities(answers).sort(-1, descending=True)
    else:
        shares, places = answers, torch.arange(answers.shape[-1]).expand(answers.shape)
    shares, places = (part[..., :SAID].transpose(0, 1) for part in (shares, places))

    def step(names: list[int], own: list[float]) -> tuple[tuple[str, float], ...]:
        return tuple((examples.answers[name], share) for name, share in zip(names, own, strict=True))

    return tuple(
        tuple(map(step, names[:end].tolist(), own[:end].tolist()))
        for names, own, end in zip(places, shares, examples.ends, strict=True)
    )


def traced(answers: Tensor, examples: Examples) -> tuple[Values, ...]:
    """One number of each step of each example, (its T,).

    It is the probability of the right class, or of the one at `traced_place` where that is not known. Where answers are
    numbers it is the one there.
    """
    own = _of_classes(answers, examples) if examples.are_classes else answers[..., examples.traced]
    return tuple(own[:end, place].float().numpy() for place, end in enumerate(examples.ends))


def traced_place(examples: Examples) -> int:
    """Which answer stands for the others: of two classes the second, of more the first, of numbers the one chosen."""
    return int(len(examples.answers) == 2) if examples.are_classes else examples.traced


def _of_classes(answers: Tensor, examples: Examples) -> Tensor:
    shares = _probabilities(answers)
    if examples.target is None:
        return shares[..., traced_place(examples)]
    right = examples.target.long().expand(shares.shape[:-1])
    return shares.gather(-1, right.unsqueeze(-1)).squeeze(-1)


def targets(examples: Examples, place: int, end: int) -> tuple[str, ...]:
    """The right answers of one example as text: one, one a step, or none."""
    own = _asked(examples, place, end)
    if own is None:
        return ()
    return tuple(examples.answers[int(one)] if examples.are_classes else f"{one:.3g}" for one in own.tolist())


def wanted(examples: Examples, place: int, end: int) -> Values | None:
    """The numbers that `traced` should have in one example, (1,) or (its T,); None for classes."""
    own = _asked(examples, place, end)
    return None if own is None or examples.are_classes else own.float().numpy()


def _asked(examples: Examples, place: int, end: int) -> Tensor | None:
    """What is asked of one example, (1,) or (its T,); of several numbers the one that is traced."""
    target = examples.target
    if target is None:
        return None
    by_step = target.ndim == (2 if examples.are_classes else 3)
    own = target[:end, place] if by_step else target[place : place + 1]
    return own if examples.are_classes else own[:, examples.traced]
