"""R models of one kind as one model with an axis R before each parameter."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from gatelab.language.files import read_cell_text
from gatelab.nn.heads import SequenceClassifier
from gatelab.tasks import find_task
from gatelab.tasks.streams import stream_seed
from gatelab.training.settings import Settings


def make_model(settings: Settings, replicas: int | None) -> SequenceClassifier:
    """The model of a run, freshly drawn; with the axis R unless `replicas` is None."""
    task = find_task(settings.task)
    return SequenceClassifier(
        read_cell_text(settings.equations),
        task.input_size,
        settings.hidden_size,
        task.output_size,
        num_layers=settings.num_layers,
        replicas=replicas,
        init=settings.init,
        head_init=settings.head_init,
        widths=settings.widths,
    )


def initial_weights(settings: Settings) -> dict[str, Tensor]:
    """The weights of every seed before the first step, each (R, ...).

    Each seed's are drawn from that seed alone, as if it were the only one.
    """
    singles = []
    with torch.random.fork_rng(devices=[]):
        for seed in settings.seeds:
            torch.manual_seed(stream_seed(seed, "weights"))
            singles.append(make_model(settings, None).state_dict())
    return {name: torch.stack([single[name] for single in singles]) for name in singles[0]}


def load_replicas(settings: Settings, weights: Mapping[str, Tensor]) -> SequenceClassifier:
    """A model with these weights, each (R, ...)."""
    with torch.random.fork_rng(devices=[]):
        model = make_model(settings, len(next(iter(weights.values()))))
    model.load_state_dict(dict(weights))
    return model


def select(tensors: Mapping[str, Tensor], rows: Tensor) -> dict[str, Tensor]:
    """The chosen replicas, (kept,) of long, of tensors (R, ...); what has no axis is shared and stays."""
    return {name: tensor[rows] if tensor.ndim else tensor for name, tensor in tensors.items()}


def finite(weights: Mapping[str, Tensor]) -> Tensor:
    """Which replicas have only finite weights, (R,) of bool."""
    each = [torch.isfinite(tensor).reshape(len(tensor), -1).all(1) for tensor in weights.values()]
    return torch.stack(each).all(0)


def clip_gradients(model: nn.Module, limit: float) -> None:
    """Cuts the gradient of each replica to a norm of at most `limit`.

    The norm is taken over one replica's parameters, as `torch.nn.utils.clip_grad_norm_` does for a model alone.
    """
    gradients = [parameter.grad for parameter in model.parameters() if parameter.grad is not None]
    squares = [gradient.reshape(len(gradient), -1).square().sum(1) for gradient in gradients]
    factor = (limit / (torch.stack(squares).sum(0).sqrt() + 1e-6)).clamp(max=1.0)
    for gradient in gradients:
        gradient.mul_(factor.view(-1, *[1] * (gradient.ndim - 1)))
