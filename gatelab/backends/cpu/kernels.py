"""A run, forwards and backwards, through kernels: tensors of torch in, tensors of torch out.

All tensors of a run come in one tuple, in the order of `tensors_of`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from gatelab.backends.cpu.call import Call, Stacks, Tensors
from gatelab.backends.cpu.looking import alive_of, within
from gatelab.backends.cpu.memory import borrow
from gatelab.backends.cpu.plan import place_in_record
from gatelab.backends.cpu.shapes import Shape


class Forwards(NamedTuple):
    """A call forwards and what it fills: see `forward`; `seen` is not yet what a sequence's end leaves of it."""

    call: Call
    output: Tensor
    final: tuple[Tensor, ...]
    seen: tuple[Tensor, ...]
    record: Tensor | None


class Backwards(NamedTuple):
    """A call backwards and what it fills: see `backward`; `seen` are the gradients of what is tapped, likewise."""

    call: Call
    found: list[Tensor | None]
    seen: list[Tensor]


def forward(
    shape: Shape, tensors: Tensors, saves: bool, stacks: Stacks | None = None
) -> tuple[Tensor, tuple[Tensor, ...], tuple[Tensor, ...], Tensor | None]:
    """Output, final states, what is watched, and the record if it is kept; the shapes are those of `Result`.

    Of what is watched the record may have some; `looking.seen_of` puts all of it together.

    Args:
        stacks: the parameters, if they are none of the tensors.
    """
    call, output, final, seen, record = prepare_forward(shape, tensors, saves, stacks)
    call.run()
    return output, final, tuple([within(shape, alive_of(shape, tensors), values) for values in seen]), record


def prepare_forward(shape: Shape, tensors: Tensors, saves: bool, stacks: Stacks | None = None) -> Forwards:
    """What `forward` runs."""
    like = tensors[0]
    assert like is not None
    call = Call(shape.forward_saving if saves else shape.forward, shape, tensors, stacks)
    output = borrow(shape.output, like)
    call.whole("output", output)
    final = tuple([like.new_empty(size) for size in shape.states])
    call.states("start", tensors[shape.parts[0]])
    call.whole_states("final", final)
    shown = [name for name in shape.form.watched if not (saves and place_in_record(shape.task, name))]
    seen = tuple([borrow(shape.seen(name), like) for name in shown])
    for name, values in zip(shown, seen, strict=True):
        call.whole(f"seen.{name}", values)
    record = None
    if saves:
        record = borrow(shape.record, like)
        call.whole("record", record)
    return Forwards(call, output, final, seen, record)


def backward(
    shape: Shape, tensors: Tensors, record: Tensor, arriving: Tensors, wanted: Sequence[bool]
) -> list[Tensor | None]:
    """The gradients of a run's tensors, in their order; None for what has none or was not asked for.

    A cell that does not depend on something has zeros there.

    Args:
        arriving: the gradients of the output and of the final states, None where nothing arrives.
        wanted: of which tensors there should be one; parameters always get theirs.
    """
    call, found, seen = prepare_backward(shape, tensors, record, arriving, wanted)
    call.run()
    found[len(found) - len(seen) :] = [within(shape, alive_of(shape, tensors), values) for values in seen]
    return found


def prepare_backward(
    shape: Shape,
    tensors: Tensors,
    record: Tensor,
    arriving: Tensors,
    wanted: Sequence[bool],
    gradients: Sequence[Tensor] | Stacks | None = None,
    stacks: Stacks | None = None,
) -> Backwards:
    """What `backward` runs.

    Args:
        gradients: where those of the parameters go; None for new tensors.
        stacks: the parameters, if they are none of the tensors.
    """
    like = tensors[0]
    assert like is not None
    way = shape.backward_to_input if wanted[0] else shape.backward
    states, fresh, parameters, _ = shape.parts
    found: list[Tensor | None] = [None] * len(tensors)
    call = Call(way, shape, tensors, stacks)
    call.whole("record", record)
    # A kernel reads memory as it is, and torch may keep a minus sign beside it.
    output, *final = [value if value is None else value.resolve_neg() for value in arriving]
    call.sequences("d.output", output)
    call.states("d.final", final)
    if wanted[0]:
        found_x = borrow(like.shape, like) if way.kernel.plan.input else torch.zeros(like.shape, dtype=like.dtype)
        call.whole("d.x", found_x)
        found[0] = found_x
    for name, part, is_there in (("d.start", states, True), ("d.fresh", fresh, shape.task.resets)):
        if is_there and any(wanted[part]):
            pairs = zip(shape.states, wanted[part], strict=True)
            found[part] = [like.new_empty(size) if is_wanted else None for size, is_wanted in pairs]
            call.whole_states(name, found[part])
    if gradients is None:
        found[parameters] = call.gradients(tensors[parameters])
    elif isinstance(gradients, Stacks):
        call.stacks(call.table.gradients, gradients)
    else:
        call.gradients_into(gradients)
        found[parameters] = gradients
    seen = [
        borrow(shape.seen(name), like)
        if name in way.kernel.plan.seen
        else torch.zeros(shape.seen(name), dtype=like.dtype)
        for name in shape.form.taps
    ]
    for name, values in zip(shape.form.taps, seen, strict=True):
        call.whole(f"d.seen.{name}", values)
    return Backwards(call, found, seen)
