"""From settings to a finished run, in a folder or in memory only."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from gatelab.errors import StoreError
from gatelab.files import read_tensors, write_tensors
from gatelab.nn.saving import MODEL
from gatelab.training.folder import (
    CELL,
    CHECKPOINT,
    RUN,
    claim,
    is_finished,
    read_run,
    read_weights,
    starts_anew,
    write_run,
)
from gatelab.training.loop import Progress, Training
from gatelab.training.record import Run, current_versions
from gatelab.training.replicas import load_replicas
from gatelab.training.settings import Settings

CHECKPOINT_SECONDS = 20.0
"""Seconds of training that a kill may cost."""
WATCH_SECONDS = 0.1
"""Between two looks of a progress bar. A look takes as long as a training step of a small model."""


@dataclass(frozen=True)
class Fitted:
    """A finished run and the weights of all its seeds, each (R, ...)."""

    run: Run
    weights: Mapping[str, Tensor]


def fit(
    settings: Settings,
    folder: Path | None = None,
    *,
    resume: bool = True,
    watch: Callable[[Progress], None] | None = None,
    checkpoint_seconds: float = CHECKPOINT_SECONDS,
    backend: str = "auto",
) -> Fitted:
    """Trains all seeds to their ends.

    Args:
        settings: of the run.
        folder: where to keep the run. A finished run that is there already is read and not made again.
        resume: whether to go on from a checkpoint in the folder; if not, its being there is an error.
        watch: called with the progress some ten times a second, and at the end.
        checkpoint_seconds: how often to save.
        backend: of the layers, by name. All agree but for rounding, so it is no part of what the run is; the record
            of a run that is trained notes it, and after a resume that of the last part.

    Raises:
        BusyError: another process makes this run.
        StoreError: the folder holds something else, or a file can't be read or written.
        OptionError: a setting or the backend can't be, or not together.
    """
    if folder is None:
        return _train(Training(settings, backend), 0.0, None, watch, checkpoint_seconds)
    if is_finished(folder):
        return _read_finished(folder, settings)
    fresh = Training(settings, backend)  # First, so that settings that can't be leave no folder.
    _prepare(folder)
    with claim(folder):
        if is_finished(folder):  # By another process, just now.
            return _read_finished(folder, settings)
        return _train(*_begin(fresh, folder, resume), folder, watch, checkpoint_seconds)


def _train(
    training: Training,
    before: float,
    folder: Path | None,
    watch: Callable[[Progress], None] | None,
    checkpoint_seconds: float,
) -> Fitted:
    began = saved = watched = time.monotonic()
    while not training.over:
        training.step()
        now = time.monotonic()
        if folder is not None and now - saved >= checkpoint_seconds:
            part = training.checkpoint(before + now - began)
            write_tensors(folder / CHECKPOINT, part.tensors, part.facts)
            saved = now
        if watch is not None and (now - watched >= WATCH_SECONDS or training.over):
            watch(training.progress())
            watched = now
    seconds = before + time.monotonic() - began
    settings, problem = training.settings, training.problem
    run = Run(
        settings=settings,
        results=training.results(),
        seconds=seconds,
        versions={**current_versions(), "backend": training.backend},
        parameters=sum(weights[0].numel() for weights in training.kept.values()),
        baselines=problem.baselines,
        facts=problem.facts,
    )
    if folder is not None:
        write_run(folder, run, load_replicas(settings, training.kept), problem.keeps)
    return Fitted(run, training.kept)


def _begin(fresh: Training, folder: Path, resume: bool) -> tuple[Training, float]:
    """A training from its start or its checkpoint, and the seconds that it has had."""
    path, settings = folder / CHECKPOINT, fresh.settings
    if not path.exists():
        return fresh, 0.0
    if not resume:
        raise StoreError(
            f"{folder} holds a run that was stopped before its end.\nGo on with --resume, or delete the folder."
        )
    checkpoint = read_tensors(path, starts_anew(folder))
    _refuse_others(folder, checkpoint.facts.get("of"), settings)
    try:
        return Training.restore(settings, checkpoint, fresh.backend), float(checkpoint.facts["seconds"])
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise StoreError(f"{path} is broken ({error}).\nDelete {folder}; the run then starts anew.") from None


def _read_finished(folder: Path, settings: Settings) -> Fitted:
    run = read_run(folder)
    _refuse_others(folder, run.settings.identity, settings)
    return Fitted(run, read_weights(folder))


def _refuse_others(folder: Path, found: object, settings: Settings) -> None:
    if found != settings.identity:
        raise StoreError(
            f"{folder} holds another run, {found}, and not {settings.identity}.\n"
            "Give the settings that it was made with, or choose another folder with --out."
        )


def _prepare(folder: Path) -> None:
    """Makes the folder, so that what can't be one is known before the training."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        strangers = [path.name for path in folder.iterdir() if path.name not in (RUN, MODEL, CELL, CHECKPOINT)]
    except OSError as error:
        raise StoreError(
            f"{folder} can't be a run's folder ({error.strerror}).\nChoose another one with --out."
        ) from None
    # Drafts of a run that was killed while it wrote begin with a dot.
    if seen := [name for name in strangers if not name.startswith(".")]:
        raise StoreError(f"{folder} holds {seen[0]}, which is not of a run.\nChoose a new or empty folder with --out.")
