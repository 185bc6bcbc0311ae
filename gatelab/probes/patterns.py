"""Search for patterns: mark a span of one sequence, and find the spans where the units do the most similar.

After LSTMVis (Strobelt et al. 2018, IEEE TVCG 24(1):667). T time, B batch, W the width of a vector, L the steps of the
marked span, U the units that count, S the places where a span of L steps may begin.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from gatelab.errors import DataError, OptionError, nearest
from gatelab.probes.gates import valid_mask, valid_steps

PART = 200
"""Sequences searched at a time, which bounds the memory."""
MOST_UNITS = 10
"""Units that a span is about, where nobody says which."""


@dataclass(frozen=True)
class Span:
    """Some steps of one sequence: from `begin` to before `end`."""

    sequence: int
    begin: int
    end: int


@dataclass(frozen=True)
class Match(Span):
    """A span that is like the marked one; `score` is higher the more so, and 1 where nothing differs."""

    score: float


def find_similar(
    values: Tensor,
    span: Span,
    units: Sequence[int] | None = None,
    lengths: Tensor | None = None,
    *,
    measure: str = "cosine",
    threshold: float = 0.3,
    most: int = 20,
    each: int = 1,
) -> tuple[Match, ...]:
    """The spans as long as the marked one that are most like it, the best first.

    Args:
        values: where to search, (T, B, W).
        span: the marked one; what overlaps it is not found.
        units: which count; None for those that `choose_units` finds.
        lengths: (B,), if they are ragged.
        measure: what is alike, a name of `MEASURES`.
        threshold: from which on a unit is on; of the measure "on" only.
        most: how many to give at most.
        each: how many of one sequence at most, no two of which overlap.

    Raises:
        OptionError: the span lies outside of its sequence, there is no such unit or measure, or no unit is on.
        ShapeError: values or lengths have the wrong shape, type or range.
        DataError: a value is not finite.
    """
    if measure not in MEASURES:
        raise OptionError(f"There is no measure '{measure}'.\n{nearest(measure, MEASURES)}")
    if most < 1 or each < 1:
        raise OptionError(f"most is {most} and each is {each}.\nGive counts from 1.")
    alive = _checked(values, span, lengths)
    if units is None:
        units = choose_units(values, span, lengths, threshold if measure == "on" else None)
    chosen = _chosen(units, values.shape[-1])
    marked = values[span.begin : span.end, span.sequence]
    parts = values.detach().cpu().split(PART, dim=1)
    scores = torch.cat([MEASURES[measure](part, marked.detach().cpu(), chosen, threshold) for part in parts], dim=1)
    scores[~alive[span.end - span.begin - 1 :]] = -torch.inf
    if scores.isnan().any():
        raise DataError("Some values are infinite or no numbers: the model has diverged.\nProbe one that has not.")
    return _best(_without(scores, span), span.end - span.begin, most, each)


def choose_units(
    values: Tensor, span: Span, lengths: Tensor | None = None, threshold: float | None = None, most: int = MOST_UNITS
) -> tuple[int, ...]:
    """The units that a span is about.

    Args:
        values: (T, B, W).
        span: the marked one.
        lengths: (B,), if they are ragged.
        threshold: if given, all units that are on, at or above it, at every step of the span, as in LSTMVis. If not,
            those whose mean over the span is furthest from their mean over all steps, in their own deviations.
        most: how many without a threshold.

    Raises:
        OptionError: the span lies outside of its sequence, or no unit is on throughout.
        ShapeError, DataError: as `valid_steps` has it.
    """
    _checked(values, span, lengths)
    steps = valid_steps(values, lengths)
    marked = values[span.begin : span.end, span.sequence].detach().cpu()
    if threshold is not None:
        on = (marked >= threshold).all(0).nonzero().flatten()
        if not len(on):
            raise OptionError(
                f"No unit stays at or above {threshold:g} throughout the span.\nLower the threshold, or name the units."
            )
        return tuple(on.tolist())
    mean = steps.mean(0)
    deviation = (steps - mean).square().mean(0).sqrt()
    # A unit that never changes is never far from its mean, whatever is divided by.
    away = (marked.to(mean.dtype).mean(0) - mean).abs() / deviation.clamp(min=torch.finfo(mean.dtype).eps)
    return tuple(sorted(away.argsort(descending=True, stable=True)[:most].tolist()))


def _cosine(values: Tensor, marked: Tensor, units: list[int], threshold: float) -> Tensor:
    """Of the angle between the units' values over both spans, (S, B); from -1 to 1, and 0 for nothing but zeros."""
    products, squares, own = _products(values, marked, units)
    norms = (squares * own).sqrt()
    return torch.where(norms == 0, 0.0, products / norms).clamp(-1, 1)


