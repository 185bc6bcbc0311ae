"""One step of one sequence at a time, as a stream is read or text is generated."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from gatelab.bench.conditions import Conditions
from gatelab.bench.findings import Finding, Findings
from gatelab.bench.sizes import Size
from gatelab.bench.timing import Step, Timing, Watch, take_turns
from gatelab.bench.torch_steps import recurrent
from gatelab.bench.verdicts import judge
from gatelab.language.lookup import find_cell

SIZE = Size("1x1x32x64", 1, 1, 32, 64)
OURS = ("lstm", "f")
CEILING = 100.0
"""Microseconds: tens of them are allowed."""


def measure_streaming(conditions: Conditions, watch: Watch) -> Findings:
    """The latency of `layer.step` beside that of torch's, without gradients, the state handed on."""
    size = SIZE
    lstm, cell = nn.LSTM(size.I, size.H), nn.LSTMCell(size.I, size.H)
    x = torch.randn(size.B, size.I)
    layers = {
        "lstm": recurrent(find_cell("lstm"), size, conditions.backend).step,
        "f": recurrent(find_cell("f"), size, conditions.backend).step,
        "lstm eager": recurrent(find_cell("lstm"), size, "eager").step,
        "nn.LSTM": lambda x, state: lstm(x.unsqueeze(0), state),
        "nn.LSTMCell": lambda x, state: (None, cell(x, state)),
    }
    with torch.no_grad():
        timings = take_turns({name: _stream(step, x) for name, step in layers.items()}, conditions.seconds, watch)
    return Findings(
        title="layer.step, one sequence, no gradients",
        unit="us",
        rows=tuple(_row(timing) for timing in timings),
        notes=("The last column is the median.",),
    )


def _row(timing: Timing) -> Finding:
    low, middle, high = (None if ms is None else 1e3 * ms for ms in (timing.low, timing.median, timing.high))
    verdict = judge(
        f"{timing.name}, one step",
        SIZE.name,
        middle,
        "us",
        at_most=CEILING if timing.name in OURS else None,
        why_not=timing.why_not,
    )
    return Finding(timing.name, SIZE.name, {"first quartile": low, "third quartile": high}, verdict)


def _stream(step: Callable[[Tensor, Any], tuple[Any, Any]], x: Tensor) -> Step:
    """Steps that each take up the state of the one before."""
    state: Any = None

    def again() -> None:
        nonlocal state
        _, state = step(x, state)

    return again
