"""Learning curves: the median of the seeds at each step, and an interval for it.

One function gives the numbers as records, another draws them. K steps.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from gatelab.errors import OptionError
from gatelab.studies.statistics import Array, median_interval
from gatelab.tasks import find_task
from gatelab.training.record import Run, SeedResult
from gatelab.views.figures import INK, dot_of, write_below
from gatelab.views.search_drawing import COLOURS

DASHES = ("-", "--", "-.", ":")
"""One for each line in turn, so that they can be told apart in grey."""
Curve = Sequence[tuple[int, float | None]]
"""Steps, and what was found there; None for what was not finite."""

FEW_DECADES = 50
"""Times that the last step is the first, up to which 2 and 5 have a label as 1 has."""


@dataclass(frozen=True)
class CurveLine:
    """One run.

    Attributes:
        label: what it is called.
        seeds: how many.
        steps: those at which any seed has a point, (K,).
        middle: the median of the seeds, (K,); who has ended stays where it was.
        low, high: an interval for it, (K,); the same as the median for one seed.
    """

    label: str
    seeds: int
    steps: Array
    middle: Array
    low: Array
    high: Array


@dataclass(frozen=True)
class CurvePanel:
    """One quantity of all runs."""

    quantity: str
    lines: tuple[CurveLine, ...]


def learning_curves(runs: Mapping[str, Run]) -> tuple[CurvePanel, ...]:
    """Loss and score on the batches of training, and the score on validation data if there was any.

    Args:
        runs: of one task, by what they are called.

    Raises:
        OptionError: there is no run.
    """
    if not runs:
        raise OptionError("There is no run to draw.\nGive at least one.")
    settings = next(iter(runs.values())).settings
    task = find_task(settings.task)
    validated = task.validated(settings.options)
    quantities: dict[str, Callable[[SeedResult], Curve]] = {
        "loss of a batch": lambda seed: [(point.step, point.loss) for point in seed.curve],
        f"score of a batch, {task.scored}": lambda seed: [(point.step, point.score) for point in seed.curve],
        f"validation, {validated}": lambda seed: [(look.step, look.score) for look in seed.looks],
    }
    panels = [CurvePanel(name, tuple(_lines(runs, read))) for name, read in quantities.items()]
    return tuple(panel for panel in panels if panel.lines)


def draw_curves(panels: Sequence[CurvePanel], title: str) -> Figure:
    """A panel a quantity, over the logarithm of the steps, with an interval as a shade."""
    figure = Figure(figsize=(4.3 * len(panels) + 0.6, 3.6), layout=ConstrainedLayoutEngine())
    places = figure.subplots(1, len(panels), squeeze=False)[0]
    for axes, panel in zip(places, panels, strict=True):
        for number, line in enumerate(panel.lines):
            look = {"color": COLOURS[number % len(COLOURS)], "linestyle": DASHES[number % len(DASHES)]}
            axes.plot(line.steps, line.middle, linewidth=1.6, marker=dot_of(len(line.steps)), label=line.label, **look)
            axes.fill_between(line.steps, line.low, line.high, color=look["color"], alpha=0.13, linewidth=0)
        _tidy(axes, panel.quantity)
    figure.suptitle(title, x=0.01, ha="left", fontsize=12, fontweight="bold", color=INK)
    handles, labels = places[0].get_legend_handles_labels()
    if len(labels) > 1:
        figure.legend(handles, labels, loc="outside right upper", frameon=False, fontsize=9)
    seeds = sorted({line.seeds for panel in panels for line in panel.lines})
    counts = f"{seeds[0]} to {seeds[-1]}" if len(seeds) > 1 else f"{seeds[0]}"
    note = f"Median of {counts} seeds; shade: an interval for it. A seed that has ended stays where it was."
    if seeds == [1]:
        note = "One seed a line."
    write_below(figure, note)
    return figure


def _lines(runs: Mapping[str, Run], read: Callable[[SeedResult], Curve]) -> list[CurveLine]:
    found = []
    for label, run in runs.items():
        curves = [[(step, value) for step, value in read(seed) if value is not None] for seed in run.results]
        curves = [curve for curve in curves if curve]
        if curves:
            found.append(_line(label, curves))
    return found


def _line(label: str, curves: Sequence[Sequence[tuple[int, float]]]) -> CurveLine:
    """The median of the seeds from the first step at which all of them have a point."""
    first = max(curve[0][0] for curve in curves)
    steps = np.array(sorted({step for curve in curves for step, _ in curve if step >= first}), float)
    values = np.array([_held(curve, steps) for curve in curves])
    ordered, middle = np.sort(values, axis=0), np.median(values, axis=0)
    # The interval lies between two of the ordered values, the same two at every step.
    ranks = median_interval(range(len(curves)))
    low, high = (middle, middle) if ranks is None else (ordered[round(ranks.low)], ordered[round(ranks.high)])
    return CurveLine(label, len(curves), steps, middle, low, high)


def _held(curve: Sequence[tuple[int, float]], steps: Array) -> Array:
    """The value at or before each step."""
    own, values = zip(*curve, strict=True)
    places = np.searchsorted(np.array(own), steps, side="right") - 1
    found: Array = np.array(values, float)[places]
    return found


def _tidy(axes: Axes, quantity: str) -> None:
    axes.set_xscale("log")
    first, last = axes.get_xlim()
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if last < FEW_DECADES * first else (1,)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_title(quantity, loc="left", fontsize=10, color=INK)
    axes.set_xlabel("steps", fontsize=9, color=INK)
    axes.tick_params(labelsize=8, colors=INK)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
