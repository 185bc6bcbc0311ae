"""A model in training: its recurrent layers run on memory that stays, and autograd only where it is needed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from gatelab.backends.cpu.standing_head import Loss as OwnLoss
from gatelab.backends.cpu.standing_head import StandingHead, suits
from gatelab.nn.direct import OURS
from gatelab.nn.models import SequenceModel
from gatelab.nn.steady import MOST, Stack, Steady
from gatelab.tasks.base import Batch
from gatelab.tasks.losses import (
    SLOPES,
    mean_binary_cross_entropy,
    mean_cross_entropy,
    mean_squared_error,
    summed_cross_entropy,
)
from gatelab.training.flat import Flat

Loss = Callable[[Tensor, Tensor], Tensor]

OWN: dict[Loss, OwnLoss] = {
    mean_binary_cross_entropy: OwnLoss("binary", "sequences"),
    mean_cross_entropy: OwnLoss("classes", "sequences"),
    summed_cross_entropy: OwnLoss("classes", None),
    mean_squared_error: OwnLoss("squares", "answers"),
}
"""Losses of one answer a sequence for which there are kernels."""


class SteadyModel:
    """Answers as the model gives them.

    Args:
        model: to train, with replicas.
        flat: its parameters, which lie there.
        loss: of its answers and the targets, (R,).
    """

    def __init__(self, model: SequenceModel, flat: Flat, loss: Loss) -> None:
        self.model, self.flat, self.loss, own = model, flat, loss, "recurrent."
        gradients = {
            name.removeprefix(own): parameter.grad
            for name, parameter in flat.parameters.items()
            if name.startswith(own) and parameter.grad is not None
        }
        self.layers = Steady(model.recurrent, gradients)
        cell, is_last = model.recurrent.cell, model.reads == "last"
        self.states = cell.states
        is_tied = model.embedding is not None and model.head.weight is model.embedding.weight
        self.reads_plainly = not (is_tied or model.output_dropout) and (not is_last or cell.output in cell.states)
        """Whether the head reads what the layers give as it is."""
        self.read = cell.output if is_last else None
        """The state that the head reads then after the last step; None if it reads the outputs."""
        self.has_kernels = is_last and loss in OWN and model.recurrent.backend in OURS
        """Whether head and loss are computed by kernels, if they are small enough."""
        self._heads: dict[object, StandingHead | None] = {}

    def __call__(self, x: Tensor, lengths: Tensor | None = None) -> Tensor:
        """As `SequenceModel.forward`."""
        return self.run(x, lengths)[0]

    def run(self, x: Tensor, lengths: Tensor | None = None, state: Any = None) -> tuple[Tensor, Any]:
        """As `SequenceModel.run`; the states are not to go on from if `state` is None."""
        output, state = self.layers(self.model.read_in(x), state, lengths)
        return self.model.read_out(output, state, lengths), state

    def learn(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """The answers and the losses, (R,), until the next call; the gradients of their sum are in `flat.gradient`."""
        self.flat.gradient.zero_()
        x = self.model.read_in(batch.x)
        stack, read = self._read(x, batch.lengths, learns=True)
        head = self._find_head(stack, read, learns=True)
        if head is not None:
            answers, losses = head.run(read, batch.target)
            arriving = head.d_hidden
        elif stack is not None:
            with torch.no_grad():
                answers = self.model.head(read)
                losses = self.loss(answers, batch.target)
                arriving = self.model.head.backward(read, SLOPES[self.loss](answers, batch.target))
        else:
            answers = self.model.head(read)
            losses = self.loss(answers, batch.target)
            losses.sum().backward()
            self.layers.backward()
            return answers.detach(), losses.detach()
        self._go_back(stack, x, read, arriving)
        return answers, losses

    def losses(self, batch: Batch) -> Tensor:
        """How wrong the model's answers are, (R,), until the next call."""
        with torch.no_grad():
            stack, read = self._read(self.model.read_in(batch.x), batch.lengths, learns=False)
            head = self._find_head(stack, read, learns=False)
            return self.loss(self.model.head(read), batch.target) if head is None else head.run(read, batch.target)[1]

    def _read(self, x: Tensor, lengths: Tensor | None, learns: bool) -> tuple[Stack | None, Tensor]:
        """What the head reads, and in which stack it lies; without one, autograd knows where it comes from."""
        is_plain = self.reads_plainly and self.loss in SLOPES
        stack = self.layers.find(x, lengths, learns) if is_plain else None
        if stack is None:
            output, state = (self.model.recurrent if is_plain else self.layers)(x, None, lengths)
            return None, self.model.read_by_head(output, state, lengths)
        stack.forward(x.detach() if x.requires_grad else x, lengths)
        return stack, stack.output if self.read is None else stack.final[self.states.index(self.read)]

    def _find_head(self, stack: Stack | None, read: Tensor, learns: bool) -> StandingHead | None:
        """Kernels that read what the head reads; None where torch has to."""
        if not self.has_kernels:
            return None
        key = (read.shape, learns) if stack is None else stack
        if key not in self._heads:
            if len(self._heads) >= 2 * MOST:
                self._heads.clear()
            self._heads[key] = self._make_head(read.new_empty(read.shape) if stack is None else read, learns)
        return self._heads[key]

    def _make_head(self, hidden: Tensor, learns: bool) -> StandingHead | None:
        weight, bias = self.model.head.weight, self.model.head.bias
        if not suits(hidden, weight):
            return None
        gradients = None
        if learns:
            assert weight.grad is not None
            assert bias.grad is not None
            gradients = weight.grad, bias.grad
        return StandingHead(hidden, weight.detach(), bias.detach(), OWN[self.loss], gradients)

    def _go_back(self, stack: Stack | None, x: Tensor, read: Tensor, arriving: Tensor) -> None:
        """Takes the gradient of what the head read further back."""
        if stack is None:
            read.backward(arriving)
            self.layers.backward()
            return
        if self.read is None:
            d_x = stack.backward(arriving, [None] * len(self.states))
        else:
            d_x = stack.backward(None, [arriving if state == self.read else None for state in self.states])
        if d_x is not None:
            x.backward(d_x)
