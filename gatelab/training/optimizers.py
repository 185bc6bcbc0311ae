"""Optimizers by name, and what of their state must be kept."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from gatelab.backends.cpu.adam import StandingAdam
from gatelab.errors import OptionError
from gatelab.training.flat import Flat

# The fused forms take a step in one call, which is most of the time at the sizes of small studies.
OPTIMIZERS: dict[str, Callable[..., Optimizer]] = {
    "adam": partial(torch.optim.Adam, fused=True),
    "adamw": partial(torch.optim.AdamW, fused=True),
    "adagrad": partial(torch.optim.Adagrad, fused=True),
    "sgd": partial(torch.optim.SGD, fused=True),
    "rmsprop": torch.optim.RMSprop,
    "adadelta": torch.optim.Adadelta,
    "adamax": torch.optim.Adamax,
    "nadam": torch.optim.NAdam,
    "radam": torch.optim.RAdam,
    "rprop": torch.optim.Rprop,
}
"""All are elementwise, so replicas in one tensor do not touch each other."""


def make_optimizer(
    name: str,
    parameters: Iterable[nn.Parameter],
    learning_rate: float,
    weight_decay: float = 0.0,
    options: Mapping[str, float] | None = None,
) -> Optimizer:
    """The optimizer of this name.

    Args:
        name: of `OPTIMIZERS`.
        parameters: to learn.
        learning_rate: at its start.
        weight_decay: as the optimizer has it.
        options: further ones by torch's names, such as `momentum`.

    Raises:
        OptionError: the optimizer has no such option, or not with this value.
    """
    given = dict(options or {}) | ({"weight_decay": weight_decay} if weight_decay else {})
    try:
        return OPTIMIZERS[name](parameters, lr=learning_rate, **given)
    except (TypeError, ValueError) as error:
        raise OptionError(f"{name} does not take these options: {given} ({error}).\nSee torch.optim.") from None


def stepping(optimizer: Optimizer, flat: Flat) -> Callable[[], None]:
    """What takes a step with the gradient that is there, at the rate that the optimizer has then.

    Adam and AdamW are kernels of our own, with the bits of torch's. On the way to those it takes 80 us, more than the
    kernels of a small model take for a whole training step, and loads torch's compiler, which takes a second or two.
    """
    (group,) = optimizer.param_groups
    if not isinstance(optimizer, torch.optim.Adam) or group["amsgrad"] or group["maximize"]:
        return optimizer.step
    state = optimizer.state[flat.whole]
    if not state:
        averages = {name: torch.zeros_like(flat.gradient) for name in ("exp_avg", "exp_avg_sq")}
        state.update(step=torch.zeros(()), **averages)
    adam = StandingAdam(
        flat.whole.detach(),
        flat.gradient,
        state["exp_avg"],
        state["exp_avg_sq"],
        betas=group["betas"],
        epsilon=group["eps"],
        decay=group["weight_decay"],
        decoupled=group["decoupled_weight_decay"],
    )
    taken = state["step"].numpy()  # The same number, which an operation of torch takes ten times as long to raise.

    def step() -> None:
        taken[()] += 1
        adam.step(int(taken), group["lr"])

    return step


def optimizer_state(optimizer: Optimizer, flat: Flat) -> dict[str, Tensor]:
    """What the optimizer remembers, by `parameter/name`; empty before the first step."""
    state = {key: value for key, value in optimizer.state[flat.whole].items() if isinstance(value, Tensor)}
    return {
        f"{name}/{key}": part
        for key, value in state.items()
        for name, part in (flat.split(value) if value.ndim else dict.fromkeys(flat.parameters, value)).items()
    }


def restore_optimizer(optimizer: Optimizer, flat: Flat, state: Mapping[str, Tensor]) -> None:
    """Puts back what `optimizer_state` gave."""
    parts: dict[str, dict[str, Tensor]] = {}
    for name, value in state.items():
        parameter, _, key = name.rpartition("/")
        parts.setdefault(key, {})[parameter] = value
    whole = {key: flat.join(own) if _any(own).ndim else _any(own) for key, own in parts.items()}
    groups = optimizer.state_dict()["param_groups"]
    optimizer.load_state_dict({"state": {0: whole} if whole else {}, "param_groups": groups})


def _any(parts: Mapping[str, Tensor]) -> Tensor:
    return next(iter(parts.values()))
