"""`gatelab cells`: the catalogue, or one cell."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated

import typer

from gatelab.cli.console import show
from gatelab.cli.options import Json
from gatelab.language.lookup import find_cell
from gatelab.views.cells import cell_lines, cell_page, draw_cell_lines, page_text, read_widths
from gatelab.views.stages import STAGES, stage_text


def command(
    cell: Annotated[str | None, typer.Argument(help="A name, or the path of a text file of equations.")] = None,
    input_size: Annotated[int, typer.Option("--input", min=1, help="Input size, for the parameters.")] = 8,
    hidden_size: Annotated[int, typer.Option("--hidden", min=1, help="Hidden size, likewise.")] = 30,
    width: Annotated[list[str] | None, typer.Option(help="A further width of the cell, as in P=16.")] = None,
    latex: Annotated[bool, typer.Option("--latex", help="Print the equations in LaTeX and nothing else.")] = False,
    stage: Annotated[str | None, typer.Option(help=f"Print a stage of the compiler: {', '.join(STAGES)}.")] = None,
    as_json: Json = False,
) -> None:
    if cell is None:
        lines = cell_lines()
        if as_json:
            print(json.dumps([asdict(line) for line in lines], indent=1))
        else:
            show(draw_cell_lines(lines))
        return
    if stage is not None:
        text = stage_text(find_cell(cell), stage)
        print(json.dumps({"cell": cell, "stage": stage, "text": text}, indent=1) if as_json else text)
        return
    page = cell_page(cell, input_size, hidden_size, read_widths(width or []))
    if as_json:
        print(json.dumps(asdict(page), indent=1))
    else:
        print(page.latex if latex else page_text(page))
