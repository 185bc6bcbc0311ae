"""A run, forwards and backwards, through kernels: tensors of torch in, tensors of torch out.

R replicas, always there here; n tiles of L lanes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from torch import Tensor

from gatelab.backends.base import Run
from gatelab.backends.cpu import jit
from gatelab.backends.cpu.host import Host
from gatelab.backends.cpu.launch import Sizes, chunk_of, launch, measure, pack, sizes_of
from gatelab.backends.cpu.memory import borrow
from gatelab.backends.cpu.plan import BLOCK, Plan, round_up
from gatelab.backends.cpu.task import Same, Task, find_task
from gatelab.backends.cpu.tiles import empty_tiles, fill_tiles, tiles_of, to_tiles


@dataclass(frozen=True)
class Prepared:
    """A run in the shapes of kernels.

    Attributes:
        bare: whether tensors outside have no axis of replicas.
        parameters: each contiguous.
        x: (R, n, T, I, L).
        around: flags, masks and shares as arrays of kernels, by the names that these have for them.
    """

    task: Task
    host: Host
    sizes: Sizes
    bare: bool
    time: int
    replicas: int
    batch: int
    parameters: Mapping[str, Tensor]
    x: Tensor
    around: Mapping[str, Tensor]

    @property
    def lanes(self) -> int:
        return self.host.bits // self.bits

    @property
    def bits(self) -> int:
        return self.x.element_size() * 8

    @property
    def shape(self) -> tuple[int, int]:
        """(R, n)"""
        return self.replicas, tiles_of(self.batch, self.lanes)

    @property
    def widths(self) -> list[int]:
        """Of the states."""
        size = dict(self.sizes)
        return [size[self.task.cell.width(state)] for state in self.task.cell.states]

    def width(self, name: str) -> int:
        return dict(self.sizes)[self.task.cell.width(name)]

    def inside(self, value: Tensor) -> Tensor:
        return all_axes(value, 3 if self.bare else 4)

    def outside(self, tiles: Tensor, *, has_time: bool) -> Tensor:
        """An array of a kernel as a tensor of its own in the shape that the run has."""
        time, width = tiles.shape[2:4]
        axes = (self.batch, width) if self.bare else (self.replicas, self.batch, width)
        made = tiles.new_empty((time, *axes) if has_time else axes)
        empty_tiles(self.inside(made), tiles)
        return made


def all_axes(value: Tensor, given: int) -> Tensor:
    """A tensor ([R,] B, W) or (T, [R,] B, W) as (T or 1, R or 1, B, W).

    Args:
        given: how many axes there are with that of time.
    """
    value = value if value.ndim == given else value.unsqueeze(0)
    return value.unsqueeze(1) if given == 3 else value


def prepare(asked: Run, host: Host) -> Prepared:
    """A run of which `why_not` says nothing, made ready."""
    masks, zoneout = tuple(sorted(asked.masks)), tuple(sorted(asked.zoneout))
    task = find_task(Same(asked.cell), masks, asked.resets is not None, asked.alive is not None, zoneout)
    bare = asked.x.ndim == 3
    x = asked.x.unsqueeze(1) if bare else asked.x
    lanes = host.bits // (8 * x.element_size())
    return Prepared(
        task=task,
        host=host,
        sizes=sizes_of(asked.sizes),
        bare=bare,
        time=x.shape[0],
        replicas=x.shape[1],
        batch=x.shape[2],
        parameters={name: value.contiguous() for name, value in asked.parameters.items()},
        x=to_tiles(x, lanes),
        around=dict(_around(asked, task, x.shape, lanes)),
    )


def _around(asked: Run, task: Task, shape: Sequence[int], lanes: int) -> Iterator[tuple[str, Tensor]]:
    """What surrounds a step, as arrays of kernels, by name.

    Args:
        shape: (T, R, B, I).
    """
    time, replicas, batch, _ = shape

    def tiled(value: Tensor, steps: int, width: int) -> Tensor:
        value = all_axes(value.to(asked.x.dtype), asked.x.ndim)
        return to_tiles(value.expand(steps, replicas, batch, width), lanes)

    if asked.resets is not None:
        yield "resets", tiled(asked.resets, time, 1)
        widths = [asked.sizes[asked.cell.width(state)] for state in asked.cell.states]
        fresh = asked.x.new_empty(replicas, tiles_of(batch, lanes), 1, sum(widths), lanes)
        _fill_states(fresh, asked.fresh, widths, asked.x.shape[1:-1])
        yield "fresh", fresh
    if asked.alive is not None:
        yield "alive", tiled(asked.alive, time, 1)
    for name, state in task.masks:
        yield name, tiled(asked.masks[state], 1, asked.sizes[asked.cell.width(state)])
    for state, share in asked.zoneout.items():
        whole = share if isinstance(share, Tensor) else asked.x.new_full((1,) * asked.x.ndim, share)
        yield f"zoneout.{state}", tiled(whole, time, asked.sizes[asked.cell.width(state)])


def _fill_states(
    tiles: Tensor,
    states: Sequence[Tensor | None],
    widths: Sequence[int],
    batch: Sequence[int],
    *,
    zeros: bool = False,
) -> None:
    """Puts states, each ([R,] B, W) or nothing, which is zeros, side by side into (R, n, 1, sum of W, L).

    Args:
        batch: ([R,] B); what is shorter is repeated.
        zeros: whether to fill up the last tile with zeros.
    """
    row = 0
    for value, width in zip(states, widths, strict=True):
        part = tiles[:, :, :, row : row + width]
        row += width
        if value is None:
            part.zero_()
        else:
            fill_tiles(part, all_axes(value.expand(*batch, width), len(batch) + 2), zeros=zeros)


def forward(ready: Prepared, asked: Run, *, saves: bool) -> tuple[Tensor, tuple[Tensor, ...], Tensor | None]:
    """Output, final states, and the record if it is kept; the shapes are those of `Result`."""
    kernel = jit.forward(ready.task, ready.bits, saves, ready.host)
    found = measure(kernel.plan, ready.sizes)
    shape, lanes, like = ready.shape, ready.lanes, ready.x
    arrays = {
        **ready.around,
        "x": ready.x,
        "weights": pack(kernel, ready.sizes, ready.parameters, ready.replicas),
        "start": like.new_empty(*shape, 1, found["rows.states"], lanes),
        "output": borrow((*shape, ready.time, ready.width(ready.task.cell.output), lanes), like),
        "final": like.new_empty(*shape, 1, found["rows.states"], lanes),
    }
    _fill_states(arrays["start"], asked.state, ready.widths, asked.x.shape[1:-1])
    if saves:
        arrays["record"] = borrow((*shape, ready.time + 1, found["rows.record"], lanes), like)
    launch(kernel, ready.sizes, arrays, ready.time, shape[1])
    return ready.outside(arrays["output"], has_time=True), _parted(arrays["final"], ready), arrays.get("record")


@dataclass(frozen=True)
class Gradients:
    """What comes back, in the shapes of the run; what is not wanted is left out.

    A cell that does not depend on something has zeros there.
    """

    x: Tensor | None
    state: tuple[Tensor, ...]
    fresh: tuple[Tensor, ...]
    parameters: Mapping[str, Tensor]


def backward(
    ready: Prepared,
    record: Tensor,
    output: Tensor | None,
    final: Sequence[Tensor | None],
    *,
    input_gradient: bool,
    state_gradient: bool,
) -> Gradients:
    """All gradients, from those that arrive at the output and at the final states.

    Args:
        output: (T, [R,] B, W), or None if nothing arrives there.
        final: likewise each ([R,] B, W) or None.
        input_gradient: whether that of the input is wanted.
        state_gradient: whether those of the states before the first step are.
    """
    kernel = jit.backward(ready.task, ready.bits, input_gradient, ready.host)
    found = measure(kernel.plan, ready.sizes)
    shape, lanes, like, states = ready.shape, ready.lanes, ready.x, found["rows.states"]
    arrays = {
        **ready.around,
        "x": ready.x,
        "record": record,
        "weights": pack(kernel, ready.sizes, ready.parameters, ready.replicas),
        "d.output": like.new_zeros(*shape, ready.time, ready.width(ready.task.cell.output), lanes)
        if output is None
        else to_tiles(ready.inside(output), lanes, zeros=True),
        "d.final": like.new_empty(*shape, 1, states, lanes),
        "d.start": like.new_empty(*shape, 1, states, lanes),
        "d.fresh": like.new_zeros(*shape, 1, states if ready.task.resets else 0, lanes),
        "d.matrices": like.new_zeros(*shape, found["items.matrices"]),
        "sums": like.new_zeros(*shape, found["rows.sums"], lanes),
    }
    batch = (ready.batch,) if ready.bare else (ready.replicas, ready.batch)
    _fill_states(arrays["d.final"], final, ready.widths, batch, zeros=True)
    if input_gradient:
        arrays["d.x"] = borrow((*shape, ready.time, like.shape[-2], lanes), like)
    launch(kernel, ready.sizes, arrays, ready.time, shape[1], chunk_of(kernel, ready.sizes, ready.time))
    matrices, sums = arrays["d.matrices"].sum(1), arrays["sums"].sum((1, 3))
    # (R, numbers) each; the axis of replicas stays where tensors outside have it.
    return Gradients(
        x=ready.outside(arrays["d.x"], has_time=True) if input_gradient else None,
        state=_parted(arrays["d.start"], ready) if state_gradient else (),
        fresh=_parted(arrays["d.fresh"], ready) if ready.task.resets else (),
        parameters={
            part.name: (matrices if part.is_matrix else sums).as_strided(
                *((part.shape, part.strides) if ready.bare else part.with_replicas(ready.replicas)), part.start
            )
            for part in _parts(kernel.plan, ready.sizes)
        },
    )


def _parted(tiles: Tensor, ready: Prepared) -> tuple[Tensor, ...]:
    """(R, n, 1, sum of widths, L) as a tensor a state."""
    return (
        tuple(ready.outside(part, has_time=False) for part in tiles.split(ready.widths, dim=3)) if ready.widths else ()
    )


@dataclass(frozen=True)
class Part:
    """Where the gradient of a parameter lies among those that a kernel summed, all in one row for each replica.

    Attributes:
        start: its first number.
        all: how many numbers there are for each replica.
    """

    name: str
    is_matrix: bool
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    start: int
    all: int

    def with_replicas(self, count: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
        return (count, *self.shape), (self.all, *self.strides)


@lru_cache(maxsize=4096)
def _parts(plan: Plan, sizes: Sizes) -> tuple[Part, ...]:
    shapes, size, found = plan.task.cell.shapes, dict(sizes), measure(plan, sizes)
    parts = []
    shape: tuple[int, ...]
    for name, (rows, columns) in shapes.matrices.items():
        shape, strides = (size[rows], size[columns]), (round_up(size[columns], BLOCK), 1)
        parts.append(Part(name, True, shape, strides, found[f"matrices.{name}"], found["items.matrices"]))
    for name in (*shapes.vectors, *shapes.scalars):
        if name not in plan.task.mask_of:
            shape = (size[shapes.vectors[name]],) if name in shapes.vectors else ()
            parts.append(Part(name, False, shape, (1,) * len(shape), found[f"sums.{name}"], found["rows.sums"]))
    return tuple(parts)
