"""The forms in which sequences come, and the one form in which they are run: time first.

T time, R replicas, B batch, I input, D directions, L layers, W the width of a vector.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

from gatelab.errors import ShapeError

Lengths = Tensor | Sequence[int] | None


class Ragged(NamedTuple):
    """Where sequences end before the last step.

    Attributes:
        lengths: the steps of each, ([R or 1,] B).
        alive: which steps lie within them, (T, [R or 1,] B, 1), of bool.
    """

    lengths: Tensor
    alive: Tensor


class Sequences(NamedTuple):
    """Sequences in the form in which they are run.

    Attributes:
        x: (T, [R,] B, I); what lies beyond a sequence's end is 0.
        ragged: None if all have T steps.
        resets: (T, [R or 1,] B, 1), of bool, or None.
        restore: turns an output (T, [R,] B, W) into the form in which the input came.
        batched: whether the input had a batch axis.
        arrange: as `restore`, but what came packed is given padded.
        axes: those of what `arrange` gives, in words.
    """

    x: Tensor
    ragged: Ragged | None
    resets: Tensor | None
    restore: Callable[[Tensor], Tensor | PackedSequence]
    batched: bool
    arrange: Callable[[Tensor], Tensor]
    axes: tuple[str, ...]


def read_sequences(
    x: Tensor | PackedSequence,
    lengths: Lengths,
    resets: Tensor | None,
    *,
    input_size: int,
    batch_first: bool,
    replicas: int | None,
) -> Sequences:
    """Sequences from any of the forms that a layer takes.

    Args:
        x: ([R,] T, B, I), or with `batch_first` ([R,] B, T, I), or (T, I), or packed.
        lengths: (B,), or (R, B): how many steps of each sequence there are.
        resets: of the shape of `x` without its last axis, of bool.

    Raises:
        ShapeError: something has the wrong shape, type or range.
    """
    if isinstance(x, PackedSequence):
        if lengths is not None or resets is not None or replicas is not None:
            raise ShapeError(
                "A packed sequence has lengths of its own and takes no resets or replicas.\n"
                "Unpack it with torch.nn.utils.rnn.pad_packed_sequence."
            )
        return _read_packed(x, input_size)
    if not isinstance(x, Tensor):
        raise ShapeError(f"The input is a {type(x).__name__}.\nGive a tensor or a PackedSequence.")
    _check_input(x, input_size, batch_first, replicas)
    batched = x.ndim > 2
    if not batched:  # (T, I) is a batch of one, whatever batch_first says; torch has it so too.
        x = x.unsqueeze(1)
    else:
        x = time_first(x, batch_first)
    if replicas is not None and x.ndim == 3:
        x = x.unsqueeze(1).expand(-1, replicas, -1, -1)
    if x.shape[0] == 0:
        raise ShapeError("The input has 0 time steps.\nGive at least one.")
    steps = _read_resets(resets, x, batched, batch_first, replicas)
    ragged = _ragged(_read_lengths(lengths, x, batched, replicas), x.shape[0])
    if ragged is not None:
        # What stands beyond the end must not reach any gradient, were it NaN, nor any state, were it a reset.
        x = torch.where(ragged.alive, x, 0.0)
        steps = None if steps is None else steps & ragged.alive

    return as_sequences(x, ragged, steps, batched=batched, batch_first=batch_first)


def as_sequences(
    x: Tensor, ragged: Ragged | None = None, resets: Tensor | None = None, *, batched: bool = True, batch_first: bool
) -> Sequences:
    """Sequences that are known to be right.

    Args:
        x: (T, [R,] B, I).
        batched: whether they came with a batch axis.
        batch_first: whether that was before the steps.
    """
    turned = batch_first and batched

    def restore(output: Tensor) -> Tensor:
        ordered = as_it_came(output, turned)
        return ordered if batched else ordered.squeeze(-2)

    order = ("sequence", "step") if turned else ("step", "sequence") if batched else ("step",)
    axes = ("replica", *order, "unit") if x.ndim == 4 else (*order, "unit")
    return Sequences(x, ragged, resets, restore, batched, restore, axes)


def check_like(x: Tensor, parameter: Tensor | None) -> None:
    """Raises the ShapeError of an input that lives elsewhere than a layer, or is of another dtype."""
    if parameter is None:
        return
    if parameter.device != x.device:
        raise ShapeError(
            f"The input is on {x.device} and the layer on {parameter.device}.\nWrite x.to('{parameter.device}')."
        )
    if parameter.dtype != x.dtype and not torch.is_autocast_enabled(x.device.type):
        raise ShapeError(
            f"The input has dtype {x.dtype} and the layer {parameter.dtype}.\nWrite x.to({parameter.dtype})."
        )


def _ragged(lengths: Tensor | None, steps: int) -> Ragged | None:
    if lengths is None:
        return None
    time = torch.arange(steps, device=lengths.device).view(-1, *[1] * lengths.ndim)
    return Ragged(lengths, (time < lengths).unsqueeze(-1))


def _read_packed(packed: PackedSequence, input_size: int) -> Sequences:
    if packed.data.ndim != 2 or packed.data.shape[-1] != input_size:
        raise ShapeError(
            f"The packed input has shape {tuple(packed.data.shape)}; the layer takes {input_size} features a step.\n"
            f"Pack sequences of shape (T, {input_size})."
        )
    x, lengths = pad_packed_sequence(packed)

    def restore(output: Tensor) -> PackedSequence:
        order = packed.sorted_indices
        if order is not None:
            output = output.index_select(1, order)
        sizes = lengths if order is None else lengths[order.cpu()]
        again = pack_padded_sequence(output, sizes, enforce_sorted=True)
        return PackedSequence(again.data, packed.batch_sizes, order, packed.unsorted_indices)

    counts = lengths.to(x.device)
    even = bool((lengths == x.shape[0]).all())
    ragged = _ragged(None if even else counts, x.shape[0])
    return Sequences(x, ragged, None, restore, True, lambda output: output, ("step", "sequence", "unit"))


def _check_input(x: Tensor, input_size: int, batch_first: bool, replicas: int | None) -> None:
    shape = x.shape
    fits = len(shape) in (2, 3) if replicas is None else len(shape) == 3 or (len(shape) == 4 and shape[0] == replicas)
    if fits and shape[-1] == input_size and x.is_floating_point():
        return
    form = "(B, T, I)" if batch_first else "(T, B, I)"
    wanted = (
        f"{form} or (T, I)" if replicas is None else f"(R, {form[1:]} with R = {replicas}, or {form} for all replicas"
    )
    if not fits:
        raise ShapeError(f"The input has shape {tuple(shape)}.\nGive {wanted}.")
    if shape[-1] != input_size:
        raise ShapeError(
            f"The input has {shape[-1]} features a step (shape {tuple(shape)}); the layer takes {input_size}.\n"
            f"Give {wanted} with I = {input_size}."
        )
    raise ShapeError(f"The input has dtype {x.dtype}.\nGive floating point: x.float().")


def time_first(tensor: Tensor, batch_first: bool) -> Tensor:
    """([R,] T, B, ...) or ([R,] B, T, ...) as (T, [R,] B, ...)."""
    if tensor.ndim == 3:
        return tensor.transpose(0, 1) if batch_first else tensor
    return tensor.movedim(-2, 0) if batch_first else tensor.transpose(-3, 0)


def as_it_came(output: Tensor, batch_first: bool) -> Tensor:
    """(T, [R,] B, W) as ([R,] T, B, W) or ([R,] B, T, W)."""
    ordered = output.transpose(0, 1) if output.ndim == 4 else output
    return ordered.transpose(-2, -3) if batch_first else ordered


def _read_resets(
    resets: Tensor | None, x: Tensor, batched: bool, batch_first: bool, replicas: int | None
) -> Tensor | None:
    if resets is None:
        return None
    if not isinstance(resets, Tensor) or resets.dtype != torch.bool:
        raise ShapeError("resets must be a tensor of bool.\nWrite resets.bool().")
    steps, batch = x.shape[0], x.shape[-2]
    plain = (steps,) if not batched else (batch, steps) if batch_first else (steps, batch)
    if resets.shape not in (plain, (replicas, *plain)):
        raise ShapeError(f"resets has shape {tuple(resets.shape)}.\nGive one a step, {plain}.")
    shaped = resets.unsqueeze(1) if not batched else time_first(resets.unsqueeze(-1), batch_first).squeeze(-1)
    if replicas is not None and shaped.ndim == 2:
        shaped = shaped.unsqueeze(1)
    return shaped.unsqueeze(-1).to(x.device)


def _read_lengths(lengths: Lengths, x: Tensor, batched: bool, replicas: int | None) -> Tensor | None:
    if lengths is None:
        return None
    steps, batch = x.shape[0], x.shape[-2]
    try:
        counts = torch.as_tensor(lengths)
    except (TypeError, ValueError, RuntimeError):
        raise ShapeError(
            f"lengths must be whole numbers, one a sequence.\nWrite lengths=[{steps}, ...], {batch} numbers."
        ) from None
    if not counts.numel():  # An empty list has no dtype of its own.
        counts = counts.long()
    if counts.is_floating_point() or counts.is_complex() or counts.dtype == torch.bool:
        raise ShapeError(f"lengths has dtype {counts.dtype}.\nGive whole numbers: lengths.long().")
    if not batched and counts.ndim == 0:
        counts = counts.unsqueeze(0)
    if counts.shape not in ((batch,), (replicas, batch)):
        raise ShapeError(
            f"lengths has shape {tuple(counts.shape)}.\nGive one number a sequence, ({batch},)"
            + (f" or ({replicas}, {batch})." if replicas else ".")
        )
    if torch.compiler.is_compiling():  # A graph can't ask for a number; it stops where one does not fit.
        torch._assert_async(((counts >= 1) & (counts <= steps)).all(), "Each length must be from 1 to the steps of x.")
    elif batch:
        least, most = map(int, counts.aminmax())
        if least < 1 or most > steps:
            raise ShapeError(
                f"lengths run from {least} to {most}; the input has {steps} steps.\n"
                f"Each length must be from 1 to {steps}; leave empty sequences out of the batch."
            )
    if replicas is not None and counts.ndim == 1:
        counts = counts.unsqueeze(0)
    return counts.to(x.device)
