"""Optimizers by name, and what of their state must be kept."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

# The fused forms take all parameters in one call, which is most of the time at the sizes of small studies.
OPTIMIZERS: dict[str, Callable[..., Optimizer]] = {
    "adam": partial(torch.optim.Adam, fused=True),
    "rmsprop": torch.optim.RMSprop,
    "sgd": partial(torch.optim.SGD, fused=True),
}
"""All are elementwise, so replicas in one tensor do not touch each other."""


def make_optimizer(name: str, model: nn.Module, learning_rate: float) -> Optimizer:
    """The optimizer of this name for the parameters of a model, in their order."""
    return OPTIMIZERS[name](model.parameters(), lr=learning_rate)


def optimizer_state(optimizer: Optimizer, model: nn.Module) -> dict[str, Tensor]:
    """What the optimizer remembers, by `parameter/name`; empty before the first step."""
    return {
        f"{name}/{key}": value
        for name, parameter in model.named_parameters()
        for key, value in optimizer.state.get(parameter, {}).items()
        if isinstance(value, Tensor)
    }


def restore_optimizer(optimizer: Optimizer, model: nn.Module, state: Mapping[str, Tensor]) -> None:
    """Puts back what `optimizer_state` gave."""
    by_parameter: dict[int, dict[str, Any]] = {}
    for index, (name, _) in enumerate(model.named_parameters()):
        own = {key.removeprefix(f"{name}/"): value for key, value in state.items() if key.startswith(f"{name}/")}
        if own:
            by_parameter[index] = own
    groups = optimizer.state_dict()["param_groups"]
    optimizer.load_state_dict({"state": by_parameter, "param_groups": groups})
