"""Every value inside of a model while it reads some examples, in as many units as there is room for.

T time, B examples, W the width of a vector, N steps of all examples together.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from gatelab.language.cell import Cell
from gatelab.nn.models import SequenceModel
from gatelab.probes.probe import probe
from gatelab.views.answers import Values
from gatelab.views.examples import Examples

Layer = tuple[str, int]
"""The end of the keys of one layer and direction, and a width: names that have both have their units in common."""


@dataclass(frozen=True, eq=False)
class Watched:
    """The values of one name of the equations in one layer.

    Attributes:
        key: as the probe has it, such as "f" or "f_l1_reverse".
        name: of the equations.
        is_gate: whether it lies between 0 and 1 by how it is made.
        units: which units are kept: the same of all names of a layer, those that vary most where not all have room.
        width: W, of all of them.
        values: of each example, (its T, kept units).
    """

    key: str
    name: str
    is_gate: bool
    units: tuple[int, ...]
    width: int
    values: tuple[Values, ...]


@torch.no_grad()
def watch(model: SequenceModel, examples: Examples, room: int) -> tuple[Watched, ...]:
    """The values of all names in all layers, about `room` of them at most."""
    cell = model.recurrent.cell
    with probe(model, *cell.names) as record:
        model(examples.x, examples.lengths)
    kept = _kept_units(cell, record, examples.ends, room)
    return tuple(_watched(cell, key, values, kept, examples.ends) for key, values in record.items())


def _watched(cell: Cell, key: str, values: Tensor, kept: Mapping[Layer, Tensor], ends: list[int]) -> Watched:
    name, width = name_in(cell, key), values.shape[-1]
    units = kept[key.removeprefix(name), width]
    own = tuple(values[:end, place, units].float().numpy() for place, end in enumerate(ends))
    return Watched(key, name, name in cell.gates, tuple(units.tolist()), width, own)


def name_in(cell: Cell, key: str) -> str:
    """The name of the equations in a key such as "f_l1_reverse"."""
    return max((name for name in cell.names if key == name or key.startswith(f"{name}_l")), key=len)


def _kept_units(cell: Cell, record: Mapping[str, Tensor], ends: list[int], room: int) -> dict[Layer, Tensor]:
    """The units of each layer that vary most, all names together."""
    most = max(1, room // (len(record) * sum(ends)))
    varied: dict[Layer, Tensor] = {}
    for key, values in record.items():
        layer = key.removeprefix(name_in(cell, key)), values.shape[-1]
        steps = torch.cat([values[:end, place] for place, end in enumerate(ends)])
        varied[layer] = varied.get(layer, torch.zeros(())) + _variation(steps)
    return {layer: own.topk(min(most, len(own))).indices.sort().values for layer, own in varied.items()}


def _variation(steps: Tensor) -> Tensor:
    """How much each unit varies over steps (N, W), (W,), with a mean of 1, so that names can be added up."""
    own = steps.float().var(0, correction=0)
    return own / own.mean().clamp(min=torch.finfo(own.dtype).tiny)
