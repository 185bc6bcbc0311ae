"""How much each searched setting matters: the share of the scores' variance that it explains by itself.

Functional ANOVA on a random forest (Hutter, Hoos & Leyton-Brown 2014), as optuna has it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import ModuleType

from gatelab.errors import OptionError
from gatelab.studies.search import Among, Between, Drawn, Range

FEWEST_TRIALS = 10
"""Below it a forest has hardly anything to split, and its shares are noise."""
SEED = 0
"""Of the forest."""


def load_optuna() -> ModuleType:
    """The module optuna.

    Raises:
        OptionError: it is not installed.
    """
    try:
        import optuna  # noqa: PLC0415
    except ImportError:
        raise OptionError(
            "A search tells how much each setting matters by optuna, which is not installed.\n"
            "Install it: pip install gatelab[search]"
        ) from None
    return optuna


def importance(
    ranges: Mapping[str, Range], drawn: Sequence[Mapping[str, Drawn]], scores: Sequence[float]
) -> dict[str, float] | None:
    """The share of variance, from 0 to 1, that each setting explains; None where too few trials or none vary.

    What is left to 1 is explained only by settings together.

    Args:
        ranges: by setting.
        drawn: the settings of each trial, within the ranges.
        scores: of the trials, finite.

    Raises:
        OptionError: optuna is not installed.
    """
    if len(scores) < FEWEST_TRIALS or len(set(scores)) == 1:
        return None
    optuna = load_optuna()
    distributions = {name: _distribution(optuna, of) for name, of in ranges.items()}
    places = [{name: _place(ranges[name], value) for name, value in values.items()} for values in drawn]
    trials = [
        optuna.trial.create_trial(params=own, distributions=distributions, value=score)
        for own, score in zip(places, scores, strict=True)
    ]
    with _quiet(optuna):
        study = optuna.create_study()
        study.add_trials(trials)
        judge = optuna.importance.FanovaImportanceEvaluator(seed=SEED)
        found = judge.evaluate(study, params=[*ranges])
    return {name: float(found[name]) for name in ranges}


def _distribution(optuna: ModuleType, of: Range) -> object:
    if isinstance(of, Among):
        return optuna.distributions.CategoricalDistribution(of.among)
    return optuna.distributions.FloatDistribution(_place(of, of.low), _place(of, of.high))


def _place(of: Range, value: Drawn) -> Drawn:
    """A value as it was drawn evenly: optuna weighs numbers evenly also where their logarithms were drawn so."""
    return math.log(value) if isinstance(of, Between) and of.log else value  # type: ignore[arg-type]


@contextmanager
def _quiet(optuna: ModuleType) -> Iterator[None]:
    """Without optuna's message that a study in memory was made."""
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        yield
    finally:
        optuna.logging.set_verbosity(before)
