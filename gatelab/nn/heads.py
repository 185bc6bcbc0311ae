"""Read-outs: a linear head, and the outputs that it reads.

T time, B batch, H hidden, O outputs, R replicas; the axis R is there only with `replicas`.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from gatelab.errors import OptionError, nearest


def _uniform(weight: Tensor, bias: Tensor) -> None:
    """As `torch.nn.Linear`: uniform in +-1/sqrt(H)."""
    bound = weight.shape[-1] ** -0.5
    weight.uniform_(-bound, bound)
    bias.uniform_(-bound, bound)


def _truncated_normal(weight: Tensor, bias: Tensor) -> None:
    """As the 2018 report: deviation 1 for weights and 0.1 for biases, drawn within two deviations."""
    nn.init.trunc_normal_(weight, std=1.0, a=-2.0, b=2.0)
    nn.init.trunc_normal_(bias, std=0.1, a=-0.2, b=0.2)


HEAD_SCHEMES: dict[str, Callable[[Tensor, Tensor], None]] = {
    "uniform": _uniform,
    "truncated_normal": _truncated_normal,
}
"""How a head starts, by name."""


class Head(nn.Module):
    """A linear read-out: `weight` ([R,] O, H) and `bias` ([R,] O).

    Args:
        input_size: H.
        output_size: O.
        replicas: R, or None for one head without the axis.
        init: a name of `HEAD_SCHEMES`.

    Raises:
        OptionError: there is no such scheme.
    """

    def __init__(
        self, input_size: int, output_size: int, *, replicas: int | None = None, init: str = "uniform"
    ) -> None:
        super().__init__()
        if init not in HEAD_SCHEMES:
            raise OptionError(f"A head can't start as '{init}'.\n{nearest(init, HEAD_SCHEMES)}")
        lead = () if replicas is None else (replicas,)
        self.weight = nn.Parameter(torch.empty(*lead, output_size, input_size))
        self.bias = nn.Parameter(torch.empty(*lead, output_size))
        with torch.no_grad():
            HEAD_SCHEMES[init](self.weight, self.bias)

    def forward(self, hidden: Tensor) -> Tensor:
        """Answers ([R,] ..., O) of hidden vectors ([R,] ..., H)."""
        if self.weight.ndim == 2:
            return functional.linear(hidden, self.weight, self.bias)
        bias, weight = self.bias.unsqueeze(-2), self.weight.mT
        if hidden.ndim == 3:
            return torch.baddbmm(bias, hidden, weight)
        return torch.baddbmm(bias, hidden.flatten(1, -2), weight).view(*hidden.shape[:-1], -1)


def last_valid(output: Tensor, lengths: Tensor | None) -> Tensor:
    """The output after each sequence's last step, ([R,] B, H), of outputs ([R,] T, B, H)."""
    if lengths is None:
        return output[..., -1, :, :]
    last = (lengths - 1)[..., None, :, None].expand(*output.shape[:-3], 1, *output.shape[-2:])
    return output.gather(-3, last).squeeze(-3)
