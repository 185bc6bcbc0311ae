"""What it costs to look inside: a training step with a probe beside the same step without one."""

from __future__ import annotations

from contextlib import ExitStack

from gatelab.bench.conditions import Conditions
from gatelab.bench.findings import Finding, Findings
from gatelab.bench.losses import ALL
from gatelab.bench.sizes import SIZES, Size
from gatelab.bench.timing import Step, Watch, take_turns
from gatelab.bench.torch_steps import recurrent, training_step
from gatelab.bench.verdicts import judge_ratio
from gatelab.language.lookup import find_cell
from gatelab.probes.probe import probe

AT = ("imdb-small", "mnist-rows")
NAMES = ("f", "i", "o", "c")
PLAIN, OFF, ON, READ, GRADIENTS = "no probe", "probe over", "values", "all of them read", "and gradients"
CEILINGS = {OFF: 1.02, ON: 1.15, READ: None, GRADIENTS: None}
"""How much longer a step may take."""


def measure_probes(conditions: Conditions, watch: Watch) -> Findings:
    """An LSTM with four names watched, in values and in gradients, and a layer whose probe is over."""
    rows = []
    for number, at in enumerate(AT):
        watch(f"lstm at {at}", number / len(AT))
        with ExitStack() as probes:
            steps = {PLAIN: _step(SIZES[at], conditions)}
            steps |= {kind: _step(SIZES[at], conditions, kind, probes) for kind in CEILINGS}
            plain, *watched = take_turns(steps, conditions.seconds / len(AT))
        for timing in watched:
            name = f"lstm, {timing.name}"
            verdict = judge_ratio(timing, plain, at, name=name, at_most=CEILINGS[timing.name])
            rows.append(Finding(name, at, {PLAIN: plain.median, "so": timing.median}, verdict))
    return Findings(
        title=f"A training step with {', '.join(NAMES)} of an LSTM watched",
        unit="ms",
        rows=tuple(rows),
        notes=(
            "The ratio is the time with a probe over that without.",
            "What kernels keep for the way back anyway is copied from there when somebody reads it.",
        ),
    )


def _step(size: Size, conditions: Conditions, kind: str = PLAIN, probes: ExitStack | None = None) -> Step:
    """A training step of a layer of its own, watched for as long as `probes` is open."""
    layer = recurrent(find_cell("lstm"), size, conditions.backend)
    step = training_step(layer, size, ALL)
    if kind == OFF:
        with probe(layer, *NAMES):
            step()
    elif probes is not None:
        record = probes.enter_context(probe(layer, *NAMES, gradients=kind == GRADIENTS))
        if kind == READ:
            return lambda: (step(), list(record.values()))
    return step
