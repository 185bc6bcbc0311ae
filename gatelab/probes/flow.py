"""Gradient flow: how much of the gradient of the last output reaches a step, by how far back that step lies.

A lag of 0 is the last step. T steps, R seeds (one for a layer without replicas), B sequences, W width.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from gatelab.errors import OptionError
from gatelab.nn.heads import last_valid
from gatelab.nn.recurrent import Recurrent
from gatelab.probes.probe import probe


@dataclass(frozen=True)
class Flow:
    """The gradient of one name by lag.

    Attributes:
        norms: of dL/d name, (T, R, B), the last step of each sequence first; nan before a sequence's beginning.
    """

    norms: Tensor

    @property
    def mean(self) -> Tensor:
        """Over the sequences of all seeds, (T,)."""
        return self.norms.flatten(1).nanmean(1)

    def quantile(self, share: float) -> Tensor:
        """Over the sequences of all seeds, (T,)."""
        return self.norms.flatten(1).nanquantile(share, dim=1)

    @property
    def by_seed(self) -> Tensor:
        """The median over the sequences of each seed, (T, R)."""
        return self.norms.nanquantile(0.5, dim=-1)

    @property
    def orders(self) -> Tensor:
        """By how many orders of magnitude each seed's gradient grows from lag 0 to the last, (R,); below 0 it falls."""
        return self.by_seed[-1].log10() - self.by_seed[0].log10()

    @property
    def rate(self) -> Tensor:
        """The same per step, (R,): the slope of log10 of the norm by least squares, where it is not 0."""
        lags = torch.arange(len(self.norms), dtype=torch.float64)
        return torch.stack([_slope(lags, seed.double().cpu()) for seed in self.by_seed.unbind(-1)])


@dataclass(frozen=True)
class LayerFlow:
    """The gradient of one layer on its way back.

    Attributes:
        names: in the order asked for, or by key as the probe has it where there are several layers.
        weights: the norm of the gradient of all weights, (R,).
    """

    names: Mapping[str, Flow]
    weights: Tensor

    @property
    def memory(self) -> str:
        """The name that carries the most over time: the last one, as a cell's states are h and then c."""
        return list(self.names)[-1]

    def clip_factor(self, limit: float) -> Tensor:
        """What clipping to a norm multiplies the gradient of every weight with, (R,).

        It is one factor for near and far steps alike: it tames what explodes, and mends nothing that vanishes.
        """
        return (limit / self.weights).clamp(max=1.0)


@dataclass(frozen=True)
class Start:
    """A cell and how its parameters start.

    Attributes:
        label: what to call it.
        cell: as `Recurrent` takes it.
        init: as `Recurrent` takes it.
    """

    label: str
    cell: str
    init: object = None


def usual_starts(hidden_size: int, steps: int) -> tuple[Start, ...]:
    """The story of vanishing and exploding gradients (Hochreiter 1991; Pascanu et al. 2013), a row each.

    Recurrent weights of deviation g / sqrt(H) stretch by about g a step until tanh stops them; with g = 3 it doesn't.
    """
    return (
        Start("elman", "elman"),
        Start("elman, orthogonal", "elman", "orthogonal"),
        Start("elman, large weights", "elman", {"R_h": f"normal({3 / math.sqrt(hidden_size)})"}),
        Start("gru", "gru"),
        Start("f", "f"),
        Start("lstm, forget bias 0", "lstm", {"b_f": "zeros"}),
        Start("lstm, forget bias 1", "lstm", {"b_f": "ones"}),
        Start(f"lstm, chrono({steps})", "lstm", f"chrono({steps})"),
    )


def lag_norms(gradient: Tensor, lengths: Tensor | None = None) -> Tensor:
    """Norms by lag, (T, R, B), of a gradient of each step, ([R,] T, B, W); nan before a sequence's beginning.

    T is the length of the longest sequence.

    Args:
        gradient: 0 beyond a sequence's end or not, that does not count.
        lengths: the steps of each sequence, ([R,] B), if they are ragged.
    """
    norms: Tensor = gradient.norm(dim=-1)
    norms = norms.unsqueeze(0) if norms.ndim == 2 else norms
    ends = (torch.tensor([norms.shape[1]]) if lengths is None else lengths).to(norms.device)
    lags = torch.arange(int(ends.max()), device=norms.device)[:, None]
    place = (ends.unsqueeze(-2) - 1 - lags).expand(len(norms), -1, norms.shape[2])
    found = norms.gather(1, place.clamp(min=0))
    return found.masked_fill(place < 0, torch.nan).transpose(0, 1)


