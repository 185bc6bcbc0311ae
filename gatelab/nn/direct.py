"""Calls of a layer by the shortest way, where all that it does is run kernels on whole sequences.

On the long way, input and parameters are made into runs, each is looked at, and a backend is found, at every call. At
(B, T, I, H) = (100, 8, 8, 30) that is 0.09 of the 0.62 ms of a training step. Here a call like one before only makes
sure that its tensors are like those.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

from gatelab.backends.base import Backend, must_be_seen
from gatelab.backends.cpu.backend import run_known
from gatelab.backends.cpu.host import this_host
from gatelab.backends.cpu.refusal import SHAPE, lie_well
from gatelab.backends.cpu.shapes import Shape, find_shape
from gatelab.backends.registry import BACKENDS, pick
from gatelab.nn.function import NO_NOISE, Direction, make_run

MOST = 64
"""Inputs of different shapes that a layer remembers."""


class Known(NamedTuple):
    """One of the layers, for inputs of a shape.

    Attributes:
        sizes: of the parameters.
        before, after: what stands before and after the parameters among the tensors of a run, the input left out.
    """

    shape: Shape
    sizes: list[torch.Size]
    before: tuple[None, ...]
    after: tuple[None, ...]


_KNOWN: WeakKeyDictionary[nn.Module, dict[tuple[object, ...], tuple[Known, ...]]] = WeakKeyDictionary()
"""Of each layer, by the input; nothing where the long way has to be taken. It lives as long as the layer, is no part of
its copies and files, and must not refer to it."""


def nothing_looks_on() -> bool:
    """Whether neither a compiler nor a transform or cast is at work."""
    return not (
        torch.compiler.is_compiling()
        or must_be_seen()
        or torch.is_autocast_enabled("cpu")
        or torch._C._get_tracing_state()
    )


def call_directly(
    layer: nn.Module,
    x: Tensor,
    *,
    backend: str | Backend,
    names: Sequence[Iterable[str]],
    directions: Callable[[], Iterable[Direction]],
) -> tuple[Tensor, list[tuple[Tensor, ...]]] | None:
    """Layers that go forwards from zeros, with nothing around them.

    Args:
        x: (T, [R,] B, I).
        names: those of each layer's parameters.
        directions: the layers for this input.

    Returns:
        The output, (T, [R,] B, W), and the final states of each layer; None if the long way has to be taken, on which
        whatever is wrong is found.
    """
    if not nothing_looks_on():
        return None
    own, key = layer._parameters, (backend, x.shape, x.dtype)
    try:
        parameters: list[list[Tensor]] = [list(map(own.__getitem__, each)) for each in names]  # type: ignore[arg-type]
    except KeyError:  # Another module gives them, as torch's parametrizations do.
        return None
    remembered = _KNOWN.setdefault(layer, {})
    known = remembered.get(key)
    if known is None:
        if len(remembered) >= MOST:
            remembered.clear()
        known = remembered[key] = _prepare(x, backend, directions)
    final = []
    for (shape, sizes, before, after), values in zip(known, parameters, strict=bool(known)):
        if list(map(SHAPE, values)) != sizes or not lie_well((x, *values), x.dtype):
            return None
        x, *states = run_known(shape, (x, *before, *values, *after))
        final.append(tuple(states))
    return (x, final) if final else None


def _prepare(x: Tensor, backend: str | Backend, directions: Callable[[], Iterable[Direction]]) -> tuple[Known, ...]:
    """What each layer does with such an input, if the kernels of the processor are what does it."""
    if backend not in ("auto", "cpu") or not (x.numel() and x.is_floating_point() and lie_well((x,), x.dtype)):
        return ()
    cpu, known = BACKENDS["cpu"], []
    for direction in directions():
        asked = make_run(direction, x, None, None, NO_NOISE)
        if cpu.why_not(asked) is not None or (backend == "auto" and pick(asked) is not cpu):
            return ()
        shape = find_shape(asked, this_host())
        parameters = list(asked.parameters.values())
        known.append(Known(shape, list(map(SHAPE, parameters)), (None,) * len(asked.state), (None, None)))
        x = x.new_empty(shape.output)
    return tuple(known)
