"""A model in training: its recurrent layers run on memory that stays, and autograd only where it is needed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from gatelab.backends.cpu.standing_head import Loss as OwnLoss
from gatelab.backends.cpu.standing_head import StandingHead, suits
from gatelab.backends.cpu.threads import Chain
from gatelab.nn.direct import OURS
from gatelab.nn.models import SequenceModel
from gatelab.nn.steady import MOST, Stack, Steady, go_back
from gatelab.tasks.base import Batch
from gatelab.tasks.losses import (
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


class _Joined:
    """Layers and the head that reads them, forwards and, if there are gradients, back again, all in one call.

    Args:
        arriving: what the way back reads, as `Stack.arrive` takes it.
    """

    def __init__(self, stack: Stack, head: StandingHead, arriving: tuple[Tensor | None, list[Tensor | None]]) -> None:
        self.stack, self.head = stack, head
        if stack.backwards:
            stack.arrive(*arriving)
        self.run = Chain([*stack.forwards, *head.starts, *stack.backwards])

    def __call__(self, x: Tensor, lengths: Tensor | None, target: Tensor) -> tuple[Tensor, Tensor]:
        """The answers and the losses, until the next call."""
        self.stack.put(x, lengths)
        self.head.put(target)
        self.run()
        self.head.check()
        return self.head.answers, self.head.losses


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
        self.has_kernels = loss in OWN and model.recurrent.backend in OURS
        """Whether head and loss are computed by kernels, if they are small enough."""
        is_tied = model.embedding is not None and model.head.weight is model.embedding.weight
        self.reads_plainly = not (is_tied or model.output_dropout) and (not is_last or cell.output in cell.states)
        """Whether the head reads what the layers give as it is."""
        self.read = cell.output if is_last else None
        """The state that the head reads then after the last step; None if it reads the outputs."""
        self._heads: dict[object, StandingHead | None] = {}
        self._joined: dict[Stack, _Joined | None] = {}

    def __call__(self, x: Tensor, lengths: Tensor | None = None) -> Tensor:
        """As `SequenceModel.forward`."""
        return self.run(x, lengths)[0]

    def run(self, x: Tensor, lengths: Tensor | None = None, state: Any = None) -> tuple[Tensor, Any]:
        """As `SequenceModel.run`; the states are not to go on from if `state` is None."""
        output, state = self.layers(self.model.read_in(x), state, lengths)
        return self.model.read_out(output, state, lengths), state

    def learn(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """The answers and the losses, (R,), until the next call; the gradients of their sum are in `flat.gradient`."""
        x, lengths = self.model.read_in(batch.x), batch.lengths
        stack = self.layers.find(x, lengths, learns=True)
        joined = self._joined_of(stack, learns=True)
        if joined is not None and not x.requires_grad:
            return joined(x, lengths, batch.target)
        self.flat.gradient.zero_()
        if joined is not None:
            found = joined(x.detach(), lengths, batch.target)
            assert joined.stack.d_x is not None
            go_back(x, joined.stack.d_x)
            return found
        output, state = self.layers.run(stack, x, None, lengths)
        read = self.model.read_by_head(output, state, lengths)
        head = self._find_head((read.shape, True), read.new_empty(read.shape), learns=True)
        if head is None:
            answers = self.model.head(read)
            losses = self.loss(answers, batch.target)
            losses.sum().backward()
        else:
            answers, losses = head.run(read, batch.target)
            go_back(read, head.d_hidden)
        self.layers.backward()
        return answers.detach(), losses.detach()

    def losses(self, batch: Batch) -> Tensor:
        """How wrong the model's answers are, (R,), until the next call."""
        x, lengths = self.model.read_in(batch.x), batch.lengths
        x = x.detach() if x.requires_grad else x
        stack = self.layers.find(x, lengths, learns=False)
        joined = self._joined_of(stack, learns=False)
        if joined is not None:
            return joined(x, lengths, batch.target)[1]
        with torch.no_grad():  # To come here at every step would take as long as the rest of this.
            output, state = self.layers.run(stack, x, None, lengths)
            read = self.model.read_by_head(output, state, lengths)
            head = self._find_head((read.shape, False), read.new_empty(read.shape), learns=False)
            return self.loss(self.model.head(read), batch.target) if head is None else head.run(read, batch.target)[1]

    def _joined_of(self, stack: Stack | None, learns: bool) -> _Joined | None:
        """A stack with kernels that read where it writes; None if what they read is not there, or torch reads it."""
        if stack is None or not self.reads_plainly:
            return None
        if stack not in self._joined:
            if len(self._joined) >= MOST:
                self._joined.clear()
            read = stack.output if self.read is None else stack.final[self.states.index(self.read)]
            head = self._make_head(read, learns) if self.has_kernels else None
            self._joined[stack] = None if head is None else _Joined(stack, head, self._arriving(head.d_hidden))
        return self._joined[stack]

    def _find_head(self, key: object, hidden: Tensor, learns: bool) -> StandingHead | None:
        """Kernels that read what is put there, made once for a key; None where torch has to."""
        if not self.has_kernels:
            return None
        if key not in self._heads:
            if len(self._heads) >= MOST:
                self._heads.clear()
            self._heads[key] = self._make_head(hidden, learns)
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

    def _arriving(self, d_read: Tensor) -> tuple[Tensor | None, list[Tensor | None]]:
        """The gradient of what the head reads as `Stack.backward` takes it."""
        if self.read is None:
            return d_read, [None] * len(self.states)
        return None, [d_read if state == self.read else None for state in self.states]
