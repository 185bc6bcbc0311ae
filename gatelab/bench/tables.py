"""A report's tables, as text that `draw_table` draws."""

from __future__ import annotations

from collections.abc import Iterable

from gatelab.bench.contenders import PEERS
from gatelab.bench.findings import Findings
from gatelab.bench.report import Report, Summary, summarise
from gatelab.bench.steps import RATED, StepReport
from gatelab.bench.timing import Timing
from gatelab.bench.verdicts import Verdict
from gatelab.views.tables import NOTHING, TableText

SIZE = ("B, T, I, H", "size")
QUIET = 0.5
BUSY = "Something else was running (load {:.1f}). Then times with several threads can be many times too long."
"""For a load above the quiet one. Threads that wait for each other wait for the other process too."""
PEER_NAMES = {contender.name for contender in PEERS}


def report_tables(report: Report) -> tuple[TableText, ...]:
    """All that were asked for, and the summary below the last."""
    tables = []
    if report.steps:
        tables += [_times(report), _ratios(report)]
        if any(timing.name in PEER_NAMES for step in report.steps for timing in step.timings):
            tables.insert(1, _peers(report))
    if report.cells:
        tables.append(_cells(report))
    return (*tables, *map(_findings, report.more.values()))


def _times(report: Report) -> TableText:
    """Ours and torch's, and how near to the peak they come."""
    own = [timing.name for timing in report.steps[0].timings if timing.name not in PEER_NAMES]
    machine, peak = report.machine, report.peak
    return TableText(
        title="A training step, median ms",
        headings=(*SIZE, *map(_stacked, own), *(part for name in RATED for part in (f"{name}\nGFLOP/s", "of\npeak"))),
        sections=(
            tuple((*_size(step), *(_milliseconds(step, name) for name in own), *_rates(step)) for step in report.steps),
        ),
        caption=(
            f"{machine.processor} ({machine.llvm_name}), {machine.vector_bits} bits, {machine.threads} of "
            f"{machine.cores} cores, backend {report.conditions.backend}, torch {machine.versions['torch']}.",
            f"Peak in multiply-adds: {peak.all:,.0f} GFLOP/s with {_count(peak.threads, 'thread')}, {peak.one:,.0f} "
            "with one. Products of matrices count, and nothing else.",
            *((BUSY.format(machine.load),) if machine.load and machine.load > QUIET else ()),
            *_reasons(report.steps, own),
        ),
    )


def _peers(report: Report) -> TableText:
    peers = [timing.name for timing in report.steps[0].timings if timing.name in PEER_NAMES]
    needed = {peer.needs for peer in PEERS}
    versions = [f"{name} {version}" for name, version in report.machine.versions.items() if version and name in needed]
    if report.machine.versions["keras"]:
        versions.append(f"keras runs on {report.machine.keras_backend}")
    return TableText(
        title="The same of others, median ms",
        headings=(*SIZE, *map(_stacked, peers)),
        sections=(tuple((*_size(step), *(_milliseconds(step, name) for name in peers)) for step in report.steps),),
        caption=(*((f"{', '.join(versions)}.",) if versions else ()), *_reasons(report.steps, peers)),
    )


def _ratios(report: Report) -> TableText:
    return TableText(
        title="How many times faster",
        headings=(*SIZE, *(verdict.name.replace(" / ", "\nover ") for verdict in report.steps[0].ratios)),
        sections=(
            tuple(
                (*_size(step), *(_marked(verdict, step.at_peak.get(verdict.name)) for verdict in step.ratios))
                for step in report.steps
            ),
        ),
        caption=(MARKS.format("floor"), BEYOND),
    )


def _cells(report: Report) -> TableText:
    """A row a cell, a column a size."""
    sizes = list(dict.fromkeys(row.at for row in report.cells))
    cells = list(dict.fromkeys(row.cell for row in report.cells))
    found = {(row.cell, row.at): row for row in report.cells}
    beside = {row.at: row.timings[1].name for row in report.cells}
    return TableText(
        title="Cells",
        headings=("", "cell", *(f"{size}\n{_over(beside[size])}" for size in sizes)),
        sections=(tuple(("", cell, *(_judged(found[cell, size].verdict) for size in sizes)) for cell in cells),),
        caption=(
            "eager / ours: times faster than eager. ours / lstm: of the time of a multiply-add in lstm.",
            MARKS.format("floor or ceiling"),
            *_grouped((row.verdict.why_not, row.cell, row.at) for row in report.cells if row.verdict.why_not),
        ),
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
                (row.at, row.what, *(_number(row.numbers.get(column)) for column in columns), _judged(row.verdict))
                for row in findings.rows
            ),
        ),
        caption=(
            *findings.notes,
            *((MARKS.format("floor or ceiling"),) if bounded else ()),
            *_grouped((row.verdict.why_not, row.what, row.at) for row in findings.rows if row.verdict.why_not),
        ),
    )


