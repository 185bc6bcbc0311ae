"""Gates, candidates and states through time against the input, as lines: pictures 1 to 9 of the 2018 gate report.

`gate_lines` takes the numbers from a scene, so that it is for any cell and for several on the same inputs; `draw_lines`
draws them: a row a name, a column an input.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import cycle

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from gatelab.errors import OptionError, nearest
from gatelab.views.answers import Values
from gatelab.views.figures import DASHES, FAINT, INK, REPORT_COLOUR, SEED_COLOUR, Dashes, dot_of
from gatelab.views.scene import Scene, Side
from gatelab.views.strips import Strip, draw_input, label_steps, shade_bits, strip_of
from gatelab.views.watched import Watched

INPUTS = 3
"""Columns, as the report has them."""
UNITS = 3
"""Lines of each model in a panel."""
MOST_LABELS = 30
"""Steps of a text in a panel, for which three of them have room."""
COLOURS = (SEED_COLOUR, INK, "#CC79A7", "#009E73", REPORT_COLOUR, "#56B4E9")
"""Of Okabe and Ito; the dashes beside them tell the lines apart in grey."""
Style = tuple[str, Dashes]
"""A colour and dashes."""


@dataclass(frozen=True, eq=False)
class Line:
    """One unit of one model over the steps, (T,)."""

    label: str
    values: Values


@dataclass(frozen=True, eq=False)
class Panel:
    """One name over one input.

    Attributes:
        name: as the probe has it.
        is_gate: whether it lies from 0 to 1.
        lines: all of them.
    """

    name: str
    is_gate: bool
    lines: tuple[Line, ...]


@dataclass(frozen=True, eq=False)
class Column:
    """One input, and the panels of all names over it."""

    strip: Strip
    panels: tuple[Panel, ...]


@dataclass(frozen=True, eq=False)
class LinePictures:
    """A figure's numbers: a column an input, each with the same names."""

    title: str
    columns: tuple[Column, ...]


def gate_lines(scene: Scene, keys: Collection[str] = (), inputs: int = INPUTS, units: int = UNITS) -> LinePictures:
    """The lines of the most varied units of each name.

    Args:
        scene: of one model or of several, which then share the panels.
        keys: of what is shown, as the probe has them; all if there are none.
        inputs: so many of the scene's examples, the first ones.
        units: lines a model in each panel.

    Raises:
        OptionError: no model of the scene has such a key.
    """
    shown = chosen_keys(scene, keys)
    columns = []
    for place in range(min(inputs, len(scene.examples))):
        strip = strip_of(scene, place, MOST_LABELS)
        columns.append(Column(strip, tuple(_panel(scene, key, place, strip.steps, units) for key in shown)))
    return LinePictures(scene.title, tuple(columns))


def chosen_keys(scene: Scene, keys: Collection[str]) -> tuple[str, ...]:
    """The keys of a scene's models, or those among them that are asked for, in the order of the equations.

    Raises:
        OptionError: no model has such a key.
    """
    known = dict.fromkeys(watched.key for side in scene.sides for watched in side.watched)
    for key in keys:
        if key not in known:
            raise OptionError(f"There is no '{key}' in the scene.\n{nearest(key, known)}")
    return tuple(key for key in known if not keys or key in keys)


def draw_lines(pictures: LinePictures) -> Figure:
    """The figure: names below each other, inputs side by side, a shade where a bit is one."""
    columns = pictures.columns
    has_input = columns[0].strip.values is not None
    rows = len(columns[0].panels) + has_input
    layout = ConstrainedLayoutEngine(hspace=0.02, wspace=0.03)
    figure = Figure(figsize=(0.8 + 3.1 * len(columns), 1.5 + 1.05 * rows), layout=layout)
    grid = figure.subplots(rows, len(columns), squeeze=False, sharey="row", sharex="col")
    styles = _styles(pictures)
    for own, column in zip(grid.T, columns, strict=True):
        if has_input:
            draw_input(own[0], column.strip)
        _draw_column(own[int(has_input) :], column, styles)
        own[0].set_title(_short(column.strip.title), loc="left", fontsize=9, color=INK)
    for axes in grid[0, 1:]:
        axes.set_ylabel("")
    for axes in grid.flat:
        axes.tick_params(length=0, labelsize=8, colors=INK)
        axes.spines[["top", "right", "left"]].set_visible(False)
    for axes, column in zip(grid[-1], columns, strict=True):
        label_steps(axes, column.strip)
    for axes, panel in zip(grid[int(has_input) :, 0], columns[0].panels, strict=True):
        axes.set_ylabel(panel.name, rotation=0, ha="right", va="center", fontsize=10, color=INK)
    figure.suptitle(pictures.title, x=0.01, ha="left", fontsize=12, fontweight="bold", color=INK)
    figure.legend(handles=_legend(pictures, styles), loc="outside lower left", ncols=6, frameon=False, fontsize=8)
    return figure


def _panel(scene: Scene, key: str, place: int, steps: slice, units: int) -> Panel:
    found = [(side, watched) for side in scene.sides for watched in side.watched if watched.key == key]
    lines = tuple(
        Line(_label(side.title if len(scene.sides) > 1 else "", watched, unit), watched.values[place][steps, unit])
        for side, watched in found
        for unit in _units(side, watched, units)
    )
    return Panel(key, any(watched.is_gate for _, watched in found), lines)


def _units(side: Side, watched: Watched, count: int) -> list[int]:
    """Places of the most varied units in the first example; the same for all names of a model that are as wide."""
    same = [other for other in side.watched if other.units == watched.units]
    spread = same[-1].values[0].std(axis=0)
    return sorted(spread.argsort(kind="stable")[::-1][:count].tolist())


def _label(title: str, watched: Watched, unit: int) -> str:
    own = "" if watched.width == 1 else f"unit {watched.units[unit]}"
    return ", ".join(part for part in (title, own) if part)


def _draw_column(grid: Sequence[Axes], column: Column, styles: dict[str, Style]) -> None:
    for axes, panel in zip(grid, column.panels, strict=True):
        shade_bits(axes, column.strip)
        _draw_panel(axes, panel, styles)


def _draw_panel(axes: Axes, panel: Panel, styles: dict[str, Style]) -> None:
    for line in panel.lines:
        colour, dashes = styles[line.label]
        axes.plot(line.values, color=colour, linestyle=dashes, linewidth=1.5, marker=dot_of(len(line.values)))
    if panel.is_gate:
        axes.set_ylim(-0.08, 1.08)
        axes.set_yticks([0, 1])
    else:
        axes.margins(y=0.12)
        axes.locator_params(axis="y", nbins=4)
    axes.grid(axis="y", color=FAINT, linewidth=0.8)
    axes.set_axisbelow(True)


def _styles(pictures: LinePictures) -> dict[str, Style]:
    """One for each label."""
    labels = dict.fromkeys(line.label for column in pictures.columns for panel in column.panels for line in panel.lines)
    return dict(zip(labels, zip(cycle(COLOURS), cycle(DASHES)), strict=False))


def _legend(pictures: LinePictures, styles: dict[str, Style]) -> list[Line2D | Patch]:
    handles: list[Line2D | Patch] = [
        Line2D([], [], color=colour, linestyle=dashes, label=label)
        for label, (colour, dashes) in styles.items()
        if label
    ]
    if any(column.strip.is_bits for column in pictures.columns):
        handles.append(Patch(color=REPORT_COLOUR, alpha=0.16, linewidth=0, label="the input is 1"))
    return handles


def _short(title: str) -> str:
    return title if len(title) <= 48 else f"{title[:47]}…"
