"""Calls of a layer by the shortest way, where all that it does is run kernels on whole sequences.

On the long way, input and parameters are made into runs, each is looked at, and a backend is found, at every call. At
(B, T, I, H) = (100, 8, 8, 30) that is 0.09 of the 0.62 ms of a training step. Here a call like one before only makes
sure that its tensors are like those.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

from gatelab.backends.base import Backend, Run, must_be_seen
from gatelab.backends.cpu.backend import run_known
from gatelab.backends.cpu.host import this_host
from gatelab.backends.cpu.refusal import SHAPE, lie_well
from gatelab.backends.cpu.shapes import Shape, find_shape
from gatelab.backends.registry import BACKENDS, pick
from gatelab.nn.function import NO_NOISE, Direction, make_run
from gatelab.nn.watching import NO_GRADIENTS, Sight, Wish, sight_of

MOST = 64
"""Inputs of different shapes that a layer remembers."""


class Known(NamedTuple):
    """One of the layers, for inputs of a shape.

    Attributes:
        sizes: of the parameters.
        start: of the states.
    """

    shape: Shape
    sizes: list[torch.Size]
    start: tuple[None, ...]


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
    alive: Tensor | None,
    *,
    backend: str | Backend,
    names: Sequence[Iterable[str]],
    directions: Callable[[], Iterable[Direction]],
    wishes: Sequence[Wish] = (),
    sights: list[Sight],
) -> tuple[Tensor, list[tuple[Tensor, ...]]] | None:
    """Layers that go forwards from zeros, with nothing around them but ends of sequences; `nothing_looks_on`.

    Args:
        x: (T, [R,] B, I).
        alive: which steps belong to the sequences, (T, [R or 1,] B, 1), of bool; None if all do.
        names: those of each layer's parameters.
        directions: the layers for this input.
        wishes: for each layer what to show of it, without gradients; empty for nothing.
        sights: where that is added.

    Returns:
        The output, (T, [R,] B, W), and the final states of each layer; None if the long way has to be taken, on which
        whatever is wrong is found.
    """
    own, key = layer._parameters, (backend, x.shape, x.dtype, None if alive is None else alive.shape, wishes)
    try:
        parameters: list[list[Tensor]] = [list(map(own.__getitem__, each)) for each in names]  # type: ignore[arg-type]
    except KeyError:  # Another module gives them, as torch's parametrizations do.
        return None
    remembered = _KNOWN.setdefault(layer, {})
    known = remembered.get(key)
    if known is None:
        if len(remembered) >= MOST:
            remembered.clear()
        known = remembered[key] = tuple(_prepare(x, alive, backend, directions, wishes))
    final = []
    for (shape, sizes, start), values in zip(known, parameters, strict=bool(known)):
        if list(map(SHAPE, values)) != sizes or not lie_well((x, *values), x.dtype):
            return None
        result = run_known(shape, (x, *start, *values, None, alive))
        x, form = result.output, shape.form
        final.append(result.state)
        if form.watched:
            sights.append(sight_of(form.cell, form.watched, result.seen, NO_GRADIENTS))
    return (x, final) if final else None


def _prepare(
    x: Tensor,
    alive: Tensor | None,
    backend: str | Backend,
    directions: Callable[[], Iterable[Direction]],
    wishes: Sequence[Wish],
) -> Iterator[Known]:
    """What each layer does with such an input; nothing if the kernels of the processor are not all that it takes."""
    for layer, run in enumerate(runs_of_kernels(x, backend, directions)):
        names, every = (wishes[layer].names, wishes[layer].every) if wishes else ((), 1)
        yield Known(
            shape=find_shape(run._replace(alive=alive, watched=names, every=every), this_host()),
            sizes=list(map(SHAPE, run.parameters.values())),
            start=(None,) * len(run.state),
        )


def runs_of_kernels(x: Tensor, backend: str | Backend, directions: Callable[[], Iterable[Direction]]) -> list[Run]:
    """A run of each layer that goes forwards from zeros, if the kernels of the processor are what does them; else none.

    Args:
        x: (T, [R,] B, I).
        directions: the layers for this input.
    """
    if backend not in ("auto", "cpu") or not (x.numel() and x.is_floating_point() and lie_well((x,), x.dtype)):
        return []
    cpu, runs = BACKENDS["cpu"], []
    for direction in directions():
        like = x.new_empty((*x.shape[:-1], direction.sizes[direction.cell.width("x")]))
        runs.append(make_run(direction, like, None, None, NO_NOISE))
    ours = all(cpu.why_not(run) is None and (backend == "cpu" or pick(run) is cpu) for run in runs)
    return runs if ours else []
