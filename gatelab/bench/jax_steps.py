"""Training steps of cells as compiled scans of jax, which is imported only when one is made.

Written as a person would for speed: the gates' matrices in one, the products with x ahead of the loop.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

import torch

from gatelab.bench.losses import Loss
from gatelab.bench.sizes import Size
from gatelab.bench.timing import Step

Cell = Callable[[Any, Any, Any], tuple[tuple[Any, ...], Any]]
"""A step: of jax, the states and the sums W @ x + R @ h + b of all gates; the new states and the output."""


def lstm(jax: Any, states: Any, sums: Any) -> tuple[tuple[Any, ...], Any]:
    _, c = states
    i, f, z, o = jax.numpy.split(sums, 4, axis=-1)
    sigmoid, tanh = jax.nn.sigmoid, jax.numpy.tanh
    c = sigmoid(f) * c + sigmoid(i) * tanh(z)
    h = sigmoid(o) * tanh(c)
    return (h, c), h


def forget_only(jax: Any, states: Any, sums: Any) -> tuple[tuple[Any, ...], Any]:
    (c,) = states
    f, z = jax.numpy.split(sums, 2, axis=-1)
    f = jax.nn.sigmoid(f)
    c = f * c + (1 - f) * jax.numpy.tanh(z)
    return (c,), c


def scan_step(cell: Cell, states: int, gates: int, size: Size, loss: Loss) -> Step:
    """The training step of a cell whose first state is the one in its products."""
    jax = import_module("jax")
    jnp = jax.numpy
    bound = size.H**-0.5
    parameters = {
        name: jnp.asarray(torch.empty(shape).uniform_(-bound, bound).numpy())
        for name, shape in (
            ("W", (size.I, gates * size.H)),
            ("R", (size.H, gates * size.H)),
            ("b", (gates * size.H,)),
        )
    }
    x = jnp.asarray(torch.randn(size.T, size.B, size.I).numpy())
    weights = jnp.asarray(loss.reads(torch.randn(size.T, size.B, size.H)).numpy())

    def value(x: Any, parameters: Any, weights: Any) -> Any:
        start = (jnp.zeros((size.B, size.H)),) * states

        def at(carried: Any, ahead: Any) -> Any:
            return cell(jax, carried, ahead + carried[0] @ parameters["R"])

        _, outputs = jax.lax.scan(at, start, x @ parameters["W"] + parameters["b"])
        return jnp.vdot(loss.reads(outputs), weights)

    step = jax.jit(jax.value_and_grad(value, argnums=(0, 1)))
    return lambda: jax.block_until_ready(step(x, parameters, weights))
