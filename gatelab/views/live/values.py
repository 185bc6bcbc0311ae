"""Hands of models that read numbers: windows of a series.

T time, C columns.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from gatelab.data.windows import SPAN, sine
from gatelab.errors import OptionError
from gatelab.views.decimals import KEPT, TOLD, decimals, step_labels
from gatelab.views.examples import Examples
from gatelab.views.live.hands import Hand, Typed

LONGEST = 20
"""Letters that are told of what is no number."""
SINE = sine(torch.linspace(*SPAN, 301)).std().unsqueeze(0)
"""The deviation of the series of the task sine, (1,)."""


def read_numbers(text: str, columns: int) -> Tensor:
    """Numbers, (T, C), double, from text with white space, commas or semicolons between them.

    Raises:
        OptionError: one of them is no finite number, there are none, or they do not fill the last step.
    """
    words = re.findall(r"[^\s,;]+", text)
    if not words:
        raise OptionError("There is no number to read.\nWrite them as in 1.5, -2, 3e2.")
    numbers = torch.tensor([_number(word) for word in words], dtype=torch.float64)
    if not numbers.float().isfinite().all():
        raise OptionError("A number is infinite, too large or none at all.\nWrite numbers as in 1.5, -2, 3e2.")
    if len(numbers) % columns:
        raise OptionError(f"{len(numbers)} numbers do not fill steps of {columns} columns.\nWrite {columns} a line.")
    return numbers.view(-1, columns)


def _number(word: str) -> float:
    try:
        return float(word)
    except ValueError:
        raise OptionError(f"'{word[:LONGEST]}' is no number.\nWrite numbers as in 1.5, -2, 3e2.") from None


def write_numbers(values: Tensor) -> str:
    """Numbers (T, C), each the shortest that reads as it, a step a line; of one column in one line."""
    steps = [", ".join(str(one).removesuffix(".0") for one in step) for step in values.numpy()]
    return (", " if values.shape[1] == 1 else "\n").join(steps)


def _kept(values: Tensor, deviation: Tensor) -> Tensor:
    """Values (T, C) without the digits that lie below what a model reads of their deviation (C,)."""
    columns = zip(values.unbind(1), deviation.tolist(), strict=True)
    return torch.stack([own.round(decimals=decimals(one, KEPT)) for own, one in columns], dim=1)


def sine_hand(options: Mapping[str, Any], keeps: Mapping[str, Any]) -> Hand:
    """Of a model that tells the next value at each step."""

    def read(text: str) -> Typed:
        values = read_numbers(text, 1).float()
        labels = step_labels(values, SINE)
        return Typed(Examples(values.unsqueeze(1), "values", (labels,), None, ("next",), are_classes=False))

    return Hand(
        surface="points",
        hint=f"Numbers; the model has learned from {keeps['window']} at a time. Move them, or write or paste others.",
        read=read,
        write=lambda examples, place: write_numbers(examples.x[:, place]),
        decimals=decimals(SINE.item(), TOLD),
    )


def series_hand(options: Mapping[str, Any], keeps: Mapping[str, Any]) -> Hand:
    """Of a forecaster: values in their own units, of all columns that it reads."""
    columns, target = keeps["columns"], keeps["columns"].index(keeps["target"])
    mean, deviation = (torch.tensor(keeps[name], dtype=torch.float64) for name in ("mean", "deviation"))
    shares, relative, ahead = keeps["quantiles"], keeps["relative"], range(1, keeps["ahead"] + 1)
    names = tuple(
        f"in {step}" if shares is None else f"in {step}, {100 * share:g} %" for step in ahead for share in shares or [1]
    )
    middle = 0 if shares is None else list(shares).index(0.5)

    def read(text: str) -> Typed:
        values = read_numbers(text, len(columns))
        last = values[-1] if relative else mean
        x = ((values - last) / deviation).float().unsqueeze(1)
        labels, raw = (step_labels(values, deviation),), values.unsqueeze(1)
        found = Examples(x, "values", labels, None, names, are_classes=False, traced=middle, raw=raw)
        return Typed(found, (), deviation[target].item(), last[target].item())

    def write(examples: Examples, place: int) -> str:
        assert examples.raw is not None
        return write_numbers(_kept(examples.raw[:, place], deviation))

    return Hand(
        surface="points",
        hint=f"{keeps['past']} steps of {', '.join(columns)}. Move the points of {keeps['target']}, or write others.",
        read=read,
        write=write,
        blank=write_numbers(_kept(mean.expand(keeps["past"], -1), deviation)),
        columns=len(columns),
        target=target,
        ahead=keeps["ahead"],
        decimals=decimals(deviation[target].item(), TOLD),
    )
