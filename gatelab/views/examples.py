"""Inputs to look at, with what each step reads and what is asked, as a person would call it.

T time, B examples, I input, O outputs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from gatelab.errors import ShapeError
from gatelab.tasks.texts import Reading

Kind = Literal["tokens", "rows", "values"]
"""How an input is drawn: as the labels of its steps, as a picture with a row a step, or as lines over the steps."""

BLANKS = {" ": "␣", "\n": "⏎", "\t": "⇥"}
"""Characters that could not be seen, and what stands for them."""


@dataclass(frozen=True, eq=False)
class Examples:
    """Inputs to look at.

    Attributes:
        x: (T, B, I), or tokens (T, B) of long.
        kind: how they are drawn.
        labels: what each step of each example reads, B times so many texts as it has steps.
        target: as a task's problem has it: (B,), (T, B), (B, O) or (T, B, O); None where nothing is known.
        answers: what the outputs are called; two names where one output decides between two classes.
        are_classes: whether the answers are classes; otherwise they are numbers.
        titles: of the examples; numbers if there are none.
        lengths: the steps of each, (B,), or None if all have T.
        traced: the output that is drawn over the steps where answers are numbers.
        unit: of the numbers in inputs, targets and answers where the labels are in another one.
        raw: of a series what `x` is made of, (T, B, I), double, in units of the data; None of all else.

    Raises:
        ShapeError: the labels are not those of the steps.
    """

    x: Tensor
    kind: Kind
    labels: tuple[tuple[str, ...], ...]
    target: Tensor | None
    answers: tuple[str, ...]
    are_classes: bool = True
    titles: tuple[str, ...] = ()
    lengths: Tensor | None = None
    traced: int = 0
    unit: str = ""
    raw: Tensor | None = None

    def __post_init__(self) -> None:
        found = [len(own) for own in self.labels]
        if found != self.ends:
            raise ShapeError(f"There are labels for {found} steps.\nGive one for each step of {self.ends}.")

    @property
    def ends(self) -> list[int]:
        """The steps of each example."""
        steps, count = self.x.shape[:2]
        return [steps] * count if self.lengths is None else self.lengths.tolist()


def in_turn(classes: Tensor, count: int) -> Tensor:
    """Rows, (count,) or all, that take the classes, (N,) of long, in turn; the first ones of each."""
    members = torch.nn.functional.one_hot(classes)
    rank = members.cumsum(0).gather(1, classes.unsqueeze(1)).squeeze(1)
    return (rank * members.shape[1] + classes).argsort(stable=True)[:count]


def spread(available: int, count: int) -> Tensor:
    """Places, (count,) or all, evenly spread over so many."""
    return torch.linspace(0, available - 1, min(count, available)).round().long()


def visible(symbol: str) -> str:
    """A symbol of a text with what could not be seen made visible."""
    return "".join(BLANKS.get(character, character) for character in symbol)


def texts_as_examples(
    texts: tuple[str, ...], reading: Reading, classes: tuple[str, ...], target: Tensor | None = None
) -> Examples:
    """Texts as a classifier reads them, unknown words by the name of the unknown."""
    sequences = reading.cut(reading.encode(texts))
    x, lengths = reading.pad(sequences, torch.arange(len(texts)))
    ends = [len(x)] * len(texts) if lengths is None else lengths.tolist()
    labels = tuple(tuple(reading.vocabulary.decode(own[:end])) for own, end in zip(x.T.tolist(), ends, strict=True))
    return Examples(x, "tokens", labels, target, classes, lengths=lengths)
