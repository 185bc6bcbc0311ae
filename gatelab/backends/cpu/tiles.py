"""Arrays as kernels have them: sequences side by side in the lanes of a vector.

Outside, arrays are (T, R, B, W); inside (R, tile, T, W, lane). The last tile is filled up with its last sequence, so
that it holds no infinity or NaN that is not there anyway; gradients that arrive at the filling are 0.
"""

from __future__ import annotations

from torch import Tensor

from gatelab.backends.cpu.memory import borrow


def tiles_of(batch: int, lanes: int) -> int:
    return -(-batch // lanes)


def to_tiles(value: Tensor, lanes: int, *, zeros: bool = False) -> Tensor:
    """(T, R, B, W) as (R, tile, T, W, lane).

    Args:
        zeros: whether to fill up with zeros and not with the last sequence.
    """
    time, replicas, batch, width = value.shape
    made = borrow((replicas, tiles_of(batch, lanes), time, width, lanes), value)
    fill_tiles(made, value, zeros=zeros)
    return made


def fill_tiles(tiles: Tensor, value: Tensor, *, zeros: bool = False) -> None:
    """Puts (T, R, B, W) into (R, tile, T, W, lane); both may have more numbers around them."""
    lanes = tiles.shape[-1]
    whole, rest = divmod(value.shape[2], lanes)
    if whole:
        full = value[:, :, : whole * lanes].unflatten(2, (whole, lanes))
        tiles[:, :whole].copy_(full.permute(1, 2, 0, 4, 3))
    if rest:
        last = tiles[:, whole]
        last[..., :rest].copy_(value[:, :, whole * lanes :].permute(1, 0, 3, 2))
        last[..., rest:].copy_(value.new_zeros(1) if zeros else value[:, :, -1:].permute(1, 0, 3, 2))


def from_tiles(tiles: Tensor, batch: int) -> Tensor:
    """(R, tile, T, W, lane) as (T, R, B, W), without what was filled up."""
    replicas, _, time, width, _ = tiles.shape
    made = tiles.new_empty(time, replicas, batch, width)
    empty_tiles(made, tiles)
    return made


def empty_tiles(value: Tensor, tiles: Tensor) -> None:
    """Puts (R, tile, T, W, lane) into (T, R, B, W)."""
    lanes = tiles.shape[-1]
    whole, rest = divmod(value.shape[2], lanes)
    if whole:
        full = value[:, :, : whole * lanes].unflatten(2, (whole, lanes))
        full.copy_(tiles[:, :whole].permute(2, 0, 1, 4, 3))
    if rest:
        value[:, :, whole * lanes :].copy_(tiles[:, whole, ..., :rest].permute(1, 0, 3, 2))
