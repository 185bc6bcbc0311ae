"""Pattern search: planted copies are found, and scores are what their definitions say."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from gatelab.errors import DataError, OptionError, ShapeError
from gatelab.probes import patterns
from gatelab.probes.patterns import MEASURES, Match, Span, choose_units, find_similar


def noise(steps, batch, width, seed=0):
    return torch.rand(steps, batch, width, generator=torch.Generator().manual_seed(seed))


def by_hand(measure, window, marked, units, threshold):
    """The score of one span, (L, W) beside (L, W), as it is defined."""
    a, b = window[:, units].double().flatten(), marked[:, units].double().flatten()
    if measure == "cosine":
        return float(torch.nn.functional.cosine_similarity(a, b, dim=0))
    if measure == "distance":
        return 1 / (1 + float((a - b).square().mean().sqrt()))
    throughout = {unit for unit in range(window.shape[1]) if bool((window[:, unit] >= threshold).all())}
    return len(throughout & set(units)) / len(throughout | set(units))


@pytest.mark.parametrize("measure", MEASURES)
def test_a_planted_copy_is_found_first(measure):
    """In another sequence and at another step; all else is noise."""
    values = noise(40, 6, 8)
    values[5:9, 1, :4] = 0.9
    values[5:9, 1, 4:] = 0.1
    values[20:24, 4] = values[5:9, 1]
    found = find_similar(values, Span(1, 5, 9), measure=measure, threshold=0.8)
    assert (found[0].sequence, found[0].begin, found[0].end) == (4, 20, 24)
    assert found[0].score == pytest.approx(1.0, abs=1e-6)
    assert all(match.score < 0.95 for match in found[1:])


@st.composite
def searches(draw):
    steps, batch, width = draw(st.integers(2, 9)), draw(st.integers(1, 4)), draw(st.integers(1, 4))
    values = noise(steps, batch, width, draw(st.integers(0, 999))) - draw(st.sampled_from([0.0, 0.5]))
    lengths = torch.tensor(draw(st.lists(st.integers(1, steps), min_size=batch, max_size=batch)))
    sequence = draw(st.integers(0, batch - 1))
    begin = draw(st.integers(0, int(lengths[sequence]) - 1))
    span = Span(sequence, begin, draw(st.integers(begin + 1, int(lengths[sequence]))))
    units = sorted(draw(st.sets(st.integers(0, width - 1), min_size=1)))
    return values, lengths, span, units


@given(searches(), st.sampled_from(sorted(MEASURES)), st.integers(1, 3))
def test_found_spans_have_the_scores_of_their_definition(drawn, measure, each):
    """They are ordered, overlap neither each other nor the marked one, and lie within their sequences."""
    values, lengths, span, units = drawn
    values[torch.arange(len(values)).unsqueeze(-1) >= lengths] = math.nan
    length, marked = span.end - span.begin, values[span.begin : span.end, span.sequence]
    found = find_similar(values, span, units, lengths, measure=measure, threshold=0.4, each=each)
    assert [match.score for match in found] == sorted((match.score for match in found), reverse=True)
    taken = {(span.sequence, step) for step in range(span.begin, span.end)}
    for match in found:
        window = values[match.begin : match.end, match.sequence]
        assert match.score == pytest.approx(by_hand(measure, window, marked, units, 0.4), abs=1e-5)
        assert match.end - match.begin == length and match.end <= lengths[match.sequence]
        own = {(match.sequence, step) for step in range(match.begin, match.end)}
        assert not own & taken
        taken |= own


@given(searches(), st.sampled_from(sorted(MEASURES)))
def test_each_sequences_best_is_found(drawn, measure):
    values, lengths, span, units = drawn
    length, marked = span.end - span.begin, values[span.begin : span.end, span.sequence]
    found = {match.sequence: match.score for match in find_similar(values, span, units, lengths, measure=measure)}
    for sequence, end in enumerate(lengths.tolist()):
        free = [
            begin
            for begin in range(end - length + 1)
            if sequence != span.sequence or begin + length <= span.begin or begin >= span.end
        ]
        scores = [by_hand(measure, values[b : b + length, sequence], marked, units, 0.3) for b in free]
        assert found.get(sequence) == (pytest.approx(max(scores), abs=1e-5) if scores else None)


def test_most_and_each_bound_what_is_given():
    values, span = noise(30, 5, 3), Span(0, 0, 4)
    assert len(find_similar(values, span)) == 5
    assert len(find_similar(values, span, most=3)) == 3
    several = find_similar(values, span, each=2)
    assert len(several) == 10
    assert set(find_similar(values, span)) <= set(several)


def test_spans_that_only_touch_are_both_found():
    values = torch.zeros(6, 2, 1)
    values[:2, 0, 0] = values[:2, 1, 0] = values[2:4, 1, 0] = torch.tensor([1.0, 2.0])
    found = find_similar(values, Span(0, 0, 2), units=[0], measure="distance", each=2)
    assert found[:2] == (Match(1, 0, 2, 1.0), Match(1, 2, 4, 1.0))


def test_parts_of_the_sequences_give_what_all_give(monkeypatch):
    values, span = noise(20, 7, 3), Span(3, 2, 5)
    whole = find_similar(values, span)
    monkeypatch.setattr(patterns, "PART", 2)
    assert find_similar(values, span) == whole


def test_only_the_units_that_count_are_compared():
    values = noise(20, 3, 2)
    values[4:6, 2, 0] = values[0:2, 0, 0]
    found = find_similar(values, Span(0, 0, 2), units=[0], measure="distance")
    assert found[0] == Match(2, 4, 6, pytest.approx(1.0))


def test_a_span_of_zeros_is_like_nothing_by_its_angle():
    values = torch.zeros(4, 2, 1)
    values[:, 1] = 1.0
    assert find_similar(values, Span(0, 0, 2), measure="cosine")[0].score == 0.0
    assert find_similar(values, Span(0, 0, 2), measure="distance")[0] == Match(0, 2, 4, 1.0)


def test_units_on_throughout_the_span_are_chosen_by_a_threshold():
    values = torch.tensor([[0.5, 0.5, 0.1], [0.3, 0.2, 0.1]]).unsqueeze(1)
    assert choose_units(values, Span(0, 0, 2), threshold=0.3) == (0,)
    assert choose_units(values, Span(0, 0, 1), threshold=0.3) == (0, 1)
    with pytest.raises(OptionError, match="Lower the threshold"):
        choose_units(values, Span(0, 0, 2), threshold=0.9)


def test_units_furthest_from_their_mean_are_chosen_without_one():
    """The first never changes, the second is always large, and only the third and the last do something here."""
    values = noise(50, 4, 4) * torch.tensor([0.0, 1.0, 0.1, 0.1]) + torch.tensor([5.0, 9.0, 0.0, 0.0])
    values[10:13, 2, 2] = 1.0
    values[10:13, 2, 3] = -1.0
    assert choose_units(values, Span(2, 10, 13), most=2) == (2, 3)
    assert choose_units(values, Span(2, 10, 13), most=9) == (0, 1, 2, 3)


@pytest.mark.parametrize("span", [Span(0, 2, 2), Span(0, -1, 2), Span(2, 0, 1), Span(-1, 0, 1), Span(0, 0, 4)])
def test_spans_outside_of_their_sequence(span):
    with pytest.raises(OptionError, match="lies outside of the 2 sequences"):
        find_similar(torch.zeros(5, 2, 1), span, lengths=torch.tensor([3, 5]))


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"measure": "cosin"}, "Did you mean 'cosine'"),
        ({"units": []}, "at least one, from 0 to 2"),
        ({"units": [0, 3]}, "from 0 to 2"),
        ({"most": 0}, "counts from 1"),
        ({"each": 0}, "counts from 1"),
        ({"measure": "on", "threshold": 2.0}, "No unit stays at or above 2"),
    ],
)
def test_options_that_cannot_be(options, says):
    with pytest.raises(OptionError, match=says):
        find_similar(noise(5, 2, 3), Span(0, 0, 2), **options)


def test_shapes_and_values_that_cannot_be():
    with pytest.raises(ShapeError, match=r"\(T, B, W\)"):
        find_similar(torch.zeros(5, 2), Span(0, 0, 2))
    values = noise(5, 2, 3)
    values[3, 1, 0] = math.nan
    with pytest.raises(DataError, match="diverged"):
        find_similar(values, Span(0, 0, 2), units=[0])
