"""Training steps of layers in torch."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from gatelab.backends.base import Backend
from gatelab.bench.losses import Loss
from gatelab.bench.sizes import Size, fit_size, further_widths
from gatelab.bench.timing import Step
from gatelab.language.cell import Cell
from gatelab.nn.recurrent import Recurrent


def training_step(layer: nn.Module, size: Size, loss: Loss) -> Step:
    """Forward and backward of a loss, with the gradients of the input and of all weights.

    Args:
        layer: gives a tuple that begins with the outputs, (T, B, H), for an input (T, B, I).
    """
    x = inputs(size).requires_grad_()
    leaves = [x, *(parameter for parameter in layer.parameters() if parameter.requires_grad)]
    weights: list[Tensor] = []

    def step() -> None:
        for leaf in leaves:
            leaf.grad = None
        output, *_ = layer(x)
        if not weights:
            weights.append(torch.randn_like(loss.reads(output)))
        (loss.reads(output) * weights[0]).sum().backward()

    return step


def recurrent(cell: Cell, size: Size, backend: str | Backend, replicas: int | None = None) -> Recurrent:
    """A layer of a cell at a size that fits it."""
    size = fit_size(size, cell)
    return Recurrent(cell, size.I, size.H, backend=backend, replicas=replicas, widths=further_widths(size, cell))


def recurrent_step(cell: Cell, size: Size, loss: Loss, backend: str | Backend) -> Step:
    return training_step(recurrent(cell, size, backend), fit_size(size, cell), loss)


def inputs(size: Size) -> Tensor:
    """Random, (T, B, I)."""
    return torch.randn(size.T, size.B, size.I)
