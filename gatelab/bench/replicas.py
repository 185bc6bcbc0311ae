"""Many replicas in one call beside as many runs one after another."""

from __future__ import annotations

import torch

from gatelab.bench.conditions import Conditions
from gatelab.bench.findings import Finding, Findings
from gatelab.bench.sizes import SIZES, Size
from gatelab.bench.timing import Step, Watch, take_turns
from gatelab.bench.torch_steps import inputs, recurrent
from gatelab.bench.verdicts import judge_ratio
from gatelab.language.lookup import find_cell
from gatelab.training.optimizers import make_optimizer

REPLICAS = 32
AT = ("parity", "digits")
CELLS = ("lstm", "f")
FLOOR = 10.0
TOGETHER, ALONE = f"{REPLICAS} together", "one alone"


def measure_replicas(conditions: Conditions, watch: Watch) -> Findings:
    """Whole training steps: gradients set back, forward, backward, and a step of Adam."""
    rows = []
    for number, (at, name) in enumerate((at, name) for at in AT for name in CELLS):
        watch(f"{name} at {at}", number / len(AT) / len(CELLS))
        steps = {
            ALONE: optimized_step(name, SIZES[at], conditions, None),
            TOGETHER: optimized_step(name, SIZES[at], conditions, REPLICAS),
        }
        alone, together = take_turns(steps, conditions.seconds / len(AT) / len(CELLS))
        verdict = judge_ratio(alone, together, at, name=f"{name}, {REPLICAS} replicas", times=REPLICAS, at_least=FLOOR)
        rows.append(Finding(name, at, {ALONE: alone.median, TOGETHER: together.median}, verdict))
    return Findings(
        title="Replicas: a step with Adam",
        unit="ms",
        rows=tuple(rows),
        notes=(f"The ratio is {REPLICAS} times the time of one alone over the time of {REPLICAS} together.",),
    )


def optimized_step(name: str, size: Size, conditions: Conditions, replicas: int | None) -> Step:
    """A training step with zero_grad and a step of Adam; each replica has an input of its own."""
    layer = recurrent(find_cell(name), size, conditions.backend, replicas)
    optimizer = make_optimizer("adam", layer.parameters(), 1e-3)
    x = inputs(size) if replicas is None else torch.stack([inputs(size) for _ in range(replicas)])
    weights = torch.randn(*x.shape[:-1], size.H)

    def step() -> None:
        optimizer.zero_grad()
        output, _ = layer(x)
        (output * weights).sum().backward()
        optimizer.step()

    return step
