"""`gatelab report`: what one seed of a finished run is and does."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from matplotlib.figure import Figure
from pydantic import TypeAdapter

from gatelab.cli.options import Json, Threads
from gatelab.cli.tables import show_tables
from gatelab.errors import StoreError
from gatelab.process import set_up_process
from gatelab.training.folder import read_run
from gatelab.views.curve_figures import draw_curves, learning_curves
from gatelab.views.figures import save_figure
from gatelab.views.forecast_figures import draw_forecasts
from gatelab.views.report_figures import draw_confusion, draw_reliability
from gatelab.views.reports import Report, make_report, report_tables


def command(
    run: Annotated[Path, typer.Argument(help="The folder of a finished run.")],
    seed: Annotated[int | None, typer.Option(min=0, help="Which of its seeds; else the first.")] = None,
    out: Annotated[Path | None, typer.Option(help="Write figures of what it answers to this folder.")] = None,
    threads: Threads = 1,
    as_json: Json = False,
) -> None:
    set_up_process(threads)
    report = make_report(run, seed)
    written = [] if out is None else _write_figures(report, run, out)
    if as_json:
        print(TypeAdapter(Report).dump_json(report, indent=1).decode())
        return
    show_tables(report_tables(report))
    for path in written:
        print(f"Written to {path}")


def _figures(report: Report) -> dict[str, Figure]:
    """The figures of a report by the names of their files."""
    title = f"{report.settings.task}, {report.settings.cell}"
    if report.forecasts:
        return {"forecasts": draw_forecasts(report.forecasts, title)}
    if (found := report.classification) is not None:
        return {"confusion": draw_confusion(found, title), "calibration": draw_reliability(found, title)}
    return {}


def _curves(run: Path) -> Figure:
    """The learning curves of all seeds."""
    found = read_run(run)
    return draw_curves(learning_curves({found.settings.cell: found}), f"{found.settings.task}, {found.settings.cell}")


def _write_figures(report: Report, run: Path, folder: Path) -> list[Path]:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"{folder} can't be a folder ({error.strerror}).\nChoose another one with --out.") from None
    figures = {**_figures(report), "curves": _curves(run)}
    return [path for name, figure in figures.items() for path in save_figure(figure, folder / name)]
