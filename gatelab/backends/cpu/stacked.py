"""Runs whose parameters lie in torch's stacks, gate by gate, as those of `nn.LSTM` do.

Autograd then has a node for each stack and not for each parameter of the cell, of which there are three times as many.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from gatelab.backends.base import Result, is_batched, put_together
from gatelab.backends.cpu import kernels
from gatelab.backends.cpu.backend import is_saved, through_eager
from gatelab.backends.cpu.call import Stacks
from gatelab.backends.cpu.shapes import Shape


class Stacking(NamedTuple):
    """How torch stacks the parameters of a cell: those on the input, those on the state, and perhaps two biases.

    Attributes:
        gates: of a stack.
        summed: the first so many gates have the sum of the two biases; the others have the one or the other.
        places: of each parameter of the cell, in their order: in which stack, and as which gate.
    """

    gates: int
    summed: int
    places: tuple[tuple[int, int], ...]

    def where(self, stacks: Sequence[Tensor]) -> Stacks:
        """Where each parameter lies, or its gradient; of a sum, where the first of the two does."""
        begin, bytes_each = [stack.data_ptr() for stack in stacks], [stack.nbytes // self.gates for stack in stacks]
        return Stacks(stacks, [begin[stack] + gate * bytes_each[stack] for stack, gate in self.places])

    def added(self, stacks: Sequence[Tensor]) -> list[Tensor]:
        """The stacks as kernels read them, the first bias with the second added to it where the cell has one."""
        on_input, on_state, *biases = (stack.contiguous() for stack in stacks)
        if not biases:
            return [on_input, on_state]
        total = biases[0] + biases[1]
        if self.summed < self.gates:
            whole = len(total) // self.gates * self.summed
            total = torch.cat([total[:whole], biases[0][whole:]])
        return [on_input, on_state, total, biases[1]]

    def tensors(self, states: int, x: Tensor, stacks: Sequence[Tensor]) -> tuple[Tensor | None, ...]:
        """Those of a run that begins with zeros, in the order of `tensors_of`."""
        parts = [stack.chunk(self.gates) for stack in self.added(stacks)]
        return (x, *(None,) * states, *(parts[stack][gate] for stack, gate in self.places), None, None)

    def share(self, gradients: Sequence[Tensor]) -> None:
        """Copies the gradients of what is a sum, which lie with the first of two biases, to the second."""
        _, _, *biases = gradients
        if biases:
            whole = len(biases[0]) // self.gates * self.summed
            biases[1][:whole].copy_(biases[0][:whole])


def run_stacked(shape: Shape, stacking: Stacking, x: Tensor, stacks: Sequence[Tensor]) -> Result:
    """As `run_known` from zeros, with nothing around the steps.

    Every parameter of the cell has a gradient, as those of torch's layers do.
    """
    if not is_saved((x, *stacks)):
        output, state, _, _ = kernels.forward(shape, _bare(shape, x), False, stacking.where(stacking.added(stacks)))
        return Result(output, state)
    output, *final = _Stacked.apply(shape, stacking, x, *stacks)  # type: ignore[no-untyped-call]
    return Result(output, tuple(final))


def _bare(shape: Shape, x: Tensor) -> tuple[Tensor | None, ...]:
    """The tensors of a run without its parameters."""
    return (x, *(None,) * (shape.form.states + len(shape.form.parameters) + 2))


class _Stacked(torch.autograd.Function):
    """A run and its gradients, as in `backend.py`."""

    @staticmethod
    def forward(ctx: Any, shape: Shape, stacking: Stacking, x: Tensor, *stacks: Tensor) -> tuple[Tensor, ...]:
        output, final, _, record = kernels.forward(shape, _bare(shape, x), True, stacking.where(stacking.added(stacks)))
        ctx.shape, ctx.stacking = shape, stacking
        ctx.save_for_backward(record, x, *stacks)
        ctx.set_materialize_grads(False)
        return output, *final

    @staticmethod
    def backward(ctx: Any, *arriving: Tensor | None) -> tuple[Tensor | None, ...]:
        record, x, *stacks = ctx.saved_tensors
        shape, stacking, wanted = ctx.shape, ctx.stacking, ctx.needs_input_grad[2:]
        if torch.is_grad_enabled() or any(map(is_batched, arriving)):
            return (
                None,
                None,
                *through_eager(
                    lambda views: put_together(shape.form, stacking.tensors(shape.form.states, views[0], views[1:])),
                    (x, *stacks),
                    arriving,
                    wanted,
                ),
            )
        tensors, gradients = _bare(shape, x), [torch.empty(stack.shape, dtype=stack.dtype) for stack in stacks]
        only_x = (wanted[0], *(False,) * (len(tensors) - 1))
        call, found, _ = kernels.prepare_backward(
            shape, tensors, record, arriving, only_x, stacking.where(gradients), stacking.where(stacking.added(stacks))
        )
        call.run()
        stacking.share(gradients)
        return None, None, found[0], *gradients
