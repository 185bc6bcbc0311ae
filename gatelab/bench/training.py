"""Whole training, as `gatelab train` does it: an epoch beside one of Keras, and ten seeds at once beside one."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cache
from importlib import import_module
from typing import Any

import numpy as np

from gatelab.bench.conditions import Conditions
from gatelab.bench.findings import Finding, Findings
from gatelab.bench.keras_steps import keras_backend
from gatelab.bench.timing import Step, Timing, Watch, reason, take_turns
from gatelab.bench.verdicts import judge_ratio
from gatelab.errors import DataError
from gatelab.studies.plan import make_plan
from gatelab.studies.spec import find_study
from gatelab.training.loop import Training
from gatelab.training.settings import Settings, make_settings

SEEDS = 10
EPOCH, REPLICAS = 3.0, 5.0
"""How many times faster an epoch should be than Keras's, and ten seeds at once than one after the other."""
ENDLESS = 10**9
"""Steps that no measurement comes to."""
PARTS: tuple[tuple[str, str, int, dict[str, Any]], ...] = (
    ("digits", "lstm", 30, {"validation": 0.1}),
    ("parity", "o", 3, {}),
)
"""Tasks, cells, units and options with which no seed ends: digits without its early stop, and a cell that parity is too
hard for."""
OURS, THEIRS = "gatelab", "keras"
ALONE, TOGETHER = "one alone", f"{SEEDS} together"


def measure_training(conditions: Conditions, watch: Watch) -> Findings:
    """Steps of `Training` with all that belongs to them: batches, loss, gradients, clipping, Adam, early stops."""
    seconds = conditions.seconds / (1 + len(PARTS))
    rows = [_epoch(conditions, seconds, watch)]
    for task, cell, units, options in PARTS:
        steps = {
            name: _going_on(make_settings(task, cell, units, seeds, options=options), conditions.backend).step
            for name, seeds in ((ALONE, (0,)), (TOGETHER, tuple(range(SEEDS))))
        }
        alone, together = take_turns(steps, seconds, watch)
        name = f"{cell} on {task}, {SEEDS} seeds"
        verdict = judge_ratio(alone, together, task, name=name, times=SEEDS, at_least=REPLICAS)
        rows.append(Finding(name, task, {"ours": together.median, "other": alone.median}, verdict))
    return Findings(
        title="Training",
        unit="ms",
        rows=tuple(rows),
        notes=(
            f"An epoch of the preset imdb-small beside the same model and batches in Keras's fit on {keras_backend()}.",
            f"{SEEDS} seeds as replicas: {SEEDS} times a step of one seed over a step of all of them.",
        ),
    )


def _epoch(conditions: Conditions, seconds: float, watch: Watch) -> Finding:
    name, at = "an epoch", "imdb-small"
    watch(f"{name} of {at}", 0.0)
    try:
        training = _going_on(_small(), conditions.backend)
    except DataError as error:
        ours, theirs = Timing(OURS, why_not=reason(error)), Timing(THEIRS)
    else:
        # Keras is made within its first turn: where it is not installed, ours is measured all the same.
        steps = {OURS: _epoch_of(training), THEIRS: _once(lambda: _keras_epoch(training))}
        ours, theirs = take_turns(steps, seconds, watch)
    verdict = judge_ratio(theirs, ours, at, name=name, at_least=EPOCH)
    return Finding(name, at, {"ours": ours.median, "other": theirs.median}, verdict)


def _small() -> Settings:
    """One seed of the preset's lstm."""
    plan = make_plan(*find_study("imdb-small"), seeds=1)
    return next(run.settings for run in plan.runs if run.label == "lstm")


def _going_on(settings: Settings, backend: str) -> Training:
    """A training that does not end while it is measured, nor looks at its validation data."""
    endless = {"epochs": None, "steps": ENDLESS, "validate_every": ENDLESS}
    return Training(settings.model_copy(update=endless), backend)


def _once(make: Callable[[], Step]) -> Step:
    """A step that is made when it is first taken."""
    made = cache(make)
    return lambda: made()()


def _epoch_of(training: Training) -> Step:
    def epoch() -> None:
        for _ in range(training.course.epoch or 0):
            training.step()

    return epoch


def _keras_epoch(training: Training) -> Step:
    """The same texts and sizes in Keras: vectors, LSTM and one output, with Adam and the same clipping."""
    os.environ["KERAS_BACKEND"] = keras_backend()
    keras: Any = import_module("keras")
    settings, inputs = training.settings, training.problem.inputs
    batches = [training.course.batch() for _ in range(training.course.epoch or 0)]
    tokens = np.concatenate([batch.x[0].T.numpy() for batch in batches]).astype(np.int32)
    labels = np.concatenate([batch.target[0].numpy() for batch in batches])
    model = keras.Sequential(
        [
            keras.layers.Embedding(inputs.count, inputs.size),  # type: ignore[union-attr]
            keras.layers.LSTM(settings.hidden_size),
            keras.layers.Dense(1, activation="sigmoid"),
        ]
    )
    optimizer = keras.optimizers.Adam(settings.learning_rate, clipnorm=settings.clip)
    model.compile(optimizer=optimizer, loss="binary_crossentropy")
    return lambda: model.fit(tokens, labels, batch_size=settings.batch_size, epochs=1, verbose=0)
