"""Pictures of gates: the numbers that are drawn, and that they can be drawn."""

import numpy as np
import pytest
import torch

import gatelab as gl
from gatelab.errors import OptionError
from gatelab.nn.inputs import Tokens
from gatelab.nn.models import SequenceModel
from gatelab.views.examples import Examples
from gatelab.views.figures import save_figure
from gatelab.views.gate_figures import MOST_LABELS, draw_lines, gate_lines
from gatelab.views.heat_figures import MOST_UNITS, draw_heat, heat_maps
from gatelab.views.own_inputs import bits_as_examples, report_inputs
from gatelab.views.scene import make_scene
from gatelab.views.strips import MOST_WORDS, strip_of


def model(cell, inputs=1, hidden=1, outputs=1):
    torch.manual_seed(0)
    return SequenceModel(cell, inputs, hidden, outputs).eval()


@pytest.fixture
def scene():
    """A latch whose gate is open where the bit is one: c keeps the number of the last step that read a one."""
    latch = gl.Cell("g = step(W @ x)\nt = t + 1\nc = g * t + (1 - g) * c\nh = c", name="latch")
    own = model(latch)
    with torch.no_grad():
        own.recurrent.W_l0.fill_(1.0)
    return make_scene(own, report_inputs(), title="latch")


def test_the_report_has_three_inputs(scene):
    labels = ["".join(example.labels) for example in scene.examples]
    assert labels == ["1" * 20, "1" * 5 + "0" * 10 + "1" * 5, "01" + "0" * 8 + "1" * 10]
    assert [example.targets for example in scene.examples] == [("even",), ("even",), ("odd",)]


def test_lines_are_the_values_of_the_cell(scene):
    pictures = gate_lines(scene)
    assert [panel.name for panel in pictures.columns[0].panels] == ["g", "t", "c", "h"]
    by_name = {panel.name: panel for panel in pictures.columns[1].panels}
    (gate,), (memory,) = by_name["g"].lines, by_name["c"].lines
    assert gate.values.tolist() == [1] * 5 + [0] * 10 + [1] * 5
    assert memory.values.tolist() == [1, 2, 3, 4, 5, *[5] * 10, 16, 17, 18, 19, 20]
    assert gate.label == ""
    assert by_name["g"].is_gate
    assert not by_name["t"].is_gate


def test_names_can_be_chosen(scene):
    pictures = gate_lines(scene, ("c", "g"), inputs=1)
    assert [[panel.name for panel in column.panels] for column in pictures.columns] == [["g", "c"]]
    assert [one.name for one in heat_maps(scene, 2, ("c", "g")).maps] == ["g", "c"]
    with pytest.raises(OptionError, match="no 'gg' in the scene"):
        gate_lines(scene, ["gg"])


def test_maps_hold_all_units_of_one_example(scene):
    found = heat_maps(scene, 1)
    gate, _, memory, _ = found.maps
    assert gate.values.shape == (1, 20)
    assert (gate.low, gate.high) == (0, 1)
    assert memory.low == -memory.high
    assert 18 < memory.high <= 20
    assert [trace.label for trace in found.traces] == ["p(even)"]
    assert heat_maps(scene, 2).traces[0].label == "p(odd)"


def test_two_cells_share_their_panels():
    cells = {name: model(name, hidden=2) for name in ("fo", "lstm")}
    pictures = gate_lines(make_scene(cells, report_inputs()))
    by_name = {panel.name: panel for panel in pictures.columns[0].panels}
    both = ["fo, unit 0", "fo, unit 1", "lstm, unit 0", "lstm, unit 1"]
    assert [line.label for line in by_name["f"].lines] == both
    assert [line.label for line in by_name["i"].lines] == both[2:]
    found = heat_maps(make_scene(cells, report_inputs()))
    assert [one.name for one in found.maps if one.name.endswith(": o")] == ["fo: o", "lstm: o"]
    assert [trace.label for trace in found.traces] == ["fo: p(even)", "lstm: p(even)"]
    assert len({one.high for one in found.maps if one.name.endswith(": c")}) == 1


def test_the_most_varied_units_are_drawn():
    own = model(gl.Cell("h = tanh(W @ x + R @ h)"), hidden=5)
    with torch.no_grad():
        for parameter in own.recurrent.parameters():
            parameter.zero_()
        own.recurrent.W_l0[torch.tensor([1, 3])] = torch.tensor([[0.5], [2.0]])
    scene = make_scene(own, bits_as_examples(["0110", "1111"]))
    lines = gate_lines(scene, units=2).columns[0].panels[0].lines
    assert [line.label for line in lines] == ["unit 1", "unit 3"]
    assert lines[1].values == pytest.approx([0, np.tanh(2), np.tanh(2), 0], abs=1e-3)


