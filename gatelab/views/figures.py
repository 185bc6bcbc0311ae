"""A study's figures: every seed as a dot, the median with its interval, and the number that was reported.

`study_figure` gives the numbers of one task as a record; `draw_figure` draws it. What a mark means is said by its
shape and its place, so the figures also read in grey.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from textwrap import wrap
from typing import Any, Literal

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter

from gatelab.errors import StoreError
from gatelab.studies.outcome import Group, Outcome
from gatelab.studies.statistics import FEWEST_FOR_MEDIAN, Interval
from gatelab.tasks import find_task
from gatelab.tasks.base import STEPS, Measure

# Two of the colours of Okabe and Ito, which differ in lightness and for every kind of colour vision.
SEED_COLOUR, REPORT_COLOUR = "#0072B2", "#D55E00"
INK, FAINT = "#222222", "#dddddd"
Dashes = Literal["-", "--", ":", "-."]
DASHES: tuple[Dashes, ...] = ("-", "--", ":", "-.")
"""Of lines in turn, which tell them apart in grey."""


@dataclass(frozen=True)
class Row:
    """One line of dots.

    Attributes:
        label: at its left.
        values: of the seeds.
        median: of the values, or None.
        interval: of the median, or None.
        reported: the number of a reference, or None.
    """

    label: str
    values: tuple[float, ...]
    median: float | None
    interval: Interval | None
    reported: float | None


@dataclass(frozen=True)
class Panel:
    """Lines of dots over one axis.

    Attributes:
        title: above it.
        quantity: what the axis says.
        logarithmic: whether the axis is.
        rows: from top to bottom.
    """

    title: str
    quantity: str
    logarithmic: bool
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class FigureData:
    """Panels in rows and columns, with a title and a line below."""

    title: str
    grid: tuple[tuple[Panel, ...], ...]
    footnote: str


def study_figure(found: Outcome, part: str) -> FigureData:
    """The numbers of one part's figure: a panel for each size and measure."""
    groups = list(found.of(part))
    task = find_task(groups[0].task)
    # Steps until an early stop say little of a cell; steps until a task is solved do.
    measures = [measure for measure in task.measures if task.solves or measure.name != STEPS]
    sizes = list(dict.fromkeys((group.size, group.init) for group in groups))
    several = len({init for _, init in sizes}) > 1
    grid = []
    for size, init in sizes:
        own = [group for group in groups if (group.size, group.init) == (size, init)]
        words = f"{size} unit{'s' if size > 1 else ''}" + (f", start {init}" if several else "")
        if any(group.hidden_size != size for group in own):
            words = f"{own[0].parameters:,} parameters, more or less" + (f", start {init}" if several else "")
        grid.append(tuple(_panel(own, measure, words, task.solves) for measure in measures))
    if len(measures) == 1:
        grid = [tuple(row[0] for row in grid)]
    seeds = max(group.seeds for group in groups)
    note = f"{seeds} seeds a line, at most {groups[0].length}."
    if found.differences[part]:
        note += f" Otherwise than in the study's file: {', '.join(found.differences[part])}."
    if task.solves:
        note += "\nThe number at a cell counts the seeds that solved the task; only those have dots."
    note += f"\nInterval: for the median of all seeds; with fewer than {FEWEST_FOR_MEDIAN} dots their range, else 95 %."
    return FigureData(f"{found.name}: {part}", tuple(grid), note)


def draw_figure(data: FigureData) -> Figure:
    """The figure of a record."""
    rows, columns = len(data.grid), len(data.grid[0])
    lines = max(len(panel.rows) for row in data.grid for panel in row)
    layout = ConstrainedLayoutEngine(wspace=0.04, hspace=0.04, w_pad=0.08, h_pad=0.06)
    width = width_beside(data.title, 1.2 + 3.1 * max(columns, 2))
    figure = Figure(figsize=(width, 1.4 + rows * (0.75 + 0.32 * lines)), layout=layout)
    # Panels below each other show the same quantity, so they share its axis.
    axes = figure.subplots(rows, columns, squeeze=False, sharex="col")
    for row, panels in enumerate(data.grid):
        for column, panel in enumerate(panels):
            _draw_panel(axes[row][column], panel, named=column == 0 or _labels(panels[0]) != _labels(panel))
            axes[row][column].xaxis.set_tick_params(labelbottom=True)
    for column in range(columns):
        if not any(_has_marks(panels[column]) for panels in data.grid):
            axes[0][column].set_xlim(1, 10)
            axes[0][column].set_xticks([], minor=False)
            axes[0][column].set_xticks([], minor=True)
    figure.suptitle(data.title, x=0.01, ha="left", fontsize=12, fontweight="bold", color=INK)
    has_reports = any(line.reported is not None for row in data.grid for panel in row for line in panel.rows)
    figure.legend(handles=_legend(has_reports), loc="outside upper right", ncols=4, frameon=False, fontsize=9)
    write_below(figure, data.footnote)
    return figure


