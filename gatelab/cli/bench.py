"""`gatelab bench`: this machine, ours beside nn.LSTM and the peers that are installed."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Annotated, TypeVar

import typer
from pydantic import TypeAdapter

from gatelab.bench.conditions import Conditions
from gatelab.bench.losses import BOTH, CHOICES, find_losses
from gatelab.bench.machine import cores
from gatelab.bench.progress import bench_bar
from gatelab.bench.report import MORE, Report, Wanted, run_bench
from gatelab.bench.sizes import SIZES, SIZES_OF_CELLS, find_size
from gatelab.bench.tables import report_tables, summary_text
from gatelab.cli.console import show
from gatelab.cli.options import Json, Quiet
from gatelab.cli.tables import show_tables
from gatelab.errors import OptionError, nearest
from gatelab.language.lookup import cells as all_cells
from gatelab.language.lookup import find_cell
from gatelab.process import keep_memory

ALL, NONE = "all", "none"
FOR_CELLS = tuple(SIZES[name] for name in SIZES_OF_CELLS)
Found = TypeVar("Found")


def command(
    sizes: Annotated[
        list[str] | None,
        typer.Option(help=f"{', '.join(SIZES)}, or one of your own as in 32x10x8x16; with commas, or {ALL}, {NONE}."),
    ] = None,
    cells: Annotated[
        list[str] | None,
        typer.Option(help=f"Further cells of the catalogue, with commas, or {ALL}: beside eager, and beside lstm."),
    ] = None,
    cells_at: Annotated[
        list[str] | None,
        typer.Option(help=f"Sizes for further cells; else those of --sizes; else {', '.join(SIZES_OF_CELLS)}."),
    ] = None,
    loss: Annotated[str, typer.Option(help=f"What of the outputs the loss reads: {', '.join(CHOICES)}.")] = BOTH,
    more: Annotated[
        list[str] | None, typer.Option(help=f"Further tables, with commas, or {ALL}: {', '.join(MORE)}.")
    ] = None,
    peers: Annotated[bool, typer.Option(help="Whether to measure jax, keras and torchrecurrent.")] = True,
    backend: Annotated[str, typer.Option(help="Of ours; or auto.")] = "cpu",
    threads: Annotated[int | None, typer.Option(min=1, help="And cores; else two, if there are as many.")] = None,
    seconds: Annotated[
        float, typer.Option(min=0.0, help="For each size, all losses together; the slowest take longer.")
    ] = 25.0,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    wanted = Wanted(
        sizes=_choose(sizes or [ALL], tuple(SIZES), find_size),
        losses=find_losses(loss),
        peers=peers,
        cells=tuple(cell.name for cell in _choose(cells or [NONE], all_cells(), find_cell)),
        cell_sizes=_choose(cells_at or sizes or [NONE], tuple(SIZES), find_size) or FOR_CELLS,
        more=_choose(more or [NONE], tuple(MORE), _find_more),
    )
    conditions = Conditions(backend, _threads(threads), seconds)
    keep_memory()  # For ours and the peers alike: else chance decides which of them pays for cleared pages.
    with bench_bar(wanted.parts, quiet) as watch:
        report = run_bench(wanted, conditions, watch)
    if as_json:
        print(TypeAdapter(Report).dump_json(report, indent=1).decode())
        return
    show_tables(report_tables(report))
    show(summary_text(report))


def _choose(words: Collection[str], every: Collection[str], find: Callable[[str], Found]) -> tuple[Found, ...]:
    """What lists of names, with commas between, stand for; each once."""
    names = [name.strip() for word in words for name in word.split(",") if name.strip()]
    if names == [NONE]:
        return ()
    expanded = [each for name in names for each in (every if name == ALL else (name,))]
    return tuple(dict.fromkeys(find(name) for name in expanded))


def _find_more(name: str) -> str:
    if name not in MORE:
        raise OptionError(f"There is no table '{name}'.\n{nearest(name, MORE)}")
    return name


def _threads(wanted: int | None) -> int:
    """So many, or two; and no more than there are cores."""
    available = cores()
    if wanted is not None and wanted > available:
        raise OptionError(f"--threads is {wanted}, and there are cores for {available}.\nMore would only wait.")
    return wanted or min(2, available)
