"""Progress bars. They go to the error stream, and only to a terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, ProgressColumn, SpinnerColumn, Task, TextColumn
from rich.progress import Progress as Bars
from rich.progress import TimeRemainingColumn as Remaining
from rich.text import Text

from gatelab.studies.plan import PlannedRun
from gatelab.studies.run import Watch
from gatelab.training.fit import Progress


class _Speed(ProgressColumn):
    """Steps a second."""

    def render(self, task: Task) -> Text:
        return Text(f"{task.speed:,.0f} steps/s" if task.speed else "")


@contextmanager
def training_bar(title: str, quiet: bool = False) -> Iterator[Callable[[Progress], None]]:
    """A bar over the steps of one training, with loss, accuracy and speed."""
    with _bars(quiet) as bars:
        steps = bars.add_task(title, total=None, words="")
        yield lambda progress: _show(bars, steps, progress)


@contextmanager
def study_bar(total: int, quiet: bool = False) -> Iterator[Watch]:
    """A bar over the runs of a study, and one over the steps of the run in hand."""
    with _bars(quiet) as bars:
        runs = bars.add_task("runs", total=total, words="")
        steps = bars.add_task("", total=None, words="")

        def watch(done: int, planned: PlannedRun, progress: Progress | None) -> None:
            bars.update(runs, completed=done)
            if progress is None:
                settings = planned.settings
                title = f"{settings.task} {planned.label} {settings.hidden_size}"
                bars.reset(steps, description=title, total=settings.steps, words="")
            else:
                _show(bars, steps, progress)

        yield watch


def _bars(quiet: bool) -> Bars:
    console = Console(stderr=True)
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        _Speed(),
        Remaining(compact=True),
        TextColumn("{task.fields[words]}"),
    )
    return Bars(*columns, console=console, transient=True, disable=quiet or not console.is_terminal)


def _show(bars: Bars, steps: int, progress: Progress) -> None:
    words = f"loss {progress.loss:.3g}, accuracy {progress.accuracy:.0f} %"
    if progress.replicas > 1:
        words += f", {progress.learning} of {progress.replicas} seeds learning"
    if progress.stage:
        words += f", {progress.stage}"
    bars.update(steps, completed=progress.step, total=progress.steps, words=words)
