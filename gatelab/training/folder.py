"""A run's folder: all that is needed to read it, look at it or go on with it.

run.json                 settings, versions, results, learning curves; written last, so it marks a finished run
model.safetensors        the weights of all seeds, each (R, ...)
cell.txt                 the equations; `--cell .../cell.txt` takes them up again
checkpoint.safetensors   only until the run is finished
.lock                    likewise; held by the process that makes the run
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from pydantic import TypeAdapter, ValidationError
from torch import Tensor

from gatelab.errors import BusyError, GatelabError, StoreError
from gatelab.files import read_tensors, write_atomically
from gatelab.nn.models import SequenceModel
from gatelab.nn.saving import MODEL, save
from gatelab.training.record import Run

RUN, CELL, CHECKPOINT = "run.json", "cell.txt", "checkpoint.safetensors"
LOCK = ".lock"

_RUN = TypeAdapter(Run)


@contextmanager
def claim(folder: Path) -> Iterator[None]:
    """Keeps other processes from making the run in a folder, for as long as the context lasts.

    Raises:
        BusyError: another process makes it.
        StoreError: the folder can't be written to.
    """
    # The operating system gives a lock back when its process ends in any way; a file that stands for one would stay.
    lock = FileLock(folder / LOCK)
    try:
        lock.acquire(blocking=False)
    except Timeout:
        raise BusyError(
            f"Another process makes the run in {folder}.\nWait until it is done, or choose another folder with --out."
        ) from None
    except OSError as error:
        raise StoreError(
            f"{folder} can't be written to ({error.strerror}).\nChoose another folder with --out."
        ) from None
    try:
        yield
    finally:
        lock.release()


def is_claimed(folder: Path) -> bool:
    """Whether another process makes the run in a folder.

    It is asked by taking the claim for a moment; a study that comes upon that waits for it.
    """
    lock = FileLock(folder / LOCK)
    try:
        if not (folder / LOCK).exists():
            return False
        lock.acquire(blocking=False)
    except Timeout:
        return True
    except OSError:
        return False
    lock.release()
    return False


def write_run(folder: Path, run: Run, model: SequenceModel, keeps: Mapping[str, Any]) -> None:
    """Writes a finished run and takes away what only one in the making has.

    Args:
        folder: of the run.
        run: its record.
        model: all of its seeds.
        keeps: what the file of the model should hold beside it.

    Raises:
        StoreError: a file can't be written.
    """
    settings = run.settings
    save(model, folder / MODEL, {"of": settings.identity, "seeds": list(settings.seeds), "keeps": dict(keeps)})
    write_atomically(folder / CELL, settings.equations.encode())
    write_atomically(folder / RUN, _RUN.dump_json(run, indent=1) + b"\n")
    left_by_a_kill = folder.glob(".*.tmp")
    for path in (folder / CHECKPOINT, folder / LOCK, *left_by_a_kill):
        path.unlink(missing_ok=True)


def is_finished(folder: Path) -> bool:
    """Whether a finished run is there, whole or broken."""
    return (folder / RUN).exists()


def read_run(folder: Path) -> Run:
    """The record of a finished run.

    Raises:
        StoreError: there is none, or a file of it is missing or broken.
    """
    if not is_finished(folder):
        raise StoreError(
            f"{folder} holds no finished run: it has no {RUN}.\nGive a folder that `gatelab train` or "
            "`gatelab study` has made."
        )
    path = folder / RUN
    try:
        run = _RUN.validate_json(path.read_bytes())
    except (OSError, ValidationError, GatelabError) as error:
        problems = error.errors() if isinstance(error, ValidationError) else []
        if any(problem["type"] == "extra_forbidden" for problem in problems):
            raise StoreError(
                f"{path} holds what this version of gatelab does not know ({_place(problems)}): it is of a newer one.\n"
                "Update gatelab, or choose another folder."
            ) from None
        reason = problems[0]["msg"] if problems else str(error)
        raise StoreError(
            f"{path} is broken ({reason}).\nDelete the folder {folder}; the run is then made again."
        ) from None
    read_weights(folder)
    return run


def _place(problems: Sequence[Any]) -> str:
    """The first key that is not known."""
    return next(".".join(map(str, problem["loc"])) for problem in problems if problem["type"] == "extra_forbidden")


def starts_anew(folder: Path) -> str:
    """What to do about a broken file of a run."""
    return f"If it is broken, delete {folder}; the run then starts anew."


def read_weights(folder: Path) -> dict[str, Tensor]:
    """The weights of all seeds, each (R, ...), and what they share.

    Raises:
        StoreError: the file is missing or broken.
    """
    return dict(read_tensors(folder / MODEL, starts_anew(folder)).tensors)
