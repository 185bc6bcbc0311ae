"""A step a call, without gradients, for runs that differ in nothing but their numbers.

What a run takes for its sizes is found once, and a call puts in its addresses. Packing the weights would take longer
than the step itself, so they stay packed for as long as the parameters hold the same bits. To look at all of these each
time takes 3 of the 31 us of an LSTM with 64 units, and 150 of 480 with 512. Counting changes, as torch does, would take
nothing, but there is no count for what is written through `.data`, or by an optimizer that has all parameters as one
tensor, and torch refuses one for tensors of inference mode.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from operator import add

from torch import Tensor

from gatelab.backends.base import Run
from gatelab.backends.cpu.fingerprint import fingerprint
from gatelab.backends.cpu.host import Host, this_host
from gatelab.backends.cpu.launch import Apart
from gatelab.backends.cpu.memory import own_room, room
from gatelab.backends.cpu.refusal import SHAPE, lie_well
from gatelab.backends.cpu.shapes import Shape, find_shape
from gatelab.backends.cpu.threads import WORD


class Steps:
    """Layers of one cell, a step a call.

    Several threads may call it: packed weights never change, new ones take their place.
    """

    def __init__(self, asked: Sequence[Run], lead: tuple[int, ...], host: Host | None = None) -> None:
        """
        Args:
            asked: a run of each layer like those to come, of one step, with nothing around it and without replicas;
                `why_not` says nothing of any.
            lead: (B,), or () for inputs and states of one sequence without that axis.
        """
        shapes = [find_shape(run, host or this_host()) for run in asked]
        cell, like = asked[0].cell, asked[0].x
        self.dtype = like.dtype
        self.layers = [_Layer(shape, tuple(run.parameters.values())) for shape, run in zip(shapes, asked, strict=True)]
        self.outputs = [(*lead, shape.width(cell.output)) for shape in shapes]
        self.states = [(len(shapes), *lead, shapes[0].width(state)) for state in cell.states]
        self.apart = [like.element_size() * prod(size[1:]) for size in self.states]
        self.nowhere = [0] * len(self.states)
        self.shapes = [SHAPE(value) for run in asked for value in run.parameters.values()]

    def fit(self, x: Tensor, state: Sequence[Tensor], parameters: Sequence[Tensor]) -> bool:
        """Whether a step can be taken with these; the shape of `x` is known to be right.

        Args:
            state: as `run` takes it.
            parameters: those of all layers.
        """
        return (
            lie_well((x, *state, *parameters), self.dtype)
            and (not state or list(map(SHAPE, state)) == self.states)
            and list(map(SHAPE, parameters)) == self.shapes
            and all(map(Tensor.is_contiguous, (*state, *parameters)))
        )

    def run(
        self, x: Tensor, state: Sequence[Tensor], parameters: Sequence[Sequence[Tensor]]
    ) -> tuple[Tensor, list[Tensor]]:
        """The output, ([B,] W), and the states after the step, each (L, [B,] W).

        Args:
            x: ([B,] I).
            state: the states before it, each (L, [B,] W); empty for zeros.
            parameters: of each layer.
        """
        x, final = x.contiguous(), [x.new_empty(size) for size in self.states]
        before, after = list(map(Tensor.data_ptr, state)) or self.nowhere, list(map(Tensor.data_ptr, final))
        for layer, own, size in zip(self.layers, parameters, self.outputs, strict=True):
            output = x.new_empty(size)
            layer.run((x.data_ptr(), output.data_ptr(), *before, *after), own)
            before = list(map(add, before, self.apart)) if state else before
            after, x = list(map(add, after, self.apart)), output
        return x, final


class _Layer:
    """A layer of them."""

    def __init__(self, shape: Shape, parameters: Sequence[Tensor]) -> None:
        self.way = way = shape.forward
        self.table = table = way.table
        self.values = table.values[:]
        for name in ("x", *table.states["start"]):
            if name in table.sequences:
                self.values[table.sequences[name][1]] = shape.width(name.removeprefix("start."))
        order = ("x", "output", *table.states["start"], *table.states["final"])
        self.places = [(table.at[name], number) for number, name in enumerate(order) if name in table.at]
        self.at_weights = table.at.get("weights")
        self.sizes = array("q", [value.nbytes for value in parameters])
        self.packed: _Packed | None = None

    def run(self, addresses: Sequence[int], parameters: Sequence[Tensor]) -> None:
        """Takes a step.

        Args:
            addresses: of the input, the output, the states before the step and those after it.
        """
        values, apart = self.values[:], self.way.apart()
        for place, number in self.places:
            values[place] = addresses[number]
        first = self.table.parameters
        values[first : first + len(parameters)] = array("q", map(Tensor.data_ptr, parameters))
        if self.at_weights is not None:
            packed = self._pack(values, apart)
            values[self.at_weights] = packed.address
        memory, held = room(apart.scratch)
        apart.kernel.run(values, memory)
        del held

    def _pack(self, values: array[int], apart: Apart) -> _Packed:
        """The weights in order; those of the step before, if they are still the same."""
        begin, _ = values.buffer_info()
        sizes, count = self.sizes.buffer_info()
        mark, packed = fingerprint(begin + WORD * self.table.parameters, sizes, count), self.packed
        if packed is None or packed.mark != mark:
            address, held = own_room(apart.weights)
            apart.packing.run(values, address)
            self.packed = packed = _Packed(mark, address, held)
        return packed


@dataclass(frozen=True)
class _Packed:
    """Weights in the order in which a kernel reads them.

    Attributes:
        mark: the fingerprint of the parameters that they came from.
        address: where they begin.
        held: what keeps them.
    """

    mark: int
    address: int
    held: object
