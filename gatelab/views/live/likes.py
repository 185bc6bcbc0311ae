"""A span of the input, and the spans of the test in which the model does the most similar.

T time, B examples, W units.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from gatelab.nn.models import SequenceModel
from gatelab.probes.patterns import Match, Span, find_similar
from gatelab.views.examples import Examples
from gatelab.views.live.looks import watched

FOUND, AROUND = 8, 4
"""Spans that are given, and steps that are shown before and after each."""


@dataclass(frozen=True)
class Like:
    """A span that a search has found.

    Attributes:
        score: how alike it is, 1 where nothing differs.
        example: of the sample, from 0; None for the input itself.
        begin, end: from this step, counted from 0, to before that one.
        before, marked, after: what the steps read.
    """

    score: float
    example: int | None
    begin: int
    end: int
    before: tuple[str, ...]
    marked: tuple[str, ...]
    after: tuple[str, ...]


def find_likes(
    model: SequenceModel,
    typed: Examples,
    sample: Examples,
    key: str,
    span: tuple[int, int],
    units: Sequence[int] | None = None,
    measure: str = "distance",
) -> tuple[Like, ...]:
    """The spans most like one of the input, in a sample and in the input itself, the best first.

    Args:
        model: who reads both.
        typed: the input.
        sample: examples of the test.
        key: of what is compared, as the probe has it.
        span: from this step, counted from 0, to before that one.
        units: which of them count; None for those that the span is about.
        measure: as `find_similar` has it.

    Raises:
        OptionError: the span lies outside of the input, or there is no such name, unit or measure.
        DataError: a value is not finite.
    """
    own, others = watched(model, typed, (key,))[key], _of_sample(model, sample, key)
    values = _side_by_side(others, own)
    lengths = torch.tensor([*sample.ends, len(own)])
    place = len(sample.labels)
    found = find_similar(values, Span(place, *span), units, lengths, measure=measure, most=FOUND + 1)
    labels = (*sample.labels, typed.labels[0])
    return tuple(_like(match, place, labels) for match in found if not _is_itself(match, span, values))[:FOUND]


@lru_cache(maxsize=4)  # Values of all the sample may take hundreds of megabytes.
def _of_sample(model: SequenceModel, sample: Examples, key: str) -> Tensor:
    return watched(model, sample, (key,))[key]


def _side_by_side(others: Tensor, own: Tensor) -> Tensor:
    """Values (T, B, W) and one more sequence of them, (T', 1, W), as (longer T, B + 1, W)."""
    steps = max(len(others), len(own))
    parts = [torch.nn.functional.pad(part, (0, 0, 0, 0, 0, steps - len(part))) for part in (others, own)]
    return torch.cat(parts, dim=1)


def _is_itself(match: Match, span: tuple[int, int], values: Tensor) -> bool:
    """Whether a span is the marked one in the example that the input was taken from."""
    return match.begin == span[0] and torch.equal(values[: span[1], match.sequence], values[: span[1], -1])


def _like(match: Match, own: int, labels: Sequence[tuple[str, ...]]) -> Like:
    steps, begin, end = labels[match.sequence], match.begin, match.end
    return Like(
        score=match.score,
        example=None if match.sequence == own else match.sequence,
        begin=begin,
        end=end,
        before=steps[max(begin - AROUND, 0) : begin],
        marked=steps[begin:end],
        after=steps[end : end + AROUND],
    )
