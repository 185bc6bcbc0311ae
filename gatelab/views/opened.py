"""Finished runs that are opened to look inside, and what is drawn of them: models that read the same inputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from gatelab.errors import OptionError
from gatelab.nn.models import SequenceModel
from gatelab.nn.saving import load, read_facts
from gatelab.training.folder import read_run
from gatelab.training.record import Run, current_versions
from gatelab.views.examples import Examples
from gatelab.views.own_inputs import report_inputs, typed_examples
from gatelab.views.run_scenes import SHOWN, best_seed, examples_of, facts_of
from gatelab.views.scene import Facts, Scene, make_scene
from gatelab.views.tables import TableText


@dataclass(frozen=True)
class Opened:
    """A run that is looked into.

    Attributes:
        folder, run: where and what it is.
        seed: which one.
        model: of the seed.
        typed: inputs that somebody typed, or None.
    """

    folder: Path
    run: Run
    seed: int
    model: SequenceModel
    typed: Examples | None


def open_probe(folder: Path, seed: int | None = None, typed: Mapping[str, Sequence[str]] | None = None) -> Opened:
    """A finished run, opened.

    Args:
        folder: of the run.
        seed: which one; None for the best by the run's record.
        typed: inputs to draw, by the option of the command line that they were typed for.

    Raises:
        StoreError: there is no finished run, or a file of it is broken.
        OptionError: the run has no such seed, or its models don't read what was typed.
    """
    run = read_run(folder)
    chosen = best_seed(run) if seed is None else seed
    model = load(folder, chosen)
    own = typed_examples(run.settings.task, read_facts(folder).get("keeps", {}), typed or {})
    return Opened(folder, run, chosen, model, own)


def probe_scene(opened: Opened, others: Sequence[Opened] = (), tables: Sequence[TableText] = ()) -> Scene:
    """What is drawn: the typed inputs, else the report's bits for parity, else examples of the test.

    Args:
        opened: whose inputs are read.
        others: runs to compare with it, on the same inputs.
        tables: to stand beside it.

    Raises:
        OptionError: another run is of another task or of other options.
    """
    settings, all_of_them = opened.run.settings, (opened, *others)
    for other in others:
        own = other.run.settings
        if (own.task, own.options) != (settings.task, settings.options):
            raise OptionError(
                f"{other.folder} is a run of {own.task} and {opened.folder} one of {settings.task}, or their options "
                "differ.\nCompare runs that read the same inputs."
            )
    names = _names(all_of_them)
    return make_scene(
        dict(zip(names, (one.model for one in all_of_them), strict=True)),
        _shown(opened),
        title=f"{settings.task}: {' and '.join(names)}",
        tables=tables,
        foot=(
            *(facts_of(one.folder, one.run, one.seed) for one in all_of_them),
            Facts("this page", tuple(current_versions().items())),
        ),
    )


def _shown(opened: Opened) -> Examples:
    task = opened.run.settings.task
    if opened.typed is not None:
        return opened.typed
    return report_inputs() if task == "parity" else examples_of(opened.folder, task, SHOWN)


def _names(opened: Sequence[Opened]) -> list[str]:
    """What to call the models: by their cells, or by their folders where two are of one cell."""
    cells = [one.run.settings.cell for one in opened]
    return cells if len(set(cells)) == len(cells) else [str(one.folder) for one in opened]
