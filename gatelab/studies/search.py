"""Random search: which settings of a part are drawn, from where, and what each trial has (Bergstra & Bengio 2012).

A trial's draws come from a generator of its own number. So all cells have the same draws, and a search with more
trials begins with those that there were.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from gatelab.errors import OptionError, nearest
from gatelab.training.settings import CHOICES, Settings, check_choice

Drawn = int | float | str | bool
"""A drawn value."""

DIGITS = 3
"""Of a drawn number, so that settings read well."""
TRIES = 1000
"""Draws of one trial that may all have been there before."""


@dataclass(frozen=True)
class Between:
    """Numbers between two ends.

    Attributes:
        low: the lower end.
        high: the upper end.
        log: whether logarithms are drawn evenly, and not the numbers.
        whole: whether only whole numbers are.
    """

    low: float
    high: float
    log: bool = False
    whole: bool = False

    def draw(self, share: float) -> Drawn:
        """The number with this share of the range, from 0 to below 1, under it."""
        edge = 0.5 if self.whole else 0.0  # Each whole number, the ends too, stands for the ones that round to it.
        low, high = self.low - edge, self.high + edge
        value = low * (high / low) ** share if self.log else low + share * (high - low)
        short = float(f"{round(value) if self.whole else value:.{DIGITS}g}")
        inside = min(max(short, self.low), self.high)
        return int(inside) if self.whole else inside

    def __str__(self) -> str:
        return f"{self.low:g} to {self.high:g}" + (", evenly in its logarithm" if self.log else "")


@dataclass(frozen=True)
class Among:
    """Some values, all as likely."""

    among: tuple[Drawn, ...]

    def draw(self, share: float) -> Drawn:
        """The value at this share of them, from 0 to below 1."""
        return self.among[int(share * len(self.among))]

    def __str__(self) -> str:
        return "among " + ", ".join(map(str, self.among))


Range = Between | Among


@dataclass(frozen=True)
class Trial:
    """One draw.

    Attributes:
        number: from 0 on.
        drawn: a value for each searched setting.
    """

    number: int
    drawn: Mapping[str, Drawn]


class Search(BaseModel):
    """The table `search` of a study's part: beside its own keys, a range for each searched setting."""

    model_config = ConfigDict(extra="allow", frozen=True)

    trials: Annotated[int, Field(ge=1)] = 20
    """Of each cell."""
    seed: Annotated[int, Field(ge=0)] = 0
    """Of the draws; another one draws others."""

    @model_validator(mode="after")
    def _ranges_exist(self) -> Search:
        if not self.ranges:
            raise ValueError("nothing is searched.\nGive a range, such as learning_rate = { low = 1e-4, high = 0.1 }.")
        return self

    @property
    def ranges(self) -> dict[str, Range]:
        """The ranges by setting, in the order of their names, which the draws follow."""
        given = self.model_extra or {}
        return {name: _read_range(name, given[name]) for name in sorted(given)}

    def draw(self, trials: int) -> tuple[Trial, ...]:
        """So many trials, no two with the same values.

        Raises:
            OptionError: the ranges hold fewer.
        """
        ranges = self.ranges
        seen: dict[tuple[Drawn, ...], Trial] = {}
        for number in range(trials):
            generator = np.random.default_rng((self.seed, number))
            for _ in range(TRIES):
                shares = generator.random(len(ranges))
                values = tuple(range_.draw(share) for range_, share in zip(ranges.values(), shares, strict=True))
                if values not in seen:
                    break
            else:
                raise OptionError(
                    f"{trials} trials are asked for, and after {number} the ranges give nothing new.\n"
                    "Widen them, or take fewer trials."
                )
            seen[values] = Trial(number, dict(zip(ranges, values, strict=True)))
        return tuple(seen.values())


def _read_range(name: str, given: Any) -> Range:
    """A range from a study file; raises the ValueError of one that can't be."""
    if name not in CHOICES:
        raise ValueError(f"there is no key '{name}'.\n{nearest(name, [*CHOICES, *Search.model_fields])}")
    if not isinstance(given, Mapping):
        raise ValueError(f"{name} is {given!r}, not a range.\nWrite {{ low = .., high = .. }} or {{ among = [..] }}.")
    for key in given:
        known = ("among",) if "among" in given else ("low", "high", "log")
        if key not in known:
            raise ValueError(f"{name} has no key '{key}'.\n{nearest(key, known)}")
    return _read_among(name, given["among"]) if "among" in given else _read_between(name, **given)


def _read_among(name: str, values: Any) -> Among:
    if not isinstance(values, list) or not all(isinstance(value, Drawn) for value in values):
        raise ValueError(f"{name} is among {values!r}.\nGive a list of numbers, words, or true and false.")
    if len(set(values)) < max(2, len(values)):
        raise ValueError(f"{name} is among {values!r}.\nGive two values or more, each once.")
    _check(name, *values)
    return Among(tuple(values))


def _read_between(name: str, low: Any = None, high: Any = None, log: Any = False) -> Between:
    kinds = _kinds(name)
    if not kinds & {"integer", "number"}:
        raise ValueError(f"{name} is not a number.\nName its values: {{ among = [..] }}.")
    if not all(_is_number(end) for end in (low, high)) or not isinstance(log, bool):
        raise ValueError(
            f"{name} is from {low} to {high}, log = {log}.\nGive two numbers as low and high; log is true or false."
        )
    if low >= high:
        raise ValueError(f"{name} is from {low} to {high}.\nlow must be below high.")
    if log and low <= 0:
        raise ValueError(f"{name} is from {low}, which has no logarithm.\nTake a low above 0, or leave out log.")
    _check(name, low, high)
    return Between(low, high, log, whole="number" not in kinds)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


@cache
def _kinds(name: str) -> frozenset[str]:
    """What JSON calls the values that a setting can have."""
    schema = Settings.model_json_schema()["properties"][name]
    return frozenset(one.get("type", "") for one in schema.get("anyOf", [schema]))


def _check(name: str, *values: Drawn) -> None:
    for value in values:
        try:
            check_choice(name, value)
        except OptionError as error:
            raise ValueError(str(error)) from None