def gradient_flow(
    layer: Recurrent, x: Tensor, names: Sequence[str] | None = None, lengths: Tensor | None = None
) -> LayerFlow:
    """How the gradient of the last output fares on its way back through a layer.

    The loss of each seed is the sum of the last output's units, averaged over sequences. It is computed in float64,
    since what falls by more than 40 orders of magnitude would be 0 in float32.

    Args:
        layer: going forwards; it stays as it is.
        x: as the layer takes it.
        names: of the equations; the states if None.
        lengths: the steps of each sequence, (B,), if they are ragged.

    Raises:
        OptionError: the layer goes both ways, or its cell has no such name.
    """
    if layer.bidirectional:
        raise OptionError("In a layer that goes both ways every output is near to every end.\nGive one that goes one.")
    own, time, asked = copy.deepcopy(layer).double(), -2 if layer.batch_first else -3, names or layer.cell.states
    own.requires_grad_().zero_grad()
    with probe(own, *asked, gradients=True) as record:
        output, _ = own(x.double(), lengths=lengths)
        last_valid(output.movedim(time, -3), lengths).sum(-1).mean(-1).sum().backward()
    keys = [key for name in asked for key in record.keys_by_name[name]]
    found = {key: Flow(lag_norms(record.gradient[key].movedim(time, -3), lengths)) for key in keys}
    return LayerFlow(found, _weight_norms(own))


def compare_flow(
    starts: Sequence[Start] | None = None,
    *,
    steps: int = 200,
    input_size: int = 8,
    hidden_size: int = 32,
    sequences: int = 16,
    seeds: int = 10,
    x: Tensor | None = None,
) -> dict[str, LayerFlow]:
    """The gradient flow of freshly drawn layers in float64, by label.

    Args:
        starts: what to compare; `usual_starts` if None.
        steps, input_size, sequences: T, I and B of inputs drawn from the normal distribution.
        hidden_size: H.
        seeds: R.
        x: inputs to read instead, (T, B, I).
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        read = torch.randn(steps, sequences, input_size, dtype=torch.float64) if x is None else x.double()
        found = {}
        for start in starts or usual_starts(hidden_size, len(read)):
            torch.manual_seed(0)  # So that a row does not depend on those above it.
            layer = Recurrent(
                start.cell, read.shape[-1], hidden_size, replicas=seeds, init=start.init, dtype=torch.float64
            )
            found[start.label] = gradient_flow(layer, read)
    return found


def flow_table(found: Mapping[str, LayerFlow], clip: float | None = None) -> str:
    """A row a label: the memory, orders of magnitude that its gradient grows by, the median and range over seeds.

    Args:
        found: as `compare_flow` gives it.
        clip: the norm to clip the gradient of the weights to.
    """
    wide = max(map(len, (*found, "start"))) + 2
    lines = [f"{'start':<{wide}}at  {'orders':>8}{'from':>8}{'to':>8}{'a step':>9}{'weights':>11}"]
    lines[0] += f"{'clipped':>11}" if clip else ""
    for label, flow in found.items():
        own, orders = flow.names[flow.memory], flow.names[flow.memory].orders
        numbers = f"{orders.median():>+z8.1f}{orders.min():>+z8.1f}{orders.max():>+z8.1f}{own.rate.median():>+z9.3f}"
        line = f"{label:<{wide}}{flow.memory:<4}{numbers}{flow.weights.median():>11.3g}"
        after = (flow.weights * flow.clip_factor(clip)).median() if clip else None
        lines.append(line if after is None else f"{line}{after:>11.3g}")
    return "\n".join(lines)


def _slope(lags: Tensor, norms: Tensor) -> Tensor:
    """By least squares, of log10 of the norms that are neither 0 nor nan."""
    seen = norms > 0
    lags, heights = lags[seen] - lags[seen].mean(), norms[seen].log10()
    return (lags * heights).sum() / lags.square().sum()


def _weight_norms(layer: Recurrent) -> Tensor:
    """The norm of the gradient of all weights of each replica, (R,)."""
    gradients = [own.grad for own in layer.parameters() if own.grad is not None]
    rows = 1 if layer.replicas is None else layer.replicas
    norms: Tensor = torch.cat([gradient.reshape(rows, -1) for gradient in gradients], dim=1).norm(dim=1)
    return norms
