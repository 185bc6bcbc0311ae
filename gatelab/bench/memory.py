"""The peak memory of one training step, in a process that has done nothing else."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path

import torch

from gatelab.bench.apart import ApartError, run_apart
from gatelab.bench.conditions import Conditions
from gatelab.bench.contenders import own_contenders
from gatelab.bench.findings import Finding, Findings
from gatelab.bench.losses import ALL
from gatelab.bench.sizes import Size, find_size
from gatelab.bench.timing import Watch
from gatelab.bench.verdicts import judge

AT = ("imdb-glove", "large")
CONTENDERS = ("lstm", "nn.LSTM")
CEILING = 1.0
PROGRAM = "from gatelab.bench.memory import peak_of_step\nanswer = peak_of_step(**arguments)"

PROC = Path("/proc/self")


def measure_memory(conditions: Conditions, watch: Watch, at: tuple[str, ...] = AT) -> Findings:
    """Ours beside nn.LSTM's."""
    rows = []
    for number, size in enumerate(at):
        found: dict[str, float | None] = {}
        why_not = ""
        for name in CONTENDERS:
            watch(f"{name} at {size}", number / len(at))
            try:
                found[name] = run_apart(
                    PROGRAM, name=name, size=size, backend=conditions.backend, threads=conditions.threads
                )
            except ApartError as error:
                found[name], why_not = None, f"{name}: {error}"
        ours, theirs = (found[name] for name in CONTENDERS)
        ratio = None if ours is None or theirs is None else ours / theirs
        verdict = judge("memory, lstm / nn.LSTM", size, ratio, at_most=CEILING, why_not=why_not)
        rows.append(Finding("lstm", size, found, verdict))
    return Findings(
        title="Peak memory of a training step",
        unit="MB",
        rows=tuple(rows),
        notes=("Beyond what the process held before the step, with layer, input and loaded code in it.",),
    )


def peak_of_step(name: str, size: str, backend: str, threads: int) -> float:
    """Of this process, in MB. Only what comes on top of what it holds after a step on next to nothing counts."""
    torch.set_num_threads(threads)
    make = next(contender.make for contender in own_contenders(backend) if contender.name == name)
    whole = find_size(size)
    make(Size("tiny", B=2, T=2, I=whole.I, H=whole.H), ALL)()
    step = make(whole, ALL)
    before = _held()
    step()
    return (_peak() - before) / 1e6


def _held() -> float:
    """Bytes that the process holds; from now on the peak counts anew, where the system can do that."""
    try:
        (PROC / "clear_refs").write_text("5")
        return 1024.0 * _status("VmRSS")
    except OSError:
        return _peak()


def _peak() -> float:
    """The most bytes that the process has held."""
    try:
        return 1024.0 * _status("VmHWM")
    except OSError:
        # In bytes on macOS, in units of 1024 of them elsewhere. Not every system has the module.
        resource = import_module("resource")
        unit = 1.0 if sys.platform == "darwin" else 1024.0
        return float(unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)


def _status(field: str) -> int:
    for line in (PROC / "status").read_text().splitlines():
        name, _, value = line.partition(":")
        if name == field:
            return int(value.split()[0])
    raise OSError(f"/proc/self/status has no {field}.")
