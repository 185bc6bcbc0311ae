"""`gatelab train`: one cell on one task."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import TypeAdapter

from gatelab.cli.choices import read_backend, read_pairs
from gatelab.cli.console import show
from gatelab.cli.options import Backend, Json, Option, Quiet, Threads
from gatelab.cli.tables import show_tables
from gatelab.errors import OptionError
from gatelab.process import set_up_process
from gatelab.studies.spec import DEFAULT_INIT
from gatelab.tasks import TASKS
from gatelab.training.fit import fit
from gatelab.training.folder import is_finished, read_run
from gatelab.training.record import Run
from gatelab.training.settings import CHOICES, Settings, check_choice, make_settings
from gatelab.views.cells import read_widths
from gatelab.views.progress import training_bar
from gatelab.views.reports import make_report, report_tables
from gatelab.views.runs import run_table
from gatelab.views.tables import draw_table

SETTINGS = ", ".join(name for name in CHOICES if name not in ("options", "hidden_size"))


def command(
    task: Annotated[str | None, typer.Argument(help=f"One of: {', '.join(TASKS)}.")] = None,
    cell: Annotated[str, typer.Option(help="A name, or the path of a text file of equations.")] = "lstm",
    hidden_size: Annotated[int | None, typer.Option("--hidden", min=1, help="Hidden size; else the task's.")] = None,
    layers: Annotated[int | None, typer.Option(min=1, help="Recurrent layers.")] = None,
    width: Annotated[list[str] | None, typer.Option(help="A further width of the cell, as in P=16.")] = None,
    seeds: Annotated[int | None, typer.Option(min=1, help="Train this many seeds, from 0 on, in one go.")] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Train this one seed.")] = None,
    steps: Annotated[int | None, typer.Option(min=1, help="At most so many; else the task's.")] = None,
    epochs: Annotated[int | None, typer.Option(min=1, help="Likewise.")] = None,
    batch_size: Annotated[int | None, typer.Option("--batch", min=1, help="Batch size; else the task's.")] = None,
    learning_rate: Annotated[float | None, typer.Option("--lr", help="Learning rate; else the task's.")] = None,
    optimizer: Annotated[str | None, typer.Option(help="As torch has it, such as adam; else the task's.")] = None,
    clip: Annotated[float | None, typer.Option(help="Cut the gradient of each seed to this norm.")] = None,
    init: Annotated[str, typer.Option(help="How the recurrent layer starts: a scheme such as zeros.")] = DEFAULT_INIT,
    head_init: Annotated[str | None, typer.Option(help="How the output layer starts.")] = None,
    option: Option = None,
    further: Annotated[
        list[str] | None, typer.Option("--set", help=f"Any setting, as in dropout=0.5. There are: {SETTINGS}.")
    ] = None,
    source: Annotated[
        Path | None, typer.Option("--from", help="Train what this run's folder says, once more or in another --out.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="The run's folder; else one under runs/.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with a run that was stopped.")] = False,
    report: Annotated[bool, typer.Option("--report", help="Then print what `gatelab report` says of the run.")] = False,
    backend: Backend = "auto",
    threads: Threads = 1,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    set_up_process(threads)
    if seed is not None and seeds is not None:
        raise OptionError("--seed names one seed and --seeds counts them.\nGive one of the two.")
    if (task is None) == (source is None):
        raise OptionError(f"Give a task, or a run's folder with --from.\nTasks: {', '.join(TASKS)}.")
    named = {
        "num_layers": layers,
        "widths": read_widths(width or []) or None,
        "steps": steps,
        "epochs": epochs,
        "batch_size": batch_size,
        "learning_rate": learning_rate,
        "optimizer": optimizer,
        "clip": clip,
        "init": None if init == DEFAULT_INIT else init,
        "head_init": head_init,
        "hidden_size": hidden_size,
    }
    given = {name: value for name, value in named.items() if value is not None}
    if source is not None:
        if given or further or option or seeds is not None or seed is not None:
            raise OptionError("--from takes all settings from the run.\nLeave the others out, or give a task.")
        settings = read_run(source).settings
    else:
        assert task is not None
        choices = _read_choices(further or [], option or []) | given
        own_seeds = tuple(range(seeds or 1)) if seed is None else (seed,)
        settings = make_settings(task, cell, choices.pop("hidden_size", None), own_seeds, **choices)
    folder = out or Path("runs") / settings.identity
    if report and as_json:
        raise OptionError(f"--json prints one thing.\nLeave --report out; then gatelab report {folder} --json.")
    _train(settings, folder, resume, read_backend(backend), as_json, quiet)
    if report:
        show_tables(report_tables(make_report(folder)))


def _read_choices(further: list[str], option: list[str]) -> dict[str, Any]:
    """The settings of --set, and among them the options of the task, which -o gives too."""
    choices = read_pairs(further, "--set dropout=0.5")
    for name, value in choices.items():
        check_choice(name, value)
    return {**choices, "options": {**choices.get("options", {}), **read_pairs(option, "-o order=permuted")}}


def _train(settings: Settings, folder: Path, resume: bool, backend: str, as_json: bool, quiet: bool) -> None:
    was_there = is_finished(folder)
    with training_bar(f"{settings.task} {settings.cell}", quiet or as_json) as watch:
        run = fit(settings, folder, resume=resume, watch=watch, backend=backend).run
    if as_json:
        print(TypeAdapter(Run).dump_json(run, indent=1).decode())
        return
    show(draw_table(run_table(run)))
    print(f"{'Made before, in' if was_there else 'Written to'} {folder}")
