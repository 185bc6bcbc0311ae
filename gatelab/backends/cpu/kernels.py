"""A run, forwards and backwards, through kernels: tensors of torch in, tensors of torch out.

All tensors of a run come in one tuple, in the order of `tensors_of`.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from typing import cast

import numpy as np
import torch
from torch import Tensor

from gatelab.backends.cpu.launch import Way
from gatelab.backends.cpu.memory import borrow, room
from gatelab.backends.cpu.shapes import Shape

Tensors = Sequence[Tensor | None]


def forward(shape: Shape, tensors: Tensors, saves: bool) -> tuple[Tensor, tuple[Tensor, ...], Tensor | None]:
    """Output, final states, and the record if it is kept; the shapes are those of `Result`."""
    like = _input(tensors)
    call = Call(shape.forward_saving if saves else shape.forward, shape)
    call.inputs(tensors)
    output = borrow(shape.output, like)
    call.sequences("output", output)
    final = tuple([like.new_empty(size) for size in shape.states])
    call.states("start", tensors[shape.parts[0]])
    call.states("final", final)
    record = None
    if saves:
        record = borrow(shape.record, like)
        call.memory("record", record)
    call.run()
    return output, final, record


def backward(
    shape: Shape, tensors: Tensors, record: Tensor, arriving: Tensors, wanted: Sequence[bool]
) -> list[Tensor | None]:
    """The gradients of a run's tensors, in their order; None for what has none or was not asked for.

    A cell that does not depend on something has zeros there.

    Args:
        arriving: the gradients of the output and of the final states, None where nothing arrives.
        wanted: of which tensors there should be one; parameters always get theirs.
    """
    like = _input(tensors)
    way = shape.backward_to_input if wanted[0] else shape.backward
    states, fresh, parameters, _ = shape.parts
    found: list[Tensor | None] = [None] * len(tensors)
    call = Call(way, shape)
    call.inputs(tensors)
    call.memory("record", record)
    # A kernel reads memory as it is, and torch may keep a minus sign beside it.
    output, *final = [value if value is None else value.resolve_neg() for value in arriving]
    call.sequences("d.output", output)
    call.states("d.final", final)
    if wanted[0]:
        found[0] = borrow(like.shape, like) if way.kernel.plan.input else torch.zeros(like.shape, dtype=like.dtype)
        call.sequences("d.x", found[0])
    for name, part, is_there in (("d.start", states, True), ("d.fresh", fresh, shape.task.resets)):
        if is_there and any(wanted[part]):
            pairs = zip(shape.states, wanted[part], strict=True)
            found[part] = [like.new_empty(size) if is_wanted else None for size, is_wanted in pairs]
            call.states(name, found[part])
    found[parameters] = call.gradients(tensors[parameters])
    call.run()
    return found


def _input(tensors: Tensors) -> Tensor:
    return cast(Tensor, tensors[0])


def _there(tensors: Tensors) -> Sequence[Tensor]:
    """Tensors that are never None."""
    return cast(Sequence[Tensor], tensors)


class Call:
    """The values of a call while they are filled in, in the order of `Way`; what is not there is 0.

    Attributes:
        apart: bytes from a value to that of the next replica.
        held: what must not be freed before the kernel has run.
    """

    def __init__(self, way: Way, shape: Shape) -> None:
        self.way, self.shape = way, shape
        self.values = way.blank[:]
        self.apart = [0] * (len(self.values) if shape.replicas > 1 else 0)
        self.held: list[Tensor] = []

    def inputs(self, tensors: Tensors) -> None:
        """What both ways read: the input, parameters, flags, masks and shares."""
        shape = self.shape
        self.sequences("x", tensors[0])
        _, fresh, parameters, rest = shape.parts
        self.addresses(self.way.parameters, [value.contiguous() for value in _there(tensors[parameters])])
        if shape.is_plain:
            return
        like, lead = _input(tensors), (shape.time, *shape.lead)
        resets, alive, *noise = tensors[rest]
        for name, flags in (("resets", resets), ("alive", alive)):
            if flags is not None:
                self.sequences(name, flags.to(like.dtype).expand(*lead, 1))
        if resets is not None:
            self.states("fresh", tensors[fresh])
        masks = dict(zip(shape.form.masks, noise, strict=False))
        for mask, state in shape.task.masks:
            self.sequences(mask, masks[state])
        drawn = iter(noise[len(masks) :])
        for state, share in shape.form.zoneout.items():
            part = next(drawn) if share is None else like.new_full((*[1] * (like.ndim - 1), shape.width(state)), share)
            assert part is not None
            self.sequences(f"zoneout.{state}", part.expand(*lead, shape.width(state)))

    def sequences(self, name: str, tensor: Tensor | None) -> None:
        """A tensor ([T,] [R,] B, W), or zeros if there is none."""
        places = self.way.sequences.get(name)
        if tensor is None or places is None:
            return
        strides = tensor.stride()
        if strides[-1] != 1 and tensor.shape[-1] != 1:
            tensor = tensor.contiguous()
            strides = tensor.stride()
        self.held.append(tensor)
        place, batch, time = places
        self.values[place] = tensor.data_ptr()
        self.values[batch] = strides[-2]
        self.values[time] = strides[0]  # Of no meaning without an axis of time, and then not read.
        if self.apart:
            self.apart[place] = strides[-3] * tensor.element_size()

    def states(self, name: str, values: Tensors) -> None:
        """One tensor for each state, or None for zeros."""
        for state, value in zip(self.way.states[name], values, strict=True):
            if value is not None:
                self.sequences(state, value)

    def memory(self, name: str, tensor: Tensor) -> None:
        """Memory in the order of kernels; (R, numbers)."""
        place = self.way.at.get(name)
        if place is not None:
            self.values[place] = tensor.data_ptr()
            if self.apart:
                self.apart[place] = tensor.stride(0) * tensor.element_size()

    def gradients(self, parameters: Tensors) -> list[Tensor]:
        """Room for the gradients of the parameters."""
        found = [
            _like(value) if has_one else torch.zeros_like(value)
            for value, has_one in zip(_there(parameters), self.way.collected, strict=True)
        ]
        if self.way.collects:
            self.addresses(self.way.gradients, found)
        return found

    def addresses(self, place: int, values: Sequence[Tensor]) -> None:
        """Those of parameters, or of their gradients, each contiguous."""
        self.held += values
        for k, value in enumerate(values, place):
            self.values[k] = value.data_ptr()
            if self.apart:
                self.apart[k] = value.nbytes // self.shape.replicas

    def run(self) -> None:
        replicas = self.shape.replicas
        program, size = self.way.launch(replicas)
        values = self.values
        if replicas > 1:
            each = np.frombuffer(values, np.int64) + np.arange(replicas)[:, None] * np.array(self.apart, np.int64)
            values = array("q", each.tobytes())
        start, held = room(size)
        program.run(values, start)
        del held


def _like(value: Tensor) -> Tensor:
    """A contiguous tensor of the same shape, with arbitrary numbers."""
    return torch.empty_like(value) if value.is_contiguous() else value.new_empty(value.shape)
