"""All parameters of a model as one tensor, so that an optimizer has one to step: its time goes by their number."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn


class Flat:
    """The parameters of a model, each from now on a part of `whole`, and its gradient a part of that of `whole`.

    Gradients are added up there and never None: set them back with `whole.grad.zero_()`.

    Attributes:
        parameters: by name.
        whole: their numbers one behind the other, with a gradient.
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
        return torch.cat([parts[name].detach().flatten() for name in self.parameters])

    def split(self, whole: Tensor) -> dict[str, Tensor]:
        """The parts of a tensor (numbers,), in the shapes of the parameters."""
        parts = whole.split([parameter.numel() for parameter in self.parameters.values()])
        shaped = zip(self.parameters.items(), parts, strict=True)
        return {name: part.view(parameter.shape) for (name, parameter), part in shaped}
