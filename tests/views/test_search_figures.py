"""The figure of a searched part: its numbers are tested, and that drawing them gives the same files again."""

import math
from dataclasses import replace
from pathlib import Path

import pytest

from gatelab.studies.outcome import make_outcome
from gatelab.studies.plan import make_plan
from gatelab.studies.search import Between
from gatelab.studies.spec import read_study
from gatelab.training.record import Run, SeedResult
from gatelab.views.figures import save_figure
from gatelab.views.search_drawing import COLOURS, SHAPES, draw_search
from gatelab.views.search_figures import Scale, search_figure

TEXT = """
name = "drawn"
cells = ["lstm", "f"]
seeds = 1
[tasks.TASK]
steps = 5
hidden_sizes = [2]
[tasks.TASK.search]
trials = 12
input_noise = { low = 0, high = 1 }
learning_rate = { low = 1e-3, high = 1e-1, log = true }
optimizer = { among = ["adam", "rmsprop"] }
"""
LOST = ("lstm", 3)


def outcome_of(score, text=TEXT, task="digits", measure="accuracy"):
    """An outcome in which the score is a function of the learning rate, and one trial of lstm has diverged."""
    plan = make_plan(read_study(text.replace("TASK", task), "drawn.toml"), Path())
    runs = {}
    for planned in plan.runs:
        lost = (planned.label, planned.trial.number) == LOST
        value = None if lost else score(planned.settings.learning_rate)
        result = SeedResult(0, "diverged" if lost else "steps", 5, {measure: value, "MAE": value}, ())
        runs[planned.settings.identity] = Run(planned.settings, (result,), 1.0, {})
    return make_outcome(plan, runs)


@pytest.fixture(scope="module")
def found():
    return outcome_of(lambda rate: 90 + 10 * math.log10(rate))


def test_each_setting_has_the_axis_that_it_was_drawn_on(found):
    assert search_figure(found, "digits").scales == (
        Scale("input_noise", 0, 1, False),
        Scale("learning_rate", 1e-3, 1e-1, True),
        Scale("optimizer", 0, 1, False, ("adam", "rmsprop")),
    )


def test_every_trial_is_where_it_was_drawn_and_those_without_a_score_are_kept(found):
    data = search_figure(found, "digits")
    for row, cell in zip(data.rows, found.searched, strict=True):
        scored = [tried for tried in cell.trials if tried.score is not None]
        noise, rate, optimizer = row.places
        assert noise.scored == tuple(tried.drawn["input_noise"] for tried in scored)
        assert rate.scored == tuple(tried.drawn["learning_rate"] for tried in scored)
        assert optimizer.scored == tuple(float(tried.drawn["optimizer"] == "rmsprop") for tried in scored)
        assert row.scores == tuple(tried.score for tried in scored)
        assert row.scores[row.best] == max(row.scores)
    lstm, f = data.rows
    lost = found.searched[0].trials[LOST[1]]
    assert [places.lost for places in lstm.places][:2] == [(lost.drawn["input_noise"],), (lost.drawn["learning_rate"],)]
    assert [places.lost for places in f.places] == [()] * 3


def test_shares_are_those_of_the_search_in_percent(found):
    for row, cell in zip(search_figure(found, "digits").rows, found.searched, strict=True):
        assert row.shares == tuple(100 * share for share in cell.importance.values())
        assert row.shares[1] > 50, "the learning rate, which alone decides"


def test_sizes_and_starts_are_named_where_there_are_several(found):
    assert {row.kind for row in search_figure(found, "digits").rows} == {""}
    several = TEXT.replace("hidden_sizes = [2]", 'hidden_sizes = [1, 2]\ninits = ["default", "zeros"]')
    rows = search_figure(outcome_of(lambda rate: rate, several), "digits").rows
    assert [(row.kind, row.cell) for row in rows] == [
        (f"{size}, start {init}", cell)
        for size in ("1 unit", "2 units")
        for init in ("default", "zeros")
        for cell in ("lstm", "f")
    ]


@pytest.mark.parametrize(
    ("task", "measure", "score", "logarithmic"),
    [
        ("sine", "MSE", lambda rate: rate, True),
        ("sine", "MSE", lambda rate: 1 + rate, False),
        ("sine", "MSE", lambda rate: rate - 0.02, False),
        ("digits", "accuracy", lambda rate: rate, False),
    ],
    ids=["errors far apart", "errors close together", "negative", "accuracies"],
)
def test_errors_far_apart_stand_on_a_logarithmic_axis(task, measure, score, logarithmic):
    assert search_figure(outcome_of(score, task=task, measure=measure), task).logarithmic == logarithmic


def test_without_any_score_there_is_a_figure_all_the_same(found, tmp_path):
    cells = [
        replace(cell, best=None, importance=None, trials=tuple(replace(tried, score=None) for tried in cell.trials))
        for cell in found.searched
    ]
    data = search_figure(replace(found, searched=tuple(cells)), "digits")
    assert {(row.scores, row.best, row.shares) for row in data.rows} == {((), None, None)}
    assert all(len(places.lost) == 12 for row in data.rows for places in row.places)
    assert len(draw_search(data).axes) == 2 * 3, "and no panels of shares"
    assert save_figure(draw_search(data), tmp_path / "digits")


def test_the_footnote_says_what_differs_and_whose_shares_they_are(found):
    note = search_figure(replace(found, differences={"digits": ("12 trials instead of 20",)}), "digits").footnote
    assert "12 trials of each cell, each one seed, at most 5 steps." in note
    assert "Otherwise than in the study's file: 12 trials instead of 20." in note
    assert "Hutter" in note


def test_a_panel_shows_the_whole_range_on_the_scale_that_was_drawn_on(found):
    axes = draw_search(search_figure(found, "digits")).axes[-4:]
    assert [place.get_xscale() for place in axes] == ["linear", "log", "linear", "linear"]
    for place, of in zip(axes, (Between(0, 1), Between(1e-3, 1e-1)), strict=False):
        low, high = place.get_xlim()
        assert low < of.low < of.high < high
    assert [label.get_text() for label in axes[2].get_xticklabels()] == ["adam", "rmsprop"]


def test_the_legend_and_the_titles_say_what_is_there(found):
    def words(data):
        figure = draw_search(data)
        return [text.get_text() for text in figure.legends[0].get_texts()], figure.axes[0].get_title(loc="left")

    several = ["a trial of the row's cell", "its best", "trials of the other cells", "diverged, without a score"]
    data = search_figure(found, "digits")
    assert words(data) == (several, f"lstm, best {max(data.rows[0].scores):.1f}")
    small = outcome_of(lambda rate: rate**2, TEXT.replace('"lstm", ', ""), task="sine", measure="MSE")
    data = search_figure(small, "sine")
    assert words(data) == (several[:2], f"f, best {min(data.rows[0].scores):.3g}")


def test_no_two_cells_have_the_same_mark():
    count = len(COLOURS) * len(SHAPES)
    marks = {(COLOURS[number % len(COLOURS)], SHAPES[number % len(SHAPES)]) for number in range(count)}
    assert len(marks) == count


def test_files_are_the_same_again(found, tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        save_figure(draw_search(search_figure(found, "digits")), tmp_path / name / "digits")
    for ending in ("png", "svg"):
        one, two = ((tmp_path / name / f"digits.{ending}").read_bytes() for name in ("one", "two"))
        assert one == two
