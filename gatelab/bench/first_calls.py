"""How long the first time takes: of a cell, of a batch size or length, of `import gatelab`."""

from __future__ import annotations

import secrets
import time
from dataclasses import replace
from statistics import median

import torch

from gatelab.bench.apart import ApartError, run_apart
from gatelab.bench.conditions import Conditions
from gatelab.bench.findings import Finding, Findings
from gatelab.bench.losses import ALL
from gatelab.bench.sizes import SIZES, Size
from gatelab.bench.timing import Watch, clock
from gatelab.bench.torch_steps import recurrent_step, training_step
from gatelab.bench.verdicts import judge
from gatelab.language.cell import Cell
from gatelab.language.lookup import find_cell

PROCESSES = 3
LATER = 20
"""Steps whose median a first one is held against."""

MAKE = "from gatelab.bench.first_calls import first_steps\nanswer = first_steps(**arguments)"
IMPORT = """
from time import perf_counter
began = perf_counter()
import torch
middle = perf_counter()
import gatelab
answer = {"import torch": middle - began, "import gatelab, after torch": perf_counter() - middle}
"""

CEILINGS = {"a new cell": 0.6, "a new batch size and length": 0.005, "import gatelab, after torch": 0.3}
"""Seconds. That nothing is compiled can be seen only by the time: what is left is memory and caches."""


def measure_first_calls(conditions: Conditions, watch: Watch) -> Findings:
    """Medians over some fresh processes."""
    found: dict[str, list[float]] = {}
    why_not = ""
    programs = {MAKE: {"backend": conditions.backend, "threads": conditions.threads}, IMPORT: {}}
    for number in range(PROCESSES):
        for program, arguments in programs.items():
            watch(f"process {number + 1}", number / PROCESSES)
            try:
                for what, seconds in run_apart(program, **arguments).items():
                    found.setdefault(what, []).append(seconds)
            except ApartError as error:
                why_not = str(error)
    rows = []
    for what in dict.fromkeys([*found, *CEILINGS]):
        times = found.get(what, [])
        verdict = judge(
            what,
            "first call",
            median(times) if times else None,
            "s",
            at_most=CEILINGS.get(what),
            why_not="" if times else why_not,
        )
        rows.append(Finding(what, verdict.at, {"least": min(times, default=None), "most": max(times, default=None)},
                            verdict))  # fmt: skip
    return Findings(
        title="First calls, in fresh processes",
        unit="s",
        rows=tuple(rows),
        notes=(
            "Of training steps: what the first takes beyond a later one. A new cell: from its text on.",
            f"The last column is the median of {PROCESSES} processes.",
        ),
    )


def first_steps(backend: str, threads: int) -> dict[str, float]:
    """Seconds that first steps take beyond later ones, in this process, which should have done nothing before."""
    torch.set_num_threads(threads)
    size = SIZES["digits"]
    training_step(torch.nn.LSTM(size.I, size.H), size, ALL)()
    began = time.perf_counter()
    new = new_cell()
    reading = time.perf_counter() - began
    other = replace(size, B=size.B + 3, T=size.T + 5)
    return {
        "a new cell": reading + _beyond_later(new, size, backend),
        "a new batch size and length": _beyond_later(new, other, backend),
        "a new hidden size": _beyond_later(new, replace(size, H=size.H + 13), backend),
        "lstm, in a new process": _beyond_later(find_cell("lstm"), size, backend),
    }


def new_cell() -> Cell:
    """An lstm with a number in it that no cell had before, on this machine or any other."""
    number = 0.5 + secrets.randbelow(10**9) / 2e9
    lstm = find_cell("lstm")
    text = lstm.equations.replace("tanh(c)", "tanh(s * c)")
    return Cell(text, name="new", constants={"s": number})


def _beyond_later(cell: Cell, size: Size, backend: str) -> float:
    began = time.perf_counter()
    step = recurrent_step(cell, size, ALL, backend)
    step()
    first = time.perf_counter() - began
    return max(0.0, first - median(clock(step) for _ in range(LATER)) / 1e3)
