"""Edits: an ablation is a cell that one could have written."""

import pytest
import torch

import gatelab as gl
from gatelab import Cell
from gatelab.errors import EquationError
from gatelab.language.edits import HARD, soft_gates
from gatelab.language.ops import OPERATIONS

LSTM = gl.cell("lstm")

EDITS = {
    "without a gate": (lambda cell: cell.without("i"), {"c": "f * c + z"}, ["i"]),
    "without the output gate": (lambda cell: cell.without("o"), {"h": "tanh(c)"}, ["o"]),
    "without a bias": (lambda cell: cell.without("b_f"), {"f": "sigmoid(W_f @ x + R_f @ h)"}, []),
    "without a matrix": (lambda cell: cell.without("R_z"), {"z": "tanh(W_z @ x + b_z)"}, []),
    "tied to a gate below": (lambda cell: cell.tie("i", "1 - f"), {"i": "1 - f"}, []),
    "replaced by less": (lambda cell: cell.replace("h", "c"), {"h": "c"}, ["o"]),
    "linear": (lambda cell: cell.linear("z"), {"z": "W_z @ x + R_z @ h + b_z"}, []),
}


@pytest.mark.parametrize("what", EDITS)
def test_an_edit_changes_its_line_and_leaves_the_others(what):
    edit, changed, gone = EDITS[what]
    edited = edit(LSTM)
    before = dict(line.split(" = ", 1) for line in LSTM.equations.splitlines())
    after = dict(line.split(" = ", 1) for line in edited.equations.splitlines())
    assert after == {name: changed.get(name, text) for name, text in before.items() if name not in gone}
    assert edited.states == (("h",) if what == "replaced by less" else LSTM.states)
    assert LSTM == gl.cell("lstm"), "the cell itself stays as it is"


def test_a_tied_gate_moves_to_where_the_other_is_known():
    assert LSTM.tie("i", "1 - f").names == ("f", "i", "z", "c", "o", "h")
    assert LSTM.tie("f", "1 - i").names == LSTM.names
    with pytest.raises(EquationError, match="before '1 - o' is known"):
        LSTM.tie("i", "1 - o")


def test_a_tie_reads_a_state_as_its_place_does():
    assert "i = sigmoid(c)" in LSTM.tie("i", "sigmoid(c)").equations
    assert LSTM.tie("i", "sigmoid(c)").names == LSTM.names


def test_biases_go_together():
    bare = LSTM.without_biases()
    assert not bare.shapes.vectors
    assert bare.init == {}
    assert gl.cell("slstm").without_biases().equations.splitlines()[1] == "log_f = -softplus(-(W_f @ x + R_f @ h))"


def test_rename_reaches_everything_that_has_the_name():
    cell = LSTM.rename("f", "forget").rename("b_f", "b_forget").rename("h", "y")
    assert "forget = sigmoid(W_f @ x + R_f @ y + b_forget)" in cell.equations
    assert cell.output == "y"
    assert cell.states == ("y", "c")
    assert cell.init == {"b_forget": 1.0}
    widths = gl.cell("lstm_projected").rename("h", "r").widths
    assert widths == {"r": "P"}


def test_peepholes_are_those_of_the_paper():
    made = LSTM.with_peepholes()
    assert "i = sigmoid(W_i @ x + R_i @ h + b_i + p_i * c)" in made.equations
    assert made.shapes.vectors.keys() == gl.cell("peephole").shapes.vectors.keys()
    bare = made.without("p_i").without("p_f").without("p_o")
    assert bare == LSTM


def test_a_gate_that_the_memory_does_not_need_sees_its_new_value():
    cell = Cell("""
        o = sigmoid(W_o @ x + R_o @ h)
        f = sigmoid(W_f @ x + R_f @ h)
        c = f * c + W @ x
        h = o * c
    """)
    assert cell.with_peepholes().names == ("f", "c", "o", "h")


def test_layer_norm_wraps_every_product_and_the_memory():
    cell = LSTM.with_layer_norm()
    assert "i = sigmoid(g_W_i * normalize(W_i @ x) + g_R_i * normalize(R_i @ h) + b_i)" in cell.equations
    assert "h = o * tanh(g_c * normalize(c) + b_c)" in cell.equations


def test_what_is_no_longer_read_goes_with_its_settings():
    cell = Cell(
        "u = k * (V @ x)\ng = sigmoid(u)\nh = g * tanh(alpha * (W @ x)) + h",
        constants={"k": 2},
        parameters={"alpha": "scalar"},
        widths={"u": "H"},
        init={"V": "orthogonal", "alpha": 0.5},
    )
    bare = cell.without("g")
    assert bare.equations == "h = tanh(alpha * (W @ x)) + h"
    assert (bare.constants, bare.widths, bare.init) == ({}, {}, {"alpha": 0.5})


def test_an_edit_gives_the_state_up_that_it_makes_equal():
    assert LSTM.replace("h", "c").states == ("h",)


