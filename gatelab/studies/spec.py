"""A study file: which cells, sizes, starts and seeds on which tasks, and what others have reported."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from gatelab.errors import OptionError, nearest
from gatelab.tasks import find_task

Positive = Annotated[int, Field(ge=1)]
Seeds = Positive | list[Annotated[int, Field(ge=0)]]
"""A number of seeds, counted from 0, or the seeds themselves."""

DEFAULT_INIT = "default"
"""In a study file, the ordinary start of a layer."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class TaskPlan(_Part):
    """How a study uses one task; what is not given is the task's own."""

    hidden_sizes: Annotated[list[Positive], Field(min_length=1)]
    num_layers: Positive = 1
    steps: Positive | None = None
    learning_rate: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    optimizer: str | None = None
    clip: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    notes: list[str] = []
    """Sentences for the caption of the task's table."""


class Quick(_Part):
    """What is smaller in a quick look at the study."""

    seeds: Seeds | None = None
    steps: dict[str, Positive] = {}
    """By task."""


class Reference(_Part):
    """Numbers that someone else has reported, by cell."""

    task: str
    hidden_size: Positive
    measure: str
    source: str
    values: dict[str, float]


class Study(_Part):
    """A study file."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=64)]
    about: str = ""
    cells: Annotated[list[str], Field(min_length=1)]
    """Names of the catalogue, or paths of cell files from the study file's folder, known by their suffix or a `/`."""
    seeds: Seeds = 10
    inits: Annotated[list[str], Field(min_length=1)] = [DEFAULT_INIT]
    """How recurrent layers start, by scheme."""
    head_init: str = "uniform"
    tasks: Annotated[dict[str, TaskPlan], Field(min_length=1)]
    quick: Quick = Quick()
    reference: list[Reference] = []

    @model_validator(mode="after")
    def _names_exist(self) -> Study:
        for task in (*self.tasks, *self.quick.steps):
            find_task(task)
        for reference in self.reference:
            measures = [measure.name for measure in find_task(reference.task).measures]
            if reference.measure not in measures:
                raise ValueError(
                    f"the task {reference.task} has no measure '{reference.measure}'. "
                    f"{nearest(reference.measure, measures)}"
                )
            for cell in reference.values:
                if cell not in self.cells:
                    raise ValueError(
                        f"a reference names '{cell}', not a cell of the study. {nearest(cell, self.cells)}"
                    )
        return self

    def reported(self, task: str, hidden_size: int, cell: str, measure: str) -> float | None:
        """The number that a reference gives, if one does."""
        for reference in self.reference:
            if (reference.task, reference.hidden_size, reference.measure) == (task, hidden_size, measure):
                return reference.values.get(cell)
        return None


def presets() -> tuple[str, ...]:
    """The names of the studies that come with gatelab."""
    found = (Path(file.name) for file in files(__package__).joinpath("presets").iterdir())
    return tuple(sorted(file.stem for file in found if file.suffix == ".toml"))


def find_study(wanted: str) -> tuple[Study, Path]:
    """A study by its name or the path of its file, and the folder that its paths begin in.

    Raises:
        OptionError: there is no such study, or its file does not describe one.
    """
    path = Path(wanted)
    if wanted in presets():
        text = files(__package__).joinpath("presets", f"{wanted}.toml").read_text(encoding="utf-8")
        return read_study(text, wanted), Path()
    if path.suffix != ".toml" and not path.is_file():
        raise OptionError(
            f"There is no study '{wanted}', and no such file.\n{nearest(wanted, presets())} "
            "A file of your own ends in .toml."
        )
    try:
        return read_study(path.read_text(encoding="utf-8-sig"), wanted), path.parent
    except OSError as error:
        raise OptionError(f"{path} can't be read ({error.strerror}).\nGive the path of a study file.") from None
    except UnicodeDecodeError:
        raise OptionError(f"{path} is not UTF-8 text.\nIs this the right file?") from None


def read_study(text: str, where: str) -> Study:
    """The study in the text of a file; `where` names it in errors.

    Raises:
        OptionError: it is not TOML, or a key or a value does not fit.
    """
    try:
        return Study.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise OptionError(f"{where} is not TOML: {error}.") from None
    except ValidationError as error:
        raise OptionError(f"{where}: " + _explain(error.errors()[0])) from None


_SECTIONS: Mapping[str, type[_Part]] = {"tasks": TaskPlan, "quick": Quick, "reference": Reference}


def _explain(problem: Mapping[str, Any]) -> str:
    """One problem that pydantic found, as a sentence with a cure."""
    place = [str(part) for part in problem["loc"] if part not in ("constrained-int", "list[constrained-int]")]
    key = ".".join(place) or "the study"
    section = _SECTIONS.get(place[0], Study) if len(place) > 1 else Study
    known = list(section.model_fields)
    match problem["type"]:
        case "extra_forbidden":
            return f"there is no key '{key}'.\n{nearest(place[-1], known)}"
        case "missing":
            return f"the key '{key}' is missing.\nAdd it to the file."
        case "value_error":
            return str(problem["ctx"]["error"])
        case _:
            return f"{key} is {problem['input']!r}.\n{problem['msg']}."
