"""`gatelab study`: many runs, a table and a figure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer
from matplotlib.figure import Figure
from pydantic import TypeAdapter

from gatelab.cli.choices import read_backend, read_pairs
from gatelab.cli.options import Backend, Json, Option, Page, Quick, Quiet, Seeds, Steps, StudyFolders, Threads, Workers
from gatelab.cli.tables import show_tables
from gatelab.errors import OptionError
from gatelab.files import write_atomically
from gatelab.process import set_up_process
from gatelab.studies.outcome import Outcome, make_outcome
from gatelab.studies.plan import Plan, make_plan
from gatelab.studies.run import run_study
from gatelab.studies.spec import find_study, presets
from gatelab.studies.store import Store
from gatelab.studies.workers import workers_for
from gatelab.training.folder import read_run
from gatelab.training.record import Run
from gatelab.views.curve_figures import draw_curves, learning_curves
from gatelab.views.figures import draw_figure, save_figure, study_figure
from gatelab.views.page import write_page
from gatelab.views.progress import study_bar
from gatelab.views.reports import make_report, report_tables
from gatelab.views.run_scenes import best_seed
from gatelab.views.search_drawing import draw_search
from gatelab.views.search_figures import search_figure
from gatelab.views.search_tables import search_tables
from gatelab.views.study_pages import best_run, first_groups, planned_of, study_scene
from gatelab.views.tables import TableText, study_tables, table_text
from gatelab.views.trial_states import status_rows, status_tables


def command(
    study: Annotated[str, typer.Argument(help=f"A name ({', '.join(presets())}), or the path of a study file.")],
    quick: Quick = False,
    seeds: Seeds = None,
    steps: Steps = None,
    part: Annotated[list[str] | None, typer.Option(help="Only this part of the study; may be given again.")] = None,
    status: Annotated[bool, typer.Option("--status", help="Say where the runs stand, and train nothing.")] = False,
    out: StudyFolders = Path("runs"),
    option: Option = None,
    report: Annotated[
        bool, typer.Option("--report", help="Then print what `gatelab report` says of each part's best run.")
    ] = False,
    page: Page = True,
    backend: Backend = "auto",
    workers: Workers = None,
    threads: Threads = 1,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    set_up_process(threads)
    if report and as_json:
        raise OptionError("--json prints one thing.\nLeave --report out; then gatelab report FOLDER --json.")
    options = read_pairs(option or [], "-o csv=texts.csv")
    plan = make_plan(*find_study(study), quick=quick, seeds=seeds, steps=steps, parts=part, options=options)
    store = Store(out / plan.name)
    if status:
        _show_status(plan, store, as_json)
        return
    outcome = make(plan, store, workers or workers_for(threads), backend, page=page, as_json=as_json, quiet=quiet)
    if report:
        for place in (best_run(plan, store, outcome, own) for own in outcome.notes if outcome.of(own)):
            show_tables(report_tables(make_report(place, best_seed(read_run(place)))))


def make(plan: Plan, store: Store, workers: int, backend: str, *, page: bool, as_json: bool, quiet: bool) -> Outcome:
    """Makes the runs of a study that are not there yet, and prints and writes what all have come to.

    Args:
        plan: of the study.
        store: where its runs are, and what is written goes.
        workers: so many runs at a time.
        backend: by its name.
        page: whether to write a page for each part.
        as_json: whether to print JSON and nothing else.
        quiet: whether to show no progress bar.
    """
    with study_bar(len(plan.by_identity), quiet or as_json) as watch:
        runs = run_study(plan, store, watch, workers, read_backend(backend))
    outcome = make_outcome(plan, runs)
    text = TypeAdapter(Outcome).dump_json(outcome, indent=1).decode()
    written = _write(outcome, store.folder, text) + _write_curves(plan, runs, outcome, store.folder)
    if page:
        written += _write_pages(plan, store, outcome)
    if as_json:
        print(text)
        return outcome
    show_tables(_tables(outcome))
    print("Written: " + ", ".join(map(str, written)))
    return outcome


def _show_status(plan: Plan, store: Store, as_json: bool) -> None:
    if as_json:
        print(json.dumps(status_rows(plan, store), indent=1))
        return
    show_tables(status_tables(plan, store))


def _tables(outcome: Outcome) -> tuple[TableText, ...]:
    return *study_tables(outcome), *search_tables(outcome)


def _write(outcome: Outcome, folder: Path, text: str) -> list[Path]:
    """The tables, the numbers and a figure for each part; their paths."""
    tables, numbers = folder / "tables.txt", folder / "study.json"
    write_atomically(tables, table_text(_tables(outcome)).encode())
    write_atomically(numbers, text.encode())
    figures = [path for part in outcome.notes for path in save_figure(_draw(outcome, part), folder / part)]
    return [tables, numbers, *figures]


def _write_curves(plan: Plan, runs: Mapping[str, Run], outcome: Outcome, folder: Path) -> list[Path]:
    """Learning curves of the cells of each part that is not searched, at its first size and start."""
    written: list[Path] = []
    for part in (part for part in outcome.notes if outcome.of(part)):
        own = {group.cell: runs[planned_of(plan, group).settings.identity] for group in first_groups(outcome, part)}
        size = first_groups(outcome, part)[0].size
        figure = draw_curves(learning_curves(own), f"{outcome.name}: {part}, {size} unit{'s' * (size > 1)}")
        written += save_figure(figure, folder / f"{part}-curves")
    return written


def _write_pages(plan: Plan, store: Store, outcome: Outcome) -> list[Path]:
    """A page for each part that is not searched."""
    parts = [part for part in outcome.notes if outcome.of(part)]
    return [write_page(study_scene(plan, store, outcome, part), store.folder / f"{part}.html") for part in parts]


def _draw(outcome: Outcome, part: str) -> Figure:
    if outcome.of(part):
        return draw_figure(study_figure(outcome, part))
    return draw_search(search_figure(outcome, part))
