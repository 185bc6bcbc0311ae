"""Dropout and noise from torch's own generator, or from one for each replica, so that none depends on the others."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

Generators = Sequence[torch.Generator] | None


def drop(values: Tensor, share: float, generators: Generators, replicas_at: int, held_at: int | None = None) -> Tensor:
    """Values with a share of them set to 0 and the rest made larger, so that sums stay as they were on average.

    Args:
        values: any shape.
        share: from 0 to below 1.
        generators: one for each place of the axis `replicas_at`, or None for torch's own.
        replicas_at: the axis of the replicas; of no meaning without generators.
        held_at: an axis over which one mask holds, or None.
    """
    if generators is None and held_at is None:
        return functional.dropout(values, share)
    shape = list(values.shape)
    if held_at is not None:
        shape[held_at] = 1
    return values * (1 - chosen(values, shape, share, generators, replicas_at)) / (1 - share)


def add_noise(values: Tensor, deviation: float, generators: Generators, replicas_at: int) -> Tensor:
    """Values with Gaussian noise of mean 0 added.

    Args:
        values: any shape.
        deviation: of the noise, in the unit of the values.
        generators: one for each place of the axis `replicas_at`, or None for torch's own.
        replicas_at: the axis of the replicas; of no meaning without generators.
    """
    if generators is None:
        return values + deviation * torch.randn_like(values)
    own = values.select(replicas_at, 0)
    parts = [torch.randn(own.shape, generator=one, dtype=own.dtype, device=own.device) for one in generators]
    return values + deviation * torch.stack(parts, dim=replicas_at)


def chosen(like: Tensor, shape: Sequence[int], share: float, generators: Generators, replicas_at: int) -> Tensor:
    """Ones with the probability `share`, else zeros; dtype and device as `like`."""
    if generators is None:
        return torch.bernoulli(like.new_full(tuple(shape), share))
    own = [size for axis, size in enumerate(shape) if axis != replicas_at]
    parts = [torch.bernoulli(like.new_full(own, share), generator=one) for one in generators]
    return torch.stack(parts, dim=replicas_at)