@pytest.fixture
def texts():
    """Two texts of 100 steps, read by 70 units."""
    torch.manual_seed(0)
    x = torch.arange(200).reshape(100, 2) % 8
    labels = tuple(tuple(f"<${token}$_{{> long indeed" for token in own) for own in x.T.tolist())
    examples = Examples(x, "tokens", labels, torch.tensor([0, 1]), ("bad", "good"))
    return make_scene(SequenceModel("gru", Tokens(8, 3), 70, 1).eval(), examples)


def test_of_long_texts_the_last_steps_are_drawn(texts, tmp_path):
    strip = strip_of(texts, 0)
    assert (strip.begin, len(strip.labels)) == (100 - MOST_WORDS, MOST_WORDS)
    assert strip.title == "example 1: bad, last 60 of 100 steps"
    column = gate_lines(texts).columns[0]
    assert len(column.strip.labels) == MOST_LABELS
    watched = next(watched for watched in texts.sides[0].watched if watched.key == "z")
    line = next(panel for panel in column.panels if panel.name == "z").lines[0]
    unit = int(line.label.removeprefix("unit "))
    np.testing.assert_array_equal(line.values, watched.values[0][-MOST_LABELS:, unit])
    found = heat_maps(texts)
    assert all(one.values.shape == (MOST_UNITS, MOST_WORDS) for one in found.maps)
    save_figure(draw_heat(found), tmp_path / "formulas")


def image():
    return Examples(torch.rand(8, 2, 5), "rows", (("row",) * 8,) * 2, torch.tensor([1, 2]), ("a", "b", "c"))


def series():
    labels = (("1",) * 8, ("2",) * 6)
    return Examples(torch.rand(8, 2, 5), "values", labels, None, ("next",), False, lengths=torch.tensor([8, 6]))


@pytest.mark.parametrize("examples", [image, series])
def test_inputs_are_drawn_in_a_row_of_their_own(examples):
    torch.manual_seed(0)
    given = examples()
    scene = make_scene(model("lstm", inputs=5, hidden=4, outputs=len(given.answers)), given)
    strip = strip_of(scene, 1)
    assert strip.values.shape == (given.ends[1], 5)
    lines, heat = draw_lines(gate_lines(scene)), draw_heat(heat_maps(scene, 1))
    assert len(lines.axes) == 2 * 7
    labels = [axes.get_ylabel() for axes in heat.axes[:8]]
    assert labels[0].startswith("input")
    assert labels[1:] == [*"ifzcoh", heat_maps(scene, 1).traces[0].label]


@pytest.mark.parametrize(("channels", "label"), [(1, ""), (3, "channels 1 to 3"), (6, "channels 1 to 4\nof 6")])
def test_channels_are_told_apart_in_grey_and_those_left_out_are_said(channels, label):
    numbers = Examples(torch.rand(5, 1, channels), "values", (("1",) * 5,), None, ("next",), are_classes=False)
    scene = make_scene(model("f", inputs=channels), numbers)
    for figure in (draw_lines(gate_lines(scene)), draw_heat(heat_maps(scene))):
        above, lines = figure.axes[0], figure.axes[0].lines
        assert above.get_ylabel() == f"input\n{label}".strip()
        assert len({line.get_linestyle() for line in lines}) == len(lines) == min(channels, 4)
        named = [text.get_text() for text in above.get_legend().get_texts()] if channels > 1 else []
        assert named == ["1", "2", "3", "4"][: len(lines) if channels > 1 else 0]


def test_inputs_and_answers_say_their_unit_where_labels_have_another():
    unit = "in deviations, from the last value read"
    numbers = Examples(torch.rand(5, 1, 1), "values", (("1",) * 5,), None, ("1 ahead",), False, unit=unit)
    heat = draw_heat(heat_maps(make_scene(model("f"), numbers)))
    labels = [axes.get_ylabel().split() for axes in heat.axes]
    assert ["input", *unit.split()] in labels
    assert ["1", "ahead", *unit.split()] in labels


@pytest.mark.parametrize("steps", [1, 2])
def test_one_step_is_a_dot_in_every_panel(steps):
    numbers = Examples(torch.rand(steps, 1, 2), "values", (("1",) * steps,), None, ("next",), are_classes=False)
    scene = make_scene(model("f", inputs=2), numbers)
    for figure in (draw_lines(gate_lines(scene)), draw_heat(heat_maps(scene))):
        markers = {line.get_marker() for axes in figure.axes for line in axes.lines}
        assert markers == {"o" if steps == 1 else ""}


def test_a_shade_says_which_bits_are_one(scene):
    figure = draw_lines(gate_lines(scene))
    shades = [len(axes.patches) for axes in figure.axes[:3]]
    assert shades == [20, 10, 11]


def test_files_are_the_same_again(scene, tmp_path):
    for again in ("one", "two"):
        (tmp_path / again).mkdir()
        save_figure(draw_lines(gate_lines(scene, ["g"])), tmp_path / again / "lines")
        save_figure(draw_heat(heat_maps(scene, 0, ["g"])), tmp_path / again / "heat")
    for path in sorted((tmp_path / "one").iterdir()):
        assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes()
