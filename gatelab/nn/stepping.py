"""Steps of a layer by the shortest way, where nobody looks on: straight to kernels that are prepared."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import chain
from typing import NamedTuple
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn
from torch.nn.modules import module as modules

from gatelab.backends.base import Backend
from gatelab.backends.cpu.stepping import Steps
from gatelab.language.cell import Cell
from gatelab.nn.direct import nothing_looks_on, runs_of_kernels
from gatelab.nn.function import Direction


class Prepared(NamedTuple):
    """Steps, and what they were prepared for."""

    cell: Cell
    key: tuple[object, ...]
    steps: Steps


_PREPARED: WeakKeyDictionary[nn.Module, Prepared] = WeakKeyDictionary()
"""Those of each layer, for inputs like the last one. It lives as long as the layer, is no part of its copies and files,
and must not refer to it."""


def is_alone() -> bool:
    """Whether only numbers count: no gradient, compiler, transform or cast is at work."""
    return not torch.is_grad_enabled() and nothing_looks_on()


def is_bare(layer: nn.Module, forward: Callable[..., object]) -> bool:
    """Whether calling a module is no more than this `forward`: it is not compiled, and nothing hooks in."""
    return getattr(layer.forward, "__func__", None) is forward and not (
        layer._forward_hooks
        or layer._forward_pre_hooks
        or layer._backward_hooks
        or layer._backward_pre_hooks
        or layer._compiled_call_impl
        or modules._has_any_global_hook()
    )


def take_step(
    layer: nn.Module,
    cell: Cell,
    x: Tensor,
    state: Sequence[Tensor],
    *,
    backend: str | Backend,
    names: Sequence[Iterable[str]],
    directions: Callable[[], Iterable[Direction]],
) -> tuple[Tensor, list[Tensor]] | None:
    """A step of layers that go forwards, with nothing around it.

    Args:
        cell: of the layers.
        x: ([B,] I).
        state: the states before it, each (L, [B,] W); empty for zeros.
        names: those of each layer's parameters.
        directions: the layers for this input as (1, B, I).

    Returns:
        The output, ([B,] W), and the states, each (L, [B,] W); None if the long way has to be taken, on which
        whatever is wrong is found.
    """
    key = (backend, x.shape, x.dtype)
    try:
        parameters = [list(map(layer._parameters.__getitem__, own)) for own in names]
    except KeyError:  # Another module gives them, as torch's parametrizations do.
        return None
    flat: list[Tensor] = list(chain.from_iterable(parameters))  # type: ignore[arg-type]
    found = _PREPARED.get(layer)
    if found is None or found.cell is not cell or found.key != key:
        runs = runs_of_kernels(x.view(1, -1, x.shape[-1]), backend, directions)
        if not runs:
            return None
        found = _PREPARED[layer] = Prepared(cell, key, Steps(runs, x.shape[:-1]))
    if not found.steps.fit(x, state, flat):
        return None
    return found.steps.run(x, state, parameters)  # type: ignore[arg-type]
