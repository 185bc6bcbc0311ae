"""Gates held open or shut in a trained model, with the weights that it has."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import torch

from gatelab.errors import OptionError, nearest
from gatelab.language.cell import Cell
from gatelab.language.files import write_cell
from gatelab.nn.models import SequenceModel

HOLDS = ("0", "1")
"""What a gate can be held at: shut and open."""
Forces = tuple[tuple[str, str], ...]
"""Gates, and what each is held at."""


def forced_cell(cell: Cell, forces: Forces) -> Cell:
    """The cell with some gates at 0 or 1, for all units and steps; all other lines stay.

    Raises:
        OptionError: the cell has no such gate, or it is to be held at something else.
    """
    # How parameters start no longer matters, and may refer to some that are gone.
    edited = cell.called(cell.name, init={})
    for gate, value in forces:
        if gate not in cell.gates:
            cure = nearest(gate, cell.gates) if cell.gates else "Open a run of a cell with gates, such as lstm."
            raise OptionError(f"The cell '{cell.name}' has no gate '{gate}'.\n{cure}")
        if value not in HOLDS:
            raise OptionError(f"'{gate}' can't be held at '{value}'.\nThere are: {', '.join(HOLDS)}.")
        edited = edited.replace(gate, value)
    return edited


@lru_cache(maxsize=8)  # Models with tables of many words are large.
def forced(model: SequenceModel, forces: Forces) -> SequenceModel:
    """A copy of a model in which some gates are held; the model itself if there are none.

    Parameters that only these gates have used are left out, all others keep their numbers.

    Raises:
        OptionError: as `forced_cell` has it.
    """
    if not forces:
        return model
    cell = forced_cell(model.recurrent.cell, forces)
    description = model.description() | {"cell": write_cell(cell)} | _fitting(model, cell)
    with torch.random.fork_rng(devices=[]):
        copy = SequenceModel.described(description)
    own = model.state_dict()
    copy.load_state_dict({name: own[name] for name in copy.state_dict()})
    return copy.eval()


def _fitting(model: SequenceModel, cell: Cell) -> dict[str, Any]:
    """The parts of a description that may name states and widths, without those that a cell no longer has."""
    zoneout, widths = model.recurrent.zoneout, model.recurrent.widths
    return {
        "recurrent_dropout": 0.0,  # Of training alone, and refused where no product is left.
        "zoneout": _kept(zoneout, cell.stored_as),
        "widths": _kept(widths, dict.fromkeys(cell.width_names)),
    }


def _kept(given: Mapping[str, Any], known: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in given.items() if name in known}
