"""Draws the figures of searched parts: a row a cell, so that cells are told apart by their place and read in grey."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from gatelab.views.figures import FAINT, INK, width_beside, write_below
from gatelab.views.search_figures import Places, Scale, SearchFigure, SearchRow

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Those of Okabe and Ito but the yellow, which is lost on white."""
SHAPES = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "p", "h")
"""As many as have no divisor in common with the colours, so that 77 cells all differ."""
OTHERS = "#cccccc"
MARGIN = 0.04
"""Of an axis, beyond the ends of a range."""


def draw_search(data: SearchFigure) -> Figure:
    """The figure of a record."""
    has_shares = any(row.shares for row in data.rows)
    columns = len(data.scales) + has_shares
    layout = ConstrainedLayoutEngine(wspace=0.03, hspace=0.03, w_pad=0.06, h_pad=0.04)
    width = width_beside(data.title, 1.0 + 2.7 * max(columns, 2))
    figure = Figure(figsize=(width, 1.8 + 1.0 * len(data.rows)), layout=layout)
    axes = figure.subplots(len(data.rows), columns, squeeze=False)
    cells = list(dict.fromkeys(row.cell for row in data.rows))
    for row, places in zip(data.rows, axes, strict=True):
        number = cells.index(row.cell)
        mark = {"color": COLOURS[number % len(COLOURS)], "marker": SHAPES[number % len(SHAPES)], "linestyle": "none"}
        _draw_row(row, places, mark, data)
        places[0].sharey(axes[0][0])
        if has_shares:
            _draw_shares(places[-1], row, data.scales, mark)
            axes[-1][-1].set_xlabel("share of variance, %", fontsize=9, color=INK)
        for place in places:
            _tidy(place, is_last=row is data.rows[-1])
    figure.suptitle(data.title, x=0.01, ha="left", fontsize=12, fontweight="bold", color=INK)
    figure.supylabel(f"{data.measure.name}, {data.measure.unit}".removesuffix(", "), fontsize=9, color=INK)
    figure.legend(handles=_legend(data), loc="outside upper right", ncols=4, frameon=False, fontsize=9)
    write_below(figure, data.footnote)
    return figure


def _draw_row(row: SearchRow, axes: Sequence[Axes], mark: dict[str, Any], data: SearchFigure) -> None:
    others = [one for one in data.rows if one.kind == row.kind and one is not row]
    for place, (scale, own) in enumerate(zip(data.scales, row.places, strict=True)):
        for other in others:
            axes[place].plot(other.places[place].scored, other.scores, **_OTHERS)
        _draw_trials(axes[place], own, row, mark)
        _set_scale(axes[place], scale, data.logarithmic)
        if place:
            axes[place].sharey(axes[0])
            axes[place].tick_params(labelleft=False)
        if row is data.rows[-1]:
            axes[place].set_xlabel(scale.setting, fontsize=9, color=INK)
    form = ".3g" if data.logarithmic else f",.{data.measure.digits}f"
    best = "no score" if row.best is None else f"best {row.scores[row.best]:{form}}"
    words = ", ".join(filter(None, (row.cell, row.kind, best)))
    axes[0].set_title(words, loc="left", fontsize=9, color=INK, pad=3)


def _draw_trials(axes: Axes, places: Places, row: SearchRow, mark: dict[str, Any]) -> None:
    axes.plot(places.scored, row.scores, **mark, **_TRIAL)
    if row.best is not None:
        axes.plot(places.scored[row.best], row.scores[row.best], **mark, **_BEST)
    # At the lower edge, whatever the range of the scores.
    axes.plot(places.lost, [0.05] * len(places.lost), transform=axes.get_xaxis_transform(), **_LOST)


_OTHERS: dict[str, Any] = {"color": OTHERS, "marker": ".", "markersize": 4, "linestyle": "none", "zorder": 1}
_TRIAL: dict[str, Any] = {"markersize": 4.5, "alpha": 0.8, "markeredgewidth": 0, "zorder": 3}
_BEST: dict[str, Any] = {"markersize": 8, "markeredgecolor": INK, "markeredgewidth": 1.4, "zorder": 4}
_LOST: dict[str, Any] = {"color": INK, "marker": "x", "markersize": 5, "linestyle": "none", "zorder": 3}


def _set_scale(axes: Axes, scale: Scale, logarithmic: bool) -> None:
    """The axes of a setting and of the scores; panels below each other show the same range."""
    low, high = scale.low, scale.high
    if scale.logarithmic:
        axes.set_xscale("log")
        beyond = (high / low) ** MARGIN
        axes.set_xlim(low / beyond, high * beyond)
        axes.xaxis.set_major_locator(LogLocator(subs=(1.0,) if high / low >= 100 else (1.0, 2.0, 5.0)))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.xaxis.set_minor_formatter(NullFormatter())
    else:
        beyond = 0.5 if scale.names else MARGIN * (high - low)
        axes.set_xlim(low - beyond, high + beyond)
    if scale.names:
        axes.set_xticks(range(len(scale.names)), scale.names)
    if logarithmic:
        axes.set_yscale("log")
    axes.margins(y=3 * MARGIN)


def _draw_shares(axes: Axes, row: SearchRow, scales: Sequence[Scale], mark: dict[str, Any]) -> None:
    """A bar a setting, from the first at the top."""
    places = range(len(scales))
    axes.barh(places, row.shares or [0] * len(scales), height=0.6, color=mark["color"], alpha=0.8)
    axes.set_yticks(places, [scale.setting for scale in scales])
    axes.set_ylim(len(scales) - 0.4, -0.6)
    axes.set_xlim(0, 100)
    if row.shares is None:
        axes.text(50, (len(scales) - 1) / 2, "too few scores", ha="center", va="center", fontsize=8, color=INK)


def _tidy(axes: Axes, is_last: bool) -> None:
    axes.grid(axis="both", color=FAINT, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.tick_params(which="both", length=0, labelsize=8, colors=INK, labelbottom=is_last)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def _legend(data: SearchFigure) -> list[Line2D]:
    trial: dict[str, Any] = {"color": INK, "marker": "o", "linestyle": "none"}
    has_others = len({row.cell for row in data.rows}) > 1
    has_lost = any(places.lost for row in data.rows for places in row.places)
    return [
        Line2D([], [], **trial, **_TRIAL, label="a trial of the row's cell"),
        Line2D([], [], **{**trial, "color": "white"}, **_BEST, label="its best"),
        *([Line2D([], [], **_OTHERS, label="trials of the other cells")] if has_others else []),
        *([Line2D([], [], **_LOST, label="diverged, without a score")] if has_lost else []),
    ]
