"""What a run is: everything that decides its result, and nothing else."""

from __future__ import annotations

import hashlib
import json
import re
from functools import cached_property
from os import PathLike
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, field_validator, model_validator

from gatelab.errors import OptionError, explain_problem, first_problem, nearest
from gatelab.language.cell import Cell
from gatelab.language.files import read_cell_text, write_cell
from gatelab.language.lookup import find_cell
from gatelab.nn.heads import HEAD_SCHEMES
from gatelab.nn.inputs import EMBEDDING_SCHEMES
from gatelab.tasks import find_task, read_options
from gatelab.training.optimizers import OPTIMIZERS
from gatelab.training.schedules import SCHEDULES

FORMAT = 3
"""Raised when the training loop itself changes results, or what a checkpoint holds."""

NOISY = ("dropout", "recurrent_dropout", "zoneout", "input_dropout", "input_noise", "output_dropout")
"""The settings that have training draw masks or noise."""
ADDED = {"input_noise": 0.0}
"""Settings younger than stored runs, with the values of those, at which they leave identities as they were."""

Count = Annotated[int, Field(ge=1)]
Share = Annotated[float, Field(ge=0, lt=1)]
Rate = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Weight = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class Settings(BaseModel):
    """One model on one task from one or more seeds, trained side by side.

    Attributes:
        task: a name of `TASKS`.
        options: of the task, by name.
        cell: what the cell is called.
        equations: the cell as the text of a cell file.
        seeds: one replica each.

        hidden_size: H.
        num_layers: recurrent layers.
        bidirectional: whether a second cell a layer goes backwards.
        widths: sizes of the cell's further widths.
        dropout: share of features dropped between layers.
        recurrent_dropout: share of units of a state dropped inside of products, for a whole sequence.
        zoneout: share of units that keep their value over a step; one number, or one a state.
        variational: whether dropout of features holds for all steps of a sequence.
        input_dropout: share of input features dropped.
        input_noise: deviation of the Gaussian noise added to input features in training (Greff et al. 2017).
        output_dropout: share of features dropped before the head.
        tied: whether the head's weight is the table of vectors.
        init: how the recurrent layers start, a scheme of `Recurrent`; None for the ordinary way.
        head_init: how the head starts, a name of `HEAD_SCHEMES`.
        embedding_init: how vectors of tokens start, a name of `EMBEDDING_SCHEMES`.

        steps: at most so many; None leaves it to the epochs.
        epochs: at most so many passes over the training data; None leaves it to the steps.
        batch_size: B.
        optimizer: a name of `OPTIMIZERS`.
        optimizer_options: of the optimizer, by torch's names, such as `momentum`.
        learning_rate: of the optimizer.
        weight_decay: of the optimizer.
        schedule: how the learning rate goes on, a name of `SCHEDULES`.
        final_rate: the share of the learning rate that a schedule ends with.
        warmup: steps in which the learning rate grows from 0.
        clip: the norm that a replica's gradient is cut to, or None.
        clip_value: what every number of a gradient is cut to, or None.
        validate_every: steps between two looks at the validation data; None for once an epoch.
        patience: looks without a better score after which a replica stops; None for never.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    task: str
    options: dict[str, Any] = {}
    cell: str
    equations: str
    seeds: Annotated[tuple[Annotated[int, Field(ge=0)], ...], Field(min_length=1)]

    hidden_size: Count
    num_layers: Count = 1
    bidirectional: bool = False
    widths: dict[str, Count] = {}
    dropout: Share = 0.0
    recurrent_dropout: Share = 0.0
    zoneout: Share | dict[str, Share] = 0.0
    variational: bool = False
    input_dropout: Share = 0.0
    input_noise: Weight = 0.0
    output_dropout: Share = 0.0
    tied: bool = False
    init: str | None = None
    head_init: str = "uniform"
    embedding_init: str = "normal"

    steps: Count | None = None
    epochs: Count | None = None
    batch_size: Count
    optimizer: str = "adam"
    optimizer_options: dict[str, bool | float] = {}
    learning_rate: Rate = 0.001
    weight_decay: Weight = 0.0
    schedule: str = "constant"
    final_rate: Annotated[float, Field(ge=0, le=1)] = 0.0
    warmup: Annotated[int, Field(ge=0)] = 0
    clip: Rate | None = None
    clip_value: Rate | None = None
    validate_every: Count | None = None
    patience: Count | None = None

    @field_validator("seeds")
    @classmethod
    def _each_once(cls, seeds: tuple[int, ...]) -> tuple[int, ...]:
        if len(set(seeds)) < len(seeds):
            raise ValueError(f"The seeds are {list(seeds)}.\nGive each only once.")
        return seeds

    @model_validator(mode="after")
    def _names_exist(self) -> Settings:
        for kind, name, known in (
            ("optimizer", self.optimizer, OPTIMIZERS),
            ("schedule", self.schedule, SCHEDULES),
            ("start of the head", self.head_init, HEAD_SCHEMES),
            ("start of vectors", self.embedding_init, EMBEDDING_SCHEMES),
        ):
            if name not in known:
                raise ValueError(f"There is no {kind} '{name}'.\n{nearest(name, known)}")
        if self.steps is None and self.epochs is None:
            raise ValueError("Neither steps nor epochs are given.\nGive one of the two.")
        return self

    @cached_property
    def is_noisy(self) -> bool:
        """Whether training draws masks or noise."""
        return any(getattr(self, name) for name in NOISY)

    @property
    def length(self) -> str:
        """How long training may take, in words."""
        found = [f"{count:,} {word}" for count, word in ((self.epochs, "epochs"), (self.steps, "steps")) if count]
        return " or ".join(found)

    @property
    def identity(self) -> str:
        """A name for a folder: readable words, and a hash of all that decides the result."""
        cell = re.sub(r"[^A-Za-z0-9_]+", "_", self.cell)[:32]
        return f"{self.task}-{cell}-{self.hidden_size}-{self._hash()}"

    def _hash(self) -> str:
        """Ten letters from the content: equal for equal equations, whatever they are called or cited as."""
        cell = read_cell_text(self.equations)
        own = self.model_dump(mode="json")
        content = {name: value for name, value in own.items() if name not in ADDED or value != ADDED[name]} | {
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


CHOICES = tuple(name for name in Settings.model_fields if name not in ("task", "cell", "equations", "seeds"))
"""The settings that a person may choose beside task, cell and seeds."""


def make_settings(
    task: str,
    cell: str | PathLike[str] | Cell,
    hidden_size: int | None = None,
    seeds: tuple[int, ...] = (0,),
    **choices: Any,
) -> Settings:
    """Settings in which what is not given, or None, is the task's own.

    Args:
        task: a name of `TASKS`.
        cell: a name of the catalogue, a path or a Cell.
        hidden_size: H.
        seeds: one replica each.
        choices: further ones by the names of `Settings`; `options` are the task's.

    Raises:
        TaskError: there is no such task.
        OptionError: there is no such cell, or an option has a value that it can't have.
        EquationError: a cell's file does not hold a cell.
    """
    row, found = find_task(task), find_cell(cell)
    given = {name: value for name, value in {"hidden_size": hidden_size, **choices}.items() if value is not None}
    for name in given:
        check_choice(name)
    usual = dict(row.usual)
    if {"steps", "epochs"} & given.keys():  # Who says how long in steps does not mean the task's epochs.
        usual = {name: value for name, value in usual.items() if name not in ("steps", "epochs")}
    options = read_options(row, given.pop("options", {}))
    try:
        return Settings(
            **{**usual, **given, "options": options.model_dump(mode="json")},
            task=task,
            cell=found.name,
            equations=write_cell(found),
            seeds=seeds,
        )
    except ValidationError as error:
        raise OptionError(explain_problem(first_problem(error.errors()), CHOICES)) from None


def check_choice(name: str, value: object = None) -> None:
    """Raises the OptionError of a setting that there is not, or of a value that it can't have."""
    if name not in CHOICES:
        raise OptionError(f"There is no setting '{name}'.\n{nearest(name, CHOICES)}")
    if value is None:
        return
    field = Settings.model_fields[name]
    kind: Any = Annotated[field.annotation, field]
    try:
        TypeAdapter(kind).validate_python(value)
    except ValidationError as error:
        raise OptionError(explain_problem(dict(error.errors()[0]) | {"loc": (name,)}, CHOICES)) from None
