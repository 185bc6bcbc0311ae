"""All parts in order, from what is wanted to one report."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

from gatelab.backends.registry import choose
from gatelab.bench.cells import CellRow, measure_cells
from gatelab.bench.conditions import Conditions
from gatelab.bench.contenders import PEERS, own_contenders
from gatelab.bench.findings import Findings
from gatelab.bench.first_calls import measure_first_calls
from gatelab.bench.losses import Loss
from gatelab.bench.machine import Machine, this_machine, use_cores
from gatelab.bench.memory import measure_memory
from gatelab.bench.peak import MultiplyAdds, Peak, measure_peak
from gatelab.bench.probes import measure_probes
from gatelab.bench.replicas import measure_replicas
from gatelab.bench.sizes import Size
from gatelab.bench.steps import StepReport, measure_steps
from gatelab.bench.streaming import measure_streaming
from gatelab.bench.timing import Watch
from gatelab.bench.training import measure_training
from gatelab.bench.verdicts import Verdict

MORE: dict[str, Callable[[Conditions, Watch], Findings]] = {
    "replicas": measure_replicas,
    "memory": measure_memory,
    "first-calls": measure_first_calls,
    "streaming": measure_streaming,
    "probes": measure_probes,
    "training": measure_training,
}
"""Further questions, a table each."""


@dataclass(frozen=True)
class Wanted:
    """What to measure.

    Attributes:
        sizes: of the main table.
        losses: with each of which training steps are measured.
        peers: whether to measure those that are installed.
        cells: names of further cells.
        cell_sizes: where these are measured.
        more: names of `MORE`.
    """

    sizes: tuple[Size, ...]
    losses: tuple[Loss, ...]
    peers: bool
    cells: tuple[str, ...]
    cell_sizes: tuple[Size, ...]
    more: tuple[str, ...]

    @property
    def parts(self) -> int:
        return len(self.losses) * (len(self.sizes) + (len(self.cell_sizes) if self.cells else 0)) + len(self.more)


@dataclass(frozen=True)
class Summary:
    """How many verdicts hold.

    Attributes:
        hold: their number.
        fail: those that do not.
        open: those that could not be measured.
    """

    hold: int
    fail: tuple[Verdict, ...]
    open: tuple[Verdict, ...]

    @property
    def asked(self) -> int:
        """How many there are in all."""
        return self.hold + len(self.fail) + len(self.open)


@dataclass(frozen=True)
class Report:
    """Everything that was found. Times in ms unless a unit says otherwise."""

    machine: Machine
    peak: Peak
    conditions: Conditions
    steps: tuple[StepReport, ...]
    cells: tuple[CellRow, ...]
    more: dict[str, Findings]
    summary: Summary
    seconds: float


class WatchParts(Protocol):
    """Told what is in hand: the number of the part, its name, what in it, and what share of it is done."""

    def __call__(self, part: int, name: str, words: str, share: float, /) -> None: ...


def run_bench(wanted: Wanted, conditions: Conditions, watch: WatchParts) -> Report:
    """Measures all that is wanted, part by part."""
    choose(conditions.backend)
    began = time.perf_counter()
    part = -1

    def watching(name: str) -> Watch:
        nonlocal part
        part += 1
        number = part
        return lambda words, share: watch(number, name, words, share)

    with use_cores(conditions.threads):
        machine = this_machine(conditions.threads)
        peak = measure_peak(conditions.threads)
        adds = MultiplyAdds(conditions.threads, peak.chains)
        contenders = (*own_contenders(conditions.backend), *(PEERS if wanted.peers else ()))
        share = replace(conditions, seconds=conditions.seconds / len(wanted.losses))
        steps = tuple(
            measure_steps(size, loss, contenders, share.seconds, adds, watching(f"{size.name}, {loss.name}"))
            for size in wanted.sizes
            for loss in wanted.losses
        )
        cells = tuple(
            row
            for size in (wanted.cell_sizes if wanted.cells else ())
            for loss in wanted.losses
            for row in measure_cells(wanted.cells, size, loss, share, watching(f"cells at {size.name}, {loss.name}"))
        )
        more = {name: MORE[name](conditions, watching(name)) for name in wanted.more}
    verdicts = [
        *(verdict for report in steps for verdict in report.ratios),
        *(verdict for row in cells for verdict in row.ratios),
        *(row.verdict for findings in more.values() for row in findings.rows),
    ]
    seconds = time.perf_counter() - began
    return Report(machine, peak, conditions, steps, cells, more, summarise(verdicts), seconds)


def summarise(verdicts: list[Verdict]) -> Summary:
    """Of the verdicts of which something is asked."""
    asked = [verdict for verdict in verdicts if verdict.at_least is not None or verdict.at_most is not None]
    return Summary(
        hold=sum(verdict.holds is True for verdict in asked),
        fail=tuple(verdict for verdict in asked if verdict.holds is False),
        open=tuple(verdict for verdict in asked if verdict.holds is None),
    )
