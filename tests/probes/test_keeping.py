"""What a step keeps of a memory."""

import pytest
import torch

import gatelab as gl
from gatelab.language.expressions import show
from gatelab.language.lookup import find_cell
from gatelab.probes.keeping import kept_factors, kept_values


def kept(cell):
    return {state: show(factor) for state, factor in kept_factors(cell).items()}


@pytest.mark.parametrize(
    ("name", "factors"),
    [
        ("lstm", {"c": "f"}),
        ("f", {"c": "f"}),
        ("myfo", {"c": "f"}),
        ("io", {"c": "1"}),
        ("gru", {"h": "z"}),
        ("mgu", {"h": "1 - f"}),
        ("nested_lstm", {"d": "f_n"}),
        ("min_lstm", {"h": "f / (f + i)"}),
        ("elman", {}),
    ],
)
def test_cells_of_the_catalogue(name, factors):
    assert kept(find_cell(name)) == factors


@pytest.mark.parametrize(
    ("line", "factor"),
    [
        ("c = c + g * (z - c)", "1 + g * -1"),
        ("c = g * (q * c) + z", "g * q"),
        ("c = z - c", "-1"),
        ("c = z - g * tanh(R_c @ c)", None),
        ("c = b_c * c + z", None),
        ("c = c * c", None),
    ],
)
def test_the_factor_of_a_line(line, factor):
    cell = gl.Cell(f"g = sigmoid(W_g @ x)\nq = sigmoid(W_q @ x)\nz = tanh(W_z @ x)\n{line}\nh = c * g")
    assert kept(cell).get("c") == factor


def test_values_are_those_of_the_equations():
    torch.manual_seed(0)
    layer = gl.Recurrent(gl.Cell("g = sigmoid(W @ x + b)\nh = h + g * (x - h)", widths={"x": "H"}), 3, 3)
    x = torch.randn(5, 2, 3)
    with torch.no_grad(), gl.probe(layer, "g", "h") as record:
        layer(x)
    found = kept_values(kept_factors(layer.cell)["h"], {"g": record["g"]}, record["h"])
    torch.testing.assert_close(found, 1 - record["g"])
    before = torch.cat([torch.zeros(1, 2, 3), record["h"][:-1]])
    torch.testing.assert_close(found * before + record["g"] * x, record["h"])


def test_what_does_not_decay_has_no_values():
    cell = gl.Cell("z = tanh(W @ x)\nc = z * c + z\nh = c")
    values = {"z": torch.tensor([[[0.5, -0.5]]])}
    assert kept_values(kept_factors(cell)["c"], values, torch.ones(1, 1, 2)) is None
    always = kept_values(kept_factors(find_cell("io"))["c"], {}, torch.ones(4, 2, 3))
    assert torch.equal(always, torch.ones(4, 2, 3))
