"""Heat maps: all units of a name over the steps of one example, with what the steps read beside them.

`heat_maps` takes the numbers from a scene, `draw_heat` draws them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from gatelab.views.answers import Values
from gatelab.views.figures import FAINT, INK, SEED_COLOUR, dot_of
from gatelab.views.gate_figures import chosen_keys
from gatelab.views.scene import Scene
from gatelab.views.strips import Strip, draw_input, label_steps, shade_bits, strip_of, unit_below

MOST_UNITS = 64
"""Rows of a map, the most varied units where there are more."""
WITHIN = 0.99
"""The share of values that have a colour of their own; the few beyond look like the nearest of these."""


@dataclass(frozen=True, eq=False)
class HeatMap:
    """One name of one model.

    Attributes:
        name: as the probe has it, behind the model where there are several.
        units: a row each.
        values: (units, T).
        low, high: what the lightest and the darkest colour stand for: 0 and 1 for gates, and for all others what
            `WITHIN` of the values of all examples lie between, as far from 0 on both sides.
        is_gate: whether it lies from 0 to 1.
    """

    name: str
    units: tuple[int, ...]
    values: Values
    low: float
    high: float
    is_gate: bool


@dataclass(frozen=True, eq=False)
class Trace:
    """What a model would answer if it stopped after each step: one number, (T,), and what it is."""

    label: str
    values: Values


@dataclass(frozen=True, eq=False)
class HeatMaps:
    """A figure's numbers: the maps of one example above each other."""

    title: str
    strip: Strip
    maps: tuple[HeatMap, ...]
    traces: tuple[Trace, ...]
    are_classes: bool


def heat_maps(scene: Scene, place: int = 0, keys: Collection[str] = ()) -> HeatMaps:
    """The maps of one of a scene's examples.

    Args:
        scene: of one model or of several, whose maps then lie below each other.
        place: of the example.
        keys: of what is shown, as the probe has them; all if there are none.

    Raises:
        OptionError: no model of the scene has such a key.
    """
    strip, shown = strip_of(scene, place), chosen_keys(scene, keys)
    several = len(scene.sides) > 1
    maps = tuple(one for key in shown for one in _maps(scene, key, place, strip))
    traces = tuple(
        Trace(f"{side.title}: {_asked(scene, place)}" if several else _asked(scene, place), own)
        for side in scene.sides
        if len(own := side.traced[place][strip.steps])
    )
    return HeatMaps(scene.title, strip, maps, traces, scene.are_classes)


def draw_heat(data: HeatMaps) -> Figure:
    """The figure: the input, a map a name with its colours at the right, and the answer at the foot."""
    has_input = data.strip.values is not None
    heights = [min(1.5, max(0.42, 0.06 * len(one.units))) for one in data.maps]
    rows = [0.8] * has_input + heights + [0.8]
    wide = min(13.0, max(6.4, 1.6 + 0.17 * len(data.strip.labels)))
    layout = ConstrainedLayoutEngine(h_pad=0.03)
    figure = Figure(figsize=(wide, 1.3 + sum(rows) + 0.12 * len(rows)), layout=layout)
    grid = figure.subplots(len(rows), 1, height_ratios=rows, squeeze=False, sharex=True)[:, 0]
    if has_input:
        draw_input(grid[0], data.strip)
    for axes, one in zip(grid[int(has_input) : -1], data.maps, strict=True):
        _draw_map(figure, axes, one)
    shade_bits(grid[-1], data.strip)
    _draw_traces(grid[-1], data)
    for axes in grid:
        axes.tick_params(length=0, labelsize=8, colors=INK)
        for spine in axes.spines.values():
            spine.set_visible(False)
    label_steps(grid[-1], data.strip)
    grid[0].set_title(data.strip.title, loc="left", fontsize=9, color=INK)
    figure.suptitle(data.title, x=0.01, ha="left", fontsize=12, fontweight="bold", color=INK)
    if len(data.traces) > 1:
        figure.legend(loc="outside lower left", ncols=4, frameon=False, fontsize=8)
    return figure


def _maps(scene: Scene, key: str, place: int, strip: Strip) -> Iterator[HeatMap]:
    """A map a model, in the same colours, so that they can be compared."""
    found = [(side, watched) for side in scene.sides for watched in side.watched if watched.key == key]
    everywhere = np.concatenate([values.ravel() for _, watched in found for values in watched.values])
    reach = float(np.quantile(np.abs(everywhere), WITHIN)) or 1.0
    for side, watched in found:
        spread = np.concatenate(watched.values).std(axis=0)
        kept = np.sort(spread.argsort(kind="stable")[::-1][:MOST_UNITS])
        values = watched.values[place][strip.steps, kept].T
        units = tuple(watched.units[unit] for unit in kept)
        low, high = (0.0, 1.0) if watched.is_gate else (-reach, reach)
        name = f"{side.title}: {key}" if len(scene.sides) > 1 else key
        yield HeatMap(name, units, values, low, high, watched.is_gate)


def _asked(scene: Scene, place: int) -> str:
    """What is traced of an example, in words."""
    if not scene.are_classes:
        return scene.traced
    targets = scene.examples[place].targets
    return "p(right)" if len(targets) > 1 else f"p({targets[0] if targets else scene.traced})"


def _draw_map(figure: Figure, axes: Axes, one: HeatMap) -> None:
    # Both maps of colours go from light to dark evenly, so that they read in grey.
    colours = "Blues" if one.is_gate else "cividis_r"
    picture = axes.imshow(one.values, cmap=colours, vmin=one.low, vmax=one.high, aspect="auto", interpolation="nearest")
    axes.set_yticks([])
    axes.set_ylabel(one.name, rotation=0, ha="right", va="center", fontsize=10, color=INK)
    bar = figure.colorbar(picture, ax=axes, pad=0.01, fraction=0.04, aspect=12, ticks=[one.low, one.high])
    bar.ax.set_yticklabels([f"{end:.2g}" for end in (one.low, one.high)])
    bar.outline.set_visible(False)
    bar.ax.tick_params(length=0, labelsize=7, colors=INK)


def _draw_traces(axes: Axes, data: HeatMaps) -> None:
    for trace, (colour, dashes) in zip(data.traces, ((SEED_COLOUR, "-"), (INK, "--"), ("#CC79A7", ":")), strict=False):
        dot = dot_of(len(trace.values))
        axes.plot(trace.values, color=colour, linestyle=dashes, linewidth=1.4, marker=dot, label=trace.label)
    if data.are_classes:
        axes.set_ylim(-0.05, 1.05)
    axes.grid(axis="y", color=FAINT, linewidth=0.8)
    label = data.traces[0].label if len(data.traces) == 1 else ""
    label = f"{label}{unit_below(data.strip)}".strip()
    axes.set_ylabel(label, rotation=0, ha="right", va="center", fontsize=8, color=INK)
