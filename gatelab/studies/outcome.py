"""What a study found: for every cell, size and start its seeds' numbers, beside what was reported."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from gatelab.studies.comparisons import Comparison, compare_all, shares
from gatelab.studies.plan import Plan, PlannedRun
from gatelab.studies.statistics import Share, Summary, share, summarise
from gatelab.studies.trials import Searched, diverged_in, make_searched, make_tried, values_of
from gatelab.studies.verdicts import verdicts
from gatelab.tasks import find_task
from gatelab.training.record import Run


@dataclass(frozen=True)
class Finding:
    """One measure of one run.

    Attributes:
        measure: its name.
        values: of the seeds that it means something for, by seed.
        summary: of the values; None if there are none.
        reported: the number of the study's reference, if there is one.
    """

    measure: str
    values: Mapping[int, float]
    summary: Summary | None
    reported: float | None


@dataclass(frozen=True)
class Group:
    """One run of a study: all seeds of a cell with one size and start in one part.

    Attributes:
        part: what the study calls the task with its options.
        task: its name.
        cell: what the study calls it.
        init: what the study calls the start.
        hidden_size: H.
        size: the hidden size that the study asked for; H is another one where parameters are matched.
        length: how long training could take, in words.
        parameters: learned numbers of one model.
        seeds: how many.
        reached: the share of seeds that reached the task's goal.
        solved: which seeds did.
        diverged: the seeds whose loss was not finite; they have no scores.
        findings: by measure, in the task's order.
    """

    part: str
    task: str
    cell: str
    init: str
    size: int
    hidden_size: int
    length: str
    parameters: int
    seeds: int
    reached: Share
    solved: Mapping[int, bool]
    diverged: tuple[int, ...]
    findings: Mapping[str, Finding]


@dataclass(frozen=True)
class Compared:
    """Cells of one size and start against each other, corrected for how many there are.

    Attributes:
        part: of the study.
        size: as the study asked for it; None where it is drawn.
        init: what the study calls the start.
        comparisons: of every two cells, or of each with the one that the study names.
        verdicts: what they come to, in sentences.
    """

    part: str
    size: int | None
    init: str
    comparisons: tuple[Comparison, ...]
    verdicts: tuple[str, ...]


@dataclass(frozen=True)
class Outcome:
    """What a study found.

    Attributes:
        name: of the study.
        about: what it asks.
        groups: in the order of the plan; those of parts that are searched are in `searched`.
        compared: likewise; empty where a part has one cell.
        differences: for each part, in words, what was asked for otherwise than in the study's file.
        notes: for each part, sentences that belong beside its numbers.
        sources: for each part, where the reported numbers are from.
        baselines: for each part, scores of what learns nothing, by its name and the measure's.
        facts: for each part, what is worth knowing of its data.
        searched: the trials of each cell, in the order of the plan.
    """

    name: str
    about: str
    groups: tuple[Group, ...]
    compared: tuple[Compared, ...]
    differences: Mapping[str, tuple[str, ...]]
    notes: Mapping[str, tuple[str, ...]]
    sources: Mapping[str, tuple[str, ...]]
    baselines: Mapping[str, Mapping[str, Mapping[str, float]]]
    facts: Mapping[str, tuple[str, ...]]
    searched: tuple[Searched, ...] = ()

    def of(self, part: str) -> tuple[Group, ...]:
        """The groups of a part."""
        return tuple(group for group in self.groups if group.part == part)


def make_outcome(plan: Plan, runs: Mapping[str, Run]) -> Outcome:
    """What the runs of a plan say together.

    Args:
        plan: of the study.
        runs: all of its runs, by identity.
    """
    study = plan.study
    plain = [planned for planned in plan.runs if planned.trial is None]
    groups = tuple(_make_group(plan, planned, runs[planned.settings.identity]) for planned in plain)
    searched = tuple(_search_all(plan, runs))
    parts = list(plan.differences)
    first = {part: runs[next(p for p in plan.runs if p.part == part).settings.identity] for part in parts}
    return Outcome(
        name=plan.name,
        about=study.about,
        groups=groups,
        compared=tuple(
            compared
            for part in parts
            for compared in (
                *_compare([group for group in groups if group.part == part], study.against),
                *_compare_trials([cell for cell in searched if cell.part == part], study.against),
            )
        ),
        differences=plan.differences,
        notes={part: tuple(study.tasks[part].notes) for part in parts},
        sources={
            part: tuple(dict.fromkeys(entry.source for entry in study.reference if entry.task == part))
            for part in parts
        },
        baselines={part: run.baselines for part, run in first.items()},
        facts={part: run.facts for part, run in first.items()},
        searched=searched,
    )


def _make_group(plan: Plan, planned: PlannedRun, run: Run) -> Group:
    settings, task = planned.settings, find_task(planned.settings.task)
    findings = {}
    for measure in task.measures:
        values = values_of(run, measure)
        findings[measure.name] = Finding(
            measure=measure.name,
            values=values,
            summary=summarise(list(values.values()), measure.best),
            reported=plan.study.reported(planned.part, planned.size, planned.label, measure.name),
        )
    return Group(
        part=planned.part,
        task=task.name,
        cell=planned.label,
        init=planned.init,
        size=planned.size,
        hidden_size=settings.hidden_size,
        length=settings.length,
        parameters=run.parameters,
        seeds=len(run.results),
        reached=share(sum(result.end == "goal" for result in run.results), len(run.results)),
        solved={result.seed: result.end == "goal" for result in run.results},
        diverged=diverged_in(run),
        findings=findings,
    )


def _search_all(plan: Plan, runs: Mapping[str, Run]) -> Iterator[Searched]:
    """The trials of every cell, size and start that are searched."""
    trials: dict[tuple[object, ...], list[PlannedRun]] = {}
    for planned in plan.runs:
        if planned.trial is not None:
            trials.setdefault((planned.part, planned.asked, planned.init, planned.label), []).append(planned)
    for own in trials.values():
        search, measure = plan.study.tasks[own[0].part].search, find_task(own[0].settings.task).measures[0]
        assert search is not None
        found = [(planned, runs[planned.settings.identity]) for planned in own]
        tried = [make_tried(planned, run, measure) for planned, run in found]
        yield make_searched(own[0], search.ranges, measure, tried)


def _compare(groups: Sequence[Group], against: str | None) -> list[Compared]:
    """Every two cells of a part, or each with one, size by size and start by start.

    On a task that can be solved the cells are compared by which seeds solve it, else by the task's first measure.
    """
    if not groups:
        return []
    task, found = find_task(groups[0].task), []
    measure = task.measures[0]
    for size, init in dict.fromkeys((group.size, group.init) for group in groups):
        own = [group for group in groups if (group.size, group.init) == (size, init)]
        if task.solves:
            comparisons = shares({group.cell: group.solved for group in own}, against)
        else:
            values = {group.cell: group.findings[measure.name].values for group in own}
            comparisons = compare_all(
                values, measure.best, against, measure=measure.name, unit=measure.unit, digits=measure.digits
            )
        words = verdicts(comparisons, _where(groups[0].part, size))
        found.append(Compared(groups[0].part, size, init, comparisons, words))
    return found


def _compare_trials(cells: Sequence[Searched], against: str | None) -> list[Compared]:
    """The same in a part that is searched, paired by the trials' numbers."""
    found = []
    for size, init in dict.fromkeys((cell.size, cell.init) for cell in cells):
        own = [cell for cell in cells if (cell.size, cell.init) == (size, init)]
        measure = find_task(own[0].task).measures[0]
        comparisons = compare_all(
            {cell.cell: cell.scores for cell in own},
            measure.best,
            against,
            measure=measure.name,
            unit=measure.unit,
            digits=measure.digits,
            paired="trial",
        )
        words = verdicts(comparisons, _where(own[0].part, size))
        found.append(Compared(own[0].part, size, init, comparisons, words))
    return found


def _where(part: str, size: int | None) -> str:
    return part if size is None else f"{part} with {size} unit{'s' if size > 1 else ''}"
