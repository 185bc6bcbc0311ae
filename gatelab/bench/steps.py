"""One training step of every contender at one size, with one loss."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from gatelab.bench.contenders import Contender, make_step
from gatelab.bench.losses import Loss
from gatelab.bench.peak import MultiplyAdds
from gatelab.bench.sizes import Size
from gatelab.bench.timing import Step, Timing, Watch, take_turns
from gatelab.bench.verdicts import Verdict, judge_ratio
from gatelab.bench.work import gflops
from gatelab.language.lookup import find_cell


@dataclass(frozen=True)
class Ratio:
    """One contender's time over another's, and what is asked of it.

    Attributes:
        over: the contender that is to take longer.
        under: ours.
        floor: which of the floors of a size.
    """

    over: str
    under: str
    floor: str


RATIOS = (
    Ratio("nn.LSTM", "lstm", "torch"),
    Ratio("jax f", "f", "jax"),
    Ratio("lstm eager", "lstm", "eager"),
    Ratio("f eager", "f", "eager"),
)
PEAK = "multiply-adds"
"""What takes turns with the contenders to tell what the machine can do: its clock goes up and down by the minute."""
RATED = ("lstm", "f")
"""Contenders, and cells of the catalogue, whose speed is given."""


@dataclass(frozen=True)
class Rate:
    """How fast a step is.

    Attributes:
        name: of the contender.
        gflops: GFLOP/s in the products of matrices; what else there is to compute is not counted.
        share: of the machine's peak with as many threads, in the same minute.
    """

    name: str
    gflops: float
    share: float


@dataclass(frozen=True)
class StepReport:
    """What was found at one size.

    Attributes:
        size: which.
        loss: with which, by name.
        peak: GFLOP/s in multiply-adds alone, the first quartile of what took turns with the contenders.
        timings: of every contender.
        ratios: of their medians, beside what is asked.
        at_peak: by the names of the ratios, what they would be if ours were as fast as the machine's multiply-adds; a
            floor above that can't be reached here.
        rates: how near ours comes.
    """

    size: Size
    loss: str
    peak: float
    timings: tuple[Timing, ...]
    ratios: tuple[Verdict, ...]
    at_peak: dict[str, float]
    rates: tuple[Rate, ...]


def measure_steps(
    size: Size, loss: Loss, contenders: Sequence[Contender], seconds: float, adds: MultiplyAdds, watch: Watch
) -> StepReport:
    """All contenders taking turns for so many seconds, or as long as the fewest turns of all last."""
    steps: dict[str, Step] = {PEAK: adds}
    reasons = {}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        for contender in contenders:
            watch(contender.name, 0.0)
            step, why_not = make_step(contender, size, loss)
            if step is None:
                reasons[contender.name] = why_not
            else:
                steps[contender.name] = step
        found = {timing.name: timing for timing in take_turns(steps, seconds, watch)}
    fast = found.pop(PEAK).low
    assert fast is not None
    peak = adds.operations / fast / 1e6
    timings = {
        contender.name: found.get(contender.name) or Timing(contender.name, why_not=reasons[contender.name])
        for contender in contenders
    }
    ratios = tuple(_ratio(ratio, timings, size, loss) for ratio in RATIOS)
    rates = {name: _rate(timings[name], size, peak) for name in RATED if timings[name].median is not None}
    at_peak = {
        verdict.name: verdict.value / rates[ratio.under].share
        for ratio, verdict in zip(RATIOS, ratios, strict=True)
        if verdict.value is not None
    }
    return StepReport(size, loss.name, peak, tuple(timings.values()), ratios, at_peak, tuple(rates.values()))


def _ratio(ratio: Ratio, timings: dict[str, Timing], size: Size, loss: Loss) -> Verdict:
    over = timings.get(ratio.over) or Timing(ratio.over, why_not="left out")
    return judge_ratio(over, timings[ratio.under], size.name, loss=loss.name, at_least=getattr(size, ratio.floor))


def _rate(timing: Timing, size: Size, peak: float) -> Rate:
    assert timing.median is not None
    speed = gflops(find_cell(timing.name), size, timing.median)
    return Rate(timing.name, speed, speed / peak)
