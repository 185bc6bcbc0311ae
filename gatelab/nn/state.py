"""The states of a layer as a NamedTuple of the cell's names."""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import _register_namedtuple

from gatelab.errors import ShapeError
from gatelab.language.cell import Cell

_TYPES: dict[tuple[str, ...], Any] = {}


def state_type(names: tuple[str, ...]) -> Any:
    """The NamedTuple with these fields; one type for each set of names, so that states compare and pickle."""
    if names not in _TYPES:
        base = namedtuple("State", names)  # type: ignore[misc]
        own = {"__slots__": (), "__reduce__": lambda self: (make_state, (names, tuple(self)))}
        _TYPES[names] = type("State", (base,), own)
        # So that a graph with states can be written to a file; it is read where this type has been made.
        _register_namedtuple(_TYPES[names], serialized_type_name=f"gatelab.State({', '.join(names)})")
    return _TYPES[names]


for usual in (("h",), ("h", "c")):
    state_type(usual)


def make_state(names: tuple[str, ...], values: Sequence[Tensor]) -> Any:
    """A state from its values, in the order of the names."""
    return state_type(names)(*values)


def read_state(
    state: object, cell: Cell, shapes: Sequence[tuple[int, ...]], like: Tensor, batched: bool
) -> tuple[Tensor, ...]:
    """Checked states, each with its batch axis.

    Args:
        state: a tuple with one tensor for each state of the cell, or a tensor if there is but one.
        shapes: the shape that each must have, ([R,] L*D, B, W).
        like: the input; states have its dtype and device.
        batched: whether the states have a batch axis.

    Raises:
        ShapeError: too many or too few, or of the wrong shape, dtype or device.
    """
    values = (state,) if isinstance(state, Tensor) else tuple(state) if isinstance(state, Sequence) else None
    if values is None or not all(isinstance(value, Tensor) for value in values):
        raise ShapeError(
            f"The state must be a tuple of tensors, one for each of {', '.join(cell.states)}.\n"
            "Give the state that the layer returned, or None for zeros."
        )
    if len(values) != len(cell.states):
        raise ShapeError(
            f"The state has {len(values)} tensors; the cell '{cell.name}' has {len(cell.states)} states: "
            f"{', '.join(cell.states)}.\nGive one tensor for each, in this order."
        )
    checked = []
    for name, value, shape in zip(cell.states, values, shapes, strict=True):
        wanted = shape if batched else (*shape[:-2], shape[-1])
        if value.shape != wanted:
            raise ShapeError(f"The state '{name}' has shape {tuple(value.shape)}.\nGive {wanted}.")
        if value.device != like.device or not value.is_floating_point():
            raise ShapeError(
                f"The state '{name}' is {value.dtype} on {value.device}; the input is {like.dtype} on "
                f"{like.device}.\nWrite tuple(value.to(x) for value in state)."
            )
        if value.dtype != like.dtype and not torch.is_autocast_enabled(like.device.type):
            raise ShapeError(
                f"The state '{name}' has dtype {value.dtype}, the input {like.dtype}.\n"
                "Write tuple(value.to(x) for value in state)."
            )
        checked.append(value if batched else value.unsqueeze(-2))
    return tuple(checked)