def _distance(values: Tensor, marked: Tensor, units: list[int], threshold: float) -> Tensor:
    """One over one and the root of the mean squared difference, (S, B); from 0 to 1."""
    products, squares, own = _products(values, marked, units)
    mean = (squares - 2 * products + own).clamp(min=0) / (len(marked) * len(units))
    return 1 / (1 + mean.sqrt())


def _on(values: Tensor, marked: Tensor, units: list[int], threshold: float) -> Tensor:
    """Of the chosen units and those that are on throughout a span, the share that are both, (S, B); from 0 to 1.

    LSTMVis ranks by the same two sets: by how many units are in both, and then by how few are in one alone.
    """
    on, places = values >= threshold, len(values) - len(marked) + 1
    throughout = on[:places].clone()
    for step in range(1, len(marked)):
        throughout &= on[step : step + places]
    both = throughout[..., units].sum(-1)
    either = throughout.sum(-1) + len(units) - both
    return both / either.clamp(min=1)


Measure = Callable[[Tensor, Tensor, list[int], float], Tensor]
MEASURES: dict[str, Measure] = {"cosine": _cosine, "distance": _distance, "on": _on}
"""How alike spans of values (T, B, W) are to a marked one, (L, W), by what is compared."""


def _products(values: Tensor, marked: Tensor, units: list[int]) -> tuple[Tensor, Tensor, Tensor]:
    """Each span's product with the marked one, (S, B), its squared norm, (S, B), and that of the marked one.

    In double precision, since differences of squared norms are small where spans are alike.
    """
    own, template = values[..., units].double(), marked[:, units].double()
    places = len(own) - len(template) + 1
    # One large product, and its diagonals summed: a product for each step of the span would wait for the memory.
    every = (template @ own.flatten(0, 1).T).unflatten(1, own.shape[:2])
    products = torch.zeros(places, own.shape[1], dtype=torch.float64)
    for step, row in enumerate(every):
        products += row[step : step + places]
    running = torch.nn.functional.pad(own.square().sum(-1).cumsum(0), (0, 0, 1, 0))
    squares = running[len(template) :] - running[:places]
    return products, squares.clamp(min=0), template.square().sum()


def _without(scores: Tensor, span: Span) -> Tensor:
    """Scores (S, B) in which no span overlaps the marked one."""
    near = slice(max(span.begin - (span.end - span.begin) + 1, 0), span.end)
    scores[near, span.sequence] = -torch.inf
    return scores


def _best(scores: Tensor, length: int, most: int, each: int) -> tuple[Match, ...]:
    """The best spans by their scores (S, B); each sequence's best, then its best beside that, and so on."""
    places = torch.arange(len(scores)).unsqueeze(-1)
    found = []
    for _ in range(each):
        best, begin = scores.max(dim=0)
        found.append(torch.stack([best, torch.arange(len(best)).double(), begin.double()]))
        scores = scores.masked_fill((places - begin).abs() < length, -torch.inf)
    score, sequence, begin = torch.cat(found, dim=1)
    order = [place for place in score.argsort(descending=True, stable=True)[:most].tolist() if score[place].isfinite()]
    rows = ((int(sequence[place]), int(begin[place]), float(score[place])) for place in order)
    return tuple(Match(own, first, first + length, value) for own, first, value in rows)


def _checked(values: Tensor, span: Span, lengths: Tensor | None) -> Tensor:
    """Which steps lie within their sequences, (T, B), with the span among them."""
    alive = valid_mask(values, lengths)
    inside = 0 <= span.sequence < alive.shape[1] and 0 <= span.begin < span.end <= len(alive)
    if not inside or not alive[span.end - 1, span.sequence]:
        raise OptionError(
            f"{span} lies outside of the {alive.shape[1]} sequences of at most {len(alive)} steps.\n"
            "Mark at least one step of a sequence, from 0 on, before its end."
        )
    return alive


def _chosen(units: Sequence[int], width: int) -> list[int]:
    chosen = sorted(set(units))
    if not chosen or chosen[0] < 0 or chosen[-1] >= width:
        raise OptionError(f"The units are {list(units)}.\nName at least one, from 0 to {width - 1}.")
    return chosen
