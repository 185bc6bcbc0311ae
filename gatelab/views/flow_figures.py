"""How a gradient fares on its way back, where a step moves the states, and what hard gates cost, as figures.

One function gives the numbers of a figure as a record, another draws it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.patches import Circle
from matplotlib.ticker import FuncFormatter, MaxNLocator

from gatelab.errors import OptionError
from gatelab.probes.dynamics import Spectrum
from gatelab.probes.flow import Flow, LayerFlow
from gatelab.probes.hardening import ALL, SOFT, Hardening
from gatelab.studies.statistics import FEWEST_FOR_MEDIAN, Array, median_interval, summarise
from gatelab.views.figures import FAINT, INK, REPORT_COLOUR, SEED_COLOUR, FigureData, Panel, Row, write_below

STEADY = 3.0
"""Orders of magnitude that a gradient may change by and still count as steady."""
MOST_POINTS = 4000
"""Eigenvalues that a panel shows."""


@dataclass(frozen=True)
class Fate:
    """What becomes of a gradient, and how its line looks: apart in colour, in grey by width and dashes."""

    word: str
    colour: str
    width: float
    dashes: str


VANISHES = Fate("vanishes", SEED_COLOUR, 1.5, "-")
EXPLODES = Fate("explodes", REPORT_COLOUR, 1.5, "--")
HOLDS = Fate("holds", INK, 2.8, "-")


@dataclass(frozen=True)
class FlowLine:
    """The gradient of one start, as a share of that of its last step.

    Attributes:
        label: what it is called.
        name: of the value whose gradient it is.
        middle, low, high: the median and the range over seeds, as log10, (T,) each; -inf for what is 0.
        fate: what becomes of it.
    """

    label: str
    name: str
    middle: Array
    low: Array
    high: Array
    fate: Fate


def flow_lines(found: Mapping[str, LayerFlow]) -> tuple[FlowLine, ...]:
    """A line for the memory of each start, as `compare_flow` gives them."""
    return tuple(_line(label, own.memory, own.names[own.memory]) for label, own in found.items())


def draw_flow(lines: Sequence[FlowLine], title: str = "What is left of the gradient of the last step") -> Figure:
    """The lines over the lag, with their labels at their ends."""
    figure = Figure(figsize=(8.6, 5.2), layout=ConstrainedLayoutEngine())
    axes = figure.subplots()
    steps = max(len(line.middle) for line in lines)
    axes.axhspan(-STEADY, STEADY, color=FAINT, alpha=0.6, linewidth=0)
    for line in sorted(lines, key=lambda line: line.fate is HOLDS):
        lags = range(len(line.middle))
        axes.fill_between(lags, line.low, line.high, color=line.fate.colour, alpha=0.13, linewidth=0)
        axes.plot(lags, line.middle, color=line.fate.colour, linewidth=line.fate.width, linestyle=line.fate.dashes)
    axes.set_xlim(0, steps - 1)
    axes.xaxis.set_major_locator(MaxNLocator(8, integer=True))
    # An axis of logarithms has room for what no float can hold.
    axes.yaxis.set_major_locator(MaxNLocator(8, integer=True))
    axes.yaxis.set_major_formatter(FuncFormatter(_as_power))
    _label_ends(axes, lines)
    _clean(axes, title, "steps before the last one", "norm of the gradient, last step = 1")
    names = " or ".join(dict.fromkeys(line.name for line in lines))
    note = f"Gradient of the memory, {names}. Line: median of the seeds; shade: all of them. "
    note += f"Grey: within {STEADY:.0f} orders of magnitude, it holds."
    write_below(figure, note)
    return figure


@dataclass(frozen=True)
class Points:
    """Eigenvalues of the steps of one layer.

    Attributes:
        label: above them.
        real, imaginary: of some of them, evenly taken.
        outside: the share of all that lie outside of the unit circle, from 0 to 1.
        radius: the median over steps of the largest one's size.
    """

    label: str
    real: Array
    imaginary: Array
    outside: float
    radius: float


def spectrum_points(spectra: Mapping[str, Spectrum]) -> tuple[Points, ...]:
    """A panel's numbers for each label.

    Raises:
        OptionError: a spectrum is not one of eigenvalues.
    """
    found = []
    for label, spectrum in spectra.items():
        if spectrum.kind != "eigenvalues":
            raise OptionError(f"'{label}' has {spectrum.kind} values.\nAsk for the kind 'eigenvalues'.")
        values = spectrum.values.flatten(0, 1).cpu().numpy()
        values = values[~np.isnan(values).any(-1)]
        # Whole steps, so that pairs stay together.
        some, sizes = values[:: -(-values.size // MOST_POINTS)].ravel(), np.abs(values)
        outside, radius = float((sizes > 1).mean()), float(np.median(sizes.max(-1)))
        found.append(Points(label, some.real, some.imag, outside, radius))
    return tuple(found)


def draw_spectra(points: Sequence[Points], title: str = "Eigenvalues of a step") -> Figure:
    """A panel a layer, each with the unit circle: what lies outside grows, what lies inside is forgotten."""
    figure = Figure(figsize=(0.4 + 3.1 * len(points), 3.9), layout=ConstrainedLayoutEngine())
    reach = 1.08 * max(1.0, *(float(np.abs(values).max()) for own in points for values in (own.real, own.imaginary)))
    for axes, own in zip(figure.subplots(1, len(points), squeeze=False)[0], points, strict=True):
        axes.add_patch(Circle((0, 0), 1, fill=False, color=INK, linewidth=1.2))
        axes.scatter(own.real, own.imaginary, s=7, color=SEED_COLOUR, alpha=0.35, linewidths=0, rasterized=True)
        axes.set(xlim=(-reach, reach), ylim=(-reach, reach), aspect="equal")
        said = f"largest {own.radius:.2f} (median), {100 * own.outside:.0f} % outside"
        _clean(axes, own.label, f"real part\n{said}", "imaginary part" if own is points[0] else "")
    figure.suptitle(title, x=0.01, ha="left", fontsize=12, fontweight="bold", color=INK)
    return figure


def hardening_figure(found: Hardening, quantity: str, title: str = "Hard gates") -> FigureData:
    """A row for each choice of hard gates, for `draw_figure`.

    Args:
        quantity: what the score is, with its unit.
    """
    words = {SOFT: "soft", ALL: "all hard"}
    rows = []
    for gates, scores in found.rows.items():
        summary = summarise(scores, "highest")
        median = summary.median if summary else None
        rows.append(Row(words.get(gates, f"{gates} hard"), scores, median, median_interval(scores), None))
    note = f"The same weights, {len(found.soft)} seeds. Interval: for the median of all seeds; with fewer than "
    panel = Panel("gates that are 0 or 1", quantity, False, tuple(rows))
    return FigureData(title, ((panel,),), note + f"{FEWEST_FOR_MEDIAN} dots their range, else 95 %.")


def _line(label: str, name: str, flow: Flow) -> FlowLine:
    with np.errstate(divide="ignore"):
        seeds = np.log10((flow.by_seed / flow.by_seed[0]).double().cpu().numpy())
    middle = np.median(seeds, axis=1)
    fate = HOLDS if abs(middle[-1]) <= STEADY else VANISHES if middle[-1] < 0 else EXPLODES
    return FlowLine(label, name, middle, seeds.min(axis=1), seeds.max(axis=1), fate)


def _as_power(tick: float, _: int | None = None) -> str:
    return f"$10^{{{tick:.0f}}}$" if tick else "1"


def _label_ends(axes: Axes, lines: Sequence[FlowLine]) -> None:
    """Labels right of the lines' ends, moved apart where they would lie over each other."""
    low, high = axes.get_ylim()
    ordered = sorted(lines, key=lambda line: float(line.middle[-1]))
    heights = _apart([(max(float(line.middle[-1]), low) - low) / (high - low) for line in ordered], least=0.05)
    for line, height in zip(ordered, heights, strict=True):
        axes.annotate(
            f"{line.label}: {line.fate.word}",
            xy=(len(line.middle) - 1, max(float(line.middle[-1]), low)),
            xytext=(1.03, height),
            textcoords="axes fraction",
            va="center",
            fontsize=9,
            fontweight="bold" if line.fate is HOLDS else "normal",
            color=line.fate.colour,
            arrowprops={"arrowstyle": "-", "color": line.fate.colour, "linewidth": 0.6, "shrinkA": 0, "shrinkB": 0},
            annotation_clip=False,
        )


def _apart(heights: Sequence[float], least: float) -> list[float]:
    """Ascending heights in [0, 1], moved so that neighbours lie at least so far apart."""
    found: list[float] = []
    for height in heights:
        found.append(max(height, found[-1] + least) if found else height)
    over = max(0.0, found[-1] - 1)
    for index in reversed(range(len(found))):
        ceiling = found[index + 1] - least if index + 1 < len(found) else found[index] - over
        found[index] = min(found[index], ceiling)
    return found


def _clean(axes: Axes, title: str, x: str, y: str) -> None:
    axes.set_title(title, loc="left", fontsize=11, fontweight="bold", color=INK)
    axes.set_xlabel(x, fontsize=9, color=INK)
    axes.set_ylabel(y, fontsize=9, color=INK)
    axes.tick_params(length=0, labelsize=9, colors=INK)
    axes.grid(color=FAINT, linewidth=0.6)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