HARDENED = {
    "all gates": (LSTM.hardened(), {"i": "step(W_i @ x + R_i @ h + b_i)", "f": "step(W_f @ x + R_f @ h + b_f)",
                                    "o": "step(W_o @ x + R_o @ h + b_o)"}),
    "those named": (LSTM.hardened("f"), {"f": "step(W_f @ x + R_f @ h + b_f)"}),
    "one after the other": (LSTM.hardened("f").hardened("o"), {"f": "step(W_f @ x + R_f @ h + b_f)",
                                                               "o": "step(W_o @ x + R_o @ h + b_o)"}),
}  # fmt: skip


@pytest.mark.parametrize("what", HARDENED)
def test_hard_gates_change_their_lines_only(what):
    edited, changed = HARDENED[what]
    before = dict(line.split(" = ", 1) for line in LSTM.equations.splitlines())
    after = dict(line.split(" = ", 1) for line in edited.equations.splitlines())
    assert after == before | changed
    assert edited.parameter_names == LSTM.parameter_names
    assert (edited.states, edited.init) == (LSTM.states, LSTM.init)


BOUNDED = {
    "sigmoid(b_g)": ("step(b_g)", [0.0, 0.0, 1.0]),
    "hard_sigmoid(b_g)": ("step(b_g)", [0.0, 0.0, 1.0]),
    "1 - sigmoid(b_g)": ("1 - step(b_g)", [1.0, 1.0, 0.0]),
    "softmax(b_g)": ("1 - sign(max(b_g) - b_g)", [0.0, 0.0, 1.0]),
}


@pytest.mark.parametrize("soft", BOUNDED)
def test_every_soft_operation_has_a_hard_one(soft):
    hard, values = BOUNDED[soft]
    cell = Cell(f"g = {soft}\nh = g").hardened()
    assert cell.lines[0] == Cell(f"g = {hard}\nh = g").lines[0]
    layer = gl.Recurrent(cell, 1, 3)
    with torch.no_grad():
        layer.b_g_l0.copy_(torch.tensor([-2.0, 0.0, 0.1]))
        output, _ = layer(torch.zeros(1, 1, 1))
    assert output.flatten().tolist() == values


def test_a_gate_that_follows_another_stays():
    assert "i = 1 - f" in LSTM.tie("i", "1 - f").hardened().equations


def test_every_gate_of_the_catalogue_can_be_hard():
    bounded = {name for name, row in OPERATIONS.items() if row.bounded} - {"step"}
    assert bounded == HARD.keys()
    for name in gl.cells():
        cell = gl.cell(name)
        if cell.gates:
            edited = cell.hardened()
            assert set(edited.parameter_names) == set(cell.parameter_names)
            assert not soft_gates(edited.lines)


BAD = {
    "no such gate": (lambda: LSTM.without("g"), "There is no 'g'"),
    "not a gate": (lambda: LSTM.without("z"), "not a gate"),
    "a state": (lambda: LSTM.without("h"), "not a gate"),
    "no such line": (lambda: LSTM.replace("q", "c"), "no line 'q'"),
    "two lines": (lambda: LSTM.replace("h", "c\nq = h"), "more than one line"),
    "not an expression": (lambda: LSTM.replace("h", "c +"), "not an equation"),
    "rename what is not": (lambda: LSTM.rename("q", "r"), "no 'q' to rename"),
    "rename to what is": (lambda: LSTM.rename("i", "f"), "taken"),
    "rename to x": (lambda: LSTM.rename("i", "x"), "taken"),
    "rename to no name": (lambda: LSTM.rename("i", "a b"), "not an equation"),
    "no memory": (lambda: gl.cell("elman").with_peepholes(), "no 'c' to look at"),
    "no gates": (lambda: Cell("c = tanh(W @ x) + c\nh = c").with_peepholes(), "no gate"),
    "harden what is not": (lambda: LSTM.hardened("i", "g"), "no line 'g'"),
    "harden what is no gate": (lambda: LSTM.hardened("z"), "not a gate.*\n.*: i, f, o"),
    "harden what follows": (lambda: LSTM.tie("i", "1 - f").hardened("i"), "follows others: i = 1 - f"),
    "harden without gates": (lambda: gl.cell("elman").hardened(), "no soft gate"),
    "peepholes twice": (lambda: LSTM.with_peepholes().with_peepholes(), "has p_f, p_i, p_o already"),
    "norms twice": (lambda: gl.cell("gru").with_layer_norm().with_layer_norm(), "has g_R_.* already"),
    "nothing to take off": (lambda: LSTM.linear("c"), "no outermost function"),
}


@pytest.mark.parametrize("what", BAD)
def test_an_edit_that_makes_no_sense(what):
    edit, said = BAD[what]
    with pytest.raises(EquationError, match=said):
        edit()


def test_a_start_that_is_minus_a_parameter_goes_with_it():
    assert dict(gl.cell("chrono_lstm").replace("f", "1").init) == {}
    assert dict(gl.cell("chrono_lstm").replace("o", "1").init) == {"b_f": "chrono(784)", "b_i": "-b_f"}
    gl.Recurrent(gl.cell("chrono_lstm").replace("f", "1"), 2, 3)
