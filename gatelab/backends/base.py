"""What a backend is asked and what it gives.

T time, R replicas, B batch, I input, W the width of a vector. The axis R is there if the parameters have it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from torch import Tensor

from gatelab.language.cell import Cell


@dataclass(frozen=True)
class Run:
    """One cell, forwards over one batch of sequences.

    Attributes:
        cell: the equations.
        sizes: what each width symbol of the cell is.
        parameters: each of the shape that the cell says, with an axis R before it for replicas.
        x: inputs, (T, [R,] B, I).
        state: the states before the first step in the order of `cell.states`, each ([R,] B, W).
        fresh: the states that a reset goes back to, likewise; read only if there are resets.
        resets: before which steps to start afresh, (T, [R or 1,] B, 1), of bool.
        alive: which steps belong to the sequences, (T, [R or 1,] B, 1), of bool; the others keep the state and
            give 0.
        masks: a factor for each state that is read inside of a product, ([R,] B, W): recurrent dropout.
        zoneout: for each state how much of the value before the step to keep: one number, or (T, [R,] B, W).
    """

    cell: Cell
    sizes: Mapping[str, int]
    parameters: Mapping[str, Tensor]
    x: Tensor
    state: tuple[Tensor, ...]
    fresh: tuple[Tensor, ...] = ()
    resets: Tensor | None = None
    alive: Tensor | None = None
    masks: Mapping[str, Tensor] = field(default_factory=dict)
    zoneout: Mapping[str, Tensor | float] = field(default_factory=dict)


@dataclass(frozen=True)
class Result:
    """What comes of a run.

    Attributes:
        output: the cell's output after each step, (T, [R,] B, W).
        state: the states after the last step of each sequence, each ([R,] B, W).
    """

    output: Tensor
    state: tuple[Tensor, ...]


@dataclass(frozen=True)
class Backend:
    """A way to run cells.

    Attributes:
        name: what `backend=` calls it.
        about: one sentence for `layer.explain()`.
        run: does it; differentiable in the parameters, the input, the states and the masks.
    """

    name: str
    about: str
    run: Callable[[Run], Result]
