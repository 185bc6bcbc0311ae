"""The training step of Keras' LSTM on the backend that Keras has; imported only when one is made."""

from __future__ import annotations

import os
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import torch

from gatelab.bench.losses import Loss
from gatelab.bench.sizes import Size
from gatelab.bench.timing import Step
from gatelab.errors import OptionError

Reads = Callable[[Any], Any]
"""What the loss reads of the outputs that Keras gives."""


def keras_step(size: Size, loss: Loss) -> Step:
    """Of a layer that returns the outputs of all steps.

    Raises:
        OptionError: Keras runs on something else.
    """
    os.environ["KERAS_BACKEND"] = keras_backend()
    keras = import_module("keras")
    name = keras.backend.backend()
    if name not in STEPS:
        raise OptionError(f"Keras on {name} is not measured.\nSet KERAS_BACKEND to one of: {', '.join(STEPS)}.")
    layer = keras.layers.LSTM(size.H, return_sequences=True)
    layer.build((size.B, size.T, size.I))
    x, weights = torch.randn(size.B, size.T, size.I), loss.reads(torch.randn(size.T, size.B, size.H))
    return STEPS[name](layer, x, weights, batch_first(loss))


def batch_first(loss: Loss) -> Reads:
    """What a loss reads of outputs (B, T, H)."""
    return lambda outputs: loss.reads(outputs.swapaxes(0, 1))


def keras_backend() -> str:
    """What KERAS_BACKEND says; else jax, or torch where there is no jax."""
    return os.environ.get("KERAS_BACKEND", "jax" if find_spec("jax") else "torch")


def _on_jax(layer: Any, x: torch.Tensor, weights: torch.Tensor, reads: Reads) -> Step:
    jax = import_module("jax")
    fixed = [variable.value for variable in layer.non_trainable_variables]

    def value(x: Any, learned: Any, weights: Any) -> Any:
        return jax.numpy.vdot(reads(layer.stateless_call(learned, fixed, x)[0]), weights)

    step = jax.jit(jax.value_and_grad(value, argnums=(0, 1)))
    learned = [variable.value for variable in layer.trainable_variables]
    given = (jax.numpy.asarray(x.numpy()), learned, jax.numpy.asarray(weights.numpy()))
    return lambda: jax.block_until_ready(step(*given))


def _on_torch(layer: Any, x: torch.Tensor, weights: torch.Tensor, reads: Reads) -> Step:
    learned = [variable.value for variable in layer.trainable_variables]
    x.requires_grad_()

    def step() -> None:
        for leaf in (x, *learned):
            leaf.grad = None
        (reads(layer(x)) * weights).sum().backward()

    return step


STEPS: dict[str, Callable[[Any, torch.Tensor, torch.Tensor, Reads], Step]] = {"jax": _on_jax, "torch": _on_torch}
"""By the backend of Keras."""
