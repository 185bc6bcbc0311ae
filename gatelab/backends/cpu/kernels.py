"""A run, forwards and backwards, through kernels: tensors of torch in, tensors of torch out.

All tensors of a run come in one tuple, in the order of `tensors_of`.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch import Tensor

from gatelab.backends.cpu.call import Call, Tensors
from gatelab.backends.cpu.memory import borrow
from gatelab.backends.cpu.plan import place_in_record
from gatelab.backends.cpu.shapes import Shape


def forward(
    shape: Shape, tensors: Tensors, saves: bool
) -> tuple[Tensor, tuple[Tensor, ...], tuple[Tensor, ...], Tensor | None]:
    """Output, final states, what is watched, and the record if it is kept; the shapes are those of `Result`.

    Of what is watched the record may have some; `seen_of` puts all of it together.
    """
    like = tensors[0]
    assert like is not None
    call = Call(shape.forward_saving if saves else shape.forward, shape, tensors)
    output = borrow(shape.output, like)
    call.whole("output", output)
    final = tuple([like.new_empty(size) for size in shape.states])
    call.states("start", tensors[shape.parts[0]])
    call.whole_states("final", final)
    shown = [name for name in shape.form.watched if not (saves and place_in_record(shape.task, name))]
    seen = tuple([borrow(shape.seen(name), like) for name in shown])
    for name, values in zip(shown, seen, strict=True):
        call.whole(f"seen.{name}", values)
    record = None
    if saves:
        record = borrow(shape.record, like)
        call.whole("record", record)
    call.run()
    return output, final, tuple([_within(shape, tensors, values) for values in seen]), record


def seen_of(
    shape: Shape, tensors: Tensors, shown: Sequence[Tensor], record: Tensor | None
) -> tuple[Tensor | Callable[[], Tensor], ...]:
    """What is watched, in its order: what the kernel has shown, and of the rest what reads it from the record."""
    left = iter(shown)
    alive = tensors[shape.parts[-1]][1] if shape.task.alive else None
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
    return found if alive is None else torch.where(alive[:: shape.form.every], found, 0.0)


def backward(
    shape: Shape, tensors: Tensors, record: Tensor, arriving: Tensors, wanted: Sequence[bool]
) -> list[Tensor | None]:
    """The gradients of a run's tensors, in their order; None for what has none or was not asked for.

    A cell that does not depend on something has zeros there.

    Args:
        arriving: the gradients of the output and of the final states, None where nothing arrives.
        wanted: of which tensors there should be one; parameters always get theirs.
    """
    like = tensors[0]
    assert like is not None
    way = shape.backward_to_input if wanted[0] else shape.backward
    states, fresh, parameters, _ = shape.parts
    found: list[Tensor | None] = [None] * len(tensors)
    call = Call(way, shape, tensors)
    call.whole("record", record)
    # A kernel reads memory as it is, and torch may keep a minus sign beside it.
    output, *final = [value if value is None else value.resolve_neg() for value in arriving]
    call.sequences("d.output", output)
    call.states("d.final", final)
    if wanted[0]:
        found_x = borrow(like.shape, like) if way.kernel.plan.input else torch.zeros(like.shape, dtype=like.dtype)
        call.whole("d.x", found_x)
        found[0] = found_x
    for name, part, is_there in (("d.start", states, True), ("d.fresh", fresh, shape.task.resets)):
        if is_there and any(wanted[part]):
            pairs = zip(shape.states, wanted[part], strict=True)
            found[part] = [like.new_empty(size) if is_wanted else None for size, is_wanted in pairs]
            call.whole_states(name, found[part])
    found[parameters] = call.gradients(tensors[parameters])
    seen = [
        borrow(shape.seen(name), like)
        if name in way.kernel.plan.seen
        else torch.zeros(shape.seen(name), dtype=like.dtype)
        for name in shape.form.taps
    ]
    for name, values in zip(shape.form.taps, seen, strict=True):
        call.whole(f"d.seen.{name}", values)
    call.run()
    found[len(found) - len(seen) :] = [_within(shape, tensors, values) for values in seen]
    return found


def _within(shape: Shape, tensors: Tensors, seen: Tensor) -> Tensor:
    """What is seen, (steps seen, [R,] B, W), 0 beyond the end of a sequence."""
    if not shape.task.alive:
        return seen
    alive = tensors[shape.parts[-1]][1]
    assert alive is not None
    return torch.where(alive[:: shape.form.every], seen, 0.0)
