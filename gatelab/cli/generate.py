"""`gatelab generate`: a text or a series from a trained model."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import torch
import typer

from gatelab.cli.options import Json
from gatelab.data.text import END_OF_LINE, UNITS
from gatelab.data.vocabulary import UNKNOWN, Vocabulary
from gatelab.errors import OptionError, nearest
from gatelab.nn.generation import generate
from gatelab.nn.models import SequenceModel
from gatelab.nn.saving import load, read_facts
from gatelab.process import set_up_process
from gatelab.tasks.sine import STARTS, continue_series
from gatelab.views.figures import save_figure
from gatelab.views.sequences import Sequence, draw_sequence

LINE_END = {"characters": "\n", "words": END_OF_LINE}
"""What comes before the prompt, so that it begins a line; without a prompt the text does."""
STAND_INS = (UNKNOWN, "<unk>")
"""What words that a vocabulary lacks have become in a text, by us or by the makers of PTB."""
LARGEST_SEED = 2**64 - 1
"""Of torch's generators."""


@dataclass(frozen=True)
class Wanted:
    """What to generate.

    Attributes:
        run: whose model it is.
        seed: which of its seeds; None for the first.
        prompt: what the model reads first; of a series, a name of `STARTS`.
        length: characters, words or numbers to add.
        temperature: 0 takes the likeliest one each time; 1 draws as the model has learned.
        top_k: draw among so many of the likeliest only; 0 for all.
        random_seed: of the draws.
        out: where to write a figure, without its ending; None for nowhere.
        as_json: whether to print JSON.
    """

    run: Path
    seed: int | None
    prompt: str
    length: int
    temperature: float
    top_k: int
    random_seed: int
    out: Path | None
    as_json: bool


def write_text(model: SequenceModel, keeps: Mapping[str, Any], wanted: Wanted) -> None:
    """Prints a text that follows the prompt, as it is drawn.

    Raises:
        OptionError: the prompt has something that the model does not know, or a figure is asked for.
    """
    if wanted.out is not None:
        raise OptionError("A text has no figure.\nLeave --out away.")
    pieces = text_pieces(model, keeps, wanted)
    if wanted.as_json:
        drawn = {name: getattr(wanted, name) for name in ("temperature", "top_k", "random_seed")}
        _print_json(wanted, **drawn, text="".join(pieces))
        return
    print(wanted.prompt, end="")
    for piece in pieces:
        print(piece, end="", flush=sys.stdout.isatty())
    print()


def write_series(model: SequenceModel, keeps: Mapping[str, Any], wanted: Wanted) -> None:
    """Prints the numbers that follow a start, one a line, and draws them if a figure is asked for.

    Raises:
        OptionError: there is no such start.
        StoreError: the figure can't be written.
    """
    name = wanted.prompt or next(iter(STARTS))
    if name not in STARTS:
        raise OptionError(f"A series can't begin with '{name}'.\n{nearest(name, STARTS)}")
    start = STARTS[name]()
    values = tuple(continue_series(model, start, wanted.length, keeps["window"]).flatten().tolist())
    given, made = values[: len(start)], values[len(start) :]
    written: tuple[Path, ...] = ()
    if wanted.out is not None:
        title = f"{model.recurrent.cell.name}, from {name}"
        written = save_figure(draw_sequence(Sequence(title, given, made)), wanted.out)
    if wanted.as_json:
        _print_json(wanted, start=given, series=made)
        return
    print(*(f"{value:.6g}" for value in made), sep="\n")
    for path in written:
        print(f"Written to {path}", file=sys.stderr)


def _print_json(wanted: Wanted, **found: Any) -> None:
    shared = {"run": str(wanted.run), "seed": wanted.seed, "prompt": wanted.prompt, "length": wanted.length}
    print(json.dumps({**shared, **found}, indent=1))


