"""A run's folder: all that is needed to read it, look at it or go on with it.

run.json                 settings, versions, results, learning curves; written last, so it marks a finished run
model.safetensors        the weights of all seeds, each (R, ...)
cell.txt                 the equations; `--cell .../cell.txt` takes them up again
checkpoint.safetensors   only until the run is finished
.lock                    likewise; held by the process that makes the run
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout
from pydantic import TypeAdapter, ValidationError
from torch import Tensor

from gatelab.errors import BusyError, GatelabError, OptionError, StoreError
from gatelab.nn.heads import SequenceClassifier
from gatelab.training.checkpoint import read_tensors, write_atomically, write_tensors
from gatelab.training.record import Run
from gatelab.training.replicas import load_replicas, make_model

RUN, MODEL, CELL, CHECKPOINT = "run.json", "model.safetensors", "cell.txt", "checkpoint.safetensors"
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


def write_run(folder: Path, run: Run, weights: Mapping[str, Tensor]) -> None:
    """Writes a finished run and takes away what only one in the making has.

    Raises:
        StoreError: a file can't be written.
    """
    write_tensors(folder / MODEL, weights, {"of": run.settings.identity})
    write_atomically(folder / CELL, run.settings.equations.encode())
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
        reason = error.errors()[0]["msg"] if isinstance(error, ValidationError) else str(error)
        raise StoreError(
            f"{path} is broken ({reason}).\nDelete the folder {folder}; the run is then made again."
        ) from None
    read_weights(folder)
    return run


def read_weights(folder: Path) -> dict[str, Tensor]:
    """The weights of all seeds, each (R, ...).

    Raises:
        StoreError: the file is missing or broken.
    """
    return dict(read_tensors(folder / MODEL).tensors)


def load_model(folder: Path, seed: int | None = None) -> SequenceClassifier:
    """The trained model of a finished run.

    Args:
        folder: of the run.
        seed: one of its seeds, for a plain model; None for the model of all its replicas.

    Raises:
        StoreError: the run is not finished, or broken.
        OptionError: the run has no such seed.
    """
    settings, weights = read_run(folder).settings, read_weights(folder)
    if seed is None:
        return load_replicas(settings, weights)
    if seed not in settings.seeds:
        raise OptionError(f"{folder} has no seed {seed}.\nIt has: {', '.join(map(str, settings.seeds))}.")
    replica = settings.seeds.index(seed)
    model = make_model(settings, None)
    model.load_state_dict({name: tensor[replica] for name, tensor in weights.items()})
    return model
