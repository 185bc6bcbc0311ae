"""When the kernels are not for a run, and why; then eager does it."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.autograd import forward_ad

from gatelab.backends.base import Run

NUMBERS = (torch.float32, torch.float64)


def why_not(asked: Run) -> str | None:
    """Why a run goes to eager, in words; None if the kernels do it."""
    if torch.compiler.is_compiling():
        return "torch.compile is tracing, and can't look into a kernel"
    if torch._C._functorch.maybe_current_level() is not None:
        return "a transform of torch.func is at work, and has to see each operation"
    if forward_ad._current_level >= 0:
        return "forward derivatives are taken"
    if torch.is_autocast_enabled("cpu"):
        return "autocast chooses the numbers of each product"
    return _of_tensors(asked) or _of_shapes(asked)


def _of_tensors(asked: Run) -> str | None:
    noise = [value for value in asked.zoneout.values() if isinstance(value, Tensor)] + [*asked.masks.values()]
    values = [asked.x, *asked.state, *asked.fresh, *asked.parameters.values(), *noise]
    flags = [flag for flag in (asked.resets, asked.alive) if flag is not None]
    for value in (*values, *flags):
        if type(value) not in (Tensor, torch.nn.Parameter):
            return f"a tensor is a {type(value).__name__}"
        if value.device.type != "cpu":
            return f"a tensor is on the device {value.device}"
        if value.layout is not torch.strided:
            return "a tensor is not a dense one"
    if asked.x.dtype not in NUMBERS:
        return f"kernels compute in float32 and float64, not in {str(asked.x.dtype).removeprefix('torch.')}"
    if any(value.dtype is not asked.x.dtype for value in values):
        return "the tensors are not all of one dtype"
    if any(flag.dtype is not torch.bool for flag in flags):
        return "resets and ends are not given as truth values"
    if any(value.requires_grad for value in noise):
        return "the gradient of a mask is asked for"
    return None


def _of_shapes(asked: Run) -> str | None:
    """Kernels trust the shapes they are given, so none gets there that is not as it should be."""
    cell, x, sizes = asked.cell, asked.x, asked.sizes
    if x.ndim not in (3, 4) or not x.numel():
        return "the input is empty, or has not the axes time, batch and unit"
    replicas = tuple(x.shape[1:-2])
    if x.shape[-1] != sizes[cell.width("x")]:
        return "the input has not the width of the cell"
    symbols = {**cell.shapes.matrices, **{name: (width,) for name, width in cell.shapes.vectors.items()}}
    for name in cell.parameter_names:
        expected = (*replicas, *(sizes[symbol] for symbol in symbols.get(name, ())))
        if tuple(asked.parameters[name].shape) != expected:
            return f"the parameter {name} has not the shape {expected}"
    if len(asked.state) != len(cell.states) or (asked.resets is not None and len(asked.fresh) != len(cell.states)):
        return "there is not one tensor for each state"
    time, batch = x.shape[0], tuple(x.shape[1:-1])
    for values in (asked.state, asked.fresh):
        for name, value in zip(cell.states, values, strict=False):
            if not _spreads(value, (*batch, sizes[cell.width(name)])):
                return f"the state {name} has not the shape of the batch"
    arounds: list[tuple[object, tuple[int, ...]]] = [(flag, (time, *batch, 1)) for flag in (asked.resets, asked.alive)]
    arounds += [(value, (*batch, sizes[cell.width(name)])) for name, value in asked.masks.items()]
    arounds += [(value, (time, *batch, sizes[cell.width(name)])) for name, value in asked.zoneout.items()]
    if not all(_spreads(value, shape) for value, shape in arounds if isinstance(value, Tensor)):
        return "flags or masks have not the shape of the batch"
    return None


def _spreads(value: Tensor, shape: tuple[int, ...]) -> bool:
    """Whether a tensor is of a shape, or becomes so by repeating it along axes of length 1."""
    given = tuple(value.shape)
    return len(given) == len(shape) and all(a in (1, b) for a, b in zip(given, shape, strict=True))
