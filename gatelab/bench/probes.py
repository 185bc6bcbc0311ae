"""What it costs to look inside: a training step with a probe beside the same step without one."""

from __future__ import annotations

from contextlib import ExitStack
from itertools import product

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
    for number, (at, kind) in enumerate(product(AT, CEILINGS)):
        watch(f"lstm at {at}, {kind}", number / len(AT) / len(CEILINGS))
        # Two by two: records of others that are kept meanwhile would take the cache from both.
        with ExitStack() as probes:
            steps = _steps(SIZES[at], conditions, kind, probes)
            plain, watched = take_turns(steps, conditions.seconds / len(AT) / len(CEILINGS))
        verdict = judge_ratio(watched, plain, at, name=f"lstm, {kind}", at_most=CEILINGS[kind])
        rows.append(Finding(f"lstm, {kind}", at, {PLAIN: plain.median, "so": watched.median}, verdict))
    return Findings(
        title=f"A training step with {', '.join(NAMES)} of an LSTM watched",
        unit="ms",
        rows=tuple(rows),
        notes=(
            "The ratio is the time with a probe over that without.",
            "What kernels keep for the way back anyway is copied from there when somebody reads it.",
        ),
    )


def _steps(size: Size, conditions: Conditions, kind: str, probes: ExitStack) -> dict[str, Step]:
    """The training step of a layer without a probe and of the same layer with one, for as long as `probes` is open.

    The same, because where in memory a layer's tensors lie makes up to a tenth of its time.
    """
    layer = recurrent(find_cell("lstm"), size, conditions.backend)
    step = training_step(layer, size, ALL)
    if kind == OFF:
        with probe(layer, *NAMES):
            step()
        return {PLAIN: step, kind: step}
    record = probes.enter_context(probe(layer, *NAMES, gradients=kind == GRADIENTS))
    looks_on = layer.watch

    def plain() -> None:
        layer.watch = None
        step()

    def watched() -> None:
        layer.watch = looks_on
        step()
        if kind == READ:
            list(record.values())

    return {PLAIN: plain, kind: watched}
