"""Layers in a training loop that is all ours: kernels on memory that stays, and their way back without autograd.

A `Recurrent` asks at each call what it is given, and has a node for each of its parameters in the graph of autograd. At
a few short sequences that is most of the time. Here a call like the one before it only says where its input lies, and
gradients are written where the optimizer reads them. Results have the same bits either way.

T time, R replicas, B batch, I input, W the width of the output or of a state.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod
from typing import Any

import torch
from torch import Tensor

from gatelab.backends.cpu.standing import Standing
from gatelab.backends.cpu.threads import Chain
from gatelab.nn.direct import Ready, nothing_looks_on
from gatelab.nn.recurrent import Recurrent
from gatelab.nn.sequences import Lengths, Sequences, as_it_came, time_first
from gatelab.nn.state import make_state

MOST_NUMBERS = 2**22
"""Of the record of a layer whose memory stays. Larger ones take so long that finding memory does not count."""
MOST = 4
"""Inputs of different shapes for which memory stays."""


class _Arrival(torch.autograd.Function):
    """A number whose gradient by a tensor is what arrives at that."""

    @staticmethod
    def forward(ctx: Any, tensor: Tensor, arriving: Tensor) -> Tensor:
        ctx.save_for_backward(arriving)
        return tensor.new_zeros(())

    @staticmethod
    def backward(ctx: Any, _: Tensor) -> tuple[Tensor, None]:
        return *ctx.saved_tensors, None


def go_back(tensor: Tensor, arriving: Tensor) -> None:
    """As `tensor.backward(arriving)`, for which torch loads sympy, which takes half a second."""
    number: Tensor = _Arrival.apply(tensor, arriving)  # type: ignore[no-untyped-call]
    number.backward()


class Steady:
    """Layers, called as they are, with gradients that are taken back through them by `backward`.

    What a call gives lies where the next one of the same shape writes. Nothing but the calls may hold it.

    Args:
        layer: its parameters must stay where they are.
        gradients: where those of its parameters go, by name, each contiguous; they are written over.
    """

    def __init__(self, layer: Recurrent, gradients: Mapping[str, Tensor]) -> None:
        self.layer, self.gradients = layer, gradients
        self._known: dict[tuple[object, ...], Stack | None] = {}
        self._last: dict[bool, tuple[object, ...]] = {}
        self._begun: tuple[Stack, Tensor] | None = None

    def __call__(self, x: Tensor, state: Any, lengths: Tensor | None) -> tuple[Tensor, Any]:
        """As `Recurrent.forward`, but for what `find` takes for granted.

        The states are those of the last layer only, if nothing is to go on from them.
        """
        stack = self.find(x, lengths, torch.is_grad_enabled()) if state is None else None
        return self.run(stack, x, state, lengths)

    def run(self, stack: Stack | None, x: Tensor, state: Any, lengths: Tensor | None) -> tuple[Tensor, Any]:
        """The same with what `find` gave for this call."""
        if stack is None:
            self._begun = None
            output, state = self.layer(x, state, lengths)
            return output, state
        learns = torch.is_grad_enabled()
        stack.forward(x.detach(), lengths)
        self._begun = (stack, x) if learns else None
        return stack.leaves(learns)

    def backward(self) -> None:
        """Takes the gradients of what the last call gave further back, to the parameters and to the input.

        Where that call went through autograd, so have its gradients.
        """
        if self._begun is None:
            return
        (stack, x), self._begun = self._begun, None
        stack.backward(*stack.arrived())
        if stack.d_x is not None:
            go_back(x, stack.d_x)

    def find(self, x: Tensor, lengths: Tensor | None, learns: bool) -> Stack | None:
        """What runs such a call on memory that stays; None if the layer itself has to.

        Memory stays for a shape that comes twice in a row. Lengths are taken to be right, inputs beyond them to be
        finite, and lengths that come again as the same tensor to be the same numbers.

        Args:
            x: as in `Recurrent.forward`.
            lengths: likewise.
            learns: whether there will be a `backward`.
        """
        layer = self.layer
        if layer.watch is not None or not nothing_looks_on():
            return None
        ends = None if lengths is None else lengths.shape
        key = (x.shape, x.dtype, x.requires_grad, ends, learns, layer.training, torch.get_num_threads())
        if key in self._known:
            return self._known[key]
        if self._last.get(learns) != key:
            self._last[learns] = key
            return None
        if len(self._known) >= MOST:
            self._known.clear()
        self._known[key] = stack = self._make(x, lengths, learns)
        return stack

    def _make(self, x: Tensor, lengths: Lengths, learns: bool) -> Stack | None:
        layer = self.layer
        found = layer.find_directly(x, lengths)
        if found is None or any(prod(known.shape.record) > MOST_NUMBERS for known, _ in found[1]):
            return None
        names = {id(parameter): name for name, parameter in layer.named_parameters()}
        gradients = [[self.gradients[names[id(own)]] for own in ready.parameters] for ready in found[1]]
        return Stack(layer, *found, gradients=gradients if learns else None, to_input=x.requires_grad)


class Stack:
    """Layers for inputs of one shape.

    Attributes:
        forwards: fills `output` and `final`.
        backwards: after it, the gradients of the parameters, and `d_x`; empty if there are none.
        output: of the last layer, as `Recurrent.forward` gives it.
        final: its states after the last step, each ([R,] B, W).
        d_x: the gradient of the input, in its form, or None if it is not wanted.
    """

    def __init__(
        self,
        layer: Recurrent,
        sequences: Sequences,
        layers: Sequence[Ready],
        gradients: Sequence[Sequence[Tensor]] | None,
        to_input: bool,
    ) -> None:
        self.batch_first, self.states, self.layers = layer.batch_first, layer.cell.states, list[Standing]()
        x, ragged = sequences.x.detach(), sequences.ragged
        self.lead, self.dtype = (*x.shape[:-1], 1), x.dtype
        self.time = None if ragged is None else torch.arange(len(x)).view(-1, *[1] * (x.ndim - 2))
        self.lengths: Tensor | None = None
        self.strides: tuple[int, ...] | None = None
        """Of the last input, if kernels read it where it is."""
        for place, (known, parameters) in enumerate(layers):
            tensors = (x, *known.start, *parameters, None, None if ragged is None else ragged.alive)
            into = None if gradients is None else gradients[place]
            standing = Standing(known.shape, tensors, into, to_input=place > 0 or to_input)
            if self.layers and into is not None:
                self.layers[-1].arrive(standing.d_x, [None] * len(self.states))
            self.layers.append(standing)
            x = standing.output
        self.output, self.final = as_it_came(x, self.batch_first), self.layers[-1].final
        first = self.layers[0].d_x
        self.d_x = None if first is None else as_it_came(first, self.batch_first)
        self.forwards = [start for layer in self.layers for start in layer.forwards.starts]
        ways_back = [layer.backwards for layer in reversed(self.layers) if layer.backwards is not None]
        self.backwards = [start for way in ways_back for start in way.starts]
        self.run_forwards, self.run_backwards = Chain(self.forwards), Chain(self.backwards)
        self._leaves: dict[bool, tuple[Tensor, list[Tensor]]] = {}

    def put(self, x: Tensor, lengths: Tensor | None) -> None:
        """Has `forwards` read these, which are as in `Recurrent.forward`, and `backwards` too."""
        if self.time is not None and lengths is not self.lengths:
            assert lengths is not None
            self.lengths = lengths
            alive = (self.time < lengths).unsqueeze(-1).to(self.dtype).expand(self.lead)
            for layer in self.layers:
                layer.put("alive", alive)
        strides = x.stride()
        if strides == self.strides:
            self.layers[0].move("x", x.data_ptr())
        else:
            self.layers[0].put("x", time_first(x, self.batch_first))
            is_copied = strides[-1] != 1 and x.shape[-1] != 1
            self.strides = None if is_copied else strides
        self.x = x  # Must not be freed before it is read.

    def arrive(self, output: Tensor | None, final: Sequence[Tensor | None]) -> None:
        """Has `backwards` read these.

        Args:
            output: what arrives there, of its shape; None for zeros.
            final: likewise, for each state of the last layer.
        """
        self.layers[-1].arrive(None if output is None else time_first(output, self.batch_first), final)

    def forward(self, x: Tensor, lengths: Tensor | None) -> None:
        """Fills `output` and `final`."""
        self.put(x, lengths)
        self.run_forwards()

    def backward(self, output: Tensor | None, final: Sequence[Tensor | None]) -> None:
        """Fills the gradients of the parameters, and `d_x`."""
        self.arrive(output, final)
        self.run_backwards()

    def leaves(self, learns: bool) -> tuple[Tensor, Any]:
        """Output and states of a call as the layer gives them, where autograd begins if it `learns`."""
        if learns not in self._leaves:
            output, *final = (
                value.detach().requires_grad_(learns)
                for value in (self.output, *(value.unsqueeze(-3) for value in self.final))
            )
            self._leaves[learns] = output, final
        output, final = self._leaves[learns]
        for leaf in (output, *final):
            leaf.grad = None
        return output, make_state(self.states, final)

    def arrived(self) -> tuple[Tensor | None, list[Tensor | None]]:
        """What autograd has brought to the leaves, as `backward` takes it."""
        output, final = self._leaves[True]
        return output.grad, [None if leaf.grad is None else leaf.grad.squeeze(-3) for leaf in final]