def text_pieces(model: SequenceModel, keeps: Mapping[str, Any], wanted: Wanted) -> Iterator[str]:
    """The pieces of a text that follows the prompt, as they are drawn.

    Raises:
        OptionError: the prompt has something that the model does not know.
    """
    vocabulary, units = Vocabulary(tuple(keeps["symbols"])), keeps["units"]
    tokens = generate(
        model,
        read_prompt(wanted.prompt, vocabulary, units),
        wanted.length,
        temperature=wanted.temperature,
        top_k=wanted.top_k,
        generator=torch.Generator().manual_seed(wanted.random_seed),
    )
    symbols = (vocabulary.words[token] for token in tokens)
    return symbols if units == "characters" else spaced(symbols, begins=not wanted.prompt)


def read_prompt(prompt: str, vocabulary: Vocabulary, units: str) -> list[int]:
    """The numbers of a prompt's characters or words, after the end of a line if the model knows one."""
    known = vocabulary.index
    symbols = [*prompt] if units == "characters" else [*UNITS["words"](prompt)][:-1]  # The last one ends the line.
    stand_in = next((word for word in STAND_INS if word in known and units == "words"), None)
    strangers = dict.fromkeys(symbol for symbol in symbols if symbol not in known)
    if strangers and stand_in is None:
        raise OptionError(
            f"The model knows no {', '.join(map(repr, strangers))}.\nWrite the prompt with the {units} of its text."
        )
    read = [stand_in if symbol in strangers and stand_in else symbol for symbol in symbols]
    return vocabulary.encode([LINE_END[units], *read] if LINE_END[units] in known else read)


def spaced(words: Iterable[str], begins: bool) -> Iterator[str]:
    """Words with spaces between them and lines where they end; `begins` if the first begins a line."""
    for word in words:
        ends = word == END_OF_LINE
        yield "\n" if ends else word if begins else f" {word}"
        begins = ends


KINDS: dict[str, Callable[[SequenceModel, Mapping[str, Any], Wanted], None]] = {
    "text": write_text,
    "series": write_series,
}
"""How to generate from a model, by the kind that its task has kept in the file of the model."""


def read_keeps(run: Path) -> Mapping[str, Any]:
    """What the task has kept in the file of a model.

    Raises:
        OptionError: there is nothing to generate from a model of its kind.
    """
    keeps: Mapping[str, Any] = read_facts(run).get("keeps") or {}
    if keeps.get("kind") not in KINDS:
        raise OptionError(
            f"The model of {run} has not learned to go on with a text.\nGive a run of the task language-model. "
            "For a series, give one of the task sine."
        )
    return keeps


def command(
    run: Annotated[Path, typer.Argument(help="A run's folder, or the file of its model.")],
    seed: Annotated[int | None, typer.Option(min=0, help="Which of the run's seeds; else its first.")] = None,
    prompt: Annotated[str, typer.Option(help="What the model reads first: a text; for a series zeros or real.")] = "",
    length: Annotated[int, typer.Option(min=1, help="Characters, words or numbers to add.")] = 500,
    temperature: Annotated[
        float, typer.Option(min=0.0, help="0 takes the likeliest one each time; 1 draws as learned.")
    ] = 0.8,
    top_k: Annotated[int, typer.Option(min=0, help="Draw among so many of the likeliest only; 0 for all.")] = 0,
    random_seed: Annotated[
        int, typer.Option(min=0, max=LARGEST_SEED, help="Of the draws: the same one gives the same text.")
    ] = 0,
    out: Annotated[Path | None, typer.Option(help="Draw a series to this file, as .png and .svg.")] = None,
    as_json: Json = False,
) -> None:
    set_up_process(1)  # At a step of one sequence more only wait for each other.
    keeps = read_keeps(run)
    wanted = Wanted(run, seed, prompt, length, temperature, top_k, random_seed, out, as_json)
    KINDS[keeps["kind"]](load(run, seed), keeps, wanted)
