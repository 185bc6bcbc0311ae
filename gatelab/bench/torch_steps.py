"""Training steps of layers in torch."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from gatelab.backends.base import Backend
from gatelab.bench.sizes import Size, fit_size, further_widths
from gatelab.bench.timing import Step
from gatelab.language.cell import Cell
from gatelab.nn.recurrent import Recurrent


def training_step(layer: nn.Module, size: Size) -> Step:
    """Forward and backward of a weighted sum of all outputs, with the gradients of the input and of all weights.

    The weights of the sum are random. A loss on the last output alone would leave gradients that are subnormal
    numbers in most steps, which slows some layers 5 to 10 times.

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
            weights.append(torch.randn_like(output))
        (output * weights[0]).sum().backward()

    return step


def recurrent(cell: Cell, size: Size, backend: str | Backend, replicas: int | None = None) -> Recurrent:
    """A layer of a cell at a size that fits it."""
    size = fit_size(size, cell)
    return Recurrent(cell, size.I, size.H, backend=backend, replicas=replicas, widths=further_widths(size, cell))


def recurrent_step(cell: Cell, size: Size, backend: str | Backend) -> Step:
    return training_step(recurrent(cell, size, backend), fit_size(size, cell))


def inputs(size: Size) -> Tensor:
    """Random, (T, B, I)."""
    return torch.randn(size.T, size.B, size.I)
