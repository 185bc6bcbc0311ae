"""R models of one kind as one model with an axis R before each parameter."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from gatelab.language.files import read_cell_text
from gatelab.nn.models import SequenceModel
from gatelab.tasks import open_problem
from gatelab.tasks.streams import stream_seed
from gatelab.training.settings import Settings

_OF_THE_MODEL = (
    *("num_layers", "bidirectional", "dropout", "recurrent_dropout", "zoneout", "variational", "input_dropout"),
    *("input_noise", "output_dropout", "tied", "init", "head_init", "embedding_init", "widths"),
)
"""The settings that a model takes under the same names."""


def make_model(settings: Settings, replicas: int | None) -> SequenceModel:
    """The model of a run, freshly drawn; with the axis R unless `replicas` is None."""
    problem = open_problem(settings.task, settings.options)
    return SequenceModel(
        read_cell_text(settings.equations),
        problem.inputs,
        settings.hidden_size,
        problem.output_size,
        reads=problem.reads,
        replicas=replicas,
        **{name: getattr(settings, name) for name in _OF_THE_MODEL},
    )


def weights_of(model: nn.Module) -> dict[str, Tensor]:
    """What a model learns, by name; tied weights once. What it does not learn is shared by its replicas."""
    return {name: parameter.detach() for name, parameter in model.named_parameters()}


def load_weights(model: nn.Module, weights: Mapping[str, Tensor]) -> None:
    """Puts weights, as `weights_of` gives them, into a model.

    Raises:
        RuntimeError: names or shapes do not fit.
    """
    own = weights_of(model)
    if own.keys() != weights.keys():
        raise RuntimeError(f"the weights are of another model: {', '.join(sorted(own.keys() ^ weights.keys()))}")
    for name, parameter in own.items():
        if parameter.shape != weights[name].shape:
            raise RuntimeError(f"{name} has shape {tuple(weights[name].shape)} and not {tuple(parameter.shape)}")
        parameter.copy_(weights[name])


def initial_weights(settings: Settings) -> dict[str, Tensor]:
    """The weights of every seed before the first step, each (R, ...).

    Each seed's are drawn from that seed alone, as if it were the only one.
    """
    singles = []
    with torch.random.fork_rng(devices=[]):
        for seed in settings.seeds:
            torch.manual_seed(stream_seed(seed, "weights"))
            singles.append(weights_of(make_model(settings, None)))
    return {name: torch.stack([single[name] for single in singles]) for name in singles[0]}


def load_replicas(settings: Settings, weights: Mapping[str, Tensor]) -> SequenceModel:
    """A model with these weights, each (R, ...)."""
    with torch.random.fork_rng(devices=[]):
        model = make_model(settings, len(next(iter(weights.values()))))
    load_weights(model, weights)
    return model


def select(tensors: Mapping[str, Tensor], rows: Tensor) -> dict[str, Tensor]:
    """The chosen replicas, (kept,) of long, of tensors (R, ...); what has no axis is shared and stays."""
    return {name: tensor[rows] if tensor.ndim else tensor for name, tensor in tensors.items()}


def finite(weights: Mapping[str, Tensor]) -> Tensor:
    """Which replicas have only finite weights, (R,) of bool."""
    each = [torch.isfinite(tensor).reshape(len(tensor), -1).all(1) for tensor in weights.values()]
    return torch.stack(each).all(0)


def clip_norms(model: nn.Module, limit: float) -> None:
    """Cuts the gradient of each replica to a norm of at most `limit`.

    The norm is taken over one replica's parameters, as `torch.nn.utils.clip_grad_norm_` does for a model alone.
    """
    gradients = [parameter.grad for parameter in model.parameters() if parameter.grad is not None]
    rows = torch.cat([gradient.reshape(len(gradient), -1) for gradient in gradients], 1)
    # Torch adds up one row in another order than the same row among several.
    squares = (torch.cat([rows, rows]) if len(rows) == 1 else rows).square().sum(1)[: len(rows)]
    factors = (limit / (squares.sqrt() + 1e-6)).clamp(max=1.0)
    torch._foreach_mul_(gradients, [factors.view(-1, *[1] * (gradient.ndim - 1)) for gradient in gradients])


def count_parameters(settings: Settings) -> int:
    """How many numbers one model of a run learns."""
    open_problem(settings.task, settings.options)  # First, so that data that are read now are not without numbers.
    with torch.random.fork_rng(devices=[]), torch.device("meta"):
        return sum(weights.numel() for weights in weights_of(make_model(settings, None)).values())
