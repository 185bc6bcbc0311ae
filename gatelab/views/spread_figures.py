"""How gates and states spread: a histogram of each name, with how far its units lie apart.

`spreads` takes the numbers from readings, `draw_spreads` draws them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from numpy.typing import NDArray

from gatelab.views.figures import FAINT, INK, SEED_COLOUR, write_below
from gatelab.views.probes import Reading

Shares = NDArray[np.float64]
COLUMNS = 3


@dataclass(frozen=True, eq=False)
class Spread:
    """One name.

    Attributes:
        name: as the probe has it.
        is_gate: whether it lies from 0 to 1.
        edges: of the bins, (bins + 1,).
        mean: the share of steps in each bin, of all units, in percent.
        low, high: what 5 and 95 % of the units lie below.
        units: how many there are.
    """

    name: str
    is_gate: bool
    edges: Shares
    mean: Shares
    low: Shares
    high: Shares
    units: int


def spreads(readings: Sequence[Reading]) -> tuple[Spread, ...]:
    """The histograms of readings, gates first."""
    return tuple(map(_spread, sorted(readings, key=lambda one: not one.is_gate)))


def draw_spreads(found: Sequence[Spread], title: str) -> Figure:
    """A panel a name."""
    columns = min(COLUMNS, len(found))
    rows = -(-len(found) // columns)
    figure = Figure(figsize=(0.6 + 2.7 * max(columns, 2), 1.0 + 1.9 * rows), layout=ConstrainedLayoutEngine())
    grid = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes, one in zip(grid, found, strict=False):
        _draw(axes, one)
    for axes in grid[len(found) :]:
        axes.set_visible(False)
    figure.suptitle(title, x=0.01, ha="left", fontsize=12, fontweight="bold", color=INK)
    note = "Bars: share of steps, % of all units."
    if any(one.units > 1 for one in found):
        note += " Whiskers: where the middle 90 % of the units lie."
    write_below(figure, note)
    return figure


def _spread(one: Reading) -> Spread:
    counts = np.array(one.distribution.counts, dtype=np.float64)
    shares = 100 * counts / counts.sum(axis=1, keepdims=True)
    low, high = np.quantile(shares, (0.05, 0.95), axis=0)
    edges = np.array(one.distribution.edges)
    return Spread(one.key, one.is_gate, edges, shares.mean(axis=0), low, high, len(counts))


def _draw(axes: Axes, one: Spread) -> None:
    middles, widths = (one.edges[:-1] + one.edges[1:]) / 2, np.diff(one.edges)
    axes.bar(middles, one.mean, width=0.92 * widths, color=SEED_COLOUR, alpha=0.55, linewidth=0)
    if one.units > 1:
        axes.vlines(middles, one.low, one.high, color=INK, linewidth=0.9)
    if one.is_gate:
        axes.set_xlim(0, 1)
    axes.set_title(f"{one.name}, a gate" if one.is_gate else one.name, loc="left", fontsize=10, color=INK)
    axes.tick_params(length=0, labelsize=8, colors=INK)
    axes.grid(axis="y", color=FAINT, linewidth=0.8)
    axes.set_axisbelow(True)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
