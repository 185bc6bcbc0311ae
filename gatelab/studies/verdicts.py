"""What comparisons of cells come to, in sentences.

A claim is made where the corrected test and the interval agree. Where there is none the sentence says why: the cells
are equal, too few seeds could never have shown a difference, or the seeds that there are can't tell.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import groupby

from gatelab.studies.comparisons import Comparison
from gatelab.studies.statistics import EXACT_PAIRS, Interval, smallest_p
from gatelab.tasks.base import STEPS

ALPHA = 0.05
"""The share of studies of like cells in which a claim may come up."""
MANY = 3
"""More sentences of one kind than this become one."""
MOST_DIGITS = 7
"""After the point, where a difference is small."""
PLAIN = ("", "accuracy")
"""Measures that go without saying."""


def verdict(comparison: Comparison, task: str, alpha: float = ALPHA) -> str:
    """One comparison in a sentence.

    Args:
        comparison: two cells on one measure.
        task: its name.
        alpha: how often like cells may be told apart in a study.
    """
    return ALONE[kind_of(comparison, alpha)](comparison, _where(comparison, task), alpha)


def verdicts(comparisons: Iterable[Comparison], task: str, alpha: float = ALPHA) -> tuple[str, ...]:
    """Comparisons in sentences: for each measure first the claims, the largest first, then what can't be told.

    More than `MANY` comparisons that come to the same are one sentence.

    Args:
        comparisons: of one task, corrected together.
        task: its name.
        alpha: how often like cells may be told apart in a study.
    """
    given = list(comparisons)
    sentences: list[str] = []
    for measure in dict.fromkeys(comparison.measure for comparison in given):
        for kind in ALONE:
            alike = [each for each in given if each.measure == measure and kind_of(each, alpha) == kind]
            # The sort is stable: of comparisons with as many seeds the larger difference stays first.
            by_size = sorted(alike, key=lambda each: -abs(each.difference or 0.0))
            groups = [by_size] if kind == "claim" else _by_pairs(by_size)
            for group in groups:
                sentences += _say(kind, group, task, alpha)
    return tuple(sentences)


def kind_of(comparison: Comparison, alpha: float = ALPHA) -> str:
    """What a comparison comes to: "claim", "untold", "few", "equal" or "apart" for cells without a common seed."""
    if not comparison.pairs:
        return "apart"
    if is_claim(comparison, alpha):
        return "claim"
    if comparison.difference == 0 and comparison.effect is None:
        return "equal"
    return "few" if smallest_p(comparison.pairs) * comparison.comparisons > alpha else "untold"


def is_claim(comparison: Comparison, alpha: float = ALPHA) -> bool:
    """Whether two cells differ: the corrected p is at most alpha, and the interval is on one side of 0.

    Up to an alpha of 5 % the second follows from the first.
    """
    interval = comparison.interval
    return comparison.adjusted <= alpha and interval is not None and (interval.low > 0 or interval.high < 0)


def fewest_seeds(comparisons: int, alpha: float = ALPHA) -> int | None:
    """Seeds from which on the tests can show a difference among so many comparisons; None if no number can."""
    return next((pairs for pairs in range(1, EXACT_PAIRS + 1) if smallest_p(pairs) * comparisons <= alpha), None)


def _say(kind: str, group: Sequence[Comparison], task: str, alpha: float) -> list[str]:
    if kind == "claim" or len(group) <= MANY:
        return [verdict(each, task, alpha) for each in group]
    return [TOGETHER[kind](group, _where(group[0], task), alpha)]


def _by_pairs(comparisons: Sequence[Comparison]) -> list[list[Comparison]]:
    ordered = sorted(comparisons, key=lambda each: -each.pairs)
    return [list(group) for _, group in groupby(ordered, key=lambda each: each.pairs)]


def _claim(found: Comparison, where: str, alpha: float) -> str:
    assert found.difference is not None
    assert found.interval is not None
    ahead = (found.difference > 0) == (found.best == "highest")
    winner, loser = (found.first, found.second) if ahead else (found.second, found.first)
    ends = sorted((abs(found.interval.low), abs(found.interval.high)))
    gap, low, high = (_number(size, found) for size in (abs(found.difference), *ends))
    words = CLAIMS[STEPS if found.measure == STEPS else found.best]
    said = words.format(winner=winner, loser=loser, where=where, gap=gap + _unit(gap, found))
    return (
        f"{said}, {_percent(found.interval)} interval {low} to {high}, {_seeds(found)} "
        f"({found.test}, {_p(found.adjusted)}{_holm(found)})."
    )


def _untold(found: Comparison, where: str, alpha: float) -> str:
    assert found.interval is not None
    low, high = _number(found.interval.low, found), _number(found.interval.high, found)
    chance = f"{_p(found.adjusted)}{_holm(found)}"
    if found.p <= alpha:
        chance = f"{_p(found.p)} alone, but {chance}"
    return (
        f"{_seeds(found)} can't tell {found.first} from {found.second} on {where} (difference {_difference(found)}, "
        f"{_percent(found.interval)} interval {low} to {high}; {found.test}, {chance})."
    )


def _few(found: Comparison, where: str, alpha: float) -> str:
    between = f" between {found.first} and {found.second}"
    return _too_few(found, between, where, alpha)[:-1] + f" (difference so far {_difference(found)})."


def _too_few(found: Comparison, between: str, where: str, alpha: float) -> str:
    fewest = fewest_seeds(found.comparisons, alpha)
    cure = f"take at least {fewest}" if fewest else "compare fewer cells, or each with one: against = ..."
    over = f" over {found.comparisons} comparisons" if found.comparisons > 1 else ""
    return f"{_seeds(found)} can't show any difference{between} on {where} with the {found.test}{over}; {cure}."


def _equal(found: Comparison, where: str, alpha: float) -> str:
    return f"{found.first} and {found.second} are equal on {where}, {found.paired} by {found.paired} ({_seeds(found)})."


def _apart(found: Comparison, where: str, alpha: float) -> str:
    return (
        f"{found.first} and {found.second} have no {found.paired} in common on {where}, so nothing can be said of them."
    )


def _untold_together(group: Sequence[Comparison], where: str, alpha: float) -> str:
    each = ", ".join(f"{one.first} from {one.second} ({_difference(one)})" for one in group)
    chance = f"{group[0].test}, {_p(min(one.adjusted for one in group))} or more{_holm(group[0])}"
    return f"On {where} {_seeds(group[0])} can't tell {each}; {chance}."


def _few_together(group: Sequence[Comparison], where: str, alpha: float) -> str:
    return _too_few(group[0], "", where, alpha)


def _equal_together(group: Sequence[Comparison], where: str, alpha: float) -> str:
    paired = group[0].paired
    return f"Equal on {where}, {paired} by {paired} ({_seeds(group[0])}): {_named(group)}."


def _apart_together(group: Sequence[Comparison], where: str, alpha: float) -> str:
    return f"No {group[0].paired} in common on {where}, so nothing can be said of {_named(group)}."


CLAIMS = {
    "highest": "{winner} beats {loser} on {where}: +{gap}",
    "lowest": "{winner} beats {loser} on {where}: {gap} lower",
    STEPS: "{winner} needs {gap} fewer than {loser} on {where}",
}
"""How a claim begins, by what is better, or for the measure that counts steps."""
ALONE: dict[str, Callable[[Comparison, str, float], str]] = {
    "claim": _claim,
    "untold": _untold,
    "few": _few,
    "equal": _equal,
    "apart": _apart,
}
"""Sentences by what a comparison comes to, in the order in which they are said."""
TOGETHER: dict[str, Callable[[Sequence[Comparison], str, float], str]] = {
    "untold": _untold_together,
    "few": _few_together,
    "equal": _equal_together,
    "apart": _apart_together,
}
"""Sentences about several comparisons that come to the same with as many seeds."""


def _where(comparison: Comparison, task: str) -> str:
    return task if comparison.measure in (*PLAIN, STEPS) else f"{task}, {comparison.measure}"


def _named(group: Sequence[Comparison]) -> str:
    return ", ".join(f"{one.first} and {one.second}" for one in group)


def _seeds(comparison: Comparison) -> str:
    return f"{comparison.pairs} {comparison.paired}{'s' if comparison.pairs > 1 else ''}"


def _difference(comparison: Comparison) -> str:
    assert comparison.difference is not None
    number = _number(comparison.difference, comparison)
    return number + _unit(number, comparison)


def _unit(number: str, comparison: Comparison) -> str:
    """What follows a difference: shares differ by percentage points."""
    if comparison.measure == STEPS:
        return " step" if number.lstrip("-") == "1" else " steps"
    return {"": "", "%": " points"}.get(comparison.unit, f" {comparison.unit}")


def _number(value: float, comparison: Comparison) -> str:
    return f"{value:z,.{_digits(comparison)}f}"


def _digits(comparison: Comparison) -> int:
    """Those of the measure, or more: an interval without 0 must not be printed with an end of 0."""
    ends = comparison.interval
    if ends is None or ends.low <= 0 <= ends.high:
        return comparison.digits
    nearest = min(abs(ends.low), abs(ends.high))
    return next((digits for digits in range(comparison.digits, MOST_DIGITS) if round(nearest, digits)), MOST_DIGITS)


def _percent(interval: Interval) -> str:
    return f"{100 * interval.confidence:.3g} %"


def _p(value: float) -> str:
    return "p < 0.001" if value < 0.001 else f"p = {value:.3f}"


def _holm(comparison: Comparison) -> str:
    return f", Holm over {comparison.comparisons} comparisons" if comparison.comparisons > 1 else ""
