"""The report of one seed of a finished run: its model, its scores, and what it answers.

`make_report` computes it as a record, `report_tables` gives its tables.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from gatelab.errors import OptionError
from gatelab.nn.saving import load
from gatelab.tasks import find_task, open_problem, read_options
from gatelab.tasks.base import Model, Problem
from gatelab.tasks.series_options import SeriesOptions
from gatelab.training.folder import read_run
from gatelab.training.record import Run, SeedResult
from gatelab.training.replicas import load_replicas, weights_of
from gatelab.training.settings import Settings
from gatelab.views.classification import Classification, ClassScore, judge, short_names
from gatelab.views.forecasts import Forecast, some_forecasts
from gatelab.views.runs import ENDS
from gatelab.views.summaries import Summary, draw_summary, summarise_model
from gatelab.views.tables import NOTHING, WIDTH, TableText

DIGITS = 4
"""After the point, of a score that is no measure of its task."""


@dataclass(frozen=True)
class Report:
    """What there is to say of one seed.

    Attributes:
        settings: of the run.
        result: of the seed.
        summary: of the model.
        baselines: scores of what learns nothing, by its name and the score's.
        facts: what is worth knowing of the data.
        names: of the classes; empty for what is no classifier.
        classification: of the test sequences; None for what is no classifier or has diverged.
        forecasts: some of the test part; none for what forecasts nothing or has diverged.
    """

    settings: Settings
    result: SeedResult
    summary: Summary
    baselines: Mapping[str, Mapping[str, float]]
    facts: tuple[str, ...]
    names: tuple[str, ...] = ()
    classification: Classification | None = None
    forecasts: tuple[Forecast, ...] = ()


def make_report(folder: Path, seed: int | None = None) -> Report:
    """The report of a seed in the folder of a finished run; the first one if none is given.

    Raises:
        StoreError: there is no finished run, or a file of it is broken.
        OptionError: the run has no such seed.
        DataError: the data of a classifier's test are not at hand.
    """
    run = read_run(folder)
    result = _result(run, seed)
    single, settings = load(folder, result.seed), run.settings
    problem = open_problem(settings.task, settings.options)
    report = Report(
        settings=settings,
        result=result,
        summary=summarise_model(single),
        baselines=run.baselines,
        facts=run.facts,
        names=problem.classes.names if problem.classes else (),
    )
    if result.end == "diverged":
        return report
    model = load_replicas(settings, {name: own.unsqueeze(0) for name, own in weights_of(single).items()}).eval()
    options = read_options(find_task(settings.task), settings.options)
    return replace(
        report,
        classification=_judged(problem, model),
        forecasts=some_forecasts(model, options) if isinstance(options, SeriesOptions) else (),
    )


def report_tables(report: Report) -> tuple[TableText, ...]:
    """The model, its scores, and for a classifier its classes, its confusions and its calibration."""
    tables = [draw_summary(report.summary), _score_table(report)]
    if report.classification is not None:
        tables += [_class_table(report.classification), *_confusion_tables(report.classification)]
        tables.append(_calibration_table(report.classification))
    return tuple(tables)


def _result(run: Run, seed: int | None) -> SeedResult:
    known = {result.seed: result for result in run.results}
    if seed is not None and seed not in known:
        raise OptionError(f"The run has no seed {seed}.\nIt has: {', '.join(map(str, known))}.")
    return run.results[0] if seed is None else known[seed]


@torch.no_grad()
def _judged(problem: Problem, model: Model) -> Classification | None:
    """The classes of the test, as a model of one replica answers them."""
    if problem.classes is None:
        return None
    logits, target = problem.classes.answers(model)
    return judge(logits[0], target, problem.classes.names)


def _score_table(report: Report) -> TableText:
    """A row for the model, and one for each thing that learns nothing."""
    result, settings = report.result, report.settings
    measures = {measure.name: measure for measure in find_task(settings.task).measures}
    headings, columns = [], []
    for name, value in result.scores.items():
        known = measures.get(name)
        digits = known.digits if known else DIGITS
        others = [own.get(name) for own in report.baselines.values()]
        headings.append(f"{name}, {known.unit}" if known and known.unit else name)
        columns.append([NOTHING if one is None else f"{one:,.{digits}f}" for one in (value, *others)])
    rows = list(zip(*columns, strict=True))
    named = tuple(("", name, *row) for name, row in zip(report.baselines, rows[1:], strict=True))
    kept = f", weights of step {result.chosen:,}" if result.looks else ""
    return TableText(
        title=f"{settings.task}: the test",
        headings=("seed", "by", *headings),
        sections=(((str(result.seed), settings.cell, *rows[0]),), named),
        caption=(f"{result.steps:,} steps: {ENDS[result.end]}{kept}.", *report.facts),
    )


def _class_table(found: Classification) -> TableText:
    def row(one: ClassScore, name: str) -> tuple[str, ...]:
        return (f"{one.count:,}", name, *(_percent(share) for share in (one.precision, one.recall, one.f1)))

    return TableText(
        title="Classes",
        headings=("count", "class", "precision, %", "recall, %", "F1, %"),
        sections=(
            tuple(map(row, found.classes, short_names([one.name for one in found.classes]))),
            tuple(row(one, one.name) for one in found.averages),
        ),
        caption=(
            f"{_percent(found.accuracy)} % are right; {found.loss:.4f} nats.",
            *(
                ()
                if _confusion_tables(found)
                else (f"Which answers were given takes more than {WIDTH} columns: --out.",)
            ),
        ),
    )


def _confusion_tables(found: Classification) -> tuple[TableText, ...]:
    """How many of each class were answered how; no table where it would not fit the width."""
    names = short_names([one.name for one in found.classes])
    rows = [
        (f"{one.count:,}", name, *(f"{count:,}" for count in own))
        for one, name, own in zip(found.classes, names, found.confusion, strict=True)
    ]
    headings = ("count", "class", *names)
    widths = [max(map(len, column)) for column in zip(headings, *rows, strict=True)]
    if sum(widths) + 2 * len(widths) > WIDTH:
        return ()
    caption = ("A row for what a sequence is, a column for the answer.",)
    return (TableText("Answers", headings, (tuple(rows),), caption),)


def _calibration_table(found: Classification) -> TableText:
    rows = tuple(
        (
            f"{one.count:,}",
            f"{100 * one.low:.0f}-{100 * one.high:.0f}",
            _percent(one.confidence),
            _percent(one.accuracy),
        )
        for one in found.bins
    )
    return TableText(
        title="Calibration",
        headings=("count", "sure, %", "mean, %", "right, %"),
        sections=(rows,),
        caption=(
            "Sure: the probability of the class that is answered.",
            f"Expected calibration error: {_percent(found.calibration_error)} points (Guo et al. 2017).",
        ),
    )


def _percent(share: float) -> str:
    return f"{100 * share:.1f}"
