"""What one seed of a finished run does inside: all readings of its gates and states, on inputs of its test.

T time, B inputs, W units.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import torch

from gatelab.errors import OptionError
from gatelab.language.edits import soft_gates
from gatelab.language.expressions import show
from gatelab.nn.models import SequenceModel
from gatelab.probes.gates import (
    Distribution,
    HalfLife,
    IdleUnits,
    Saturation,
    distribution,
    half_life,
    idle_units,
    saturation,
)
from gatelab.probes.hardening import Hardening, hardening
from gatelab.probes.information import Information, information
from gatelab.probes.keeping import kept_factors, kept_values
from gatelab.probes.probe import probe
from gatelab.probes.record import Record
from gatelab.tasks import find_task, open_problem
from gatelab.tasks.base import STEPS, Measure
from gatelab.training.replicas import load_replicas, weights_of
from gatelab.views.examples import Examples
from gatelab.views.machines import Machine, find_machine
from gatelab.views.opened import Opened
from gatelab.views.run_scenes import examples_of
from gatelab.views.watched import name_in

READ = 200
"""Inputs of the test that readings are taken from, unless told otherwise."""
GATE_BINS = tuple(step / 20 for step in range(21))
"""Edges of the histogram of a gate, so that gates can be laid side by side."""

Say = Callable[[str], None]
"""Is told what is done next."""


@dataclass(frozen=True)
class Reading:
    """One name of the equations in one layer.

    Attributes:
        key: as the probe has it.
        is_gate: whether it lies from 0 to 1 by how it is made.
        saturation: of a gate.
        keeps: of a state what it keeps of its previous value, as written; empty if nothing.
        half_life: by what it keeps, where that lies from 0 to 1.
        idle: units that say nothing.
        distribution: of its values.
    """

    key: str
    is_gate: bool
    saturation: Saturation | None
    keeps: str
    half_life: HalfLife | None
    idle: IdleUnits
    distribution: Distribution


@dataclass(frozen=True)
class Hardened:
    """What hard gates leave of a score, and which score that is."""

    measure: Measure
    scores: Hardening


@dataclass(frozen=True)
class Probing:
    """All that there is to say of what happens inside.

    Attributes:
        run: its folder.
        task, cell, seed: what it is.
        inputs: how many of the test were read.
        readings: a record a name.
        machine: of models that read symbols.
        information: of classifiers: what the units of each name tell of the class after the last step, in bits.
        hardened: of cells with soft gates.
    """

    run: str
    task: str
    cell: str
    seed: int
    inputs: int
    readings: tuple[Reading, ...]
    machine: Machine | None = None
    information: Mapping[str, Information] = field(default_factory=dict)
    hardened: Hardened | None = None


def read_probe(
    opened: Opened, names: Sequence[str] = (), inputs: int | None = None, say: Say = lambda words: None
) -> Probing:
    """The readings of a run.

    Args:
        opened: by `open_probe`.
        names: of the equations, as the probe takes them; all if there are none.
        inputs: how many of the test to read; None for `READ` or all that there are.
        say: is told what is done next.

    Raises:
        OptionError: there is no such name, or there are fewer inputs.
        DataError: the data of the test are not at hand, or the seed has diverged.
    """
    settings, model = opened.run.settings, opened.model
    say("reads the test")
    examples = examples_of(opened.folder, settings.task, inputs or READ)
    count = len(examples.labels)
    if inputs is not None and count < inputs:
        raise OptionError(
            f"The test of {settings.task} has {count} inputs, fewer than {inputs}.\nAsk for up to {count}."
        )
    record = watch_all(model, examples, names)
    say("takes the readings")
    keys = chosen_of(record, names)
    readings = tuple(_reading(key, model, record, examples) for key in keys)
    say("tells what units know of the class")
    told = _information(keys, record, examples)
    say("looks for a finite machine")
    machine = find_machine(model, examples, record)
    say("tests the model with hard gates")
    hardened = _hardened(opened)
    return Probing(
        str(opened.folder), settings.task, settings.cell, opened.seed, count, readings, machine, told, hardened
    )


@torch.no_grad()
def watch_all(model: SequenceModel, examples: Examples, names: Sequence[str] = ()) -> Record:
    """Every name of the equations while a model reads examples.

    Raises:
        OptionError: one of `names` is none of them.
    """
    with probe(model, *names, *model.recurrent.cell.names) as record:
        model(examples.x, examples.lengths)
    return record


def chosen_of(record: Record, names: Sequence[str]) -> tuple[str, ...]:
    """The keys that names stand for, in the order of the equations; all if there are none."""
    chosen = {key for name in names for key in record.keys_by_name[name]}
    return tuple(key for key in record.names if not names or key in chosen)


def _reading(key: str, model: SequenceModel, record: Record, examples: Examples) -> Reading:
    cell, values, lengths = model.recurrent.cell, record[key], examples.lengths
    name = name_in(cell, key)
    is_gate, suffix = name in cell.gates, key.removeprefix(name)
    factor = kept_factors(cell).get(name)
    kept = None
    if factor is not None:
        kept = kept_values(factor, {other: record[other + suffix] for other in cell.names}, values)
    return Reading(
        key=key,
        is_gate=is_gate,
        saturation=saturation(values, lengths) if is_gate else None,
        keeps="" if factor is None else show(factor),
        half_life=None if kept is None else half_life(kept, lengths),
        idle=idle_units(values, lengths),
        distribution=distribution(values, lengths, GATE_BINS if is_gate else 20),
    )


def _information(keys: Sequence[str], record: Record, examples: Examples) -> dict[str, Information]:
    target = examples.target
    if not examples.are_classes or target is None or target.ndim != 1 or len(target.unique()) < 2:
        return {}
    return {key: information(record[key], target.long(), examples.lengths) for key in keys}


def _hardened(opened: Opened) -> Hardened | None:
    """By the first measure of the task, on all of its test."""
    settings, single = opened.run.settings, opened.model
    if not soft_gates(single.recurrent.cell.lines):
        return None
    measure = next(measure for measure in find_task(settings.task).measures if measure.name != STEPS)
    problem = open_problem(settings.task, settings.options)
    model = load_replicas(settings, {name: own.unsqueeze(0) for name, own in weights_of(single).items()}).eval()
    return Hardened(measure, hardening(model, lambda of: problem.test(of)[measure.name]))
