"""A series that a model has made up, behind what it began with."""

from __future__ import annotations

from dataclasses import dataclass

from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from gatelab.views.figures import INK, REPORT_COLOUR, SEED_COLOUR, tidy_series


@dataclass(frozen=True)
class Sequence:
    """A series and where it comes from.

    Attributes:
        title: above it.
        start: what was given.
        made: what the model has taken to follow it.
    """

    title: str
    start: tuple[float, ...]
    made: tuple[float, ...]


def draw_sequence(data: Sequence) -> Figure:
    """The values over the steps; the start is told by its dots and a line where it ends."""
    figure = Figure(figsize=(8, 3), layout=ConstrainedLayoutEngine())
    axes, given = figure.subplots(), len(data.start)
    last = data.start[-1:]
    axes.plot(range(given - len(last), given + len(data.made)), (*last, *data.made), color=SEED_COLOUR, linewidth=1.4)
    axes.plot(range(given), data.start, color=REPORT_COLOUR, marker=".", markersize=4, linewidth=0.8)
    axes.axvline(given - 0.5, color=INK, linewidth=0.8, linestyle=":")
    axes.set_title(data.title, loc="left", fontsize=11, fontweight="bold", color=INK)
    axes.set_xlabel(f"step; the first {given} are given", fontsize=9, color=INK)
    tidy_series(axes)
    return figure
