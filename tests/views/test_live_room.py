"""What the page may ask, what it is answered, and what is drawn of that."""

import math
import re
from dataclasses import replace

import numpy as np
import pytest
from matplotlib import colormaps
from matplotlib.colors import to_hex

from gatelab.errors import DataError, OptionError
from gatelab.training.fit import fit
from gatelab.training.settings import make_settings
from gatelab.views.app.asked import read_asked
from gatelab.views.app.colours import SHARES, SIGNED
from gatelab.views.app.figure import arrange, map_panel, packed
from gatelab.views.app.room import Room, first_focus, first_shown, gate_keys, keys_of
from gatelab.views.app.scenery import live_figure
from gatelab.views.live.exhibits import open_exhibit


def run(folder, task, cell, hidden, **choices):
    """A run that has hardly begun, which is all that these tests need."""
    fit(make_settings(task, cell, hidden, (0,), steps=2, **choices), folder)
    return folder


@pytest.fixture(scope="module")
def parity(tmp_path_factory):
    return open_exhibit(run(tmp_path_factory.mktemp("live") / "parity", "parity", "lstm", 3))


@pytest.fixture(scope="module")
def room(parity, tmp_path_factory):
    digits = run(tmp_path_factory.mktemp("live") / "digits", "digits", "gru", 4, num_layers=2, bidirectional=True)
    return Room((parity, open_exhibit(digits)))


def asked(exhibit, run=0, **more):
    usual = {"run": run, "written": exhibit.start, "focus": first_focus(exhibit), "shown": first_shown(exhibit)}
    return read_asked(usual | more)


def titles_of(figure):
    return [note["text"] for note in figure["layout"]["annotations"]]


def test_held_and_plain_stand_side_by_side(room):
    own = room.exhibits[0]
    seen = room.see(asked(own, holds={"f": "0", "i": "", "o": "1"}, begin=3, end=2, units=[0, 2]))
    assert (seen.held.values["f"] == 0).all()
    assert (seen.held.values["o"] == 1).all()
    assert not np.array_equal(seen.plain.line, seen.held.line)
    figure = live_figure(seen.scenery)
    assert [trace["name"] for trace in figure["data"] if trace["type"] == "scatter"] == ["as it is", "held", "", ""]
    assert figure["layout"]["shapes"][0]["x0"] == 1.5
    titles = titles_of(figure)
    assert (titles[0], titles[-1]) == ("probability of 'odd'", "units of c, held")
    assert titles[1:3] == ["i, held, 0 to 1", "f, held, 0 to 1"]
    assert re.fullmatch(r"c, held, -(\S+) to \1", titles[3])
    plain, held = room.scores(asked(own, holds={"f": "0"}))
    assert plain.count == held.count == 256


def test_layers_and_directions_have_their_own_maps(room):
    own = room.exhibits[1]
    assert len(keys_of(own)) == 4 * len(own.model.recurrent.cell.lines)
    assert {"r_l0", "z_l1_reverse"} <= set(gate_keys(own))
    found = room.see(asked(own, run=1, side="difference", holds={"z": "1"}))
    assert set(keys_of(own)) == set(found.plain.values)
    assert found.plain.answers.sum(-1) == pytest.approx(np.ones(8))
    difference = found.scenery.values("z_l0")
    assert difference == pytest.approx(1 - found.plain.values["z_l0"])
    titles = titles_of(live_figure(found.scenery))
    assert titles[1] == "probability of each answer, held, 0 to 1"
    assert any(title.startswith("z_l1, difference, -") for title in titles)


def test_a_gate_that_is_released_has_its_own_colours_again(room):
    seen = room.see(asked(room.exhibits[0], side="difference"))
    assert seen.scenery.side == "as it is"
    maps = [trace for trace in live_figure(seen.scenery)["data"] if trace["type"] == "heatmap"]
    assert (maps[0]["zmin"], maps[0]["zmax"]) == (0, 1)


@pytest.mark.parametrize(("lowest", "found"), [(0.0, (0, 3)), (-5.0, (-5, 5))])
def test_inputs_below_zero_have_colours_of_their_own(room, lowest, found):
    seen = room.see(asked(room.exhibits[1], run=1))
    inputs = np.linspace(lowest, 3, 64, dtype=np.float32).reshape(8, 8)
    plain = replace(seen.plain, inputs=inputs)
    trace = live_figure(replace(seen.scenery, plain=plain))["data"][0]
    assert (trace["zmin"], trace["zmax"]) == found


def test_lines_of_units_have_no_colour_of_another_side(room):
    def colours(units, side):
        seen = room.see(asked(room.exhibits[0], holds={"f": "0"}, side=side, units=units))
        lines = [trace for trace in live_figure(seen.scenery)["data"] if trace["type"] == "scatter"]
        return [(trace["line"]["color"], trace["line"]["dash"]) for trace in lines]

    plain, held, *several = colours([0, 1, 2], "held")
    assert not {plain, held} & set(several)
    assert colours([1], "held")[2:] == [held]
    assert colours([1], "as it is")[2:] == [plain]
    assert colours([1], "difference")[2][0] not in (plain[0], held[0])


