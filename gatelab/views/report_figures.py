"""A classifier's figures: which classes it takes for which, and how far its confidence can be believed."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from gatelab.views.classification import BINS, Classification, short_names
from gatelab.views.figures import FAINT, INK, REPORT_COLOUR, SEED_COLOUR

MOST_NUMBERS = 30
"""Classes up to which each square holds its number."""
LETTER = 0.085
"""Inches of a letter of a class's name."""


def draw_confusion(found: Classification, title: str) -> Figure:
    """A square for each class and answer, the darker the larger its share of the class."""
    counts = np.array(found.confusion)
    shares = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    names = short_names([one.name for one in found.classes])
    size = 2.2 + 0.42 * max(len(names), 4)
    # Longer names would lie over each other: a square has room for four letters, or more if there are few of them.
    turned = max(map(len, names)) > 4 * max(1, 4 // len(names))
    beside = LETTER * max(0, max(map(len, names)) - 4)
    figure = Figure(figsize=(size + 0.6 + beside, size + beside * turned), layout=ConstrainedLayoutEngine())
    axes = figure.subplots()
    picture = axes.imshow(100 * shares, cmap="Blues", vmin=0, vmax=100)
    axes.set_xticks(range(len(names)), names, rotation=90 if turned else 0)
    axes.set_yticks(range(len(names)), names)
    if len(names) <= MOST_NUMBERS:
        for (row, column), count in np.ndenumerate(counts):
            colour = "white" if shares[row, column] > 0.55 else INK if count else "#aaaaaa"
            axes.text(column, row, f"{count:,}", ha="center", va="center", fontsize=8, color=colour)
    _label(axes, f"{title}: answers", "answered", "class")
    bar = figure.colorbar(picture, ax=axes, shrink=0.75)
    bar.outline.set_visible(False)
    bar.ax.tick_params(length=0, labelsize=8, colors=INK)
    bar.set_label("of the class, %", fontsize=9, color=INK)
    for spine in axes.spines.values():
        spine.set_visible(False)
    return figure


def draw_reliability(found: Classification, title: str) -> Figure:
    """The share of right answers over the confidence, and how many answers there are of each confidence."""
    figure = Figure(figsize=(5.2, 5.0), layout=ConstrainedLayoutEngine())
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    mean, right = ([100 * getattr(one, name) for one in found.bins] for name in ("confidence", "accuracy"))
    above.plot([0, 100], [0, 100], color=REPORT_COLOUR, linestyle="--", linewidth=1.2, label="as sure as right")
    above.plot(
        mean, right, color=SEED_COLOUR, linewidth=1.4, marker="o", markersize=5, label="the model", clip_on=False
    )
    above.set_ylim(0, 103)
    above.legend(frameon=False, fontsize=9, loc="upper left")
    middles = [50 * (one.low + one.high) for one in found.bins]
    below.bar(middles, [one.count for one in found.bins], width=90 / BINS, color=SEED_COLOUR, alpha=0.55)
    below.set_xlim(0, 102)
    error = f"expected calibration error {100 * found.calibration_error:.1f} points"
    _label(above, f"{title}: calibration", "", "right, %")
    _label(below, "", f"confidence of an answer, %\n{error}", "answers")
    for axes in (above, below):
        axes.grid(axis="y", color=FAINT, linewidth=0.8)
        axes.set_axisbelow(True)
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)
    return figure


def _label(axes: Axes, title: str, x: str, y: str) -> None:
    axes.set_title(title, loc="left", fontsize=11, fontweight="bold", color=INK)
    axes.set_xlabel(x, fontsize=9, color=INK)
    axes.set_ylabel(y, fontsize=9, color=INK)
    axes.tick_params(length=0, labelsize=9, colors=INK)