LETTERS = 14
"""Of a note below a figure on an inch."""


def write_below(figure: Figure, note: str) -> None:
    """A note in small letters, in lines as long as the figure is wide."""
    lines = [part for line in note.splitlines() for part in wrap(line, int(LETTERS * figure.get_figwidth()))]
    figure.supxlabel("\n".join(lines), x=0.01, ha="left", fontsize=8, color="#555555")


def width_beside(title: str, least: float) -> float:
    """Inches of a figure whose title has a legend of four entries on its right."""
    return max(least, 4.6 + 0.11 * len(title))


def tidy_series(axes: Axes) -> None:
    """The look of axes with values over steps."""
    axes.grid(axis="y", color=FAINT, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.margins(x=0.01)
    axes.tick_params(length=0, labelsize=9, colors=INK)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def dot_of(count: int) -> str:
    """The marker of a line of so many values: a dot where there is but one, of which a line shows nothing."""
    return "o" if count == 1 else ""


def save_figure(figure: Figure, stem: Path) -> tuple[Path, ...]:
    """Writes a PNG and an SVG, equal bytes for equal figures; their paths.

    Raises:
        StoreError: a file can't be written.
    """
    paths = tuple(stem.with_name(f"{stem.name}.{ending}") for ending in ("png", "svg"))
    for path in paths:
        metadata = {"Date": None} if path.suffix == ".svg" else None
        try:
            with matplotlib.rc_context({"svg.hashsalt": "gatelab"}):
                figure.savefig(path, dpi=160, metadata=metadata)
        except OSError as error:
            raise StoreError(f"{path} can't be written ({error.strerror}).\nMake room there.") from None
    return paths


def _panel(groups: list[Group], measure: Measure, words: str, solves: bool) -> Panel:
    rows = []
    for group in groups:
        finding = group.findings[measure.name]
        solved = f"  {group.reached.count}/{group.reached.of}" if solves else ""
        rows.append(
            Row(
                label=group.cell + solved,
                values=tuple(finding.values.values()),
                median=finding.summary.median if finding.summary else None,
                interval=finding.summary.median_interval if finding.summary else None,
                reported=finding.reported,
            )
        )
    is_steps = measure.name == STEPS
    quantity = "steps until solved" if is_steps else f"{measure.name}, {measure.unit}".removesuffix(", ")
    return Panel(words, quantity, is_steps, tuple(rows))


def _draw_panel(axes: Axes, panel: Panel, named: bool) -> None:
    for place, row in enumerate(panel.rows):
        axes.axhline(place, color=FAINT, linewidth=0.8, zorder=0)
        heights = [place + _height(index) for index in range(len(row.values))]
        axes.scatter(row.values, heights, s=22, color=SEED_COLOUR, alpha=0.55, linewidths=0, zorder=2)
        if row.interval is not None:
            axes.plot([row.interval.low, row.interval.high], [place] * 2, color=INK, linewidth=1.2, zorder=3)
        if row.median is not None:
            axes.plot([row.median] * 2, [place - 0.3, place + 0.3], color=INK, linewidth=2.2, zorder=4)
        if row.reported is not None:
            axes.plot(row.reported, place, **_REPORT_MARK, zorder=5)
    axes.set_ylim(len(panel.rows) - 0.4, -0.6)
    axes.set_yticks(range(len(panel.rows)), [row.label for row in panel.rows] if named else [])
    axes.tick_params(length=0, labelsize=9, colors=INK)
    if panel.logarithmic:
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axes.set_title(panel.title, loc="left", fontsize=10, color=INK)
    axes.set_xlabel(panel.quantity, fontsize=9, color=INK)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)


_REPORT_MARK: dict[str, Any] = {
    "marker": "D",
    "markersize": 6.5,
    "markerfacecolor": "white",
    "markeredgecolor": REPORT_COLOUR,
    "markeredgewidth": 1.6,
    "linestyle": "none",
}


def _height(index: int) -> float:
    """A small height that keeps equal values apart, the same on every drawing."""
    return 0.22 * math.sin(2.4 * index)


def _legend(has_reports: bool) -> list[Line2D]:
    handles = [
        Line2D([], [], marker="o", linestyle="none", color=SEED_COLOUR, alpha=0.55, markersize=5, label="a seed"),
        Line2D([], [], marker="|", linestyle="none", color=INK, markersize=10, markeredgewidth=2.2, label="median"),
        Line2D([], [], color=INK, linewidth=1.2, label="its interval"),
    ]  # fmt: skip
    if has_reports:
        handles.append(Line2D([], [], **_REPORT_MARK, label="reported"))
    return handles


def _has_marks(panel: Panel) -> bool:
    return any(row.values or row.reported is not None for row in panel.rows)


def _labels(panel: Panel) -> list[str]:
    return [row.label for row in panel.rows]