def test_one_unit_is_drawn_of_both_models_or_as_their_difference(tmp_path):
    own = open_exhibit(run(tmp_path / "run", "parity", "fo", 1))
    one = Room((own,))

    def drawn(side):
        figure = live_figure(one.see(asked(own, holds={"f": "1"}, side=side)).scenery)
        return titles_of(figure), [trace for trace in figure["data"] if trace["yaxis"] == "y2"]

    titles, both = drawn("held")
    assert (titles[1], len(both)) == ("f, as it is and held", 2)
    titles, (difference,) = drawn("difference")
    assert titles[1] == "f, difference"
    seen = one.see(asked(own, holds={"f": "1"}))
    assert difference["y"] == packed(1 - seen.plain.values["f"][:, 0])


def test_numbers_reach_plotly_in_base64():
    assert packed(np.array([1.0, -2.0])) == {"dtype": "f4", "bdata": "AACAPwAAAMA="}
    assert packed(np.zeros((2, 3)))["shape"] == "2, 3"


def test_labels_are_shown_as_they_are():
    panel = map_panel("<b>", np.zeros((2, 1)), low=0, high=1, names=["<i>"])
    layout = arrange([panel], ["<unknown>", "a & b"], None)["layout"]
    assert layout["xaxis2"]["ticktext"] == ["&lt;unknown&gt;", "a &amp; b"]
    assert layout["yaxis1"]["ticktext"] == ["&lt;i&gt;"]
    assert layout["annotations"][0]["text"] == "&lt;b&gt;, 0 to 1"


def test_a_map_without_numbers_says_so():
    assert map_panel("f, held", np.full((2, 3), np.nan), low=0, high=1).title == "f, held, without a use"


@pytest.mark.parametrize(("scale", "name"), [(SHARES, "Blues"), (SIGNED, "cividis_r")])
def test_scales_are_those_of_matplotlib(scale, name):
    colours = colormaps[name]
    assert scale == tuple((place, to_hex(colours(place))) for place, _ in scale)
    assert (scale[0][0], scale[-1][0]) == (0, 1)


@pytest.mark.parametrize(("low", "scale"), [(0, SHARES), (-1, SIGNED)])
def test_maps_have_the_scale_of_their_range(low, scale):
    (trace,) = map_panel("f", np.zeros((2, 3)), low=low, high=1).traces
    assert trace["colorscale"] == scale


@pytest.mark.parametrize(
    "given",
    [
        {"run": -1},
        {"run": "0"},
        {"run": 0, "written": "0" * 20_001},
        {"run": 0, "holds": {"f": "2"}},
        {"run": 0, "side": "inside"},
        {"run": 0, "shown": ["f"] * 61},
        {"run": 0, "units": [-1]},
        {"run": 0, "begin": 1.5},
        {"run": 0, "path": "/etc/passwd"},
    ],
)
def test_wishes_that_the_page_never_has(given):
    with pytest.raises(OptionError):
        read_asked(given)


@pytest.mark.parametrize("given", [{"run": 2}, {"shown": ["q"]}, {"focus": "q"}, {"holds": {"c": "1"}}])
def test_wishes_that_the_room_does_not_have(room, given):
    with pytest.raises(OptionError):
        room.see(asked(room.exhibits[0], **given))


def test_a_span_beyond_the_input_is_not_searched(room):
    for span in ({}, {"begin": 6, "end": 8}):
        with pytest.raises(OptionError, match=r"marked|Mark"):
            room.likes(asked(room.exhibits[0], **span))
    assert len(room.likes(asked(room.exhibits[0], begin=7, end=5))) == 8
    assert live_figure(room.see(asked(room.exhibits[0], begin=9, end=9)).scenery)["layout"]["shapes"] == []


def test_a_window_of_the_test_is_read_as_it_is_in_the_data(tmp_path):
    data = tmp_path / "pressure.csv"
    data.write_text("\n".join(["level", *(f"{101325 + 120 * math.sin(step / 3):.2f}" for step in range(200))]))
    options = {"data": str(data), "past": 9, "ahead": 2, "season": 7}
    exhibit = open_exhibit(run(tmp_path / "run", "series", "f", 3, options=options))
    assert {float(one) for one in exhibit.start.split(", ")} <= {float(one) for one in data.read_text().split()[1:]}
    sample = exhibit.sample.x[:, 0]
    assert exhibit.read(exhibit.start).examples.x[:, 0].numpy() == pytest.approx(sample.numpy(), abs=1e-6)
    seen = Room((exhibit,)).see(asked(exhibit))
    assert live_figure(seen.scenery)["layout"]["yaxis1"]["hoverformat"] == ".2f"


def test_a_run_whose_data_are_gone_opens_without_its_test(tmp_path):
    data = tmp_path / "up.csv"
    data.write_text("\n".join(["level", *(str(step % 7 + step / 50) for step in range(200))]))
    options = {"data": str(data), "past": 9, "ahead": 2, "season": 7}
    run(tmp_path / "run", "series", "f", 3, options=options)
    assert open_exhibit(tmp_path / "run").start.count(",") == 8
    data.unlink()
    exhibit = open_exhibit(tmp_path / "run")
    assert exhibit.sample is None
    assert exhibit.start.count(",") == 8
    room = Room((exhibit,))
    assert live_figure(room.see(asked(exhibit)).scenery)["data"]
    for answer in (room.scores, room.likes):
        with pytest.raises(DataError, match="not at hand"):
            answer(asked(exhibit, begin=1, end=2))
