"""How a layer moves its states: the Jacobian of each step along a trajectory, its spectrum, and Lyapunov exponents.

The states of all layers are joined to one vector of N numbers, and a step is a map of it. All is computed in float64.
T time, B batch, I input, L layers, W the width of a state.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor
from torch.func import jacrev, vmap

from gatelab.errors import DataError, OptionError, ShapeError, nearest
from gatelab.nn.recurrent import Recurrent
from gatelab.probes.gates import valid_mask

Kind = Literal["singular", "eigenvalues"]


def _eigenvalues(matrices: Tensor) -> Tensor:
    values: Tensor = torch.linalg.eigvals(matrices)
    return values.gather(-1, values.abs().argsort(-1, descending=True))


SPECTRA: dict[Kind, Callable[[Tensor], Tensor]] = {"singular": torch.linalg.svdvals, "eigenvalues": _eigenvalues}
"""What can be taken of Jacobians (..., N, N), each (..., N), the largest first."""


@dataclass(frozen=True)
class Spectrum:
    """The spectrum of the Jacobian of every step.

    Attributes:
        kind: singular values, or eigenvalues, which are complex.
        values: (T, B, N), the largest first; nan beyond a sequence's end.
    """

    kind: Kind
    values: Tensor

    @property
    def largest(self) -> Tensor:
        """The size of the largest by step, (T, B): how far one step can stretch a small change of the states."""
        return self.values[..., 0].abs()


@dataclass(frozen=True)
class Lyapunov:
    """The largest Lyapunov exponents of trajectories.

    Above 0 two states that lie close part exponentially, below 0 they meet; over T steps by a factor of exp(T * it).

    Attributes:
        exponents: (B, K), the largest first, in nats per step.
        steps: over how many steps each trajectory was followed, (B,).
    """

    exponents: Tensor
    steps: Tensor

    def __str__(self) -> str:
        mean = self.exponents.mean(0)
        return f"largest exponents, nats per step: {', '.join(f'{value:+z.4f}' for value in mean.tolist())}"


def jacobians(layer: Recurrent, x: Tensor, state: Any = None) -> Iterator[Tensor]:
    """The Jacobian of every step, T times (B, N, N): the states after it by the states before it.

    Args:
        layer: without replicas, going forwards.
        x: the inputs along the way, (T, B, I).
        state: where it begins, as the layer takes it.

    Raises:
        OptionError: the layer has replicas or goes both ways.
        ShapeError: `x` or `state` does not fit.
    """
    layer, x = _in_double(layer), x.double()
    if x.ndim != 3:
        raise ShapeError(f"The inputs have shape {tuple(x.shape)}.\nGive sequences (T, B, I).")
    start = _start(layer, x, state)
    widths = [value.shape[-1] for value in start]
    joined = torch.cat([value.movedim(-2, 0).flatten(1) for value in start], dim=-1)

    def move(x: Tensor, joined: Tensor) -> tuple[Tensor, Tensor]:
        parts = joined.split([layer.num_layers * width for width in widths])
        _, after = layer.step(x, tuple(part.view(layer.num_layers, -1) for part in parts))
        new = torch.cat([value.flatten() for value in after])
        return new, new

    differentiate = vmap(jacrev(move, argnums=1, has_aux=True))
    for x_t in x:
        jacobian, joined = differentiate(x_t, joined)
        yield jacobian


def jacobian_spectrum(
    layer: Recurrent, x: Tensor, kind: Kind = "singular", *, state: Any = None, lengths: Tensor | None = None
) -> Spectrum:
    """The singular values or eigenvalues of the Jacobian of every step.

    Args:
        layer, x, state: as in `jacobians`.
        kind: "singular" or "eigenvalues".
        lengths: the steps of each sequence, (B,), if they are ragged.

    Raises:
        OptionError: there is no such kind, or as in `jacobians`.
        ShapeError: as in `jacobians`, or the lengths do not fit.
        DataError: a Jacobian is not finite.
    """
    if kind not in SPECTRA:
        raise OptionError(f"There is no spectrum of {kind!r}.\n{nearest(kind, SPECTRA)}")
    alive = valid_mask(x, lengths)
    values = torch.stack([SPECTRA[kind](each) for each in _within(jacobians(layer, x, state), alive)])
    values[~alive] = torch.nan
    return Spectrum(kind, values)


def lyapunov(
    layer: Recurrent,
    x: Tensor,
    count: int | None = None,
    *,
    state: Any = None,
    lengths: Tensor | None = None,
    warm_up: int = 0,
) -> Lyapunov:
    """The largest Lyapunov exponents along each sequence (Benettin et al. 1980, Meccanica 15, part 2).

    A frame of small changes goes along with the states and is made orthogonal again after each step; the mean
    logarithm of how much its axes grow are the exponents.

    Args:
        layer, x, state: as in `jacobians`.
        count: K, how many of the N exponents; None for all.
        lengths: the steps of each sequence, (B,), if they are ragged.
        warm_up: steps that turn the frame and do not count.

    Raises:
        OptionError: a sequence has no steps left to count, a number is out of range, or as in `jacobians`.
        ShapeError: as in `jacobians`, or the lengths do not fit.
        DataError: a Jacobian is not finite.
    """
    if warm_up < 0 or (count is not None and count < 1):
        raise OptionError(f"count={count}, warm_up={warm_up}.\nGive a count from 1 on, and a warm_up from 0 on.")
    alive = valid_mask(x, lengths)
    counted = alive.clone()
    counted[:warm_up] = False
    steps = counted.sum(0)
    if not bool(steps.all()):
        raise OptionError(
            f"After a warm_up of {warm_up} steps a sequence is over.\nGive longer ones, or a shorter one."
        )
    frame, logarithms = None, torch.zeros(())
    for jacobian, is_counted in zip(_within(jacobians(layer, x, state), alive), counted, strict=True):
        frame = _frame(jacobian, count) if frame is None else frame
        frame, growth = torch.linalg.qr(jacobian @ frame)
        stretched = growth.diagonal(dim1=-2, dim2=-1).abs().log()
        logarithms = logarithms + torch.where(is_counted[:, None], stretched, 0.0)
    return Lyapunov((logarithms / steps[:, None]).sort(-1, descending=True).values, steps)


def _in_double(layer: Recurrent) -> Recurrent:
    """A copy whose step can be differentiated in any way."""
    if layer.replicas is not None or layer.bidirectional:
        what = "goes both ways" if layer.bidirectional else "has replicas"
        raise OptionError(f"The layer {what}, and a step must be one map.\nUse one way of one replica.")
    own = copy.deepcopy(layer).double().eval().requires_grad_(False)
    own.backend = "eager"
    return own


def _start(layer: Recurrent, x: Tensor, state: Any) -> list[Tensor]:
    """The states before the first step, each (L, B, W)."""
    if state is not None:
        given = (state,) if isinstance(state, Tensor) else state
        start = tuple(value.double() for value in given)
        layer.step(x[0], start)  # Says what does not fit.
        return list(start)
    _, after = layer.step(x[0])
    if not layer.learned_state:
        return [torch.zeros_like(value) for value in after]
    places = [f"_l{depth}" for depth in range(layer.num_layers)]
    learned = [torch.stack([layer.get_parameter(f"initial_{name}{at}") for at in places]) for name in after._fields]
    return [value.unsqueeze(1).expand_as(like) for value, like in zip(learned, after, strict=True)]


def _frame(jacobian: Tensor, count: int | None) -> Tensor:
    """Directions to begin with, (N, K): drawn, since the axes of the units may be what the steps leave alone."""
    size = jacobian.shape[-1]
    drawn = torch.randn(size, min(count or size, size), generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    frame: Tensor = torch.linalg.qr(drawn.to(jacobian.device)).Q
    return frame


def _within(found: Iterator[Tensor], alive: Tensor) -> Iterator[Tensor]:
    """Jacobians, each (B, N, N), the one of no change beyond the end of a sequence; LAPACK crashes on what is NaN."""
    for jacobian, within in zip(found, alive, strict=True):
        kept = torch.where(within[:, None, None], jacobian, torch.eye(jacobian.shape[-1], dtype=jacobian.dtype))
        if not kept.isfinite().all():
            raise DataError("A step can't be differentiated: the model has diverged, or its input is no number.")
        yield kept
