"""The cpu backend in torch: kernels where they can, eager where torch has to see each operation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor

from gatelab.backends import eager
from gatelab.backends.base import Backend, Result, Run, is_batched, must_be_seen, put_together, tensors_of
from gatelab.backends.cpu import kernels, operators
from gatelab.backends.cpu.call import Tensors
from gatelab.backends.cpu.host import Host, this_host
from gatelab.backends.cpu.looking import seen_of
from gatelab.backends.cpu.refusal import why_not
from gatelab.backends.cpu.shapes import Shape, find_shape


def backend_on(host: Host) -> Backend:
    """The backend with the vectors of a processor, which must be able to run here."""
    return Backend(
        name="cpu",
        about="kernels in LLVM IR, made from the equations",
        run=lambda asked: run(asked, host),
        why_not=why_not,
        notes=(
            "Second derivatives, vmap, the other transforms of torch.func and forward derivatives go to eager by "
            "themselves.",
            "Kernels compute in float32 and float64 on the CPU; other dtypes and devices are for eager.",
        ),
    )


def run(asked: Run, host: Host | None = None) -> Result:
    """See `Run` and `Result` for the shapes; `why_not` says nothing of the run."""
    if must_be_seen():
        return eager.run(asked)
    if torch.compiler.is_compiling():
        return operators.run(asked)
    if not asked.x.numel():
        return eager.run(asked)
    return run_known(find_shape(asked, host or this_host()), tensors_of(asked))


def run_known(shape: Shape, tensors: Tensors) -> Result:
    """A run of a known shape, whose tensors kernels can take, with nothing that has to see each operation."""
    if not is_saved(tensors):
        output, state, seen, _ = kernels.forward(shape, tensors, saves=False)
        return Result(output, state, seen)
    output, *rest = _Kernels.apply(shape, *tensors)  # type: ignore[no-untyped-call]
    if not shape.form.watched:
        return Result(output, tuple(rest))
    states = shape.form.states
    *shown, record = rest[states:]
    return Result(output, tuple(rest[:states]), seen_of(shape, tensors, shown, record))


def is_saved(tensors: Tensors) -> bool:
    """Whether a gradient may be asked for."""
    return torch.is_grad_enabled() and any(value is not None and value.requires_grad for value in tensors)


class _Kernels(torch.autograd.Function):
    """A run and its gradients. What goes in is saved as torch does it, so that a change in place is noticed."""

    @staticmethod
    def forward(ctx: Any, shape: Shape, *tensors: Tensor | None) -> tuple[Tensor, ...]:
        output, final, seen, record = kernels.forward(shape, tensors, saves=True)
        ctx.shape = shape
        ctx.save_for_backward(record, *tensors)
        ctx.set_materialize_grads(False)
        if not shape.form.watched:
            return output, *final
        assert record is not None
        ctx.mark_non_differentiable(*seen, record)
        return output, *final, *seen, record

    @staticmethod
    def backward(ctx: Any, *arriving: Tensor | None) -> tuple[Tensor | None, ...]:
        record, *tensors = ctx.saved_tensors
        wanted, arriving = ctx.needs_input_grad[1:], arriving[: 1 + ctx.shape.form.states]
        if torch.is_grad_enabled() or any(map(is_batched, arriving)):
            return None, *through_eager(partial(put_together, ctx.shape.form), tensors, arriving, wanted)
        return None, *kernels.backward(ctx.shape, tensors, record, arriving, wanted)


def through_eager(
    make: Callable[[Sequence[Any]], Run],
    tensors: Sequence[Tensor | None],
    arriving: Sequence[Tensor | None],
    wanted: Sequence[bool],
) -> tuple[Tensor | None, ...]:
    """Gradients that can be differentiated again, or that a transform looks into: the run is made a second time.

    Args:
        make: the run of tensors such as these.
    """
    again = torch.is_grad_enabled()
    with torch.enable_grad():
        # Views of the inputs, so that only what leads directly to them counts, and nothing that leads to one by
        # way of another.
        views = [
            value if value is None else value.view_as(value) if again else value.detach().requires_grad_(is_wanted)
            for value, is_wanted in zip(tensors, wanted, strict=True)
        ]
        result = eager.run(make(views))
        reached = [
            (value, gradient)
            for value, gradient in zip((result.output, *result.state), arriving, strict=True)
            if gradient is not None and value.requires_grad
        ]
        asked_for = [value for value, is_wanted in zip(views, wanted, strict=True) if is_wanted and value is not None]
        if not reached:
            return (None,) * len(views)
        outputs, gradients = zip(*reached, strict=True)
        found = iter(torch.autograd.grad(outputs, asked_for, gradients, create_graph=again, allow_unused=True))
    return tuple(next(found) if is_wanted else None for is_wanted in wanted)


BACKEND = backend_on(this_host())
