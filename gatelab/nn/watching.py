"""What a layer shows of its inside while it runs: the values of names in its equations, and their gradients.

T time, R replicas, B batch, W the width of a vector.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor

from gatelab.errors import OptionError
from gatelab.language.cell import Cell
from gatelab.nn.sequences import Sequences

Values = Tensor | Callable[[], Tensor]
NO_GRADIENTS: Mapping[str, Tensor] = MappingProxyType({})


def values_of(seen: Values) -> Tensor:
    """What was seen, fetched if need be."""
    return seen if isinstance(seen, Tensor) else seen()


class Inside(NamedTuple):
    """What can be watched of one layer and direction.

    Attributes:
        cell: its equations.
        sizes: what each width symbol of the cell is.
    """

    cell: Cell
    sizes: Mapping[str, int]

    def width(self, name: str) -> int:
        """W of a name."""
        return self.sizes[self.cell.width(name)]


class Wish(NamedTuple):
    """What to show of one layer and direction.

    Attributes:
        names: of the equations.
        gradients: whether their gradients too.
        every: of so many steps of the input the first.
    """

    names: tuple[str, ...]
    gradients: bool
    every: int


class Sight(NamedTuple):
    """What was seen of one layer and direction in one call, in the order of the input.

    Attributes:
        values: by name, each (steps seen, [R,] B, W), without a gradient, or what gives them.
        taps: by name what its gradient reaches as a leaf, of the same shape; empty if there are no gradients.
    """

    values: Mapping[str, Values]
    taps: Mapping[str, Tensor]


class Watch(Protocol):
    """What looks on while a layer is called.

    Attributes:
        gradients: whether it wishes for any.
    """

    gradients: bool

    def wishes(self, read: Sequences) -> tuple[Wish, ...]:
        """For each layer and direction, in torch's order, what to show of a call with this input."""

    def make_room(self) -> None:
        """Lets go of what the next call, which is about to run, takes the place of."""

    def take(self, read: Sequences, sights: Sequence[Sight]) -> None:
        """Takes what was seen in it, likewise."""


def make_taps(cell: Cell, sizes: Mapping[str, int], wish: Wish, x: Tensor) -> dict[str, Tensor]:
    """Zeros for each name whose gradient is wished for, under the name that it is stored as.

    Args:
        x: the input, (T, [R,] B, I).
    """
    if not (wish.gradients and torch.is_grad_enabled()):
        return {}
    lead = (-(-x.shape[0] // wish.every), *x.shape[1:-1])
    stored = dict.fromkeys(cell.stored_as.get(name, name) for name in wish.names)
    # One zero, shown as many, so that a tap takes no memory before its gradient is there.
    return {name: x.detach().new_zeros(()).expand(*lead, sizes[cell.width(name)]).requires_grad_() for name in stored}


def spread(tap: Tensor, every: int, steps: int) -> Tensor:
    """A tap of every so many steps as one of all, (T, [R,] B, W)."""
    if every == 1:
        return tap
    whole = tap.new_zeros(steps, *tap.shape[1:])
    whole[::every] = tap
    return whole


def sight_of(cell: Cell, names: Sequence[str], seen: Sequence[Values], taps: Mapping[str, Tensor]) -> Sight:
    """What was seen, by the names as they were asked for.

    Raises:
        OptionError: the backend has shown nothing.
    """
    if len(seen) != len(names):
        raise OptionError(
            f"The backend has shown {len(seen)} of the {len(names)} names that are watched.\n"
            "Take backend='auto', or have your own give `Result.seen`."
        )
    tap_of = {name: taps[stored] for name in names if (stored := cell.stored_as.get(name, name)) in taps}
    return Sight(dict(zip(names, seen, strict=True)), tap_of)


def unwatched(state: Mapping[str, Any]) -> dict[str, Any]:
    """What a copy of a layer has, or its pickle: a copy made while a probe looks on is not watched."""
    own = dict(state)
    if own.pop("watch", None) is not None:
        own.pop("forward", None)  # The probe's, bound to the layer itself.
    return own
