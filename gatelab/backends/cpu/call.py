"""The values of a call: what differs from one call of a kernel to the next, in the order in which it reads them."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from itertools import compress
from typing import NamedTuple, cast

import numpy as np
import torch
from torch import Tensor

from gatelab.backends.cpu.launch import Way
from gatelab.backends.cpu.memory import room
from gatelab.backends.cpu.shapes import Shape

Tensors = Sequence[Tensor | None]


class Stacks(NamedTuple):
    """Parameters, or their gradients, that are parts of some contiguous tensors, without replicas.

    Attributes:
        tensors: which.
        addresses: where each parameter lies.
    """

    tensors: Sequence[Tensor]
    addresses: Sequence[int]


class Call:
    """Values while they are filled in, for the first replica; what is not there is 0.

    Attributes:
        values: in the order of `Table`.
        apart: how far each is from that of the next replica; empty if there is but one.
        held: what must not be freed before the kernel has run.
    """

    def __init__(self, way: Way, shape: Shape, tensors: Tensors, stacks: Stacks | None = None) -> None:
        """
        Args:
            tensors: of the run, in the order of `tensors_of`.
            stacks: its parameters, if they are none of the tensors.
        """
        self.way, self.shape, self.table = way, shape, way.table
        self.values = way.table.values[:]
        self.apart = array("q", [0] * len(self.values)) if shape.replicas > 1 else array("q")
        self.held: list[Tensor] = []
        self._inputs(tensors, stacks)

    def _inputs(self, tensors: Tensors, stacks: Stacks | None) -> None:
        """What both ways read: the input, parameters, flags, masks and shares."""
        shape = self.shape
        self.sequences("x", tensors[0])
        _, fresh, parameters, rest = shape.parts
        if stacks is None:
            given = _there(tensors[parameters])
            given = given if _all_contiguous(given) else list(map(Tensor.contiguous, given))
            self.addresses(self.table.parameters, given)
        else:
            self.stacks(self.table.parameters, stacks)
        if shape.is_plain:
            return
        like, lead = cast(Tensor, tensors[0]), (shape.time, *shape.lead)
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
        places = self.table.sequences.get(name)
        if tensor is None or places is None:
            return
        tensor, strides = lying_well(tensor)
        self.held.append(tensor)
        place, batch, time = places
        self.values[place] = tensor.data_ptr()
        self.values[batch] = strides[-2]
        self.values[time] = strides[0]  # Of no meaning without an axis of time, and then not read.
        if self.apart:
            self.apart[place] = strides[-3] * tensor.element_size()

    def states(self, name: str, values: Tensors) -> None:
        """One tensor for each state, or None for zeros."""
        for state, value in zip(self.table.states[name], values, strict=True):
            if value is not None:
                self.sequences(state, value)

    def whole(self, name: str, tensor: Tensor) -> None:
        """Memory of our own, as `Table.lies_whole` has been told that it lies."""
        place = self.table.at.get(name)
        if place is not None:
            self.values[place] = tensor.data_ptr()
            if self.apart:
                self.apart[place] = self.table.apart[name]

    def whole_states(self, name: str, values: Tensors) -> None:
        for state, value in zip(self.table.states[name], values, strict=True):
            if value is not None:
                self.whole(state, value)

    def gradients(self, parameters: Tensors) -> list[Tensor]:
        """Room for the gradients of the parameters."""
        given = _there(parameters)
        if _all_contiguous(given):
            found = list(map(torch.empty_like, given))
        else:
            found = [value.new_empty(value.shape) for value in given]
        self.gradients_into(found)
        return found

    def gradients_into(self, found: Sequence[Tensor]) -> None:
        """Has the gradients of the parameters written there; each is contiguous."""
        if self.way.collects:
            self.addresses(self.table.gradients, found)
        for value in compress(found, self.way.uncollected):
            value.zero_()

    def stacks(self, place: int, stacks: Stacks) -> None:
        """The addresses of parameters, or of their gradients, in stacks."""
        self.held += stacks.tensors
        self.values[place : place + len(stacks.addresses)] = array("q", stacks.addresses)

    def addresses(self, place: int, values: Sequence[Tensor]) -> None:
        """Those of parameters, or of their gradients, each contiguous."""
        end = place + len(values)
        self.held += values
        self.values[place:end] = array("q", map(Tensor.data_ptr, values))
        if self.apart:
            self.apart[place:end] = array("q", [value.nbytes // self.shape.replicas for value in values])

    def run(self) -> None:
        program, size = self.way.launch()
        start, held = room(size)
        program.run(self.spread(), start)
        del held

    def spread(self) -> array[int]:
        """The values of all replicas, one behind the other."""
        if not self.apart:
            return self.values
        replicas = np.arange(self.shape.replicas)[:, None]
        each = np.frombuffer(self.values, np.int64) + replicas * np.frombuffer(self.apart, np.int64)
        return array("q", each.tobytes())


def lying_well(tensor: Tensor) -> tuple[Tensor, Sequence[int]]:
    """A tensor whose last axis lies as kernels want it, and its strides."""
    strides = tensor.stride()
    if strides[-1] != 1 and tensor.shape[-1] != 1:
        tensor = tensor.contiguous()
        strides = tensor.stride()
    return tensor, strides


def _all_contiguous(tensors: Sequence[Tensor]) -> bool:
    return all(map(Tensor.is_contiguous, tensors))


def _there(tensors: Tensors) -> Sequence[Tensor]:
    """Tensors that are never None."""
    return cast(Sequence[Tensor], tensors)
