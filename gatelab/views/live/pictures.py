"""Hands of models that read pictures, a row or a point a step."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from gatelab.data.images import SIDE
from gatelab.errors import OptionError
from gatelab.tasks.mnist import BRIGHTEST, NAMES, as_sequences
from gatelab.views.examples import Examples
from gatelab.views.live.hands import Hand, Typed

LEVELS = "0123456789abcdefg"
"""How bright a point of a picture is, from 0 to 16, as one letter."""


def picture_hand(options: Mapping[str, Any], keeps: Mapping[str, Any], *, side: int, brightest: float) -> Hand:
    """Of a classifier of square pictures with so many points a side, whose brightest one is this number."""
    order, names = options.get("order", "rows"), NAMES[options.get("dataset", "mnist")]

    def read(text: str) -> Typed:
        x = as_sequences(read_picture(text, side).unsqueeze(0) * brightest, order).transpose(0, 1)
        word = "row" if len(x) == side else "point"
        labels = tuple(f"{word} {step}" for step in range(1, len(x) + 1))
        return Typed(Examples(x, "rows", (labels,), None, names))

    def write(examples: Examples, place: int) -> str:
        points = examples.x[:, place].flatten() / brightest
        if order == "permuted":
            places = as_sequences(torch.arange(side * side).view(1, side, side), order).flatten()
            points = torch.zeros_like(points).scatter(0, places, points)
        return write_picture(points.view(side, side))

    return Hand(
        surface="picture",
        hint=f"A picture of {side} by {side} points. Press and move to draw; from a bright point on, to erase.",
        read=read,
        write=write,
        blank="0",
        rows=side,
        columns=side,
    )


def mnist_hand(options: Mapping[str, Any], keeps: Mapping[str, Any]) -> Hand:
    """Of a classifier of MNIST or Fashion-MNIST, in whatever order it reads the points."""
    return picture_hand(options, keeps, side=SIDE, brightest=1.0 if options["scale"] else BRIGHTEST)


def read_picture(text: str, side: int) -> Tensor:
    """Points from 0 to 1, (side, side), of rows of letters of `LEVELS`; what is missing is 0.

    Raises:
        OptionError: a letter is none of these, or there are too many rows or letters.
    """
    rows = text.lower().split()
    strangers = sorted(set("".join(rows)) - set(LEVELS))
    if strangers:
        raise OptionError(f"{', '.join(map(repr, strangers))} is no brightness.\nWrite 0 to 9 and a to g, which is 16.")
    if len(rows) > side or max(map(len, rows), default=0) > side:
        raise OptionError(f"The picture is larger than {side} by {side} points.\nLeave rows or letters out.")
    levels = [[LEVELS.index(letter) for letter in row.ljust(side, "0")] for row in rows]
    levels += [[0] * side] * (side - len(rows))
    return torch.tensor(levels) / (len(LEVELS) - 1)


def write_picture(points: Tensor) -> str:
    """Points from 0 to 1, (side, side), as rows of letters of `LEVELS`, the nearest ones."""
    levels = (points * (len(LEVELS) - 1)).round().long().clamp(0, len(LEVELS) - 1)
    return "\n".join("".join(LEVELS[level] for level in row) for row in levels.tolist())
