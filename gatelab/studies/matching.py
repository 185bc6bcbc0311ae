"""Sizes with which cells have most nearly as many parameters as another cell."""

from __future__ import annotations

from collections.abc import Callable

from gatelab.errors import OptionError

MOST_UNITS = 2**20


def matched_size(count: Callable[[int], int], wanted: int, near: int) -> int:
    """The hidden size whose model has most nearly so many parameters; of two as near, the smaller.

    Args:
        count: the parameters of a model with so many units, which grow with them.
        wanted: so many.
        near: a hidden size to begin the search with.

    Raises:
        OptionError: no size comes near.
    """
    high = max(1, near)
    while count(high) < wanted:
        high *= 2
        if high > MOST_UNITS:
            raise OptionError(f"No hidden size gives {wanted:,} parameters.\nTake the cell out of the part.")
    low = 0
    while high - low > 1:  # `low` has too few, `high` enough.
        middle = (low + high) // 2
        low, high = (low, middle) if count(middle) >= wanted else (middle, high)
    return min((size for size in (low, high) if size), key=lambda size: abs(count(size) - wanted))
