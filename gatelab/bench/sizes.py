"""The sizes that are measured, and what is asked of each: the floors."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from gatelab.errors import OptionError, nearest
from gatelab.language.cell import Cell


@dataclass(frozen=True)
class Size:
    """B sequences of T steps, I inputs, H units; and how many times faster than others a training step has to be.

    Attributes:
        name: what `--sizes` calls it.
        torch: the least of nn.LSTM's time over lstm's, or None where nothing is asked.
        jax: of the time of jax's compiled scan of `f` over f's.
        eager: of eager's time over ours, for any cell.
        cells: the most time for a multiply-add in any cell, in that of lstm.
    """

    name: str
    B: int
    T: int
    I: int  # noqa: E741
    H: int
    torch: float | None = None
    jax: float | None = None
    eager: float | None = None
    cells: float | None = None

    def __str__(self) -> str:
        return f"{self.B}, {self.T}, {self.I}, {self.H}"

    @property
    def is_small(self) -> bool:
        """Whether eager takes no more than a tenth of a second or so."""
        return self.B * self.T * self.H <= 400_000


SIZES = {
    size.name: size
    for size in (
        Size("parity", 64, 8, 1, 3, torch=3, jax=1, eager=5),
        Size("digits", 100, 8, 8, 30, torch=2, jax=2, eager=5),
        Size("imdb-small", 128, 300, 15, 10, torch=3.5, jax=4, eager=30),
        Size("imdb-glove", 512, 250, 50, 64, torch=2.5, jax=3, eager=20, cells=1.3),
        Size("mnist-rows", 150, 28, 28, 150, torch=1.4, jax=1.5, eager=3),
        Size("char", 50, 50, 128, 128, torch=1.2, jax=1.5, eager=4),
        Size("char-512", 50, 50, 512, 512, torch=1.15, jax=1.2, eager=3),
        Size("large", 64, 100, 512, 512, torch=1.15, jax=1.5, eager=3, cells=1.3),
        Size("one-sequence", 1, 200, 32, 64, torch=2, jax=3, eager=20),
        Size("few-wide", 8, 200, 64, 256, torch=1.15, jax=2, eager=5),
    )
}

SIZES_OF_CELLS = ("parity", "digits", "imdb-small", "imdb-glove", "large")
"""Where further cells are measured: the small ones beside eager, the others beside lstm."""


def find_size(name: str) -> Size:
    """The size of a name, or one of your own, as in 32x10x8x16.

    Raises:
        OptionError: there is no such size.
    """
    if name in SIZES:
        return SIZES[name]
    if own := re.fullmatch(r"([1-9]\d*)x([1-9]\d*)x([1-9]\d*)x([1-9]\d*)", name):
        return Size(name, *map(int, own.groups()))
    raise OptionError(
        f"There is no size '{name}'.\n{nearest(name, SIZES)}\n"
        "One of your own is batch, steps, input and hidden size, as in 32x10x8x16."
    )


def fit_size(size: Size, cell: Cell) -> Size:
    """The size as it can be for a cell: for some the input is as wide as the hidden vectors."""
    return size if cell.width("x") == "I" else replace(size, I=size.H)


def further_widths(size: Size, cell: Cell) -> dict[str, int]:
    """The widths that a cell has beside I and H, here half of H."""
    return {symbol: max(1, size.H // 2) for symbol in cell.width_names}
