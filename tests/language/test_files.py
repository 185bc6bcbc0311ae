"""Cells as text files."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

import gatelab as gl
from gatelab import Cell
from gatelab.errors import EquationError, OptionError
from gatelab.language.files import read_cell, read_cell_text, write_cell

LEAKY = """
# A leaky integrator.
name = "leaky"
cite = "folklore"
constants = { alpha = 0.9 }

---

h = alpha * h + (1 - alpha) * tanh(W @ x + R @ h + b)
"""


def test_a_file_of_equations_only(tmp_path):
    path = tmp_path / "mine.cell"
    path.write_text("\n\nh = tanh(W @ x + R @ h + b)  # plain\n")
    cell = gl.cell(path)
    assert cell.equations == "h = tanh(W @ x + R @ h + b)"
    assert cell.name == "mine"
    assert gl.cell(str(path)) == cell


def test_a_file_with_settings():
    cell = read_cell_text(LEAKY)
    assert (cell.name, cell.cite, cell.constants) == ("leaky", "folklore", {"alpha": 0.9})


@pytest.mark.parametrize("name", gl.cells())
def test_every_cell_of_the_catalogue_is_written_and_read_back(name):
    cell = gl.cell(name)
    again = read_cell_text(write_cell(cell))
    assert again == cell
    assert (again.name, again.cite) == (cell.name, cell.cite)


@given(
    name=st.text(min_size=1, max_size=20).filter(lambda text: "\x7f" not in text),
    value=st.floats(allow_nan=False, allow_infinity=False),
)
def test_any_name_and_number_are_kept(name, value):
    cell = Cell("h = k * tanh(W @ x)", name=name, constants={"k": value}, init={"W": value})
    again = read_cell_text(write_cell(cell))
    assert (again.name, again.constants, again.init) == (cell.name, cell.constants, cell.init)


BAD = {
    "colour = 'red'\n---\nh = b": "no setting 'colour'",
    "constant = { k = 1 }\n---\nh = b": "Did you mean 'constants'?",
    "name = 3\n---\nh = b": "Write text",
    "constants = 3\n---\nh = b": "Write a table",
    "name = \n---\nh = b": "not TOML",
    "---\n": "empty",
    "": "empty",
    "name = 'a'": "only real numbers",
}


@pytest.mark.parametrize("text", BAD)
def test_a_broken_file(text, tmp_path):
    path = tmp_path / "broken.cell"
    path.write_text(text)
    with pytest.raises(EquationError, match=BAD[text]) as caught:
        read_cell(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(("above", "line"), [("", 4), ("name = 'a'\n---\n", 6), ("name = 'a'\n\n---\n\n", 8)])
def test_line_numbers_are_those_of_the_file(above, line):
    with pytest.raises(EquationError, match=rf"line {line}: "):
        read_cell_text(above + "\n\n# A comment.\nh = oops")


def test_files_that_are_no_text(tmp_path):
    path = tmp_path / "binary.cell"
    path.write_bytes(b"\xff\xfe\x00h")
    with pytest.raises(EquationError, match="not UTF-8"):
        gl.cell(path)
    with pytest.raises(OptionError, match="can't be read"):
        gl.cell(tmp_path)
    with pytest.raises(OptionError, match="can't be read"):
        gl.cell(tmp_path / "missing.cell")
    path.write_text("h = b\n" * 100_000)
    with pytest.raises(EquationError, match="characters"):
        gl.cell(path)


def test_a_mark_of_byte_order_is_no_mistake(tmp_path):
    path = tmp_path / "windows.cell"
    path.write_bytes(b"\xef\xbb\xbfh = tanh(W @ x)\r\n")
    assert gl.cell(path).equations == "h = tanh(W @ x)"
