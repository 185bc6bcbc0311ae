"""`gatelab probe`: what happens inside of a trained model, as tables, pictures and a page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from matplotlib.figure import Figure
from pydantic import TypeAdapter
from rich.console import Console

from gatelab.cli.options import Json, Quiet, Threads
from gatelab.cli.tables import show_tables
from gatelab.errors import StoreError
from gatelab.process import set_up_process
from gatelab.views.figures import save_figure
from gatelab.views.gate_figures import draw_lines, gate_lines
from gatelab.views.heat_figures import draw_heat, heat_maps
from gatelab.views.opened import open_probe, probe_scene
from gatelab.views.page import write_page
from gatelab.views.probe_tables import probe_tables
from gatelab.views.probes import Probing, read_probe
from gatelab.views.scene import Scene
from gatelab.views.spread_figures import draw_spreads, spreads

FOLDER = "probe"
"""Where pictures go in a run's folder, unless told otherwise."""
HEATS = 3
"""Examples that get heat maps, the first ones."""


def command(
    run: Annotated[Path, typer.Argument(help="The folder of a finished run, of a training or inside of a study.")],
    names: Annotated[str, typer.Option(help="Names of the equations, as in f,i,c; else all.")] = "",
    inputs: Annotated[int | None, typer.Option(min=2, help="Inputs of the test that are read; else 200.")] = None,
    bits: Annotated[list[str] | None, typer.Option(help="Draw these bits, as in 0110; for runs of parity.")] = None,
    text: Annotated[list[str] | None, typer.Option(help="Draw this text; for models that read texts.")] = None,
    beside: Annotated[
        list[Path] | None, typer.Option(help="Draw this other run of the task too, on the same inputs.")
    ] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Which of the run's seeds; else the best.")] = None,
    out: Annotated[Path | None, typer.Option(help="Where pictures and page go; else RUN/probe.")] = None,
    page: Annotated[bool, typer.Option(help="Whether to write the page.")] = True,
    threads: Threads = 1,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    set_up_process(threads)
    console = Console(stderr=True, quiet=quiet or not Console(stderr=True).is_terminal)
    with console.status("opens the run") as status:
        opened = open_probe(run, seed, {"--bits": bits or (), "--text": text or ()})
        others = [open_probe(folder) for folder in beside or ()]
        wanted = [name.strip() for name in names.split(",") if name.strip()]
        found = read_probe(opened, wanted, inputs, status.update)
        tables = probe_tables(found)
        status.update("draws")
        scene = probe_scene(opened, others, tables)
        figures = _figures(scene, found, [one.key for one in found.readings] if wanted else ())
        written = _write(figures, scene, run / FOLDER if out is None else out, page)
    if as_json:
        print(TypeAdapter(dict[str, Any]).dump_json(_facts(found, written), indent=1).decode())
        return
    show_tables(tables)
    for path in written:
        print(f"Written to {path}")


def _facts(found: Probing, written: list[Path]) -> dict[str, Any]:
    return {**TypeAdapter(Probing).dump_python(found), "written": [str(path) for path in written]}


def _figures(scene: Scene, found: Probing, keys: Sequence[str]) -> dict[str, Figure]:
    """The figures by the names of their files, of all keys if there are none."""
    heats = {
        f"heat-{place + 1}": draw_heat(heat_maps(scene, place, keys)) for place in range(len(scene.examples[:HEATS]))
    }
    return {
        "lines": draw_lines(gate_lines(scene, keys)),
        **heats,
        "spread": draw_spreads(spreads(found.readings), f"{found.task}: {found.cell}, how values spread"),
    }


def _write(figures: Mapping[str, Figure], scene: Scene, folder: Path, page: bool) -> list[Path]:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"{folder} can't be a folder ({error.strerror}).\nChoose another one with --out.") from None
    written = [path for name, figure in figures.items() for path in save_figure(figure, folder / name)]
    return [*written, write_page(scene, folder / "page.html")] if page else written
