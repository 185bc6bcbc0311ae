"""Read-outs: a linear head, and a recurrent layer with a head on its last output.

T time, B batch, I input, H hidden, O outputs, R replicas; the axis R is there only with `replicas`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from os import PathLike

import torch
from torch import Tensor, nn
from torch.nn import functional

from gatelab.errors import OptionError, nearest
from gatelab.language.cell import Cell
from gatelab.nn.recurrent import Recurrent


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
        """Outputs ([R,] B, O) of hidden vectors ([R,] B, H)."""
        if self.weight.ndim == 2:
            return functional.linear(hidden, self.weight, self.bias)
        return torch.baddbmm(self.bias.unsqueeze(-2), hidden, self.weight.mT)


class SequenceClassifier(nn.Module):
    """A recurrent layer and a head on the output after each sequence's last step.

    Args:
        cell: a name of the catalogue, a path or a Cell.
        input_size: I.
        hidden_size: H.
        output_size: O.
        num_layers: recurrent layers on top of each other.
        replicas: R, to train R of them in one call.
        init: how the recurrent layer starts, as `Recurrent` takes it.
        head_init: how the head starts, a name of `HEAD_SCHEMES`.
        widths: further widths of the cell.
        backend: as `Recurrent` takes it.
    """

    def __init__(
        self,
        cell: str | PathLike[str] | Cell,
        input_size: int,
        hidden_size: int,
        output_size: int,
        *,
        num_layers: int = 1,
        replicas: int | None = None,
        init: str | None = None,
        head_init: str = "uniform",
        widths: Mapping[str, int] | None = None,
        backend: str = "auto",
    ) -> None:
        super().__init__()
        self.recurrent = Recurrent(
            cell,
            input_size,
            hidden_size,
            num_layers,
            replicas=replicas,
            backend=backend,
            init=init,
            widths=widths,
        )
        self.head = Head(self.recurrent.output_size, output_size, replicas=replicas, init=head_init)

    def forward(self, x: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Logits ([R,] B, O) of inputs ([R,] T, B, I), with `lengths` ([R,] B) if they are ragged."""
        output, state = self.recurrent(x, lengths=lengths)
        cell = self.recurrent.cell
        if cell.output in cell.states:  # Then the layer has picked it already.
            last = getattr(state, cell.output)[..., -1, :, :]
        else:
            last = last_valid(output, lengths)
        return self.head(last)  # type: ignore[no-any-return]


def last_valid(output: Tensor, lengths: Tensor | None) -> Tensor:
    """The output after each sequence's last step, ([R,] B, H), of outputs ([R,] T, B, H)."""
    if lengths is None:
        return output[..., -1, :, :]
    last = (lengths - 1)[..., None, :, None].expand(*output.shape[:-3], 1, *output.shape[-2:])
    return output.gather(-3, last).squeeze(-3)
