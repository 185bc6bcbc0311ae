"""A report's tables, as text that `draw_table` draws."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from gatelab.bench.cell_tables import cell_tables
from gatelab.bench.contenders import PEERS
from gatelab.bench.findings import Findings
from gatelab.bench.losses import LOSSES
from gatelab.bench.report import Report, Summary, summarise
from gatelab.bench.steps import RATED, StepReport
from gatelab.bench.texts import ABOUT_LOSSES, MARKS, grouped, judged, number, percent
from gatelab.bench.timing import Timing
from gatelab.bench.verdicts import Verdict
from gatelab.views.tables import NOTHING, TableText

SIZE = ("B, T, I, H", "size")
QUIET = 0.5
BUSY = "Something else was running (load {:.1f}). Then times with several threads can be many times too long."
"""For a load above the quiet one. Threads that wait for each other wait for the other process too."""
BEYOND = "!! before what would not keep to it even if all multiply-adds were made at the peak."
PEER_NAMES = {contender.name for contender in PEERS}


def report_tables(report: Report) -> tuple[TableText, ...]:
    """All that were asked for, and the summary below the last."""
    return (*_step_tables(report), *cell_tables(report.cells), *map(_findings, report.more.values()))


def _step_tables(report: Report) -> Iterable[TableText]:
    """The times of ours and torch's, a table a loss; then those of peers, and the ratios."""
    caption = _circumstances(report)
    for loss in dict.fromkeys(step.loss for step in report.steps):
        yield _times([step for step in report.steps if step.loss == loss], loss, caption)
        caption = ()
    if any(timing.name in PEER_NAMES for step in report.steps for timing in step.timings):
        yield _peers(report)
    if report.steps:
        yield _ratios(report.steps)


def _circumstances(report: Report) -> tuple[str, ...]:
    machine, peak = report.machine, report.peak
    return (
        f"{machine.processor} ({machine.llvm_name}), {machine.vector_bits} bits, {machine.threads} of "
        f"{machine.cores} cores, backend {report.conditions.backend}, torch {machine.versions['torch']}. gl.nn: "
        "gatelab.nn.LSTM, with torch's own parameters.",
        f"Peak in multiply-adds: {peak.all:,.0f} GFLOP/s with {_count(peak.threads, 'thread')}, {peak.one:,.0f} "
        "with one. Of the peak: of that in the same minute. Products of matrices count, and nothing else.",
        *((BUSY.format(machine.load),) if machine.load and machine.load > QUIET else ()),
    )


def _times(steps: Sequence[StepReport], loss: str, caption: tuple[str, ...]) -> TableText:
    """Ours and torch's, and how near to the peak they come."""
    own = [timing.name for timing in steps[0].timings if timing.name not in PEER_NAMES]
    return TableText(
        title=f"A training step, {LOSSES[loss].words}, median ms",
        headings=(*SIZE, *map(_stacked, own), *(f"{name} of\npeak" for name in RATED)),
        sections=(
            tuple((*_size(step), *(_milliseconds(step, name) for name in own), *_rates(step)) for step in steps),
        ),
        caption=(*caption, *_reasons(steps, own)),
    )


def _peers(report: Report) -> TableText:
    peers = [timing.name for timing in report.steps[0].timings if timing.name in PEER_NAMES]
    needed = {peer.needs for peer in PEERS}
    versions = [f"{name} {version}" for name, version in report.machine.versions.items() if version and name in needed]
    if report.machine.versions["keras"]:
        versions.append(f"keras runs on {report.machine.keras_backend}")
    return TableText(
        title="The same of others, median ms",
        headings=(*SIZE, "loss", *map(_stacked, peers)),
        sections=(
            tuple((*_size(step), step.loss, *(_milliseconds(step, name) for name in peers)) for step in report.steps),
        ),
        caption=(*((f"{', '.join(versions)}.",) if versions else ()), *_reasons(report.steps, peers)),
    )


def _ratios(steps: Sequence[StepReport]) -> TableText:
    return TableText(
        title="How many times faster",
        headings=(*SIZE, "loss", *(verdict.name.replace(" / ", "\nover ") for verdict in steps[0].ratios)),
        sections=(
            tuple(
                (*_size(step), step.loss, *(_marked(each, step.at_peak.get(each.name)) for each in step.ratios))
                for step in steps
            ),
        ),
        caption=(MARKS.format("floor"), BEYOND, *ABOUT_LOSSES),
    )


def _findings(findings: Findings) -> TableText:
    columns = list(dict.fromkeys(column for row in findings.rows for column in row.numbers))
    unit = findings.rows[0].verdict.unit
    bounded = any(row.verdict.at_least or row.verdict.at_most for row in findings.rows)
    return TableText(
        title=findings.title,
        headings=("at", "", *(f"{column}\n{findings.unit}" for column in columns), "ratio" if unit == "x" else unit),
        sections=(
            tuple(
                (row.at, row.what, *(number(row.numbers.get(column)) for column in columns), judged(row.verdict))
                for row in findings.rows
            ),
        ),
        caption=(
            *findings.notes,
            *((MARKS.format("floor or ceiling"),) if bounded else ()),
            *grouped((row.verdict.why_not, row.what, row.at) for row in findings.rows if row.verdict.why_not),
        ),
    )


def summary_text(report: Report) -> str:
    """How many floors and ceilings hold, in a few lines; the tables mark the others."""
    counts: dict[str, list[Verdict]] = {}
    for step in report.steps:
        counts.setdefault(f"training step, loss {step.loss}", []).extend(step.ratios)
    for row in report.cells:
        counts.setdefault(f"cells, loss {row.loss}", []).extend(row.ratios)
    for name, findings in report.more.items():
        counts[name] = [row.verdict for row in findings.rows]
    summaries = {name: summarise(verdicts) for name, verdicts in counts.items()}
    parts = [_held(name, summary) for name, summary in summaries.items() if summary.asked]
    if not parts:
        return f"Nothing is asked of these.\nMeasured in {report.seconds:,.0f} s."
    missing = f", {len(report.summary.open)} could not be measured" if report.summary.open else ""
    return (
        f"{_held('Floors and ceilings', report.summary)}{missing} ({'; '.join(parts)}).\n"
        f"Measured in {report.seconds:,.0f} s."
    )


def _held(name: str, summary: Summary) -> str:
    return f"{name}: {summary.hold} of {summary.hold + len(summary.fail)} hold"


def _size(step: StepReport) -> tuple[str, str]:
    return str(step.size), step.size.name


def _milliseconds(step: StepReport, name: str) -> str:
    return number(next(timing.median for timing in step.timings if timing.name == name))


def _rates(step: StepReport) -> Iterable[str]:
    rates = {rate.name: rate for rate in step.rates}
    for name in RATED:
        rate = rates.get(name)
        yield NOTHING if rate is None else percent(rate.share)


def _marked(verdict: Verdict, at_peak: float | None) -> str:
    """A ratio with its floor, and whether that can be reached at all."""
    if verdict.holds is False and verdict.at_least is not None and at_peak is not None and verdict.at_least > at_peak:
        return "!" + judged(verdict)
    return judged(verdict)


def _reasons(steps: Iterable[StepReport], names: Iterable[str]) -> Iterable[str]:
    missing: list[tuple[StepReport, Timing]] = [
        (step, timing) for step in steps for timing in step.timings if timing.why_not and timing.name in names
    ]
    places = ((timing.why_not, timing.name, step.size.name) for step, timing in missing)
    return grouped(dict.fromkeys(places))


def _stacked(name: str) -> str:
    return name.replace(" ", "\n")


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'s' if number != 1 else ''}"
