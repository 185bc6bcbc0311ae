"""`gatelab ablate`: which gates a cell needs on data of one's own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gatelab.cli.choices import read_pairs
from gatelab.cli.options import Backend, Json, Option, Page, Quick, Quiet, Seeds, Steps, StudyFolders, Threads, Workers
from gatelab.cli.study import make
from gatelab.errors import OptionError
from gatelab.process import set_up_process
from gatelab.studies.ablation import answer, make_ablation
from gatelab.studies.plan import make_plan
from gatelab.studies.store import Store
from gatelab.studies.workers import workers_for


def command(
    data: Annotated[Path, typer.Argument(help="A CSV file with a line of names, or a .ts file of labelled series.")],
    target: Annotated[str | None, typer.Option(help="The column to forecast, or of the texts' classes.")] = None,
    text: Annotated[str | None, typer.Option(help="The column of texts; else the one with the longest.")] = None,
    forecast: Annotated[bool, typer.Option("--forecast", help="Forecast the target, though there are texts.")] = False,
    test: Annotated[Path | None, typer.Option(help="Of labelled series those of the test; else NAME_TEST.ts.")] = None,
    cell: Annotated[str, typer.Option(help="A name, or the path of a text file of equations.")] = "lstm",
    hidden: Annotated[int | None, typer.Option(min=1, help="Hidden size; else the preset's.")] = None,
    quick: Quick = False,
    seeds: Seeds = None,
    steps: Steps = None,
    out: StudyFolders = Path("runs"),
    option: Option = None,
    page: Page = True,
    backend: Backend = "auto",
    workers: Workers = None,
    threads: Threads = 1,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    set_up_process(threads)
    if text is not None and forecast:
        raise OptionError("--text tells classes by a column of texts, --forecast forecasts.\nTake one of them out.")
    study = make_ablation(cell, data, target, text=text, forecast=forecast, test=test, hidden_size=hidden)
    options = read_pairs(option or [], "-o ahead=12")
    plan = make_plan(study, Path(), quick=quick, seeds=seeds, steps=steps, options=options)
    store = Store(out / plan.name)
    outcome = make(plan, store, workers or workers_for(threads), backend, page=page, as_json=as_json, quiet=quiet)
    if not as_json:
        (compared,) = outcome.compared
        print("\n" + answer(compared.comparisons, cell))
