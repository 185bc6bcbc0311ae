"""The list of cells, and the page of one."""

import pytest

from gatelab.errors import EquationError, OptionError
from gatelab.language.lookup import cells, find_cell
from gatelab.views.cells import cell_lines, cell_page, page_text, read_widths


def test_the_list_has_every_cell_with_its_gates():
    lines = {line.name: line for line in cell_lines()}
    assert tuple(lines) == cells()
    assert (lines["lstm"].states, lines["lstm"].gates) == (("h", "c"), ("i", "f", "o"))
    assert all(line.about and line.cite for line in lines.values())


@pytest.mark.parametrize("name", cells())
def test_every_cell_has_a_page(name):
    page = cell_page(name, 8, 30, {})
    text = page_text(page)
    assert page.latex in text
    for line in find_cell(name).equations.splitlines():
        assert f"    {line}\n" in text
    for parameter in page.parameters:
        assert parameter in text


def test_the_page_of_the_peephole_lstm():
    page = cell_page("peephole", 8, 30, {})
    # Four gates of W (30 x 8), R (30 x 30) and b, and three peepholes.
    assert page.parameter_count == 4 * (30 * 8 + 30 * 30 + 30) + 3 * 30
    assert page.parameters["W_i"] == (30, 8)
    assert "Gers" in page.cite
    assert page.init == {"b_f": 1.0}


def test_an_alias_leads_to_its_cell():
    page = cell_page("forget_only", 8, 30, {})
    assert page.name == "f"
    assert "forget_only" in page.aliases


def test_further_widths_can_be_given():
    assert cell_page("lstm_projected", 8, 30, {"P": 5}).sizes == {"I": 8, "H": 30, "P": 5}
    assert cell_page("lstm_projected", 8, 30, {}).sizes["P"] == 30
    with pytest.raises(OptionError, match="no width 'Q'"):
        cell_page("lstm_projected", 8, 30, {"Q": 5})


def test_a_cell_of_a_file_has_a_page_without_the_catalogues_words(tmp_path):
    path = tmp_path / "lstm.cell"
    path.write_text("h = tanh(W @ x + R @ h + b)")
    page = cell_page(str(path), 2, 3, {})
    assert (page.name, page.about, page.parameter_count) == ("lstm", "", 6 + 9 + 3)
    path.write_text("h = tahn(W @ x)")
    with pytest.raises(EquationError, match="tahn"):
        cell_page(str(path), 2, 3, {})


@pytest.mark.parametrize("text", ["P", "P=", "=3", "P=two", "P=-1"])
def test_a_width_has_one_form(text):
    with pytest.raises(OptionError, match="not of the form P=32"):
        read_widths([text])


def test_widths_are_read():
    assert read_widths(["P=32", " Q = 4"]) == {"P": 32, "Q": 4}
