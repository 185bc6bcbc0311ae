"""The command `gatelab`. Each subcommand is a module, loaded when it is asked for, so that a short one is quick."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Annotated

import typer

from gatelab import __version__
from gatelab.errors import GatelabError, OptionError, TaskError

FAILED, WRONG_USAGE = 1, 2
"""Exit codes beside 0."""


@dataclass(frozen=True)
class Command:
    """A subcommand: the module that holds its function `command`, and one line about it."""

    module: str
    about: str


COMMANDS = {
    "cells": Command("gatelab.cli.cells", "List the cells of the catalogue, or show one."),
    "tasks": Command("gatelab.cli.tasks", "List the tasks, or show what can be chosen of one."),
    "train": Command("gatelab.cli.train", "Train a cell on a task, from one seed or several."),
    "report": Command("gatelab.cli.report", "Show a finished run: its model, its scores, and how it classifies."),
    "probe": Command(
        "gatelab.cli.probe", "Look inside a finished run: its gates and states as tables, figures, a page."
    ),
    "study": Command("gatelab.cli.study", "Compare cells over tasks, sizes and seeds; goes on where it was."),
    "ablate": Command("gatelab.cli.ablate", "Which gates a cell needs on data of your own: leave out each in turn."),
    "classify": Command("gatelab.cli.classify", "Classify texts with a trained model."),
    "generate": Command("gatelab.cli.generate", "Write a text, or go on with a series, from a trained model."),
    "open": Command("gatelab.cli.open", "Open runs in the browser: change the input, watch and hold the gates."),
    "bench": Command(
        "gatelab.cli.bench", "Measure this machine: ours beside nn.LSTM and the peers that are installed."
    ),
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command line and exits: 0 done, 1 failed, 2 wrong usage."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        build(words)(words, prog_name="gatelab")
    except (GatelabError, OSError) as error:
        print(f"Error: {error}", file=sys.stderr)
        sys.exit(WRONG_USAGE if isinstance(error, OptionError | TaskError) else FAILED)


def build(words: Sequence[str]) -> typer.Typer:
    """The application, with the function of the one command that the words ask for."""
    app = typer.Typer(
        help="Write a recurrent cell as its equations, train it, learn which gates your problem needs.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
    )
    app.callback()(_options)
    wanted = next((word for word in words if not word.startswith("-")), "")
    for name, row in COMMANDS.items():
        function = import_module(row.module).command if name == wanted else _not_loaded
        app.command(name, help=row.about)(function)
    return app


def _version(wanted: bool) -> None:
    if wanted:
        print(f"gatelab {__version__}")
        raise typer.Exit


def _options(
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_version, help="Print the version.")
    ] = False,
) -> None:
    """Options before a command."""


def _not_loaded() -> None:
    """Stands in the list of commands for one that is not asked for."""
