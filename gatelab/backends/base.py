"""What a backend is asked and what it gives.

T time, R replicas, B batch, I input, W the width of a vector. The axis R is there if the parameters have it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd import forward_ad

from gatelab.language.cell import Cell

NOTHING: Mapping[str, Any] = MappingProxyType({})


class Run(NamedTuple):
    """One cell, forwards over one batch of sequences.

    Attributes:
        cell: the equations.
        sizes: what each width symbol of the cell is.
        parameters: each of the shape that the cell says, with an axis R before it for replicas.
        x: inputs, (T, [R,] B, I).
        state: the states before the first step in the order of `cell.states`, each ([R,] B, W), or None for zeros.
        fresh: the states that a reset goes back to, likewise; there if there are resets.
        resets: before which steps to start afresh, (T, [R or 1,] B, 1), of bool.
        alive: which steps belong to the sequences, (T, [R or 1,] B, 1), of bool; the others keep the state and
            give 0.
        masks: a factor for each state that is read inside of a product, ([R,] B, W): recurrent dropout.
        zoneout: for each state how much of the value before the step to keep: one number, or (T, [R,] B, W).
        watched: names of the equations whose values are to be seen.
        taps: for each name whose gradient is wanted zeros of the shape of what is seen, (steps seen, [R,] B, W); their
            gradient is that of the name, see `taps.py`. States that are always equal have one, under the name that
            they are stored as.
        every: of so many steps the first is seen.
    """

    cell: Cell
    sizes: Mapping[str, int]
    parameters: Mapping[str, Tensor]
    x: Tensor
    state: tuple[Tensor | None, ...]
    fresh: tuple[Tensor | None, ...] = ()
    resets: Tensor | None = None
    alive: Tensor | None = None
    masks: Mapping[str, Tensor] = NOTHING
    zoneout: Mapping[str, Tensor | float] = NOTHING
    watched: tuple[str, ...] = ()
    taps: Mapping[str, Tensor] = NOTHING
    every: int = 1

    @property
    def is_plain(self) -> bool:
        """Whether nothing happens around the steps."""
        return self.resets is None and self.alive is None and not (self.fresh or self.masks or self.zoneout)


class Form(NamedTuple):
    """A run without its tensors.

    Attributes:
        parameters: their names.
        states: how many tensors stand for states.
        fresh: likewise for those that a reset goes back to.
        masks: the states that have one.
        zoneout: the share of each state, or None if a tensor says it.
        watched, every: as the run has them.
        taps: the names that have one.
    """

    cell: Cell
    sizes: Mapping[str, int]
    parameters: tuple[str, ...]
    states: int
    fresh: int
    masks: tuple[str, ...]
    zoneout: Mapping[str, float | None]
    watched: tuple[str, ...] = ()
    taps: tuple[str, ...] = ()
    every: int = 1


def form_of(asked: Run) -> Form:
    """What is left of a run without its tensors."""
    return Form(
        asked.cell,
        asked.sizes,
        tuple(asked.parameters),
        len(asked.state),
        len(asked.fresh),
        tuple(asked.masks),
        {name: None if isinstance(share, Tensor) else share for name, share in asked.zoneout.items()},
        asked.watched,
        tuple(asked.taps),
        asked.every,
    )


def tensors_of(asked: Run) -> tuple[Tensor | None, ...]:
    """Its tensors: x, states, fresh ones, parameters; what has no gradient: resets, alive, masks, zoneout; taps."""
    drawn = [share for share in asked.zoneout.values() if isinstance(share, Tensor)] if asked.zoneout else ()
    return (
        asked.x,
        *asked.state,
        *asked.fresh,
        *asked.parameters.values(),
        asked.resets,
        asked.alive,
        *asked.masks.values(),
        *drawn,
        *asked.taps.values(),
    )


def put_together(form: Form, tensors: Sequence[Any]) -> Run:
    """The run of a form, with tensors in the order of `tensors_of`."""
    x, *rest = tensors
    fresh = form.states + form.fresh
    flags = fresh + len(form.parameters)
    drawn = flags + 2 + len(form.masks)
    left = iter(rest[drawn:])
    return Run(
        cell=form.cell,
        sizes=form.sizes,
        parameters=dict(zip(form.parameters, rest[fresh:flags], strict=True)),
        x=x,
        state=tuple(rest[: form.states]),
        fresh=tuple(rest[form.states : fresh]),
        resets=rest[flags],
        alive=rest[flags + 1],
        masks=dict(zip(form.masks, rest[flags + 2 : drawn], strict=True)),
        zoneout={name: next(left) if share is None else share for name, share in form.zoneout.items()},
        watched=form.watched,
        taps=dict(zip(form.taps, left, strict=True)),
        every=form.every,
    )


class Result(NamedTuple):
    """What comes of a run.

    Attributes:
        output: the cell's output after each step, (T, [R,] B, W).
        state: the states after the last step of each sequence, each ([R,] B, W).
        seen: the values of the watched names as the equations give them, each (steps seen, [R,] B, W), without a
            gradient; 0 beyond the end of a sequence. A function gives them where it is cheaper to do so only if
            somebody looks.
    """

    output: Tensor
    state: tuple[Tensor, ...]
    seen: tuple[Tensor | Callable[[], Tensor], ...] = ()


@dataclass(frozen=True)
class Backend:
    """A way to run cells.

    Attributes:
        name: what `backend=` calls it.
        about: one sentence for `layer.explain()`.
        run: does it; differentiable in the parameters, the input, the states and the masks.
        why_not: why it can't do a run, in words, or None if it can; else `run` is not asked.
        notes: what else there is to know of its choice, a sentence each.
    """

    name: str
    about: str
    run: Callable[[Run], Result]
    why_not: Callable[[Run], str | None] = lambda asked: None
    notes: tuple[str, ...] = ()


def must_be_seen() -> bool:
    """Whether a transform of torch is at work, which has to see each operation: `vmap`, forward derivatives."""
    return torch._C._are_functorch_transforms_active() or forward_ad._current_level >= 0


def is_batched(gradient: Tensor | None) -> bool:
    """Whether a gradient stands for many, by either of torch's two kinds of vmap."""
    functorch = torch._C._functorch
    return gradient is not None and (
        functorch.is_legacy_batchedtensor(gradient) or functorch.is_functorch_wrapped_tensor(gradient)
    )
