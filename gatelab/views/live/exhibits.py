"""Exhibits: finished runs that are opened to be played with.

T time, B examples.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from gatelab.errors import DataError, OptionError
from gatelab.nn.models import SequenceModel
from gatelab.nn.saving import load, read_facts
from gatelab.tasks import find_task, read_options
from gatelab.training.folder import read_run
from gatelab.views.examples import Examples
from gatelab.views.live.hands import MOST_LETTERS, MOST_STEPS, Hand, Typed
from gatelab.views.live.inputs import HANDS
from gatelab.views.run_scenes import best_seed
from gatelab.views.task_examples import EXAMPLES

SAMPLED = 256
"""Examples of the test that spans are looked for in and that scores are of."""


@dataclass(frozen=True, eq=False)
class Exhibit:
    """A finished run, opened.

    Attributes:
        title: what to call it.
        task: its name.
        model: one of its seeds.
        hand: how its input is written.
        sample: some of its test; None if the data are not at hand.
        missing: why there is no sample; empty if there is one.
    """

    title: str
    task: str
    model: SequenceModel
    hand: Hand
    sample: Examples | None
    missing: str = ""

    @property
    def start(self) -> str:
        """The input to begin with, as text."""
        return self.hand.start or (self.hand.blank if self.sample is None else self.hand.write(self.sample, 0))

    def read(self, text: str) -> Typed:
        """The input that a text stands for.

        Raises:
            OptionError: the text is too long, or holds nothing that the model can read.
        """
        if len(text) > MOST_LETTERS:
            raise OptionError(f"The text has {len(text):,} letters.\nWrite at most {MOST_LETTERS:,}.")
        typed = self.hand.read(text)
        if (steps := len(typed.examples.x)) > MOST_STEPS:
            raise OptionError(f"The input has {steps:,} steps.\nWrite at most {MOST_STEPS:,}.")
        return typed


def open_exhibits(folders: Sequence[Path], seed: int | None = None) -> tuple[Exhibit, ...]:
    """The exhibits of finished runs, in their order.

    Args:
        folders: of the runs.
        seed: which one of each run; None for the best by the run's record.

    Raises:
        StoreError: there is no finished run, or a file of it is broken.
        OptionError: a run has no such seed, or it has diverged.
        DataError: a task has no live input, and its test is not at hand.
    """
    found = [open_exhibit(folder, seed) for folder in folders]
    titles = [one.title for one in found]
    return tuple(
        one if titles.count(one.title) == 1 else replace(one, title=f"{one.title} ({folder.name})")
        for one, folder in zip(found, folders, strict=True)
    )


def open_exhibit(folder: Path, seed: int | None = None) -> Exhibit:
    """The exhibit of one finished run; errors as `open_exhibits` has them."""
    run = read_run(folder)
    chosen = best_seed(run) if seed is None else seed
    model, keeps, settings = load(folder, chosen), read_facts(folder).get("keeps", {}), run.settings
    if any(result.seed == chosen and result.end == "diverged" for result in run.results):
        raise OptionError(f"Seed {chosen} of {folder} has diverged.\nOpen another one with --seed, or another run.")
    sample, missing = None, ""
    try:
        options = read_options(find_task(settings.task), settings.options)
        sample = EXAMPLES[settings.task](options, keeps, SAMPLED)
    except (DataError, OptionError) as error:
        missing = str(error)
        if settings.task not in HANDS:
            raise
    hand = HANDS[settings.task](settings.options, keeps) if settings.task in HANDS else _choice(settings.task, sample)
    size = f"{settings.hidden_size} unit{'s' * (settings.hidden_size > 1)}"
    return Exhibit(f"{settings.task}: {settings.cell}, {size}", settings.task, model, hand, sample, missing)


def _choice(task: str, sample: Examples | None) -> Hand:
    """For tasks without a live input: the number of an example of the test."""
    assert sample is not None
    count = len(sample.labels)

    def read(text: str) -> Typed:
        if not (text.strip().isascii() and text.strip().isdigit() and 1 <= int(text) <= count):
            raise OptionError(f"There is no example {text.strip()[:9]!r}.\nWrite a number from 1 to {count}.")
        return Typed(_only(sample, int(text) - 1))

    return Hand(
        surface="choice",
        hint=f"For {task} there is no live input yet. Choose an example of its test, from 1 to {count}.",
        read=read,
        write=lambda examples, place: str(place + 1),
    )


def _only(examples: Examples, place: int) -> Examples:
    """One of some examples by itself; what is asked of it is left out, as of anything that is typed."""
    x = examples.x[: examples.ends[place], place : place + 1]
    return replace(examples, x=x, labels=(examples.labels[place],), target=None, titles=(), lengths=None)
