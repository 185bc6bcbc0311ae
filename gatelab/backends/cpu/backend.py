"""The cpu backend in torch: kernels where they can, eager where they can't."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from gatelab.backends import eager
from gatelab.backends.base import Backend, Result, Run
from gatelab.backends.cpu import kernels
from gatelab.backends.cpu.host import Host, this_host
from gatelab.backends.cpu.refusal import why_not


def backend_on(host: Host) -> Backend:
    """The backend with the vectors of a processor, which must be able to run here."""
    return Backend("cpu", "kernels in LLVM IR, made from the equations", lambda asked: run(asked, host))


def run(asked: Run, host: Host | None = None) -> Result:
    """See `Run` and `Result` for the shapes."""
    if why_not(asked):
        return eager.run(asked)
    inputs = _inputs(asked)
    host = host or this_host()
    if not (torch.is_grad_enabled() and any(value.requires_grad for value in inputs)):
        output, final, _ = kernels.forward(kernels.prepare(asked, host), asked, saves=False)
        return Result(output, final)
    output, *final = _Kernels.apply(asked, host, *inputs)  # type: ignore[no-untyped-call]
    return Result(output, tuple(final))


def _inputs(asked: Run) -> tuple[Tensor, ...]:
    """What there are gradients of: the input, the states, the fresh states, the parameters."""
    return asked.x, *asked.state, *asked.fresh, *asked.parameters.values()


def _with_inputs(asked: Run, inputs: Sequence[Tensor]) -> Run:
    """The run with other tensors in place of those of `_inputs`."""
    x, *rest = inputs
    state, rest = rest[: len(asked.state)], rest[len(asked.state) :]
    fresh, rest = rest[: len(asked.fresh)], rest[len(asked.fresh) :]
    parameters = dict(zip(asked.parameters, rest, strict=True))
    return replace(asked, x=x, state=tuple(state), fresh=tuple(fresh), parameters=parameters)


class _Kernels(torch.autograd.Function):
    """A run and its gradients. What goes in is saved as torch does it, so that a change in place is noticed."""

    @staticmethod
    def forward(ctx: Any, asked: Run, host: Host, *inputs: Tensor) -> tuple[Tensor, ...]:
        ready = kernels.prepare(asked, host)
        output, final, record = kernels.forward(ready, asked, saves=True)
        ctx.asked, ctx.ready = asked, replace(ready, x=ready.x[:0])
        ctx.save_for_backward(record, ready.x, *inputs)
        ctx.set_materialize_grads(False)
        return output, *final

    @staticmethod
    def backward(ctx: Any, *arriving: Tensor | None) -> tuple[Tensor | None, ...]:
        record, x, *inputs = ctx.saved_tensors
        asked, wanted = ctx.asked, ctx.needs_input_grad[2:]
        if torch.is_grad_enabled() or any(map(_is_batched, arriving)):
            return None, None, *_through_eager(_with_inputs(asked, inputs), arriving, wanted)
        output, *final = arriving
        states = len(asked.state)
        found = kernels.backward(
            replace(ctx.ready, x=x),
            record,
            output,
            final,
            input_gradient=wanted[0],
            state_gradient=any(wanted[1 : 1 + states]),
        )
        state = found.state or (None,) * states
        fresh = found.fresh or (None,) * len(asked.fresh)
        parameters = (found.parameters.get(name) for name in asked.parameters)
        return None, None, found.x, *state, *fresh, *parameters


def _is_batched(gradient: Tensor | None) -> bool:
    """Whether a gradient stands for many, by either of torch's two kinds of vmap."""
    functorch = torch._C._functorch
    return gradient is not None and (
        functorch.is_legacy_batchedtensor(gradient) or functorch.is_functorch_wrapped_tensor(gradient)
    )


def _through_eager(
    asked: Run, arriving: tuple[Tensor | None, ...], wanted: tuple[bool, ...]
) -> tuple[Tensor | None, ...]:
    """Gradients that can be differentiated again, or that a transform looks into: the run is made a second time."""
    again = torch.is_grad_enabled()
    with torch.enable_grad():
        # Views of the inputs, so that only what leads directly to them counts, and nothing that leads to one by
        # way of another.
        views = tuple(value.view_as(value) if again else value.detach() for value in _inputs(asked))
        for value, is_wanted in zip(views, wanted, strict=True):
            if not again:
                value.requires_grad_(is_wanted)
        result = eager.run(_with_inputs(asked, views))
        reached = [
            (value, gradient)
            for value, gradient in zip((result.output, *result.state), arriving, strict=True)
            if gradient is not None and value.requires_grad
        ]
        asked_for = [value for value, is_wanted in zip(views, wanted, strict=True) if is_wanted]
        if not reached:
            return (None,) * len(views)
        outputs, gradients = zip(*reached, strict=True)
        found = iter(torch.autograd.grad(outputs, asked_for, gradients, create_graph=again, allow_unused=True))
    return tuple(next(found) if is_wanted else None for is_wanted in wanted)


BACKEND = backend_on(this_host())
