"""Losses and accuracies of a batch, one number a replica.

They take logits (R, B, O), never probabilities: a sigmoid or softmax before a loss that applies it again leaves a
floor of 0.503 that no training goes below.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional


def summed_cross_entropy(logits: Tensor, target: Tensor) -> Tensor:
    """The sum over the batch of -log p(target), (R,), in nats; `target` (R, B) holds classes."""
    return functional.cross_entropy(logits.movedim(-1, 1), target, reduction="none").sum(-1)


def cross_entropies(logits: Tensor, target: Tensor) -> Tensor:
    """-log p(target) of each answer, in nats, shaped as the classes; logits (..., O), classes (...)."""
    return functional.cross_entropy(logits.flatten(0, -2), target.flatten(), reduction="none").view(target.shape)


def mean_cross_entropy(logits: Tensor, target: Tensor) -> Tensor:
    """The mean of -log p(target) over all answers, (R,), in nats; logits (R, ..., O), classes (R, ...)."""
    return cross_entropies(logits, target).flatten(1).mean(-1)


def mean_squared_error(answers: Tensor, target: Tensor) -> Tensor:
    """The mean of the squared errors over all answers, (R,); `answers` and `target` are both (R, ...)."""
    return (answers - target).square().flatten(1).mean(-1)


def mean_binary_cross_entropy(logits: Tensor, target: Tensor) -> Tensor:
    """The mean over the batch of -log p(target), (R,), in nats; O is 1, `target` (R, B) holds 0 or 1."""
    entropy = functional.binary_cross_entropy_with_logits(logits.squeeze(-1), target, reduction="none")
    return entropy.mean(-1)


def _slope_of_entropies(logits: Tensor, target: Tensor, share: float, dim: int = -1) -> Tensor:
    """Of `share` times the sum of all -log p(target); the classes are on axis `dim`."""
    chances = functional.log_softmax(logits, dim)
    own = torch.zeros_like(logits).scatter_(dim, target.unsqueeze(dim), -share)
    return torch.ops.aten._log_softmax_backward_data(own, chances, dim, logits.dtype)  # type: ignore[no-any-return]


def _slope_of_binary(logits: Tensor, target: Tensor) -> Tensor:
    return (logits.squeeze(-1).sigmoid() - target).mul_(1 / target.shape[-1]).unsqueeze(-1)


SLOPES: dict[Callable[[Tensor, Tensor], Tensor], Callable[[Tensor, Tensor], Tensor]] = {
    summed_cross_entropy: lambda logits, target: _slope_of_entropies(logits.movedim(-1, 1), target, 1.0, dim=1).movedim(
        1, -1
    ),
    mean_cross_entropy: lambda logits, target: _slope_of_entropies(logits, target, len(target) / target.numel()),
    mean_binary_cross_entropy: _slope_of_binary,
    mean_squared_error: lambda answers, target: (answers - target).mul_(2 * len(target) / target.numel()),
}
"""The gradients of losses by the answers, shaped as these. For other losses autograd finds them."""


def accuracy_of_classes(logits: Tensor, target: Tensor) -> Tensor:
    """The share of sequences whose largest logit is the target's, (R,), in percent."""
    return 100 * (logits.argmax(-1) == target).float().mean(-1)


def accuracy_of_bits(logits: Tensor, target: Tensor) -> Tensor:
    """The share of sequences whose logit has the target's sign, (R,), in percent."""
    return 100 * ((logits.squeeze(-1) > 0) == (target > 0.5)).float().mean(-1)
