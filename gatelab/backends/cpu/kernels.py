"""A run, forwards and backwards, through kernels: tensors of torch in, tensors of torch out."""

from __future__ import annotations

import ctypes
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gatelab.backends.base import Run
from gatelab.backends.cpu import jit
from gatelab.backends.cpu.host import Host
from gatelab.backends.cpu.launch import Way, lines, measure_areas
from gatelab.backends.cpu.layout import Layout
from gatelab.backends.cpu.memory import borrow, room
from gatelab.backends.cpu.task import Same, Task, find_task
from gatelab.backends.cpu.threads import run
from gatelab.backends.cpu.weights import Entries, Sizes

ROWS_FROM = 12
"""Units of the widest vector from which the layout `rows` is faster; see docs/design/0003."""

MUCH = 2**19
"""Bytes from which several threads pack weights or collect gradients."""


@dataclass(frozen=True, eq=False)
class Shape:
    """What a run is, apart from its tensors.

    Attributes:
        rows: whether the layout is that.
        bare: whether tensors have no axis of replicas.
    """

    task: Task
    sizes: Sizes
    rows: bool
    bare: bool
    time: int
    replicas: int
    batch: int
    bits: int
    host: Host
    names: tuple[str, ...]

    @cached_property
    def lead(self) -> tuple[int, ...]:
        """([R,] B)"""
        return (self.batch,) if self.bare else (self.replicas, self.batch)

    @cached_property
    def output(self) -> tuple[int, ...]:
        """(T, [R,] B, W)"""
        return (self.time, *self.lead, self.width(self.task.cell.output))

    @cached_property
    def states(self) -> tuple[tuple[int, ...], ...]:
        """Each ([R,] B, W)"""
        return tuple((*self.lead, self.width(state)) for state in self.task.cell.states)

    @cached_property
    def record(self) -> tuple[int, int]:
        """(R, numbers)"""
        return self.replicas, record_numbers(self, self.host)

    @cached_property
    def order(self) -> dict[str, int]:
        return {name: k for k, name in enumerate(self.names)}

    def width(self, name: str) -> int:
        return dict(self.sizes)[self.task.cell.width(name)]

    @cached_property
    def forward(self) -> Way:
        return self._way(jit.forward(self.task, self.bits, self.rows, False, self.host))

    @cached_property
    def forward_saving(self) -> Way:
        return self._way(jit.forward(self.task, self.bits, self.rows, True, self.host))

    @cached_property
    def backward(self) -> Way:
        return self._way(jit.backward(self.task, self.bits, self.rows, False, self.host))

    @cached_property
    def backward_to_input(self) -> Way:
        return self._way(jit.backward(self.task, self.bits, self.rows, True, self.host))

    def _way(self, kernel: jit.Kernel) -> Way:
        size = dict(self.sizes)
        # Multiply-adds of a step for each sequence, some more for what is done unit by unit.
        matrices = self.task.cell.shapes.matrices.values()
        work = sum(size[rows] * size[columns] for rows, columns in matrices) + 8 * sum(size.values())
        return Way(kernel, self.sizes, self.order, self.time, self.batch, work)


def shape_of(asked: Run, host: Host) -> Shape:
    """The shape of a run; of one that is traced too, whose sizes may be symbols."""
    return _shape_of(*_facts(asked, host))


def _ready(asked: Run, host: Host) -> Shape:
    """The shape of a run, found again if there was one like it."""
    return _known_shape(*_facts(asked, host))


def _facts(asked: Run, host: Host) -> tuple[Any, ...]:
    """What `_shape_of` is asked with."""
    return (
        Same(asked.cell),
        tuple(asked.sizes.items()),
        tuple(asked.parameters),
        asked.x.shape,
        asked.x.element_size(),
        tuple(asked.masks),
        asked.resets is not None,
        asked.alive is not None,
        tuple(asked.zoneout),
        host,
    )


