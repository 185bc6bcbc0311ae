"""What a run is: everything that decides its result, and nothing else."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from os import PathLike

from gatelab.errors import OptionError, nearest
from gatelab.language.cell import Cell
from gatelab.language.files import read_cell_text, write_cell
from gatelab.language.lookup import find_cell
from gatelab.nn.heads import HEAD_SCHEMES
from gatelab.tasks import find_task
from gatelab.training.optimizers import OPTIMIZERS

FORMAT = 2
"""Raised when the training loop itself changes results, or what a checkpoint holds."""


@dataclass(frozen=True)
class Settings:
    """One model on one task from one or more seeds, trained side by side.

    Attributes:
        task: a name of `TASKS`.
        cell: what the cell is called.
        equations: the cell as the text of a cell file.
        hidden_size: H.
        num_layers: recurrent layers.
        widths: sizes of the cell's further widths.
        seeds: one replica each.
        steps: at most so many.
        learning_rate: of the optimizer.
        optimizer: a name of `OPTIMIZERS`.
        clip: the norm that a replica's gradient is cut to, or None.
        init: how the recurrent layer starts, a scheme of `Recurrent`; None for the ordinary way.
        head_init: how the head starts, a name of `HEAD_SCHEMES`.
    """

    task: str
    cell: str
    equations: str
    hidden_size: int
    seeds: tuple[int, ...]
    steps: int
    learning_rate: float
    optimizer: str
    num_layers: int = 1
    widths: Mapping[str, int] = field(default_factory=dict)
    clip: float | None = None
    init: str | None = None
    head_init: str = "uniform"

    def __post_init__(self) -> None:
        find_task(self.task)
        for name, value in (("hidden", self.hidden_size), ("layers", self.num_layers), ("steps", self.steps)):
            if value < 1:
                raise OptionError(f"{name} is {value}.\nGive a whole number from 1 on.")
        for name, number in (("the learning rate", self.learning_rate), ("clip", self.clip)):
            if number is not None and not (number > 0 and math.isfinite(number)):
                raise OptionError(f"{name} is {number}.\nGive a number above 0.")
        if not self.seeds or len(set(self.seeds)) < len(self.seeds) or min(self.seeds) < 0:
            raise OptionError(f"The seeds are {list(self.seeds)}.\nGive at least one, from 0 on, and each only once.")
        for kind, name, known in (
            ("optimizer", self.optimizer, OPTIMIZERS),
            ("start of the head", self.head_init, HEAD_SCHEMES),
        ):
            if name not in known:
                raise OptionError(f"There is no {kind} '{name}'.\n{nearest(name, known)}")

    @property
    def identity(self) -> str:
        """A name for a folder: readable words, and a hash of all that decides the result."""
        cell = re.sub(r"[^A-Za-z0-9_]+", "_", self.cell)[:32]
        return f"{self.task}-{cell}-{self.hidden_size}-{self._hash()}"

    def _hash(self) -> str:
        """Ten letters from the content: equal for equal equations, whatever they are called or cited as."""
        cell = read_cell_text(self.equations)
        content = asdict(self) | {
            "format": FORMAT,
            "revision": find_task(self.task).revision,
            "cell": "",
            "equations": [
                cell.equations,
                cell.output,
                *(sorted(part.items()) for part in (cell.constants, cell.declared, cell.widths, cell.init)),
            ],
        }
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:10]


def make_settings(
    task: str,
    cell: str | PathLike[str] | Cell,
    hidden_size: int,
    seeds: tuple[int, ...] = (0,),
    *,
    steps: int | None = None,
    learning_rate: float | None = None,
    optimizer: str | None = None,
    num_layers: int = 1,
    widths: Mapping[str, int] | None = None,
    clip: float | None = None,
    init: str | None = None,
    head_init: str = "uniform",
) -> Settings:
    """Settings with what is not given taken from the task.

    Raises:
        TaskError: there is no such task.
        OptionError: there is no such cell, or an option has a value that it can't have.
        EquationError: a cell's file does not hold a cell.
    """
    usual = find_task(task)
    found = find_cell(cell)
    return Settings(
        task=task,
        cell=found.name,
        equations=write_cell(found),
        hidden_size=hidden_size,
        num_layers=num_layers,
        widths=dict(widths or {}),
        seeds=seeds,
        steps=usual.steps if steps is None else steps,
        learning_rate=usual.learning_rate if learning_rate is None else float(learning_rate),
        optimizer=optimizer or usual.optimizer,
        clip=None if clip is None else float(clip),
        init=init,
        head_init=head_init,
    )
