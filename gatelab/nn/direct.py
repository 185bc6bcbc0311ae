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
from gatelab.backends.cpu.stacked import Stacking, run_stacked
from gatelab.backends.registry import BACKENDS, pick
from gatelab.language.cell import Cell
from gatelab.nn.function import NO_NOISE, Direction, make_run
from gatelab.nn.watching import NO_GRADIENTS, Sight, Wish, sight_of

MOST = 64
"""Inputs of different shapes that a layer remembers."""
OURS = ("auto", "cpu")
"""What `backend=` is where the kernels of the processor may be what runs a layer."""


class Known(NamedTuple):
    """One of the layers, for inputs of a shape.

    Attributes:
        sizes: of the parameters.
        start: of the states.
    """

    shape: Shape
    sizes: list[torch.Size]
    start: tuple[None, ...]


class Remembered(NamedTuple):
    """What is known of a layer with this cell, by the input; nothing where the long way has to be taken."""

    cell: Cell
    by_input: dict[tuple[object, ...], tuple[Known, ...]]


class Ready(NamedTuple):
    """One of the layers, about to run; its parameters have been looked at."""

    known: Known
    parameters: list[Tensor]


_REMEMBERED: WeakKeyDictionary[nn.Module, Remembered] = WeakKeyDictionary()
"""Of each layer. It lives as long as the layer, is no part of its copies and files, and must not refer to it."""


def nothing_looks_on() -> bool:
    """Whether neither a compiler nor a transform or cast is at work."""
    return not (
        torch.compiler.is_compiling()
        or must_be_seen()
        or torch.is_autocast_enabled("cpu")
        or torch._C._get_tracing_state()
    )


def find_direct(
    layer: nn.Module,
    cell: Cell,
    x: Tensor,
    alive: Tensor | None,
    *,
    backend: str | Backend,
    names: Sequence[Iterable[str]],
    directions: Callable[[], Iterable[Direction]],
    wishes: Sequence[Wish] = (),
) -> list[Ready] | None:
    """Layers that go forwards from zeros, with nothing around them but ends of sequences; `nothing_looks_on`.

    Args:
        cell: of the layers.
        x: (T, [R,] B, I).
        alive: which steps belong to the sequences, (T, [R or 1,] B, 1), of bool; None if all do.
        names: those of each layer's parameters, or of the stacks that they lie in.
        directions: the layers for this input.
        wishes: for each layer what to show of it, without gradients; empty for nothing.

    Returns:
        What `run_directly` takes; None if the long way has to be taken, on which whatever is wrong is found.
    """
    if backend not in OURS:
        return None
    own = layer._parameters
    try:
        parameters: list[list[Tensor]] = [list(map(own.__getitem__, each)) for each in names]  # type: ignore[arg-type]
    except KeyError:  # Another module gives them, as torch's parametrizations do.
        return None
    remembered = _REMEMBERED.get(layer)
    if remembered is None or remembered.cell is not cell:
        remembered = _REMEMBERED[layer] = Remembered(cell, {})
    key = (backend, x.shape, x.dtype, None if alive is None else alive.shape, wishes)
    known = remembered.by_input.get(key)
    if known is None:
        if len(remembered.by_input) >= MOST:
            remembered.by_input.clear()
        known = remembered.by_input[key] = tuple(_prepare(x, alive, parameters, backend, directions, wishes))
    ready = list(map(Ready, known, parameters))
    fits = all(list(map(SHAPE, values)) == one.sizes and lie_well((x, *values), x.dtype) for one, values in ready)
    return ready if ready and fits else None


def run_directly(
    layers: Sequence[Ready],
    x: Tensor,
    alive: Tensor | None = None,
    sights: list[Sight] | None = None,
    stacking: Stacking | None = None,
) -> tuple[Tensor, list[tuple[Tensor, ...]]]:
    """Runs what `find_direct` has found for this input.

    Args:
        sights: where what is seen of each layer is added; None if nobody looks.
        stacking: how the parameters lie, if in stacks; then there are no ends of sequences, and nobody looks.

    Returns:
        The output, (T, [R,] B, W), and the final states of each layer.
    """
    final = []
    for (shape, _, start), values in layers:
        if stacking is None:
            result = run_known(shape, (x, *start, *values, None, alive))
        else:
            result = run_stacked(shape, stacking, x, values)
        x, form = result.output, shape.form
        final.append(result.state)
        if sights is not None:
            sights.append(sight_of(form.cell, form.watched, result.seen, NO_GRADIENTS))
    return x, final


def _prepare(
    x: Tensor,
    alive: Tensor | None,
    parameters: Sequence[Sequence[Tensor]],
    backend: str | Backend,
    directions: Callable[[], Iterable[Direction]],
    wishes: Sequence[Wish],
) -> Iterator[Known]:
    """What each layer does with such an input; nothing if the kernels of the processor are not all that it takes."""
    for layer, run in enumerate(runs_of_kernels(x, backend, directions)):
        names, every = (wishes[layer].names, wishes[layer].every) if wishes else ((), 1)
        yield Known(
            shape=find_shape(run._replace(alive=alive, watched=names, every=every), this_host()),
            sizes=list(map(SHAPE, parameters[layer])),
            start=(None,) * len(run.state),
        )


def runs_of_kernels(x: Tensor, backend: str | Backend, directions: Callable[[], Iterable[Direction]]) -> list[Run]:
    """A run of each layer that goes forwards from zeros, if the kernels of the processor are what does them; else none.

    Args:
        x: (T, [R,] B, I).
        directions: the layers for this input.
    """
    if backend not in OURS or not (x.numel() and x.is_floating_point() and lie_well((x,), x.dtype)):
        return []
    cpu, runs = BACKENDS["cpu"], []
    for direction in directions():
        like = x.new_empty((*x.shape[:-1], direction.sizes[direction.cell.width("x")]))
        runs.append(make_run(direction, like, None, None, NO_NOISE))
    ours = all(cpu.why_not(run) is None and (backend == "cpu" or pick(run) is cpu) for run in runs)
    return runs if ours else []