def _shape_of(
    same: Same,
    sizes: Sizes,
    names: tuple[str, ...],
    shape: tuple[int, ...],
    bytes_each: int,
    masks: tuple[str, ...],
    resets: bool,
    alive: bool,
    zoneout: tuple[str, ...],
    host: Host,
) -> Shape:
    bare = len(shape) == 3
    return Shape(
        task=find_task(same, tuple(sorted(masks)), resets, alive, tuple(sorted(zoneout))),
        sizes=sizes,
        rows=is_rows(sizes, shape[-2], host.bits // (8 * bytes_each)),
        bare=bare,
        time=shape[0],
        replicas=1 if bare else shape[1],
        batch=shape[-2],
        bits=8 * bytes_each,
        host=host,
        names=names,
    )


_known_shape = lru_cache(maxsize=4096)(_shape_of)


def is_rows(sizes: Sizes, batch: int, lanes: int) -> bool:
    """Which layout: rows for wide vectors, and where a batch would leave most lanes empty."""
    widest = max((size for symbol, size in sizes if symbol != "I"), default=1)
    return widest >= min(ROWS_FROM, lanes) or 2 * batch <= lanes


def record_numbers(shape: Shape, host: Host) -> int:
    """Numbers of a record for each replica."""
    kernel = jit.forward(shape.task, shape.bits, shape.rows, True, host)
    layout: Layout = kernel.plan.layout
    rows = measure_areas(kernel.plan, shape.sizes)["rows.record"]
    return (shape.time + 1) * rows * layout.members(shape.batch) * layout.lanes


@dataclass
class Call:
    """The table of pointers of a call while it is filled.

    Attributes:
        many: whether there is an axis of replicas.
        values: for each name a whole number; what is not named is 0.
        steps: what to add for the next replica, by place.
        holds: what must not be freed before the kernel has run.
    """

    way: Way
    many: bool
    values: list[int] = field(init=False)
    steps: dict[int, int] = field(default_factory=dict)
    holds: list[Tensor] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.values = [0] * len(self.way.at)

    def memory(self, name: str, tensor: Tensor) -> None:
        """Memory in the order of kernels; (R, numbers)."""
        place = self.way.at.get(name)
        if place is not None:
            self.values[place] = tensor.data_ptr()
            self.steps[place] = tensor.stride(0) * tensor.element_size()
            self.holds.append(tensor)

    def sequences(self, name: str, tensor: Tensor | None, *, has_time: bool = True) -> None:
        """A tensor ([T,] [R,] B, W), or zeros if there is none."""
        place = self.way.at.get(name)
        if tensor is None or place is None:
            return
        stride = tensor.stride()
        if stride[-1] != 1 and tensor.shape[-1] != 1:
            tensor = tensor.contiguous()
            stride = tensor.stride()
        self.holds.append(tensor)
        self.values[place] = tensor.data_ptr()
        self.values[self.way.at[f"{name} batch"]] = stride[-2]
        if has_time:
            self.values[self.way.at[f"{name} time"]] = stride[0]
        if self.many:
            self.steps[place] = stride[-3] * tensor.element_size()

    def states(self, name: str, cell_states: Sequence[str], values: Sequence[Tensor | None]) -> None:
        for state, value in zip(cell_states, values, strict=True):
            if value is not None:
                self.sequences(f"{name}.{state}", value, has_time=False)

    def room(self, name: str, address: int, step: int) -> None:
        """Memory for the time of the call."""
        place = self.way.at.get(name)
        if place is not None:
            self.values[place] = address
            self.steps[place] = step

    def run(self, replicas: int, own: Room) -> None:
        tables = [self.way.table(*self.values)]
        for replica in range(1, replicas):
            table = self.way.table(*self.values)
            for place, step in self.steps.items():
                table[place] += replica * step
            tables.append(table)
        self.way.call(tables, own.threads, own.scratch)


def forward(asked: Run, host: Host, saves: bool) -> tuple[Tensor, tuple[Tensor, ...], Tensor | None]:
    """Output, final states, and the record if it is kept; the shapes are those of `Result`."""
    shape, like = _ready(asked, host), asked.x
    way = shape.forward_saving if saves else shape.forward
    states = shape.task.cell.states
    output = borrow(shape.output, like)
    final = tuple(like.new_empty(size) for size in shape.states)
    call = Call(way, not shape.bare)
    _inputs(call, shape, asked)
    own = _room(way, shape)
    _pack(way, shape, asked.parameters, own)
    call.room("weights", own.weights, own.weights_step)
    call.sequences("output", output)
    call.states("start", states, asked.state)
    call.states("final", states, final)
    record = None
    if saves:
        record = borrow(shape.record, like)
        call.memory("record", record)
    call.run(shape.replicas, own)
    return output, final, record


def _inputs(call: Call, shape: Shape, asked: Run) -> None:
    """What both ways read: the input, flags, masks and shares."""
    like, lead = asked.x, (shape.time, *shape.lead)
    call.sequences("x", like)
    for name, flags in (("resets", asked.resets), ("alive", asked.alive)):
        if flags is not None:
            call.sequences(name, flags.to(like.dtype).expand(*lead, 1))
    if asked.resets is not None:
        call.states("fresh", asked.cell.states, asked.fresh)
    for mask, state in shape.task.masks:
        call.sequences(mask, asked.masks[state], has_time=False)
    for state, part in asked.zoneout.items():
        width = shape.width(state)
        whole = part if isinstance(part, Tensor) else like.new_full((*[1] * (like.ndim - 1), width), part)
        call.sequences(f"zoneout.{state}", whole.expand(*lead, width))


@dataclass(frozen=True)
class Room:
    """Memory for one call.

    Attributes:
        scratch, weights, gradients: addresses.
        weights_step, gradients_step: bytes from one replica to the next.
        held: what keeps the memory.
    """

    threads: int
    scratch: int
    weights: int
    weights_step: int
    gradients: int
    gradients_step: int
    held: object


def _room(way: Way, shape: Shape) -> Room:
    threads, each = way.threads(shape.replicas), shape.bits // 8
    weights = lines(way.found["items.weights"] * each)
    gradients = lines(way.found["items.gradients"] * way.tiles * each)
    sizes = (threads * way.bytes, shape.replicas * weights, shape.replicas * gradients)
    start, held = room(sum(sizes))
    return Room(threads, start, start + sizes[0], weights, start + sizes[0] + sizes[1], gradients, held)


def _pack(way: Way, shape: Shape, parameters: Mapping[str, Tensor], own: Room) -> None:
    """The parameters of all replicas in the order in which the kernel reads them."""
    values = [value if value.is_contiguous() else value.contiguous() for value in parameters.values()]
    _in_order(way, way.packs, values, shape.replicas, own.weights, own.weights_step)


def _in_order(
    way: Way, tables: Sequence[Entries], values: Sequence[Tensor], replicas: int, start: int, step: int, *more: int
) -> None:
    """Packs parameters, or collects gradients.

    Args:
        values: the parameters or their gradients, each contiguous.
        start: where those of the first replica lie in the order of kernels.
        step: bytes from there to the next replica.
    """
    calls = way.kernel.library.calls
    if replicas > 1:
        first = np.array([value.data_ptr() for value in values], np.int64)
        apart = np.array([value.nbytes // replicas for value in values], np.int64)
        rows = first + np.arange(replicas)[:, None] * apart
        begin, stride = rows.ctypes.data, rows.strides[0]
        threads = min(torch.get_num_threads(), 1 + replicas * step // MUCH)
        for table in tables:
            jobs = [
                (table.address, 0, table.count, begin + r * stride, start + r * step, *more) for r in range(replicas)
            ]
            run(
                calls[table.function],
                [jobs[replicas * k // threads : replicas * (k + 1) // threads] for k in range(threads)],
            )
        return
    addresses = (ctypes.c_int64 * max(1, len(values)))(*(value.data_ptr() for value in values))
    wanted = min(torch.get_num_threads(), 1 + step // MUCH)
    for table in tables:
        count = table.count
        threads = 1 if table.in_turn else min(wanted, count)
        parts = [(count * k // threads, count * (k + 1) // threads) for k in range(threads)]
        run(calls[table.function], [[(table.address, *part, addresses, start, *more)] for part in parts])


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
    asked: Run,
    host: Host,
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
    shape, like = _ready(asked, host), asked.x
    way = shape.backward_to_input if input_gradient else shape.backward
    plan, states = way.kernel.plan, shape.task.cell.states
    call = Call(way, not shape.bare)
    _inputs(call, shape, asked)
    own = _room(way, shape)
    _pack(way, shape, asked.parameters, own)
    call.room("weights", own.weights, own.weights_step)
    call.memory("record", record)
    call.sequences("d.output", output)
    found_x = None
    if input_gradient:
        found_x = borrow(like.shape, like) if plan.input else torch.zeros(like.shape, dtype=like.dtype)
        call.sequences("d.x", found_x)
    state = tuple(like.new_empty(size) for size in shape.states) if state_gradient else ()
    fresh = tuple(like.new_empty(size) for size in shape.states) if shape.task.resets else ()
    call.states("d.final", states, final)
    call.states("d.start", states, state or (None,) * len(states))
    call.states("d.fresh", states, fresh or (None,) * len(states))
    call.room("gradients", own.gradients, own.gradients_step)
    call.run(shape.replicas, own)
    return Gradients(found_x, state, fresh, _collected(way, shape, asked.parameters, own))


def _collected(way: Way, shape: Shape, parameters: Mapping[str, Tensor], own: Room) -> dict[str, Tensor]:
    """The gradients of the parameters, summed over tiles."""
    found = {
        name: _like(value) if name in way.collected else torch.zeros_like(value) for name, value in parameters.items()
    }
    values, each = [*found.values()], way.found["items.gradients"]
    _in_order(way, way.collects, values, shape.replicas, own.gradients, own.gradients_step, way.tiles, each)
    return found


def _like(value: Tensor) -> Tensor:
    """A contiguous tensor of the same shape, with arbitrary numbers."""
    return torch.empty_like(value) if value.is_contiguous() else value.new_empty(value.shape)
