"""`gatelab train`: one cell on one task."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from pydantic import TypeAdapter

from gatelab.cli.console import show
from gatelab.cli.options import Json, Quiet, Threads, use_threads
from gatelab.errors import OptionError
from gatelab.studies.spec import DEFAULT_INIT
from gatelab.tasks import TASKS
from gatelab.training.fit import fit
from gatelab.training.folder import is_finished
from gatelab.training.record import Run
from gatelab.training.settings import make_settings
from gatelab.views.cells import read_widths
from gatelab.views.progress import training_bar
from gatelab.views.runs import run_table
from gatelab.views.tables import draw_table


def command(
    task: Annotated[str, typer.Argument(help=f"One of: {', '.join(TASKS)}.")],
    cell: Annotated[str, typer.Option(help="A name, or the path of a text file of equations.")] = "lstm",
    hidden_size: Annotated[int, typer.Option("--hidden", min=1, help="Hidden size.")] = 30,
    layers: Annotated[int, typer.Option(min=1, help="Recurrent layers.")] = 1,
    width: Annotated[list[str] | None, typer.Option(help="A further width of the cell, as in P=16.")] = None,
    seeds: Annotated[int | None, typer.Option(min=1, help="Train this many seeds, from 0 on, in one go.")] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Train this one seed.")] = None,
    steps: Annotated[int | None, typer.Option(min=1, help="At most so many; else the task's.")] = None,
    learning_rate: Annotated[float | None, typer.Option("--lr", help="Learning rate; else the task's.")] = None,
    optimizer: Annotated[str | None, typer.Option(help="adam, rmsprop or sgd; else the task's.")] = None,
    clip: Annotated[float | None, typer.Option(help="Cut the gradient of each seed to this norm.")] = None,
    init: Annotated[str, typer.Option(help="How the recurrent layer starts: a scheme such as zeros.")] = DEFAULT_INIT,
    head_init: Annotated[str, typer.Option(help="How the output layer starts.")] = "uniform",
    out: Annotated[Path | None, typer.Option(help="The run's folder; else one under runs/.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with a run that was stopped.")] = False,
    threads: Threads = 1,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    use_threads(threads)
    if seed is not None and seeds is not None:
        raise OptionError("--seed names one seed and --seeds counts them.\nGive one of the two.")
    settings = make_settings(
        task,
        cell,
        hidden_size,
        tuple(range(seeds or 1)) if seed is None else (seed,),
        steps=steps,
        learning_rate=learning_rate,
        optimizer=optimizer,
        num_layers=layers,
        widths=read_widths(width or []),
        clip=clip,
        init=None if init == DEFAULT_INIT else init,
        head_init=head_init,
    )
    folder = out or Path("runs") / settings.identity
    was_there = is_finished(folder)
    with training_bar(f"{task} {settings.cell}", quiet or as_json) as watch:
        run = fit(settings, folder, resume=resume, watch=watch).run
    if as_json:
        print(TypeAdapter(Run).dump_json(run, indent=1).decode())
        return
    show(draw_table(run_table(run)))
    print(f"{'Made before, in' if was_there else 'Written to'} {folder}")
