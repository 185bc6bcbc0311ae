"""Progress bars. They go to the error stream, and only to a terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, ProgressColumn, Task, TaskID, TextColumn
from rich.progress import Progress as Bars
from rich.table import Column
from rich.text import Text

from gatelab.studies.plan import PlannedRun
from gatelab.studies.run import Watch
from gatelab.training.loop import Progress


class _Speed(ProgressColumn):
    """Steps a second."""

    def render(self, task: Task) -> Text:
        return Text(f"{task.speed:,.0f}/s" if task.speed else "")


@contextmanager
def training_bar(title: str, quiet: bool = False) -> Iterator[Callable[[Progress], None]]:
    """A bar over the steps of one training, with loss, accuracy and speed."""
    with _bars(quiet) as bars:
        steps = bars.add_task(title, total=None, words="")
        yield lambda progress: _show(bars, steps, progress)


@contextmanager
def study_bar(total: int, quiet: bool = False) -> Iterator[Watch]:
    """A bar over the runs of a study, and one over the steps of each run in hand."""
    with _bars(quiet) as bars:
        runs = bars.add_task("runs", total=total, words="")
        in_hand: dict[str, TaskID] = {}

        def watch(done: int, planned: PlannedRun, progress: Progress | None) -> None:
            bars.update(runs, completed=done)
            own = planned.settings.identity
            if own not in in_hand:
                in_hand[own] = bars.add_task(planned.title, total=None, words="")
            if progress is not None:
                _show(bars, in_hand[own], progress)
                if not progress.learning:
                    bars.remove_task(in_hand.pop(own))

        yield watch


def _bars(quiet: bool) -> Bars:
    console = Console(stderr=True)
    # Everything but the words keeps its width, so that on a narrow terminal the words are cut and not the numbers.
    columns = (
        TextColumn("{task.description}", table_column=Column(no_wrap=True, min_width=16)),
        BarColumn(bar_width=12),
        MofNCompleteColumn(table_column=Column(no_wrap=True, min_width=11)),
        _Speed(table_column=Column(no_wrap=True, min_width=7)),
        TextColumn("{task.fields[words]}", table_column=Column(no_wrap=True, overflow="ellipsis", ratio=1)),
    )
    return Bars(*columns, console=console, transient=True, expand=True, disable=quiet or not console.is_terminal)


def _show(bars: Bars, steps: TaskID, progress: Progress) -> None:
    words = f"loss {progress.loss:.3f}, score {progress.score:.3g}"
    if progress.best is not None:
        words += f", best {progress.best:.4g}"
    if progress.replicas > 1:
        words += f", {progress.learning} of {progress.replicas} seeds"
    if progress.stage:
        words += f", {progress.stage}"
    bars.update(steps, completed=progress.step, total=progress.steps, words=words)
