"""Where the runs of a study stand, those of a search by their trials: what was drawn, and the score so far."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from gatelab.studies.plan import Plan, PlannedRun
from gatelab.studies.search import Drawn
from gatelab.studies.store import State, Store
from gatelab.studies.trials import score_of, values_of
from gatelab.tasks import find_task
from gatelab.views.states import state_rows, state_table
from gatelab.views.tables import NOTHING, TableText


@dataclass(frozen=True)
class TrialState:
    """Where one trial of a search stands.

    Attributes:
        state: of its run.
        number: from 0 on.
        of: how many trials the cell has.
        drawn: the searched settings.
        score: the median of its seeds by the task's first measure; None until it is finished, or if there is none.
    """

    state: State
    number: int
    of: int
    drawn: Mapping[str, Drawn]
    score: float | None

    @property
    def planned(self) -> PlannedRun:
        """Which run it is."""
        return self.state.planned


def trial_states(plan: Plan, store: Store) -> dict[str, TrialState]:
    """Where every trial of a plan stands, by the identity of its run."""
    searched = tuple(planned for planned in plan.runs if planned.trial is not None)
    counts = Counter(map(_kind, searched))
    states = store.states(replace(plan, runs=searched))
    return {state.planned.settings.identity: _make(state, counts[_kind(state.planned)]) for state in states}


def status_rows(plan: Plan, store: Store) -> list[dict[str, Any]]:
    """A row a run, as `state_rows` has it; that of a trial says its number, what it has drawn and its score, too."""
    rows = zip(plan.runs, state_rows(plan, store), strict=True)
    trials = trial_states(plan, store)
    return [row | _facts(trials.get(planned.settings.identity)) for planned, row in rows]


def status_tables(plan: Plan, store: Store) -> tuple[TableText, ...]:
    """A table of the runs that are not searched, and one for each part that is; how many there are below the last."""
    whole, trials = state_table(plan, store), trial_states(plan, store)
    rows = zip(plan.runs, whole.sections[0], strict=True)
    plain = tuple(row for planned, row in rows if planned.trial is None)
    parts = dict.fromkeys(trial.planned.part for trial in trials.values())
    tables = [replace(whole, sections=(plain,), caption=())] if plain else []
    tables += [_trial_table(plan, [one for one in trials.values() if one.planned.part == part]) for part in parts]
    *before, last = tables
    return (*before, replace(last, caption=(*last.caption, *whole.caption)))


def _kind(planned: PlannedRun) -> tuple[object, ...]:
    """What the trials of one cell have in common."""
    return planned.part, planned.asked, planned.init, planned.label


def _make(state: State, of: int) -> TrialState:
    planned, run = state.planned, state.run
    assert planned.trial is not None
    measure = find_task(planned.settings.task).measures[0]
    score = None if run is None else score_of(values_of(run, measure))
    return TrialState(state, planned.trial.number, of, planned.trial.drawn, score)


def _facts(trial: TrialState | None) -> dict[str, Any]:
    if trial is None:
        return {}
    return {"trial": trial.number, "trials": trial.of, "drawn": dict(trial.drawn), "score": trial.score}


def _trial_table(plan: Plan, trials: Sequence[TrialState]) -> TableText:
    """A row a trial, and a section a cell."""
    first = trials[0].planned
    settings = [name for name in trials[0].drawn if name != "hidden_size"]
    measure = find_task(first.settings.task).measures[0]
    kinds = dict.fromkeys(_kind(trial.planned) for trial in trials)
    return TableText(
        title=f"{plan.name}: {first.part}, trials",
        headings=("trial", "cell", "size", "start", *settings, "stands", measure.name),
        sections=tuple(
            tuple(_row(trial, settings, measure.digits) for trial in trials if _kind(trial.planned) == kind)
            for kind in kinds
        ),
        caption=(
            f"Trials 0 to {trials[0].of - 1} of each cell; those of one number have the same draws in all cells.",
        ),
    )


def _row(trial: TrialState, settings: Sequence[str], digits: int) -> tuple[str, ...]:
    planned, state = trial.planned, trial.state
    return (
        str(trial.number),
        planned.label,
        str(planned.settings.hidden_size),
        planned.init,
        *(str(trial.drawn[name]) for name in settings),
        f"{state.stands}, step {state.step:,}" if state.step else state.stands,
        NOTHING if trial.score is None else f"{trial.score:,.{digits}f}",
    )
