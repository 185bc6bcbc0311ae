"""Which runs are not for kernels, and why."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from operator import attrgetter

import torch
from torch import Tensor

from gatelab.backends.base import Run
from gatelab.backends.cpu.task import Same

NUMBERS = (torch.float32, torch.float64)
STRIDED = torch.strided
PLAIN = frozenset({Tensor, torch.nn.Parameter})
SHAPE, TRAITS = attrgetter("shape"), attrgetter("dtype", "is_cpu", "layout")


def why_not(asked: Run) -> str | None:
    """Why kernels can't do a run, in words; None if they can.

    Kernels trust the tensors they are given, so each is looked at, at every call.
    """
    cell, sizes, parameters, x, state = asked[:5]
    if torch.compiler.is_compiling():
        return _of_kinds(x)
    dtype, shape = x.dtype, x.shape
    if dtype not in NUMBERS:
        return _of_kinds(x)
    if len(shape) not in (3, 4) or shape[-1] != sizes[cell.width("x")]:
        return "x has not the axes time, batch and unit, or not the width of the cell"
    if len(state) != len(cell.states) or (asked.resets is not None and len(asked.fresh) != len(cell.states)):
        return "there is not one tensor for each state"
    if not lie_well((x,), dtype):
        return _in_words("x", x, dtype, shape)
    names, values = tuple(parameters), tuple(parameters.values())
    expected = _shapes(Same(cell), tuple(sizes.items()), names, shape[1:-2])
    if not (list(map(SHAPE, values)) == expected and lie_well(values, dtype)):
        for name, value, own in zip(names, values, expected, strict=True):
            if value.shape != own or not lie_well((value,), dtype):
                return _in_words(name, value, dtype, own)
    if asked.is_plain and state.count(None) == len(state):
        return None
    for what, around, kind, wanted in _around(asked):
        if not (_spreads(tuple(around.shape), wanted) and lie_well((around,), kind)):
            return _in_words(what, around, kind, wanted)
    for name, noise in (*asked.masks.items(), *asked.zoneout.items()):
        if isinstance(noise, Tensor) and noise.requires_grad:
            return f"the gradient of a mask is asked for, that of {name}"
    return None


def _of_kinds(x: Tensor) -> str | None:
    """What speaks against an input whose shape is yet to come."""
    if x.device.type != "cpu":
        return f"x is on the device {x.device}"
    if x.dtype not in NUMBERS:
        return f"kernels compute in float32 and float64, not in {_short(x.dtype)}"
    return None


def lie_well(values: Sequence[Tensor], dtype: torch.dtype) -> bool:
    """Whether tensors are of a dtype, and their numbers lie in our memory as they are."""
    # At every call for every parameter, so all of it runs in C.
    return (
        PLAIN.issuperset(map(type, values))
        and set(map(TRAITS, values)) <= {(dtype, True, STRIDED)}
        and not any(map(Tensor.is_neg, values))
    )


def _around(asked: Run) -> Iterator[tuple[str, Tensor, torch.dtype, tuple[int, ...]]]:
    """The tensors beside x and parameters: what each is, itself, and the dtype and shape that it should have."""
    cell, sizes, dtype = asked.cell, asked.sizes, asked.x.dtype
    time, *batch = asked.x.shape[:-1]
    for values in (asked.state, asked.fresh):
        for name, value in zip(cell.states, values, strict=False):
            if value is not None:
                yield f"the state {name}", value, dtype, (*batch, sizes[cell.width(name)])
    for what, flag in (("resets", asked.resets), ("ends", asked.alive)):
        if flag is not None:
            yield what, flag, torch.bool, (time, *batch, 1)
    for name, mask in asked.masks.items():
        yield f"the mask of {name}", mask, dtype, (*batch, sizes[cell.width(name)])
    for name, share in asked.zoneout.items():
        if isinstance(share, Tensor):
            yield f"the zoneout of {name}", share, dtype, (time, *batch, sizes[cell.width(name)])


@lru_cache(maxsize=1024)
def _shapes(
    same: Same, sizes: tuple[tuple[str, int], ...], parameters: tuple[str, ...], replicas: tuple[int, ...]
) -> list[tuple[int, ...]]:
    """Of the parameters."""
    size, shapes = dict(sizes), same.cell.shapes
    symbols = {**shapes.matrices, **{name: (width,) for name, width in shapes.vectors.items()}}
    return [(*replicas, *(size[symbol] for symbol in symbols.get(name, ()))) for name in parameters]


def _in_words(what: str, value: Tensor, dtype: torch.dtype, shape: tuple[int, ...]) -> str:
    """What is wrong with a tensor."""
    if type(value) not in PLAIN:
        return f"{what} is a {type(value).__name__}"
    if not value.is_cpu:
        return f"{what} is on the device {value.device}"
    if value.dtype is not dtype:
        return f"{what} is of {_short(value.dtype)}, not of {_short(dtype)}"
    if value.layout is not STRIDED or value.is_neg():
        return f"{what} does not lie in memory number by number"
    return f"{what} has the shape {tuple(value.shape)}, not {shape}"


def _short(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def _spreads(given: tuple[int, ...], shape: tuple[int, ...]) -> bool:
    """Whether a tensor is of a shape, or becomes so by repeating it along axes of length 1."""
    return len(given) == len(shape) and all(a in (1, b) for a, b in zip(given, shape, strict=True))
