"""torch's own LSTM, GRU and RNN, where a cell is one of them: on a GPU these are cuDNN."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from math import inf
from typing import Any

import torch
from torch import Tensor

from gatelab.backends.base import Backend, Result, Run, must_be_seen
from gatelab.language.cell import Cell
from gatelab.language.lookup import find_cell


@dataclass(frozen=True)
class Own:
    """A recurrence that torch has.

    Attributes:
        function: runs it.
        gates: in the order in which torch stacks their weights.
    """

    function: Callable[..., Any]
    gates: tuple[str, ...]


OWN = {
    "lstm": Own(torch.lstm, ("i", "f", "z", "o")),
    "gru": Own(torch.gru, ("r", "z", "n")),
    "elman": Own(torch.rnn_tanh, ("h",)),
    "elman_relu": Own(torch.rnn_relu, ("h",)),
}
"""By the name of the cell in the catalogue."""


@dataclass(frozen=True)
class Range:
    """Sizes on a kind of device.

    Attributes:
        device: its type.
        units: the least and the largest H.
        batch: the least and the largest B.
    """

    device: str
    units: tuple[float, float] = (1, inf)
    batch: tuple[float, float] = (1, inf)


FASTER: tuple[Range, ...] = ()
"""Where it has been measured to be the fastest; `auto` takes it there. On CPUs it is nowhere; GPUs are not measured."""


def is_faster(asked: Run) -> bool:
    """Whether `auto` should take it for a run that it can do."""
    units, batch = asked.sizes["H"], asked.x.shape[-2]
    return any(
        asked.x.device.type == rule.device
        and rule.units[0] <= units <= rule.units[1]
        and rule.batch[0] <= batch <= rule.batch[1]
        for rule in FASTER
    )


@lru_cache(maxsize=1024)
def find_own(cell: Cell) -> Own | None:
    """What torch has for a cell, if it has something."""
    for name, has_biases in product(OWN, (True, False)):
        known = find_cell(name) if has_biases else find_cell(name).without_biases()
        if (cell.lines, cell.output) == (known.lines, known.output):
            return OWN[name]
    return None


def why_not(asked: Run) -> str | None:
    """Why torch has nothing for a run, in words; None if it has."""
    if must_be_seen() or torch.compiler.is_compiling():
        return "a transform of torch is at work, or torch.compile"
    if find_own(asked.cell) is None:
        return f"'{asked.cell.name}' is none of torch's own cells: {', '.join(OWN)}"
    if asked.x.ndim != 3:
        return "torch has no replicas"
    if asked.resets is not None or asked.alive is not None:
        return "torch has no resets, and lengths only for packed sequences"
    if asked.watched or asked.taps:
        return "a probe looks inside, and torch's own layers show nothing"
    if asked.masks or asked.zoneout:
        return "torch has no recurrent dropout and no zoneout"
    return None


def run(asked: Run) -> Result:
    """See `Run` and `Result` for the shapes; `why_not` says nothing of the run."""
    own, x = find_own(asked.cell), asked.x
    assert own is not None
    weights = _weights(asked, own)
    batch = (1, x.shape[1], asked.sizes["H"])
    state = [x.new_zeros(batch) if value is None else value.expand(batch).contiguous() for value in asked.state]
    given = state if len(state) > 1 else state[0]
    # One layer without dropout, one way, time first; kept for the way back, whether or not there will be one.
    output, *final = own.function(x.contiguous(), given, weights, len(weights) == 4, 1, 0.0, True, False, False)
    return Result(output, tuple(value.squeeze(0) for value in final))


def _weights(asked: Run, own: Own) -> list[Tensor]:
    """As torch stacks them: on the input, on the previous output, and two biases if there are any.

    They are parts of one stretch of memory, which is what cuDNN asks for.
    """
    known, gates, (units, features) = asked.parameters, own.gates, (asked.sizes["H"], asked.sizes["I"])
    stacks = [[known[f"{side}_{gate}"] for gate in gates] for side in "WR"]
    shapes: list[tuple[int, ...]] = [(-1, features), (-1, units)]
    if f"b_{gates[0]}" in known:
        zeros = asked.x.new_zeros(units)
        stacks += [[known[f"b_{gate}"] for gate in gates], [known.get(f"b_r{gate}", zeros) for gate in gates]]
        shapes += [(-1,), (-1,)]
    whole = torch.cat([part.reshape(-1) for stack in stacks for part in stack])
    lengths = [sum(part.numel() for part in stack) for stack in stacks]
    return [part.view(shape) for part, shape in zip(whole.split(lengths), shapes, strict=True)]


BACKEND = Backend(
    name="torch",
    about="torch's own recurrent functions, which on a GPU are cuDNN",
    run=run,
    why_not=why_not,
    notes=("Second derivatives on a GPU need backend='eager', as cuDNN has none.",),
)
