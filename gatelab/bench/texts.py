"""Numbers, verdicts and reasons as the tables print them."""

from __future__ import annotations

from collections.abc import Iterable

from gatelab.bench.losses import FLOORS, LOSSES
from gatelab.bench.verdicts import Verdict
from gatelab.views.tables import NOTHING

MARKS = "In brackets the {}; ! before what does not keep to it."
MEANINGS = ", or ".join(f"{loss.meaning} ({loss.name})" for loss in LOSSES.values())
ABOUT_LOSSES = (
    f"The loss is a sum with random weights, {MEANINGS}.",
    f"The floors were set with the {FLOORS.words}; they are judged with each.",
)


def number(value: float | None) -> str:
    """Three digits that mean something."""
    if value is None:
        return NOTHING
    digits = 0 if value >= 100 else 1 if value >= 10 else 2 if value >= 1 else 3
    return f"{value:,.{digits}f}"


def percent(share: float) -> str:
    return f"{100 * share:.{1 if 0 < share < 0.01 else 0}f} %"


def judged(verdict: Verdict) -> str:
    """A number, what is asked of it, and a mark if it does not keep to that."""
    bound = verdict.at_least if verdict.at_least is not None else verdict.at_most
    asked = "" if bound is None else f" ({bound:g})"
    return f"{'! ' if verdict.holds is False else ''}{number(verdict.value)}{asked}"


def grouped(missing: Iterable[tuple[str, str, str]]) -> list[str]:
    """A sentence for each reason and what is missing because of it, with the sizes where it is."""
    places: dict[tuple[str, str], list[str]] = {}
    for why_not, name, at in missing:
        places.setdefault((why_not, name), []).append(at)
    names: dict[tuple[str, str], list[str]] = {}
    for (why_not, name), where in places.items():
        names.setdefault((why_not, ", ".join(where)), []).append(name)
    return [f"{', '.join(who)}, {where}: {why_not}." for (why_not, where), who in names.items()]
