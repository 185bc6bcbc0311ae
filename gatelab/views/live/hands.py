"""What a hand is: how a person gives a model its input.

Always as text, which the page may also show as bits, a picture or points to move. One form for all keeps the way
short: whatever is clicked or drawn becomes text, and only text is read.

T time, I input.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from gatelab.views.examples import Examples

MOST_LETTERS, MOST_STEPS = 20_000, 1_000
"""What may be written: letters of a text, and steps that a model reads of it. A permuted MNIST has 784 steps."""

Surface = Literal["text", "bits", "picture", "points", "choice"]


@dataclass(frozen=True, eq=False)
class Typed:
    """An input that has been read.

    Attributes:
        examples: of which it is the only one.
        notes: what a person should know of the reading, in sentences.
        scale, offset: what makes answers numbers of the series itself.
    """

    examples: Examples
    notes: tuple[str, ...] = ()
    scale: float = 1.0
    offset: float = 0.0


@dataclass(frozen=True, eq=False)
class Hand:
    """How the input of one model is written.

    Attributes:
        surface: how the page shows it beside the text.
        hint: what may be written, in a sentence.
        read: an input from a text.
        write: the text of one of some examples.
        start: what to begin with; empty for the first example of the test.
        blank: what to begin with where there is no test at hand.
        rows, columns: of a picture, or 1 and the columns of a series.
        target: the column of a series whose points are moved.
        ahead: steps of a series that the last answer is for; 0 for answers of another kind.
        decimals: of answers that are numbers, and of points that are moved.
    """

    surface: Surface
    hint: str
    read: Callable[[str], Typed]
    write: Callable[[Examples, int], str]
    start: str = ""
    blank: str = ""
    rows: int = 1
    columns: int = 1
    target: int = 0
    ahead: int = 0
    decimals: int = 4
