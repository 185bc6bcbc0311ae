"""The kernels as operators of torch, which compilers and exporters put into their graphs without looking inside.

`gatelab::forward` and `gatelab::backward` take the tensors of a run in one list, those that are there, and the rest of
it as text. The text holds the equations, so that a graph runs in another process too.

T time, R replicas, B batch, W the width of a vector; T and B may be symbols.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

from gatelab.backends.base import Form, Result, Run, form_of, put_together, tensors_of
from gatelab.backends.cpu import kernels
from gatelab.backends.cpu.host import this_host
from gatelab.backends.cpu.shapes import find_shape, record_shape
from gatelab.errors import OptionError
from gatelab.language.cell import Cell
from gatelab.language.files import read_cell_text, write_cell

UNWATCHED = Form._fields.index("watched")
"""So many fields of a form say all of a run that no probe looks at."""


def run(asked: Run) -> Result:
    """See `Run` and `Result` for the shapes."""
    if asked.watched:
        raise OptionError(
            "A probe can't look into a graph of torch.compile or torch.export.\n"
            "Call the model that torch.compile was given, not the compiled one, while a probe looks on."
        )
    form, tensors = form_of(asked), tensors_of(asked)
    there = [value for value in tensors if value is not None]
    text = text_of(form, tensors)
    saves = torch.is_grad_enabled() and any(value.requires_grad for value in there)
    output, *rest = torch.ops.gatelab.forward(there, text, saves)
    return Result(output, tuple(rest[: form.states]))


def text_of(form: Form, tensors: Sequence[Tensor | None]) -> str:
    """A form, and which of its tensors are there, as `_form` reads them."""
    return _write(form.cell, *form[1:UNWATCHED], tuple(value is not None for value in tensors))


def _write(cell: Cell, *rest: Any) -> str:
    return json.dumps([write_cell(cell), *rest])


# What `torch.compiler.assume_constant_result` does, which loads all of the compiler: 0.8 s at every start.
_write._dynamo_marked_constant = True  # type: ignore[attr-defined]


@lru_cache(maxsize=1024)
def _form(text: str) -> tuple[Form, tuple[bool, ...]]:
    """The form of a run, and which of its tensors are there."""
    cell, sizes, parameters, states, fresh, masks, zoneout, there = json.loads(text)
    return Form(read_cell_text(cell), sizes, tuple(parameters), states, fresh, tuple(masks), zoneout), tuple(there)


def _spread(values: Sequence[Any], there: Sequence[bool]) -> list[Any]:
    """Values in the places where something is, and None elsewhere."""
    left = iter(values)
    return [next(left) if is_there else None for is_there in there]


def _read(text: str, tensors: Sequence[Tensor]) -> Run:
    form, there = _form(text)
    return put_together(form, _spread(tensors, there))


def _forward(tensors: list[Tensor], text: str, saves: bool) -> list[Tensor]:
    """Output, final states, and the record if it is kept."""
    asked = _read(text, tensors)
    if not asked.x.numel():
        return _forward_fake(tensors, text, saves)
    shape = find_shape(asked, this_host())
    output, final, _, record = kernels.forward(shape, tensors_of(asked), saves=saves)
    return [output, *final, *([] if record is None else [record])]


def _forward_fake(tensors: list[Tensor], text: str, saves: bool) -> list[Tensor]:
    """The shapes of what comes out, with arbitrary numbers."""
    asked = _read(text, tensors)
    cell, sizes = asked.cell, asked.sizes
    time, *batch = asked.x.shape[:-1]
    shapes = [(time, *batch, sizes[cell.width(cell.output)])]
    shapes += [(*batch, sizes[cell.width(state)]) for state in cell.states]
    shapes += [record_shape(asked, this_host())] if saves else []
    return [asked.x.new_empty(shape) for shape in shapes]


def _backward(
    tensors: list[Tensor],
    record: Tensor,
    arriving: list[Tensor],
    text: str,
    arrived: Sequence[bool],
    wanted: Sequence[bool],
) -> list[Tensor]:
    """The gradients of the tensors for which one is wanted.

    Args:
        arriving: the gradients of the output and the final states, as far as there are any.
        arrived: whether there is one of each.
    """
    form, there = _form(text)
    if tensors[0].numel():
        needed = [is_wanted or False for is_wanted in _spread(wanted, there)]
        run = put_together(form, _spread(tensors, there))
        shape = find_shape(run, this_host())
        gradients = kernels.backward(shape, tensors_of(run), record, _spread(arriving, arrived), needed)
        found = [gradient for gradient, is_there in zip(gradients, there, strict=True) if is_there]
    else:
        found = [None] * len(tensors)
    return [
        value.new_zeros(value.shape) if gradient is None else gradient.contiguous()
        for value, gradient, is_wanted in zip(tensors, found, wanted, strict=True)
        if is_wanted
    ]


def _backward_fake(
    tensors: list[Tensor], record: Tensor, arriving: list[Tensor], text: str, arrived: Sequence[bool],
    wanted: Sequence[bool],
) -> list[Tensor]:  # fmt: skip
    pairs = zip(tensors, wanted, strict=True)
    return [value.new_empty(value.shape) for value, is_wanted in pairs if is_wanted]


def _keep(ctx: Any, inputs: tuple[list[Tensor], str, bool], output: list[Tensor]) -> None:
    tensors, ctx.text, _ = inputs
    ctx.save_for_backward(output[-1], *tensors)
    ctx.set_materialize_grads(False)


def _differentiate(ctx: Any, arriving: list[Tensor | None]) -> tuple[list[Tensor | None], None, None]:
    record, *tensors = ctx.saved_tensors
    *arriving, _ = arriving
    there = [value for value in arriving if value is not None]
    wanted = ctx.needs_input_grad[0]
    arrived = [value is not None for value in arriving]
    found = torch.ops.gatelab.backward(tensors, record, there, ctx.text, arrived, wanted)
    return _spread(found, wanted), None, None


def _define(name: str, schema: str, kernel: Callable[..., Any], fake: Callable[..., Any]) -> Any:
    operator = torch.library.custom_op(f"gatelab::{name}", kernel, mutates_args=(), device_types="cpu", schema=schema)
    operator.register_fake(fake)
    return operator


_define("forward", "(Tensor[] tensors, str text, bool saves) -> Tensor[]", _forward, _forward_fake).register_autograd(
    _differentiate, setup_context=_keep
)
_define(
    "backward",
    "(Tensor[] tensors, Tensor record, Tensor[] arriving, str text, bool[] arrived, bool[] wanted) -> Tensor[]",
    _backward,
    _backward_fake,
)
