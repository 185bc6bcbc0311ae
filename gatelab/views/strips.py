"""The input of an example as a strip along the steps, under or over whatever a figure shows of them.

T steps that are shown, I input.
"""

from __future__ import annotations

from dataclasses import dataclass
from textwrap import wrap
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator

from gatelab.views.answers import Values
from gatelab.views.examples import Kind
from gatelab.views.figures import DASHES, INK, REPORT_COLOUR, SEED_COLOUR, dot_of
from gatelab.views.scene import Scene

MOST_WORDS = 60
"""Steps with labels that a figure shows, the last ones, since a classifier answers there."""
MOST_LETTERS = 14
"""Of a label."""
UNIT_WIDTH = 16
"""Letters in a line of a unit."""
COLOURS = (INK, SEED_COLOUR, REPORT_COLOUR, "#777777")
"""Of the channels of a series."""
MOST_SERIES = len(COLOURS)
"""Channels that are drawn, the first ones."""


@dataclass(frozen=True, eq=False)
class Strip:
    """The input of one example.

    Attributes:
        title: of the example, with what is asked if that is known.
        kind: how it is drawn.
        begin: the first step that is shown, from 0.
        labels: of the T steps.
        values: (T, I), or None where the labels say it all.
        unit: of the values where the labels are in another one.
    """

    title: str
    kind: Kind
    begin: int
    labels: tuple[str, ...]
    values: Values | None
    unit: str

    @property
    def is_bits(self) -> bool:
        """Whether the labels are zeros and ones."""
        return set(self.labels) <= {"0", "1"}

    @property
    def steps(self) -> slice:
        """The ones that are shown."""
        return slice(self.begin, self.begin + len(self.labels))


def strip_of(scene: Scene, place: int, most: int = MOST_WORDS) -> Strip:
    """The strip of one of a scene's examples; of labels the last `most`."""
    own = scene.examples[place]
    begin = max(0, len(own.labels) - most) if scene.kind == "tokens" else 0
    asked = f": {own.targets[0]}" if scene.are_classes and len(own.targets) == 1 else ""
    cut = f", last {most} of {len(own.labels)} steps" if begin else ""
    values = None if own.inputs is None else own.inputs[begin:]
    return Strip(own.title + asked + cut, scene.kind, begin, own.labels[begin:], values, scene.unit)


def draw_input(axes: Axes, strip: Strip) -> None:
    """Rows of an image as columns, or the lines of a series; only for strips that have values."""
    assert strip.values is not None
    if strip.kind == "rows":
        picture = strip.values.T if strip.values.shape[1] > 1 else strip.values.reshape(1, -1)
        axes.imshow(picture, cmap="Greys", aspect="auto", interpolation="nearest")
    else:
        _draw_series(axes, strip.values)
    axes.set_ylabel(_input_label(strip), rotation=0, ha="right", va="center", fontsize=8, color=INK)
    axes.set_yticks([])


def _draw_series(axes: Axes, values: Values) -> None:
    for channel, (series, colour, dashes) in enumerate(zip(values.T, COLOURS, DASHES, strict=False), 1):
        dot = dot_of(len(series))
        axes.plot(series, color=colour, linestyle=dashes, linewidth=1.1, marker=dot, label=str(channel))
    if values.shape[1] > 1:
        # Below the panel, where no line and no title is.
        look: dict[str, Any] = {
            "frameon": False,
            "fontsize": 7,
            "handlelength": 2.2,
            "columnspacing": 0.9,
            "handletextpad": 0.4,
        }
        axes.legend(loc="upper left", bbox_to_anchor=(0, 0), borderaxespad=0.3, borderpad=0, ncols=MOST_SERIES, **look)


def _input_label(strip: Strip) -> str:
    """What stands beside the input: of several lines also which channels they are."""
    channels = 1 if strip.values is None or strip.kind == "rows" else strip.values.shape[1]
    of = f"\nof {channels}" if channels > MOST_SERIES else ""
    which = f"\nchannels 1 to {min(channels, MOST_SERIES)}{of}" if channels > 1 else ""
    return f"input{which}{unit_below(strip)}"


def unit_below(strip: Strip) -> str:
    """The unit of a strip in the lines below a name at the left, which have little room; nothing where it has none."""
    return "".join(f"\n{line}" for line in wrap(strip.unit, UNIT_WIDTH))


def shade_bits(axes: Axes, strip: Strip) -> None:
    """A shade behind the steps that read a one."""
    ones = np.array([label == "1" for label in strip.labels]) if strip.is_bits else np.zeros(0, dtype=bool)
    for step in np.flatnonzero(ones):
        axes.axvspan(step - 0.5, step + 0.5, color=REPORT_COLOUR, alpha=0.16, linewidth=0, zorder=0)


def label_steps(axes: Axes, strip: Strip) -> None:
    """What the steps read below them; their numbers where the input is drawn, or where there is no room."""
    axes.set_xlim(-0.5, len(strip.labels) - 0.5)
    axes.tick_params(axis="x", length=0, labelsize=8, colors=INK)
    if strip.kind != "tokens":
        axes.set_xlabel("step", fontsize=9, color=INK)
        axes.xaxis.set_major_locator(MaxNLocator(10, integer=True))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda place, _: f"{place + 1:.0f}"))
        return
    shown = [label if len(label) <= MOST_LETTERS else f"{label[: MOST_LETTERS - 1]}…" for label in strip.labels]
    turned = 90 if max(map(len, shown)) > 1 else 0
    # A dollar sign would begin a formula.
    axes.set_xticks(range(len(shown)), [label.replace("$", r"\$") for label in shown], rotation=turned)
    axes.tick_params(axis="x", labelsize=7)
