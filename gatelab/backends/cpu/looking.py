"""What a run shows of its inside: values that a kernel has written out, and those that it keeps anyway."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch import Tensor

from gatelab.backends.cpu.call import Tensors
from gatelab.backends.cpu.launch import MUCH, shares
from gatelab.backends.cpu.memory import borrow
from gatelab.backends.cpu.plan import place_in_record
from gatelab.backends.cpu.program import Job, Program
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
    """The values of a name, (steps seen, [R,] B, W), as `layout.py` and `Tile.record` say how they lie.

    The function by which kernels write what goes out takes them, a tile in a job.
    """
    way, (row, later) = shape.forward_saving, place
    layout, rows, block = way.kernel.plan.layout, way.found["rows.record"], way.found[row]
    found = borrow(shape.seen(name), record)
    width, batch, of_member = shape.width(name), shape.batch, 1 if layout.is_rows else layout.lanes
    bytes_each, bytes_of_vector = record.element_size(), record.element_size() * layout.lanes

    def job(replica: int, first: int, last: int) -> Job:
        members, sequence = last - first, first * of_member
        vectors = (shape.time + 1) * rows * first + (later * rows + block) * members
        return (
            way.kernel.library.addresses["scatter"],
            found.data_ptr() + (replica * batch + sequence) * width * bytes_each,
            width * batch * shape.replicas,
            width,
            width,
            record.data_ptr() + replica * shape.record[1] * bytes_each + vectors * bytes_of_vector,
            members,
            shape.form.every * rows * members,
            len(found),
            members,
            batch - sequence,
            0,
        )

    tiles = shares(layout.members(batch), way.tiles)
    jobs = [job(replica, *tile) for replica in range(shape.replicas) for tile in tiles]
    threads = min(torch.get_num_threads(), len(jobs)) if found.nbytes > MUCH else 1
    Program([[jobs[begin:end] for begin, end in shares(len(jobs), threads)]], 0, []).run(array("q"), 0)
    return within(shape, alive, found)


def alive_of(shape: Shape, tensors: Tensors) -> Tensor | None:
    """Which steps belong to the sequences, (T, [R or 1,] B, 1); None if all do."""
    return tensors[shape.parts[-1]][1] if shape.task.alive else None


def within(shape: Shape, alive: Tensor | None, seen: Tensor) -> Tensor:
    """What is seen, (steps seen, [R,] B, W), 0 beyond the end of a sequence."""
    return seen if alive is None else torch.where(alive[:: shape.form.every], seen, 0.0)
