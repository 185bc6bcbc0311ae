"""What a cell says of itself."""

import copy
import pickle

import pytest

import gatelab as gl
from gatelab import Cell
from gatelab.errors import EquationError, OptionError

LSTM = gl.cell("lstm")


def test_states_gates_and_parameters_are_found():
    assert LSTM.states == ("h", "c")
    assert LSTM.gates == ("i", "f", "o")
    assert LSTM.names == ("i", "f", "z", "c", "o", "h")
    assert LSTM.parameters(3, 4) == {
        **{f"{kind}_{gate}": shape for gate in "ifzo" for kind, shape in (("W", (4, 3)), ("R", (4, 4)))},
        **{f"b_{gate}": (4,) for gate in "ifzo"},
    }
    assert LSTM.parameter_count(15, 10) == 1040  # Keras's LSTM(10) on 15 features.


def test_a_gate_is_bounded_or_one_minus_a_gate():
    cell = Cell("f = sigmoid(W @ x)\ni = 1 - f\nz = tanh(R @ h)\nd = 1 - z\nu = 1 - sigmoid(b)\nh = i * d + u * h")
    assert cell.gates == ("f", "i", "u")
    assert gl.cell("cifg").gates == ("i", "f", "o")
    assert gl.cell("janet").gates == ("f", "i")


def test_the_output_comes_first_among_the_states():
    assert Cell("c = tanh(W @ x + R @ h) + c\nh = tanh(c)").states == ("h", "c")
    assert Cell("c = tanh(W @ x) + c\ny = tanh(c)", output="y").states == ("c",)


def test_scalars_constants_and_widths():
    cell = Cell(
        "h = alpha * (P @ tanh(W @ x + R @ h + u)) + k * b",
        parameters={"alpha": "scalar", "u": "vector"},
        constants={"k": 0.5},
        widths={"h": "P"},
    )
    assert cell.width_names == ("P",)
    assert cell.parameters(3, 4, P=2) == {
        "P": (2, 4), "W": (4, 3), "R": (4, 2), "u": (4,), "b": (2,), "alpha": (),
    }  # fmt: skip
    assert cell.parameter_count(3, 4, P=2) == 8 + 12 + 8 + 4 + 2 + 1


def test_the_input_as_a_state_and_the_input_as_wide_as_the_rest():
    cell = Cell("h = tanh(W @ x + V @ xp)\nxp = x", widths={"xp": "I"})
    assert cell.parameters(3, 4) == {"W": (4, 3), "V": (4, 3)}
    equal = Cell("h = sigmoid(R @ h) * x", widths={"x": "H"})
    assert equal.parameters(4, 4) == {"R": (4, 4)}
    with pytest.raises(OptionError, match="the input has width 3"):
        equal.parameters(3, 4)


def test_a_transposed_matrix_has_its_shape_turned():
    cell = Cell("u = W @ x\nh = tanh(V @ x + transpose(P) @ u)", widths={"u": "U"})
    assert cell.parameters(3, 4, U=5) == {"W": (5, 3), "V": (4, 3), "P": (5, 4)}
    with pytest.raises(EquationError, match="width U"):
        Cell("u = W @ x\nh = tanh(u)", widths={"u": "U"})


def test_a_reduction_reads_vectors_of_any_width():
    cell = Cell("s = tanh(W @ x + R @ s)\nh = tanh(V @ x) * mean(s)", widths={"s": "S"})
    assert cell.parameters(2, 3, S=5) == {"W": (5, 2), "R": (5, 5), "V": (3, 2)}


def test_cells_are_values():
    again = Cell(LSTM.equations, name="another", init={"b_f": 1.0})
    assert again == LSTM
    assert hash(again) == hash(LSTM)
    assert Cell(LSTM.equations) != LSTM, "how it starts is part of a cell"
    assert pickle.loads(pickle.dumps(LSTM)) == LSTM
    assert copy.deepcopy(LSTM) is LSTM
    with pytest.raises(AttributeError):
        LSTM.output = "c"


def test_repr_is_the_cell_as_a_program():
    cell = Cell("h = k * tanh(W @ x)", constants={"k": 2.0}, name="plain", init={"W": "orthogonal"})
    again = eval(repr(cell), {"Cell": Cell})
    assert again == cell
    assert again.name == "plain"


