"""Figures: the numbers are tested, and that drawing them gives the same files again."""

import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text
from test_tables import digits_group, outcome, parity_group

from gatelab.errors import StoreError
from gatelab.views.figures import draw_figure, save_figure, study_figure, write_below


@pytest.fixture
def found():
    return outcome(
        *(digits_group(cell, [95.0, 96.5, 97.0], 97.22, size) for size in (30, 1) for cell in ("lstm", "f")),
        parity_group("fo", [99.0, 100.0], 55),
        parity_group("o", [], None),
        differences=("3 seeds instead of 10",),
    )


def test_a_scored_task_has_a_panel_a_size(found):
    data = study_figure(found, "digits")
    assert [[panel.title for panel in row] for row in data.grid] == [["30 units", "1 unit"]]
    row = data.grid[0][0].rows[0]
    assert (row.label, row.values, row.median, row.reported) == ("lstm", (95.0, 96.5, 97.0), 96.5, 97.22)
    assert (row.interval.low, row.interval.high) == (95.0, 97.0)


def test_a_solved_task_has_a_panel_a_measure_and_counts_the_solved(found):
    data = study_figure(found, "parity")
    assert [(panel.quantity, panel.logarithmic) for panel in data.grid[0]] == [
        ("steps until solved", True),
        ("accuracy at 16, %", False),
        ("accuracy at 100, %", False),
    ]
    assert [row.label for row in data.grid[0][0].rows] == ["fo  2/3", "o  0/3"]
    empty = data.grid[0][0].rows[1]
    assert (empty.values, empty.median, empty.interval, empty.reported) == ((), None, None, None)


def test_the_footnote_says_what_differs(found):
    assert "3 seeds instead of 10" in study_figure(found, "digits").footnote


@pytest.mark.parametrize("task", ["digits", "parity"])
def test_files_are_the_same_again(found, tmp_path, task):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        paths = save_figure(draw_figure(study_figure(found, task)), tmp_path / name / task)
        assert [path.name for path in paths] == [f"{task}.png", f"{task}.svg"]
    for ending, start in (("png", b"\x89PNG"), ("svg", b"<?xml")):
        one, two = ((tmp_path / name / f"{task}.{ending}").read_bytes() for name in ("one", "two"))
        assert one == two
        assert one.startswith(start)


def test_a_figure_that_cannot_be_written_is_one_clear_error(found, tmp_path):
    with pytest.raises(StoreError, match=r"digits\.png can't be written"):
        save_figure(draw_figure(study_figure(found, "digits")), tmp_path / "nowhere" / "digits")


@pytest.mark.parametrize(
    "note", ["short", "Otherwise: " + "train = /a/long/path/of/a/file.ts, " * 8, "/DATA/my_long_name" * 20]
)
def test_a_note_stays_within_the_figure(note):
    figure = Figure(figsize=(6, 2))
    write_below(figure, note)
    (text,) = [text for text in figure.findobj(Text) if text.get_text() and text.get_text()[0] == note[0]]
    assert text.get_window_extent(FigureCanvasAgg(figure).get_renderer()).x1 <= figure.bbox.x1
    assert text.get_text().replace("\n", "").replace(" ", "") == note.replace(" ", "")
