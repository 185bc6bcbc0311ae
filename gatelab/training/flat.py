"""All parameters of a model as one tensor, so that an optimizer has one to step: its time goes by their number."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional

WHOLE_VECTORS = 64
"""Numbers that the length is a multiple of. What is left over of vectors is computed number by number, and rounded
otherwise (seen in fused Adam), so a replica's bits would depend on where it lies."""


class Flat:
    """The parameters of a model, each from now on a part of `whole`, and its gradient a part of that of `whole`.

    Gradients are added up there and never None: set them back with `whole.grad.zero_()`.

    Attributes:
        parameters: by name.
        whole: their numbers one behind the other, with a gradient, and some zeros.
    """

    def __init__(self, model: nn.Module) -> None:
        self.parameters = dict(model.named_parameters())
        self.whole = nn.Parameter(self.join(self.parameters))
        self.gradient = torch.zeros_like(self.whole)
        self.whole.grad = self.gradient
        values, gradients = self.split(self.whole.detach()), self.split(self.gradient)
        for name, parameter in self.parameters.items():
            parameter.data, parameter.grad = values[name], gradients[name]

    def join(self, parts: Mapping[str, Tensor]) -> Tensor:
        """Tensors of the shapes of the parameters as one, (numbers,)."""
        joined = torch.cat([parts[name].detach().flatten() for name in self.parameters])
        return functional.pad(joined, (0, -len(joined) % WHOLE_VECTORS))

    def split(self, whole: Tensor) -> dict[str, Tensor]:
        """The parts of a tensor (numbers,), in the shapes of the parameters."""
        sizes = [parameter.numel() for parameter in self.parameters.values()]
        parts = whole[: sum(sizes)].split(sizes)
        shaped = zip(self.parameters.items(), parts, strict=True)
        return {name: part.view(parameter.shape) for (name, parameter), part in shaped}
