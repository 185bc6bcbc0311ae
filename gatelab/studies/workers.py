"""Makes runs: one after the other in this process, or several at a time in processes of their own."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import BrokenExecutor
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event, Thread

import torch
from joblib import Parallel, cpu_count, delayed

from gatelab.errors import BusyError, GatelabError
from gatelab.process import set_up_process
from gatelab.studies.plan import PlannedRun
from gatelab.training.fit import fit
from gatelab.training.loop import Progress
from gatelab.training.record import Run

LOOK_SECONDS = 0.25
"""Between two looks at the progress of the workers."""
ORPHANED = 3
"""The exit code of a worker whose parent is gone."""

Tell = Callable[[PlannedRun, Progress | None], None]
"""Told which run is in hand, and where it stands (None when it begins)."""


@dataclass(frozen=True)
class Job:
    """A run to be made, the folder that it goes to, and the backend that computes it."""

    planned: PlannedRun
    folder: Path
    backend: str = "auto"


@dataclass(frozen=True)
class Made:
    """What became of a job.

    Attributes:
        job: which.
        run: the finished run, or None.
        failure: why there is none, in words; None if another process makes it.
    """

    job: Job
    run: Run | None = None
    failure: str | None = None


def workers_for(threads: int) -> int:
    """How many workers with so many threads each the cores allow."""
    return max(1, int(cpu_count()) // threads)


def make_runs(jobs: Sequence[Job], workers: int, tell: Tell) -> Iterator[Made]:
    """What becomes of each job, as it is known. One that fails does not keep the others.

    With one worker this process does it. Otherwise workers begin in the order of the jobs, and share torch's number
    of threads here.

    Raises:
        GatelabError: a worker was killed.
    """
    workers = min(workers, len(jobs))
    if workers == 1:
        return (_make(job, partial(tell, job.planned)) for job in jobs)
    return _make_in_processes(jobs, workers, tell)


def _make(job: Job, tell: Callable[[Progress | None], None]) -> Made:
    tell(None)
    try:
        return Made(job, fit(job.planned.settings, job.folder, watch=tell, backend=job.backend).run)
    except BusyError:
        return Made(job)
    except GatelabError as error:
        return Made(job, failure=str(error))
    except Exception as error:
        return Made(job, failure=f"{type(error).__name__}: {error}")


def _make_in_processes(jobs: Sequence[Job], workers: int, tell: Tell) -> Iterator[Made]:
    # Killed workers may still write there while it is removed.
    with TemporaryDirectory(prefix="gatelab-", ignore_cleanup_errors=True) as folder:
        boards = [Path(folder) / str(number) for number in range(len(jobs))]
        # joblib keeps its processes, so that each loads torch once.
        pool = Parallel(workers, backend="loky", batch_size=1, return_as="generator_unordered")
        calls = [
            delayed(_work)(job, board, os.getpid(), torch.get_num_threads())
            for job, board in zip(jobs, boards, strict=True)
        ]
        with _following(jobs, boards, tell):
            try:
                yield from pool(calls)
            except BrokenExecutor:
                raise GatelabError(
                    "A worker was killed from outside, perhaps for want of memory; the others had to stop too.\n"
                    "Run the same command again, with fewer --workers if need be; it goes on from the checkpoints."
                ) from None


def _work(job: Job, board: Path, parent: int, threads: int) -> Made:
    """Makes a run in a worker, whose parent follows it on the board: a file with the progress as JSON."""
    set_up_process(threads)
    if os.getpid() != parent:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's, which then ends its workers.
    told = 0.0

    def tell(progress: Progress | None) -> None:
        nonlocal told
        if parent not in (os.getppid(), os.getpid()):
            os._exit(ORPHANED)
        now = time.monotonic()
        if progress is not None and (now - told > LOOK_SECONDS or not progress.learning):
            told = now
            draft = board.with_suffix(".draft")
            with suppress(OSError):  # No run should fail for want of a progress bar.
                draft.write_text(json.dumps(asdict(progress)), encoding="utf-8")
                draft.replace(board)

    return _make(job, tell)


@contextmanager
def _following(jobs: Sequence[Job], boards: Sequence[Path], tell: Tell) -> Iterator[None]:
    """Tells the progress that is on the boards, as long as the context lasts."""
    over = Event()

    def follow() -> None:
        seen: dict[Path, str] = {}
        while not over.wait(LOOK_SECONDS):
            for job, board in zip(jobs, boards, strict=True):
                text = board.read_text(encoding="utf-8") if board.exists() else None
                if text is None or text == seen.get(board):
                    continue
                if board not in seen:
                    tell(job.planned, None)
                seen[board] = text
                tell(job.planned, Progress(**json.loads(text)))

    follower = Thread(target=follow, name="gatelab-progress", daemon=True)
    follower.start()
    try:
        yield
    finally:
        over.set()
        follower.join()
