"""A scene: models that read the same examples, with every value inside of them; what a page shows.

`make_scene` computes it. T time, B examples, W units, O outputs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import torch
from latex2mathml.converter import convert

from gatelab.errors import OptionError
from gatelab.language.cell import Cell
from gatelab.language.latex import latex_expression, latex_name
from gatelab.nn.models import SequenceModel
from gatelab.views.answers import Said, Values, answers_by_step, says, targets, traced, traced_place, wanted
from gatelab.views.examples import Examples, Kind
from gatelab.views.tables import TableText
from gatelab.views.watched import Watched, watch

ROOM = 1_000_000
"""Values that a scene holds at most, about; in the two bytes each of a page and with plotly they make under 8 MB."""


@dataclass(frozen=True)
class Typeset:
    """One line of a cell: the name that it gives, the line as text, and as MathML."""

    name: str
    text: str
    mathml: str


@dataclass(frozen=True, eq=False)
class Side:
    """One model.

    Attributes:
        title: what to call it.
        about: its layers and their sizes, in words.
        lines: of its cell.
        watched: a record for each name and layer.
        says: of each example what it would answer after each step.
        traced: of each example one number of that a step, (its T,), as `answers.traced` has it.
    """

    title: str
    about: str
    lines: tuple[Typeset, ...]
    watched: tuple[Watched, ...]
    says: tuple[Said, ...]
    traced: tuple[Values, ...]


@dataclass(frozen=True, eq=False)
class Shown:
    """One example.

    Attributes:
        title: what to call it.
        labels: what each step reads.
        targets: the right answer, or that of each step; none where it is not known.
        inputs: (T, I), or None where the labels say it all.
        wanted: the numbers that `Side.traced` should have, of the last step or of each; None for classes.
    """

    title: str
    labels: tuple[str, ...]
    targets: tuple[str, ...]
    inputs: Values | None
    wanted: Values | None


@dataclass(frozen=True)
class Hit:
    """A span that a search has found: its text, how alike it is, and where it is if it is among the examples.

    `example` counts from 0 and may be None; the span goes from step `begin`, counted from 0, to before `end`.
    """

    text: str
    score: float
    example: int | None = None
    begin: int = 0
    end: int = 0


@dataclass(frozen=True)
class Find:
    """What a search for a pattern has found: what was looked for, and the spans, the most alike first."""

    title: str
    hits: tuple[Hit, ...]


@dataclass(frozen=True)
class Facts:
    """What is needed to make something again: its title, and facts with their names."""

    title: str
    rows: tuple[tuple[str, str], ...]


@dataclass(frozen=True, eq=False)
class Scene:
    """Models that read the same examples.

    Attributes:
        title: above all.
        kind: how the inputs are drawn.
        are_classes: whether answers are classes with probabilities, or numbers.
        answers: what they are called.
        traced: whose answer is drawn over the steps, where the right class is not known.
        examples: what is read.
        sides: who reads it.
        tables: readings at the side.
        finds: of searches for patterns.
        foot: all that is needed to make it again.
        unit: of the numbers in inputs, targets and answers where the labels are in another one.
    """

    title: str
    kind: Kind
    are_classes: bool
    answers: tuple[str, ...]
    traced: str
    examples: tuple[Shown, ...]
    sides: tuple[Side, ...]
    tables: tuple[TableText, ...] = ()
    finds: tuple[Find, ...] = ()
    foot: tuple[Facts, ...] = ()
    unit: str = ""


def make_scene(
    models: SequenceModel | Mapping[str, SequenceModel],
    examples: Examples,
    *,
    title: str = "",
    tables: Sequence[TableText] = (),
    finds: Sequence[Find] = (),
    foot: Sequence[Facts] = (),
    room: int = ROOM,
) -> Scene:
    """What models make of some examples.

    Args:
        models: without replicas and out of training; by what to call them, or one.
        examples: what they read.
        title, tables, finds, foot: as `Scene` has them.
        room: how many values to keep of all models together.

    Raises:
        OptionError: a model has replicas or is in training, or there is none.
        ShapeError: the examples do not fit a model.
    """
    named = {models.recurrent.cell.name: models} if isinstance(models, SequenceModel) else models
    if not named:
        raise OptionError("There is no model to look at.\nGive one at least.")
    each = room // len(named)
    return Scene(
        title=title,
        kind=examples.kind,
        are_classes=examples.are_classes,
        answers=examples.answers,
        traced=examples.answers[traced_place(examples)],
        examples=_shown(examples),
        sides=tuple(_side(name, model, examples, each) for name, model in named.items()),
        tables=tuple(tables),
        finds=tuple(finds),
        foot=tuple(foot),
        unit=examples.unit,
    )


@lru_cache(maxsize=64)
def typeset(cell: Cell) -> tuple[Typeset, ...]:
    """The lines of a cell as text and as MathML."""
    return tuple(
        Typeset(line.name, str(line), convert(f"{latex_name(line.name, 't')} = {latex_expression(line.expression)}"))
        for line in cell.lines
    )


@torch.no_grad()
def _side(title: str, model: SequenceModel, examples: Examples, room: int) -> Side:
    if model.replicas is not None or model.training:
        raise OptionError(
            f"The model '{title}' has replicas or is in training.\nGive one seed as gatelab.load returns it."
        )
    answers = answers_by_step(model, examples)
    return Side(
        title=title,
        about=_about(model),
        lines=typeset(model.recurrent.cell),
        watched=watch(model, examples, room),
        says=says(answers, examples),
        traced=traced(answers, examples),
    )


def _about(model: SequenceModel) -> str:
    layer = model.recurrent
    ways = ", both ways" if layer.bidirectional else ""
    layers = f"{layer.num_layers} layers of " if layer.num_layers > 1 else ""
    return f"{layers}{layer.hidden_size} unit{'s' * (layer.hidden_size > 1)}{ways}"


def _shown(examples: Examples) -> tuple[Shown, ...]:
    return tuple(
        Shown(
            title=examples.titles[place] if examples.titles else f"example {place + 1}",
            labels=examples.labels[place],
            targets=targets(examples, place, end),
            inputs=None if examples.kind == "tokens" else examples.x[:end, place].float().numpy(),
            wanted=wanted(examples, place, end),
        )
        for place, end in enumerate(examples.ends)
    )
