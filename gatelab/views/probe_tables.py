"""The tables of what happens inside of a run: gates and states, what units know, the machine, and hard gates."""

from __future__ import annotations

import math
import statistics

from gatelab.probes.gates import QUANTILES, HalfLife
from gatelab.probes.information import Information
from gatelab.views.machines import machine_table
from gatelab.views.probes import Hardened, Probing, Reading
from gatelab.views.tables import NOTHING, TableText

MIDDLE, LOW, HIGH = (QUANTILES.index(share) for share in (0.5, 0.05, 0.95))


def probe_tables(found: Probing) -> tuple[TableText, ...]:
    """The tables of a record, each where there is something to say."""
    tables = [_readings(found)]
    if found.machine is not None:
        tables.append(machine_table(found.machine))
    if found.information:
        tables.append(_information(found))
    if found.hardened is not None:
        tables.append(_hardened(found.hardened))
    return tuple(tables)


def _readings(found: Probing) -> TableText:
    """A row a name; gates first."""
    gates = tuple(_row(one) for one in found.readings if one.is_gate)
    others = tuple(_row(one) for one in found.readings if not one.is_gate)
    low, high = next(((own.low, own.high) for one in found.readings if (own := one.saturation) is not None), (0.1, 0.9))
    caption = [
        f"{found.inputs:,} inputs of the test, seed {found.seed}.",
        "Idle units never change, at 0 or elsewhere.",
    ]
    if gates:
        caption.append(f"Shut: share of steps and units below {low:g}; open: above {high:g}.")
    if any(one.half_life is not None for one in found.readings):
        caption.append("Half-life: steps until half of a state is left, by what it keeps; median of the units.")
    caption.append("Values: what 5, 50 and 95 % of them lie below, in the median of the units.")
    return TableText(
        title=f"{found.task}, {found.cell}: gates and states",
        headings=("units", "name", "shut, %", "open, %", "keeps", "half-life", "idle", "5 %", "50 %", "95 %"),
        sections=tuple(section for section in (gates, others) if section),
        caption=tuple(caption),
    )


def _row(one: Reading) -> tuple[str, ...]:
    shares = [NOTHING] * 2
    if one.saturation is not None:
        shares = [f"{100 * share:.1f}" for share in (one.saturation.shut, one.saturation.open)]
    quantiles = [statistics.median(unit[place] for unit in one.distribution.quantiles) for place in (LOW, MIDDLE, HIGH)]
    idle = str(len(one.idle.dead) + len(one.idle.frozen))
    kept = (one.keeps or NOTHING, NOTHING if one.half_life is None else _steps(one.half_life))
    return (str(one.idle.of), one.key, *shares, *kept, idle, *(f"{value:.2f}" for value in quantiles))


def _steps(found: HalfLife) -> str:
    middle = found.quantiles[MIDDLE]
    return "for ever" if math.isinf(middle) else f"{middle:,.1f}" if middle < 1e6 else f"{middle:.0e}"


def _information(found: Probing) -> TableText:
    rows = tuple(_told(key, own) for key, own in found.information.items())
    some = next(iter(found.information.values()))
    return TableText(
        title="What a unit tells of the class after the last step",
        headings=("units above chance", "name", "best unit", "its bits", "chance, bits"),
        sections=(rows,),
        caption=(
            f"Of {some.entropy:.2f} bits that there are to know. Chance: what the best unit stays below in 95 % of "
            "shuffles.",
            f"Mutual information over {some.pairs:,} inputs: {some.estimator}.",
        ),
    )


def _told(key: str, own: Information) -> tuple[str, ...]:
    best = max(range(len(own.bits)), key=own.bits.__getitem__)
    return (str(len(own.informative)), key, str(best), f"{own.bits[best]:.2f}", f"{own.threshold:.2f}")


def _hardened(found: Hardened) -> TableText:
    digits, words = found.measure.digits, {"none": "none, as trained", "all": "all"}
    rows = tuple(
        (f"{scores[0]:,.{digits}f}", words.get(gates, gates), f"{found.scores.change(gates):+z,.{digits}f}")
        for gates, scores in found.scores.rows.items()
    )
    measure = f"{found.measure.name}, {found.measure.unit}".removesuffix(", ")
    return TableText(
        title="What hard gates leave",
        headings=(measure, "hard gates", "change"),
        sections=(rows,),
        caption=("The same weights, with gates that are 0 or 1 and nothing between; over the whole test.",),
    )
