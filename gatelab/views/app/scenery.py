"""From what models do with an input to the panels of the figure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from gatelab.views.answers import Values
from gatelab.views.app.figure import (
    GREY,
    LINE,
    ONE,
    SEVERAL,
    TWO,
    UNITS,
    Panel,
    Trace,
    arrange,
    line,
    line_panel,
    map_panel,
    number_panel,
    unit_lines,
)
from gatelab.views.live.looks import Look

CLASSES, COLUMNS = 12, 3
"""Classes that have a row each in a map, and columns of an input that are lines; of more an input is a map."""

Side = Literal["held", "as it is", "difference"]
STYLES: Mapping[Side, tuple[str, str]] = {
    "as it is": (ONE, "solid"),
    "held": (TWO, "dash"),
    "difference": (SEVERAL[0], "solid"),
}
"""The colour and the dash of the lines of a side, as the legend has them."""


@dataclass(frozen=True, eq=False)
class Scenery:
    """What is to be drawn.

    Attributes:
        plain: what the model does as it is.
        held: what it does with its held gates; None if none are held.
        gates: which of the names lie between 0 and 1.
        shown: the maps, by the probe's keys.
        side: whose values the maps and lines show; as it is where none are held.
        focus: whose units are drawn as lines.
        units: which ones.
        span: the marked steps, from 1, both inclusive; None if none are.
        target: the column of the input that a forecast is of.
    """

    plain: Look
    held: Look | None
    gates: tuple[str, ...]
    shown: tuple[str, ...]
    side: Side
    focus: str
    units: tuple[int, ...]
    span: tuple[int, int] | None
    target: int

    @property
    def sides(self) -> tuple[tuple[Side, Look], ...]:
        """The models with their names."""
        return (("as it is", self.plain),) + (() if self.held is None else (("held", self.held),))

    def titled(self, title: str, *sides: Side) -> str:
        """A title that says whose values these are, the side's unless told, where there is more than one model."""
        return title if self.held is None else f"{title}, {' and '.join(sides or (self.side,))}"

    @property
    def is_forecast(self) -> bool:
        """Whether the answer is what follows the input."""
        return self.plain.begin > 1

    def values(self, key: str) -> Values:
        """Of the side that is shown, (T, W); nowhere a number where held gates leave the name without a use."""
        plain = self.plain.values[key]
        if self.held is None or self.side == "as it is":
            return plain
        own = self.held.values.get(key, np.full_like(plain, np.nan))
        return own if self.side == "held" else own - plain


def live_figure(scenery: Scenery) -> dict[str, Any]:
    """The figure: the input, the answer, a map for each name that is shown, and lines of units."""
    panels = [*_input_panels(scenery), _answer_panel(scenery), *(_name_panel(scenery, key) for key in scenery.shown)]
    if scenery.units:
        panels.append(_units_panel(scenery))
    last = scenery.plain.begin + len(scenery.plain.line) - 1
    return arrange(panels, scenery.plain.labels, scenery.span, last)


def _input_panels(scenery: Scenery) -> list[Panel]:
    inputs = scenery.plain.inputs
    if inputs is None or scenery.is_forecast:
        return []  # Labels say it all, or a forecast is drawn behind it.
    if inputs.shape[1] > COLUMNS:
        low, high = (0.0, float(inputs.max()) or 1.0) if inputs.min() >= 0 else _around_zero(inputs)
        return [map_panel("what is read", inputs, low=low, high=high)]
    lines = [line(column, "", colour) for column, colour in zip(inputs.T, SEVERAL, strict=False)]
    return [line_panel("what is read", lines, height=LINE // 2)]


def _answer_panel(scenery: Scenery) -> Panel:
    names = scenery.plain.names
    if not scenery.plain.are_classes:
        title = "what is read, and what is to follow" if scenery.is_forecast else f"answer: {names[0]}"
        lines = _read(scenery) + _answers(scenery)
        return number_panel(title, lines, decimals=scenery.plain.decimals, height=LINE + LINE // 3)
    if 2 < len(names) <= CLASSES:
        side, look = scenery.sides[0 if scenery.side == "as it is" else -1]
        title = scenery.titled("probability of each answer", side)
        return map_panel(title, look.answers, low=0, high=1, names=names)
    title = f"probability of '{names[1]}'" if len(names) == 2 else "the likeliest answer and its probability"
    return line_panel(title, _answers(scenery), is_share=True)


def _read(scenery: Scenery) -> list[Trace]:
    inputs = scenery.plain.inputs
    return [] if inputs is None or not scenery.is_forecast else [line(inputs[:, scenery.target], "what is read", GREY)]


def _answers(scenery: Scenery) -> list[Trace]:
    found = []
    for name, look in scenery.sides:
        many = look.are_classes and len(look.names) > 2
        texts = [look.names[place] for place in look.answers.argmax(-1)] if many else []
        found.append(line(look.line, name if scenery.held else "", *STYLES[name], look.begin, texts))
    return found


def _name_panel(scenery: Scenery, key: str) -> Panel:
    values, is_share = scenery.values(key), key in scenery.gates and scenery.side != "difference"
    if values.shape[1] == 1:
        return _single_panel(scenery, key, values[:, 0], is_share)
    low, high = (0.0, 1.0) if is_share else _around_zero(values)
    return map_panel(scenery.titled(key), values, low=low, high=high)


def _single_panel(scenery: Scenery, key: str, values: Values, is_share: bool) -> Panel:
    """Of a single unit, (T,): a map would show less than lines, which show both models or the difference."""
    drawn = {name: look.values[key][:, 0] for name, look in scenery.sides if key in look.values}
    if scenery.side == "difference":
        drawn = {"difference": values}
    lines = [line(own, "", *STYLES[name]) for name, own in drawn.items()]
    return line_panel(scenery.titled(key, *drawn), lines, is_share=is_share, height=LINE * 2 // 3)


def _units_panel(scenery: Scenery) -> Panel:
    """Lines of units: one alone looks like its side, several have colours that no side has."""
    styles = (STYLES[scenery.side],) if len(scenery.units) == 1 else UNITS
    lines = unit_lines(scenery.values(scenery.focus), scenery.units, styles)
    return line_panel(scenery.titled(f"units of {scenery.focus}"), lines)


def _around_zero(values: Values) -> tuple[float, float]:
    """The least range with 0 in its middle that has all values which are numbers."""
    most = float(np.nan_to_num(np.abs(values)).max()) or 1.0
    return -most, most
