"""A model in training: its recurrent layers run on memory that stays, and autograd only where it is needed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from gatelab.nn.models import SequenceModel
from gatelab.nn.steady import Stack, Steady
from gatelab.tasks.base import Batch
from gatelab.tasks.losses import SLOPES
from gatelab.training.flat import Flat

Loss = Callable[[Tensor, Tensor], Tensor]


class SteadyModel:
    """Answers as the model gives them.

    Args:
        model: to train, with replicas.
        flat: its parameters, which lie there.
    """

    def __init__(self, model: SequenceModel, flat: Flat) -> None:
        self.model, self.flat, own = model, flat, "recurrent."
        gradients = {
            name.removeprefix(own): parameter.grad
            for name, parameter in flat.parameters.items()
            if name.startswith(own) and parameter.grad is not None
        }
        self.layers = Steady(model.recurrent, gradients)
        cell = model.recurrent.cell
        self.read = None if model.reads == "every" else cell.output
        """The state that the head reads after the last step; None if it reads the outputs."""
        is_tied = model.embedding is not None and model.head.weight is model.embedding.weight
        self.reads_plainly = self.read in (None, *cell.states) and not (is_tied or model.output_dropout)

    def __call__(self, x: Tensor, lengths: Tensor | None = None) -> Tensor:
        """As `SequenceModel.forward`."""
        return self.run(x, lengths)[0]

    def run(self, x: Tensor, lengths: Tensor | None = None, state: Any = None) -> tuple[Tensor, Any]:
        """As `SequenceModel.run`; the states are not to go on from if `state` is None."""
        output, state = self.layers(self.model.read_in(x), state, lengths)
        return self.model.read_out(output, state, lengths), state

    def learn(self, batch: Batch, loss: Loss) -> tuple[Tensor, Tensor]:
        """The answers and the losses, (R,); the gradients of their sum are in `flat.gradient` then."""
        self.flat.gradient.zero_()
        x, layers = self.model.read_in(batch.x), self.layers
        if self.reads_plainly and loss in SLOPES:
            stack = layers.find(x, batch.lengths, learns=True)
            if stack is not None:
                return self._learn_by_hand(x, batch, loss, stack)
            output, state = self.model.recurrent(x, None, batch.lengths)
        else:
            output, state = layers(x, None, batch.lengths)
        answers = self.model.read_out(output, state, batch.lengths)
        losses = loss(answers, batch.target)
        losses.sum().backward()
        layers.backward()
        return answers.detach(), losses.detach()

    def _learn_by_hand(self, x: Tensor, batch: Batch, loss: Loss, stack: Stack) -> tuple[Tensor, Tensor]:
        """As `learn`, without autograd from what the layers read to the losses."""
        head, states = self.model.head, self.model.recurrent.cell.states
        with torch.no_grad():
            stack.forward(x.detach(), batch.lengths)
            hidden = stack.output if self.read is None else stack.final[states.index(self.read)]
            answers = head(hidden)
            losses = loss(answers, batch.target)
            arriving = head.backward(hidden, SLOPES[loss](answers, batch.target))
            if self.read is None:
                d_x = stack.backward(arriving, [None] * len(states))
            else:
                d_x = stack.backward(None, [arriving if state == self.read else None for state in states])
        if d_x is not None:
            x.backward(d_x)
        return answers, losses
