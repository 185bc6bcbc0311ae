"""From what models do with an input to the panels of the figure."""

from __future__ import annotations

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
    Panel,
    Trace,
    arrange,
    line,
    line_panel,
    map_panel,
    number_panel,
)
from gatelab.views.app.figure import unit_lines as lines_of
from gatelab.views.live.looks import Look

CLASSES, COLUMNS = 12, 3
"""Classes that have a row each in a map, and columns of an input that are lines; of more an input is a map."""

Side = Literal["held", "as it is", "difference"]


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
    def sides(self) -> tuple[tuple[str, Look, str, str], ...]:
        """The models with their names, colours and dashes."""
        plain = ("as it is", self.plain, ONE, "solid")
        return (plain,) if self.held is None else (plain, ("held", self.held, TWO, "dash"))

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
        panels.append(line_panel(f"units of {scenery.focus}", lines_of(scenery.values(scenery.focus), scenery.units)))
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
        last = scenery.plain if scenery.side == "as it is" or scenery.held is None else scenery.held
        return map_panel("probability of each answer", last.answers, low=0, high=1, names=names)
    title = f"probability of '{names[1]}'" if len(names) == 2 else "the likeliest answer and its probability"
    return line_panel(title, _answers(scenery), is_share=True)


def _read(scenery: Scenery) -> list[Trace]:
    inputs = scenery.plain.inputs
    return [] if inputs is None or not scenery.is_forecast else [line(inputs[:, scenery.target], "what is read", GREY)]


def _answers(scenery: Scenery) -> list[Trace]:
    found = []
    for name, look, colour, dash in scenery.sides:
        many = look.are_classes and len(look.names) > 2
        texts = [look.names[place] for place in look.answers.argmax(-1)] if many else []
        found.append(line(look.line, name if scenery.held else "", colour, dash, look.begin, texts))
    return found


def _name_panel(scenery: Scenery, key: str) -> Panel:
    values, is_gate = scenery.values(key), key in scenery.gates
    if values.shape[1] == 1:  # Of a single unit a map would show less than lines, which show both models.
        lines = [
            line(look.values[key][:, 0], "", colour, dash)
            for _, look, colour, dash in scenery.sides
            if key in look.values
        ]
        return line_panel(key, lines, is_share=is_gate, height=LINE * 2 // 3)
    if is_gate and scenery.side != "difference":
        return map_panel(key, values, low=0, high=1)
    low, high = _around_zero(values)
    return map_panel(key, values, low=low, high=high)


def _around_zero(values: Values) -> tuple[float, float]:
    """The least range with 0 in its middle that has all values which are numbers."""
    most = float(np.nan_to_num(np.abs(values)).max()) or 1.0
    return -most, most