MARKS = "In brackets the {}; ! before what does not keep to it."
BEYOND = "!! before what would not keep to it even if all multiply-adds were made at the peak."


def summary_text(report: Report) -> str:
    """How many floors and ceilings hold, in a few lines; the tables mark the others."""
    counts = {
        "training step": [verdict for step in report.steps for verdict in step.ratios],
        "cells": [row.verdict for row in report.cells],
        **{name: [row.verdict for row in findings.rows] for name, findings in report.more.items()},
    }
    summaries = {name: summarise(verdicts) for name, verdicts in counts.items()}
    parts = [_held(name, summary) for name, summary in summaries.items() if summary.asked]
    if not parts:
        return f"Nothing is asked of these.\nMeasured in {report.seconds:,.0f} s."
    missing = f", {len(report.summary.open)} could not be measured" if report.summary.open else ""
    return (
        f"{_held('Floors and ceilings', report.summary)}{missing} ({', '.join(parts)}).\n"
        f"Measured in {report.seconds:,.0f} s."
    )


def _held(name: str, summary: Summary) -> str:
    return f"{name}: {summary.hold} of {summary.hold + len(summary.fail)} hold"


def _size(step: StepReport) -> tuple[str, str]:
    return str(step.size), step.size.name


def _milliseconds(step: StepReport, name: str) -> str:
    return _number(next(timing.median for timing in step.timings if timing.name == name))


def _rates(step: StepReport) -> Iterable[str]:
    rates = {rate.name: rate for rate in step.rates}
    for name in RATED:
        rate = rates.get(name)
        yield from (NOTHING, NOTHING) if rate is None else (_number(rate.gflops), _percent(rate.share))


def _percent(share: float) -> str:
    return f"{100 * share:.{1 if share < 0.01 else 0}f} %"


def _judged(verdict: Verdict) -> str:
    bound = verdict.at_least if verdict.at_least is not None else verdict.at_most
    asked = "" if bound is None else f" ({bound:g})"
    return f"{'! ' if verdict.holds is False else ''}{_number(verdict.value)}{asked}"


def _marked(verdict: Verdict, at_peak: float | None) -> str:
    """A ratio with its floor, and whether that can be reached at all."""
    if verdict.holds is False and verdict.at_least is not None and at_peak is not None and verdict.at_least > at_peak:
        return "!" + _judged(verdict)
    return _judged(verdict)


def _number(value: float | None) -> str:
    """Three digits that mean something."""
    if value is None:
        return NOTHING
    digits = 0 if value >= 100 else 1 if value >= 10 else 2 if value >= 1 else 3
    return f"{value:,.{digits}f}"


def _reasons(steps: Iterable[StepReport], names: Iterable[str]) -> Iterable[str]:
    missing: list[tuple[StepReport, Timing]] = [
        (step, timing) for step in steps for timing in step.timings if timing.why_not and timing.name in names
    ]
    return _grouped((timing.why_not, timing.name, step.size.name) for step, timing in missing)


def _grouped(missing: Iterable[tuple[str, str, str]]) -> list[str]:
    """A sentence for each reason and what is missing because of it, with the sizes where it is."""
    places: dict[tuple[str, str], list[str]] = {}
    for why_not, name, at in missing:
        places.setdefault((why_not, name), []).append(at)
    names: dict[tuple[str, str], list[str]] = {}
    for (why_not, name), where in places.items():
        names.setdefault((why_not, ", ".join(where)), []).append(name)
    return [f"{', '.join(who)}, {where}: {why_not}." for (why_not, where), who in names.items()]


def _stacked(name: str) -> str:
    return name.replace(" ", "\n")


def _over(beside: str) -> str:
    return "eager / ours" if beside == "eager" else "ours / lstm"


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'s' if number != 1 else ''}"
