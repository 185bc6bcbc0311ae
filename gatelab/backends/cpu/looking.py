"""What a run shows of its inside: values that a kernel has written out, and those that it keeps anyway."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch import Tensor

from gatelab.backends.cpu.call import Tensors
from gatelab.backends.cpu.plan import place_in_record
from gatelab.backends.cpu.shapes import Shape


def seen_of(
    shape: Shape, tensors: Tensors, shown: Sequence[Tensor], record: Tensor | None
) -> tuple[Tensor | Callable[[], Tensor], ...]:
    """What is watched, in its order: what the kernel has shown, and of the rest what reads it from the record."""
    left = iter(shown)
    alive = alive_of(shape, tensors)
    return tuple(
        next(left)
        if record is None or not (place := place_in_record(shape.task, name))
        else partial(_from_record, shape, record, name, place, alive)
        for name in shape.form.watched
    )


def _from_record(shape: Shape, record: Tensor, name: str, place: tuple[str, int], alive: Tensor | None) -> Tensor:
    """The values of a name, (steps seen, [R,] B, W), as `layout.py` and `Tile.record` say how they lie."""
    way, (row, later) = shape.forward_saving, place
    layout, rows, block = way.kernel.plan.layout, way.found["rows.record"], way.found[row]
    width, whole = shape.width(name), layout.members(shape.batch)
    bounds = [whole * tile // way.tiles for tile in range(way.tiles + 1)]
    each = (shape.time + 1) * rows * layout.lanes
    parts = []
    for first, last in itertools.pairwise(bounds):
        tile = record[:, each * first : each * last].view(-1, shape.time + 1, rows, last - first, layout.lanes)
        own = tile[:, later : later + shape.time : shape.form.every, block : block + layout.blocks(width)]
        # (R, T, blocks, members, L), where a block has some units of a member or a member some sequences of a unit.
        order = (1, 0, 3, 2, 4) if layout.is_rows else (1, 0, 3, 4, 2)
        parts.append(own.permute(order).flatten(3, 4) if layout.is_rows else own.permute(order).flatten(2, 3))
    found = torch.cat(parts, dim=2)[:, :, : shape.batch, :width].contiguous()
    found = found.squeeze(1) if shape.bare else found
    return within(shape, alive, found)


def alive_of(shape: Shape, tensors: Tensors) -> Tensor | None:
    """Which steps belong to the sequences, (T, [R or 1,] B, 1); None if all do."""
    return tensors[shape.parts[-1]][1] if shape.task.alive else None


def within(shape: Shape, alive: Tensor | None, seen: Tensor) -> Tensor:
    """What is seen, (steps seen, [R,] B, W), 0 beyond the end of a sequence."""
    return seen if alive is None else torch.where(alive[:: shape.form.every], seen, 0.0)
