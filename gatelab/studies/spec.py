"""A study file: which cells, sizes, starts and seeds on which tasks, and what others have reported."""

from __future__ import annotations

import tomllib
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from gatelab.errors import GatelabError, OptionError, explain_problem, first_problem, nearest
from gatelab.studies.search import Search
from gatelab.tasks import find_task
from gatelab.training.settings import CHOICES, check_choice

Positive = Annotated[int, Field(ge=1)]
FileName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=64)]
"""What files and folders are named after."""
Seeds = Positive | Annotated[list[Annotated[int, Field(ge=0)]], Field(min_length=1)]
"""A number of seeds, counted from 0, or the seeds themselves."""

DEFAULT_INIT = "default"
"""In a study file, the ordinary start of a layer."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Chooses(BaseModel):
    """Keys beside its own are settings of runs, by the names of `Settings`."""

    model_config = ConfigDict(extra="allow", frozen=True)

    @model_validator(mode="after")
    def _settings_exist(self) -> _Chooses:
        for name, value in self.choices.items():
            if name == "hidden_size":
                raise ValueError("there is no key 'hidden_size' here.\nWrite hidden_sizes = [...].")
            try:
                check_choice(name, value)
            except OptionError as error:
                if name in CHOICES:
                    raise ValueError(str(error)) from None
                known = [*CHOICES, *type(self).model_fields]
                raise ValueError(f"there is no key '{name}'.\n{nearest(name, known)}") from None
        return self

    @property
    def choices(self) -> dict[str, Any]:
        """The settings that are given."""
        return dict(self.model_extra or {})


class TaskPlan(_Chooses):
    """One part of a study: cells of some sizes on one task. Settings that are not given are the task's own."""

    task: str | None = None
    """The name of the task, if the part is not called like it."""
    cells: Annotated[list[str], Field(min_length=1)] | None = None
    """Of this part, if not those of the study."""
    inits: Annotated[list[str], Field(min_length=1)] | None = None
    """Likewise."""
    seeds: Seeds | None = None
    """Likewise."""
    hidden_sizes: Annotated[list[Positive], Field(min_length=1)] = []
    """Left out only where a search draws the hidden size."""
    match: str | None = None
    """A cell: it has the hidden sizes as they are, and each other cell the one with most nearly as many parameters."""
    notes: list[str] = []
    """Sentences for the caption of the part's table."""
    search: Search | None = None
    """Settings that are drawn anew for each of some trials, the same for all cells."""

    @model_validator(mode="after")
    def _sizes_are_said_once(self) -> TaskPlan:
        searched = self.search.ranges if self.search else {}
        if not self.hidden_sizes and "hidden_size" not in searched:
            raise ValueError("the key 'hidden_sizes' is missing.\nAdd it, or a search over hidden_size.")
        for name in (*self.choices, *(["hidden_size"] if self.hidden_sizes else [])):
            if name in searched:
                raise ValueError(f"{name} is both given and searched.\nTake one of the two out.")
        return self


class QuickPart(_Chooses):
    """What is smaller in one part: its settings, and these."""

    cells: Annotated[list[str], Field(min_length=1)] | None = None
    """Some of the part's."""
    trials: Positive | None = None
    """Of its search."""


class Quick(_Part):
    """What is smaller in a quick look at the study."""

    seeds: Seeds | None = None
    tasks: dict[str, QuickPart] = {}
    """By the parts of the study."""


class Reference(_Part):
    """Numbers that someone else has reported, by cell."""

    task: str
    """A part of the study."""
    hidden_size: Positive
    measure: str
    source: str
    values: dict[str, float]


