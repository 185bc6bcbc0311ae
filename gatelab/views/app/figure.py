"""The live figure: panels below each other over the same steps, as plotly draws it from plain data.

Plain data, since plotly's own classes check each number: they take most of the time between a key and its answer.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np

from gatelab.views.answers import Values
from gatelab.views.app.colours import SHARES, SIGNED

ONE, TWO, GREY = "#3391d1", "#e07b39", "#8a949e"
"""Of the model as it is, of the one with held gates, and of what both share: to be read on white and on black."""
SEVERAL = ("#22a27f", "#c06aa6", "#b08d1c", "#8473d1", "#c9504f")
"""Of other lines: what is left of Okabe and Ito, a little lighter, and two more."""
UNITS = tuple((colour, dash) for dash in ("solid", "dash", "dot", "dashdot", "longdash") for colour in SEVERAL)
"""Colours and dashes of lines of units."""

LETTERS, LABELLED, LONGEST, LYING = 130, 60, 12, 110
"""Steps that have their labels written, of one letter and of more; of more steps only every so many have. Letters of a
label, longer ones are cut; and letters of all labels side by side, more are turned upright."""
LINE, ROW, LEAST_HIGH, MOST_HIGH = 110, 8, 48, 150
NAMED_ROW = 13
"""Heights in pixels: of a panel of lines, of a unit of a map, of a map at least and at most, and of a named row."""
SMALL, LARGE = 9, 11
"""Of letters, the first where many single ones stand side by side."""
GAP, ABOVE, BELOW, LETTER = 32, 44, 12, 7
"""Pixels between panels, above and below all of them and their labels, and of a letter."""

Trace = dict[str, Any]


@dataclass(frozen=True)
class Panel:
    """One part of the figure.

    Attributes:
        title: above it.
        height: in pixels.
        traces: as plotly has them, without axes.
        axis: settings of its vertical axis.
    """

    title: str
    height: int
    traces: tuple[Trace, ...]
    axis: dict[str, Any]


def map_panel(title: str, values: Values, *, low: float, high: float, names: Sequence[str] = ()) -> Panel:
    """A map of values (T, W), a row for each of W; names for the rows if they have any.

    Colours go from `low` to `high`, which the title tells; if none of the values is a number it says so.
    """
    drawn = f"{low:.3g} to {high:.3g}" if np.isfinite(values).any() else "without a use"
    trace = {
        "type": "heatmap",
        "z": packed(values.T),
        "x": _steps(1, len(values)),
        "zmin": low,
        "zmax": high,
        "colorscale": SIGNED if low < 0 else SHARES,
        "showscale": False,
        "hovertemplate": "step %{x}, %{y}: %{z:.4g}<extra></extra>",
    }
    axis: dict[str, Any] = {"autorange": "reversed", "nticks": 5, "tickformat": "d"}
    if names:
        axis = {
            "autorange": "reversed",
            "tickvals": list(range(len(names))),
            "ticktext": [plain(name) for name in names],
        }
    height = NAMED_ROW * len(names) or min(max(ROW * values.shape[1], LEAST_HIGH), MOST_HIGH)
    return Panel(f"{title}, {drawn}", height, (trace,), axis)


def number_panel(title: str, traces: Sequence[Trace], *, decimals: int, height: int) -> Panel:
    """Lines over the steps, of numbers that are told with so many decimals and never in thousands."""
    return Panel(title, height, tuple(traces), {"nticks": 5, "exponentformat": "none", "hoverformat": f".{decimals}f"})


def line_panel(title: str, traces: Sequence[Trace], *, is_share: bool = False, height: int = LINE) -> Panel:
    """Lines over the steps; shares always have the axis from 0 to 1."""
    return Panel(title, height, tuple(traces), {"range": [-0.06, 1.06]} if is_share else {"nticks": 5})


def line(
    values: Values, name: str, colour: str, dash: str = "solid", begin: int = 1, texts: Sequence[str] = ()
) -> Trace:
    """A line of values (T,) from a step on; a name if it has one in the legend, and texts for its points."""
    trace = {
        "type": "scatter",
        "mode": "lines+markers",
        "x": _steps(begin, len(values)),
        "y": packed(values),
        "name": name,
        "showlegend": bool(name),
        "line": {"color": colour, "dash": dash, "width": 2},
        "marker": {"size": 5},
        "hovertemplate": f"step %{{x}}: %{{y}}{' %{text}' if texts else ''}<extra>{name}</extra>",
    }
    return trace | ({"text": [plain(text) for text in texts]} if texts else {})


def unit_lines(values: Values, units: Sequence[int], styles: Sequence[tuple[str, str]]) -> list[Trace]:
    """A line for each of some units of values (T, W), in colours and dashes of which there are as many or more."""
    found = []
    for unit, (colour, dash) in zip(units, styles, strict=False):
        # The name stands at the line's end, where no legend has to be searched for its colour.
        texts = [""] * (len(values) - 1) + [f"{unit}"]
        named = {"mode": "lines+markers+text", "textposition": "middle right", "cliponaxis": False}
        end = named | {
            "textfont": {"color": colour},
            "hovertemplate": f"step %{{x}}, {unit}: %{{y}}<extra></extra>",
        }
        found.append(line(values[:, unit], "", colour, dash, texts=texts) | end)
    return found


def arrange(
    panels: Sequence[Panel], labels: Sequence[str], span: tuple[int, int] | None, last: int = 0
) -> dict[str, Any]:
    """The figure of some panels.

    Args:
        panels: from top to bottom.
        labels: what each step reads.
        span: the marked steps, from 1 and both inclusive, if any are.
        last: the step of the last forecast, if it stands behind all that is read.
    """
    inner = sum(panel.height for panel in panels) + GAP * (len(panels) - 1)
    traces: list[Trace] = []
    layout: dict[str, Any] = {"annotations": [], "shapes": _marked(span)}
    top, (steps, room) = inner, _label_steps(labels)
    for row, panel in enumerate(panels, 1):
        # The uppermost panel has the labels above it, all others share those below.
        place = {"xaxis": "x2" if row == 1 else "x", "yaxis": f"y{row}"}
        traces += [trace | place for trace in panel.traces]
        domain = [max(0.0, (top - panel.height) / inner), top / inner]
        layout[f"yaxis{row}"] = _AXIS | panel.axis | {"domain": domain, "anchor": place["xaxis"]}
        layout["annotations"].append(_title(panel.title, top / inner, above=room if row == 1 else 0))
        top -= panel.height + GAP
    steps["range"] = [0.5, max(last, len(labels)) + 0.5]
    layout["xaxis"] = steps | {"anchor": f"y{len(panels)}"}
    layout["xaxis2"] = steps | {"anchor": "y1", "side": "top", "matches": "x"}
    layout["margin"] = {"l": 56, "r": 32, "t": ABOVE + room, "b": BELOW + room}
    layout["height"] = inner + ABOVE + BELOW + 2 * room
    return {"data": traces, "layout": layout | _LAYOUT | {"uirevision": max(last, len(labels))}}


def plain(text: str) -> str:
    """Text that plotly shows as it is, though it takes some of what is in angle brackets for a tag."""
    return escape(text, quote=False)


def packed(values: Values) -> dict[str, Any]:
    """Numbers as plotly reads them from base64, which takes a fifth of the room of text."""
    small = np.ascontiguousarray(values, dtype="<f4")
    shape = {"shape": ", ".join(map(str, small.shape))} if small.ndim > 1 else {}
    return {"dtype": "f4", "bdata": b64encode(small.tobytes()).decode(), **shape}


_AXIS = {"zeroline": False, "gridcolor": "rgba(128, 128, 128, 0.25)", "automargin": True, "hoverformat": ".4g"}
_LAYOUT = {
    "paper_bgcolor": "rgba(0,0,0,0)",
    "plot_bgcolor": "rgba(0,0,0,0)",
    "font": {"family": "system-ui, sans-serif", "size": 11, "color": GREY},
    "dragmode": "select",
    "selectdirection": "h",
    "hovermode": "closest",
    "separators": ".",
    "legend": {"orientation": "h", "x": 1, "xanchor": "right", "y": 1, "yref": "container", "yanchor": "top"},
}


def _steps(begin: int, count: int) -> dict[str, Any]:
    return packed(np.arange(begin, begin + count, dtype=np.float32))


def _title(text: str, y: float, above: int) -> dict[str, Any]:
    place = {"x": 0, "xref": "paper", "xanchor": "left", "y": y, "yref": "paper", "yanchor": "bottom", "yshift": above}
    return {"text": plain(text), "showarrow": False, "font": {"size": 12}, **place}


def _marked(span: tuple[int, int] | None) -> list[dict[str, Any]]:
    if span is None:
        return []
    place = {"x0": span[0] - 0.5, "x1": span[1] + 0.5, "xref": "x", "y0": 0, "y1": 1, "yref": "paper"}
    return [{"type": "rect", "line": {"color": GREY, "width": 2}, "fillcolor": "rgba(138, 148, 158, 0.2)", **place}]


def _label_steps(labels: Sequence[str]) -> tuple[dict[str, Any], int]:
    """The axis of the steps, and the pixels that its labels are high."""
    longest = min(max(map(len, labels)), LONGEST)
    every = -(-len(labels) // (LETTERS if longest == 1 else LABELLED))
    places = range(0, len(labels), every)
    lies = longest == 1 or len(places) * (longest + 2) <= LYING
    axis = {
        "tickvals": [place + 1 for place in places],
        "ticktext": [_short(labels[place]) for place in places],
        "tickangle": 0 if lies else -90,
        "tickfont": {"size": SMALL if longest == 1 and len(places) > LABELLED else LARGE},
        "showgrid": False,
        "zeroline": False,
    }
    return axis, 2 * LETTER + 4 if lies else LETTER * longest + 8


def _short(label: str) -> str:
    return plain(label if len(label) <= LONGEST else f"{label[: LONGEST - 1]}…")
