"""A progress bar, on the error stream and only on a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from gatelab.bench.report import WatchParts


@contextmanager
def bench_bar(parts: int, quiet: bool = False) -> Iterator[WatchParts]:
    """A bar over the parts of a report, and one over the part in hand."""
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description:<28}"),
        BarColumn(bar_width=20),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeElapsedColumn(),
        TextColumn("{task.fields[words]}"),
    )
    hidden = quiet or not console.is_terminal
    # Drawn twice a second, so that what is measured is hardly disturbed.
    with Progress(*columns, console=console, transient=True, disable=hidden, refresh_per_second=2) as bars:
        whole = bars.add_task("all", total=parts, words="")
        inner = bars.add_task("", total=1.0, words="")

        def watch(part: int, name: str, words: str, share: float) -> None:
            bars.update(whole, completed=part + share, words=f"{part + 1} of {parts}")
            bars.update(inner, completed=share, description=name, words=words)

        yield watch
