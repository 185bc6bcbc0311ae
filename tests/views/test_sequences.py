"""The figure of a series that was made up."""

from gatelab.views.figures import save_figure
from gatelab.views.sequences import Sequence, draw_sequence


def test_what_was_made_begins_where_the_start_ends(tmp_path):
    data = Sequence("made up", (0.0, 1.0, 2.0), (3.0, 5.0))
    made, start, _ = draw_sequence(data).axes[0].get_lines()
    assert (list(start.get_xdata()), list(start.get_ydata())) == ([0, 1, 2], [0.0, 1.0, 2.0])
    assert (list(made.get_xdata()), list(made.get_ydata())) == ([2, 3, 4], [2.0, 3.0, 5.0])
    for name in ("one", "two"):
        save_figure(draw_sequence(data), tmp_path / name)
    assert (tmp_path / "one.svg").read_bytes() == (tmp_path / "two.svg").read_bytes()