@pytest.mark.parametrize("name", gl.cells())
def test_every_cell_of_the_catalogue_prints_back(name):
    cell = gl.cell(name)
    assert eval(repr(cell), {"Cell": Cell}) == cell
    assert cell.cite
    latex = cell.latex()
    assert latex.count("{") == latex.count("}")
    assert latex.count("&=") == len(cell.lines)


def test_the_catalogue_is_large_and_its_names_are_found_as_people_write_them():
    assert len(gl.cells()) >= 45
    assert gl.cell("LSTM") is gl.cell("basic") is LSTM
    assert gl.cell("min-gru") is gl.cell("min_gru")


@pytest.mark.parametrize("name", ["lstm", "f", "fo", "io", "o", "myfo"])
def test_the_cells_of_the_report_have_six_lines_or_less(name):
    assert len(gl.cell(name).lines) <= 6


def test_states_that_are_always_equal_are_stored_once():
    assert gl.cell("f").states == ("h",)
    assert gl.cell("f").stored_as == {"h": "h", "c": "h"}
    twins = Cell("a = tanh(W @ x + R @ a)\nd = tanh(W @ x + R @ d)\nh = a + d")
    assert twins.states == ("a",), "the same function of equal states"
    assert Cell("a = tanh(W @ x + R @ a)\nd = tanh(W @ x + V @ d)\nh = a + d").states == ("a", "d")
    crossed = Cell("a1 = tanh(R @ d)\nd1 = tanh(R @ a)\na = a1\nd = d1\nh = a - d")
    assert crossed.states == ("a",), "each the function of the other"
    late = Cell("a = d + 1\nd = tanh(R @ d)\nh = a + d + h")
    assert late.states == ("h", "d"), "a is read after it is assigned only"
    other = Cell("s = tanh(W @ x)\nh = tanh(V @ s + U @ q)\nq = h", widths={"s": "S"})
    assert other.states == ("q",)


OPTIONS = [
    ({"constants": {"h": 1.0}}, "also assigned"),
    ({"constants": {"k": "two"}}, "plain number"),
    ({"constants": {"k": float("nan")}}, "plain number"),
    ({"constants": {"k": 1.0}}, "never read"),
    ({"parameters": {"b": "matrix"}}, "'scalar' or 'vector'"),
    ({"parameters": {"c": "scalar"}}, "never read"),
    ({"constants": {"b": 1.0}, "parameters": {"b": "scalar"}}, "in constants and in parameters"),
    ({"widths": {"q": "P"}}, "no line assigns it"),
    ({"widths": {"h": 3}}, "Give it a name"),
    ({"output": "y"}, "'y' is not assigned"),
    ({"init": {"b_f": 1.0}}, "not a parameter"),
]


@pytest.mark.parametrize(("options", "said"), OPTIONS, ids=lambda value: str(value)[:40])
def test_options_that_do_not_fit(options, said):
    with pytest.raises(EquationError, match=said):
        Cell("h = tanh(W @ x + b)", **options)


@pytest.mark.parametrize("sizes", [(0, 3), (3, 0), (2.0, 3), (True, 3), (-1, 3), ("2", 3)])
def test_sizes_are_whole_numbers(sizes):
    with pytest.raises(OptionError, match="whole number"):
        LSTM.parameters(*sizes)


def test_widths_are_asked_for_by_name():
    cell = gl.cell("lstm_projected")
    with pytest.raises(OptionError, match="no size is given"):
        cell.parameters(2, 3)
    with pytest.raises(OptionError, match="has no width 'Q'"):
        cell.parameters(2, 3, P=1, Q=2)
    with pytest.raises(OptionError, match="has no width 'P'"):
        LSTM.parameters(2, 3, P=1)


@pytest.mark.parametrize("wanted", ["lsmt", "forget", 3, None, "no/such/file.cell", "missing.cell"])
def test_a_cell_that_is_not_there(wanted):
    with pytest.raises(OptionError) as caught:
        gl.cell(wanted)
    assert len(str(caught.value).splitlines()) >= 2
    if wanted == "lsmt":
        assert "Did you mean 'lstm'?" in str(caught.value)