class Study(_Part):
    """A study file."""

    name: FileName
    about: str = ""
    cells: list[str] = []
    """Names of the catalogue, or paths of cell files from the study file's folder, known by their suffix or a `/`.
    Gates may be left out, as in "lstm without f"."""
    against: str | None = None
    """A cell of every part, which each other one is compared with; without it, every two are compared."""
    seeds: Seeds = 10
    inits: Annotated[list[str], Field(min_length=1)] = [DEFAULT_INIT]
    """How recurrent layers start, by scheme."""
    head_init: str = "uniform"
    tasks: Annotated[dict[FileName, TaskPlan], Field(min_length=1)]
    """The parts of the study, each on a task; their figures and pages are named after them."""
    quick: Quick = Quick()
    reference: list[Reference] = []

    @model_validator(mode="after")
    def _names_exist(self) -> Study:
        for part, plan in self.tasks.items():
            find_task(plan.task or part)
            cells = plan.cells or self.cells
            if not cells:
                raise ValueError(f"{part} has no cells.\nAdd cells = [...] to it, or to the study.")
            if self.against and self.against not in cells:
                raise ValueError(f"against names '{self.against}', which {part} lacks.\n{nearest(self.against, cells)}")
        for kind, named in (("quick", list(self.quick.tasks)), ("reference", [ref.task for ref in self.reference])):
            for part in named:
                if part not in self.tasks:
                    raise ValueError(f"{kind} speaks of '{part}', which the study lacks.\n{nearest(part, self.tasks)}")
        for part, smaller in self.quick.tasks.items():
            self._check_quick(part, smaller)
        for reference in self.reference:
            if self.tasks[reference.task].search:
                raise ValueError(
                    f"a reference speaks of {reference.task}, which is searched and so has no one row for it.\n"
                    "Say its numbers in the part's notes."
                )
            measures = [measure.name for measure in find_task(self.task_of(reference.task)).measures]
            if reference.measure not in measures:
                raise ValueError(
                    f"the task {reference.task} has no measure '{reference.measure}'. "
                    f"{nearest(reference.measure, measures)}"
                )
            cells = self.tasks[reference.task].cells or self.cells
            for cell in reference.values:
                if cell not in cells:
                    raise ValueError(f"a reference names '{cell}', not a cell of the study. {nearest(cell, cells)}")
        return self

    def _check_quick(self, part: str, smaller: QuickPart) -> None:
        plan = self.tasks[part]
        cells = plan.cells or self.cells
        for cell in smaller.cells or ():
            if cell not in cells:
                raise ValueError(f"quick takes '{cell}' in {part}, which is no cell of it.\n{nearest(cell, cells)}")
        if smaller.cells and self.against and self.against not in smaller.cells:
            raise ValueError(f"quick leaves out '{self.against}' in {part}, which others are compared with.\nAdd it.")
        if smaller.trials and not plan.search:
            raise ValueError(f"quick takes fewer trials in {part}, which has no search.\nTake its trials out.")
        for name in smaller.choices:
            if plan.search and name in plan.search.ranges:
                raise ValueError(f"quick gives {name} in {part}, where it is searched.\nTake it out of quick.")

    def task_of(self, part: str) -> str:
        """The name of the task of a part."""
        return self.tasks[part].task or part

    def reported(self, part: str, hidden_size: int, cell: str, measure: str) -> float | None:
        """The reported number, or None."""
        for entry in self.reference:
            if (entry.task, entry.hidden_size, entry.measure) == (part, hidden_size, measure):
                return entry.values.get(cell)
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
        raise OptionError(f"{where}: " + _explain(first_problem(error.errors()))) from None


_SECTIONS: dict[str, type[BaseModel]] = {"tasks": TaskPlan, "quick": Quick, "reference": Reference}


def _explain(problem: Any) -> str:
    """One problem that pydantic found, as a sentence with a cure."""
    place = problem["loc"]
    if problem["type"] == "value_error" and isinstance(problem["ctx"]["error"], GatelabError):
        return str(problem["ctx"]["error"])
    if problem["type"] == "value_error" and place:  # Of the settings in a part.
        return f"in {'.'.join(map(str, place))}, {problem['ctx']['error']}"
    section = _SECTIONS.get(str(place[0]), Study) if len(place) > 1 else Study
    return explain_problem(problem, section.model_fields)
