"""Losses and accuracies of a batch, one number a replica.

They take logits (R, B, O), never probabilities: a sigmoid or softmax before a loss that applies it again leaves a
floor of 0.503 that no training goes below.
"""

from __future__ import annotations

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


def accuracy_of_classes(logits: Tensor, target: Tensor) -> Tensor:
    """The share of sequences whose largest logit is the target's, (R,), in percent."""
    return 100 * (logits.argmax(-1) == target).float().mean(-1)


def accuracy_of_bits(logits: Tensor, target: Tensor) -> Tensor:
    """The share of sequences whose logit has the target's sign, (R,), in percent."""
    return 100 * ((logits.squeeze(-1) > 0) == (target > 0.5)).float().mean(-1)
