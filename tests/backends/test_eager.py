"""The eager backend: steps worked out by hand, and the same numbers however products are gathered."""

import math
from dataclasses import dataclass, field

import pytest
import torch

import gatelab as gl
from gatelab.backends import eager
from gatelab.backends.base import Run
from gatelab.language.expressions import Apply, Name, Number, Product, show
from gatelab.language.ops import OPERATIONS
from gatelab.testing import Sizes, Subject

DOUBLE = torch.float64
LN2, LN3 = math.log(2), math.log(3)
"""sigmoid(ln 3) = 3/4, sigmoid(-ln 3) = 1/4, tanh(ln 2) = 3/5: gates that can be worked out on paper."""


@dataclass(frozen=True)
class Example:
    """One step of one sequence.

    Attributes:
        weights: as lists; their lengths say the sizes.
        output: the expected output.
        after: the expected states after the step.
    """

    cell: gl.Cell
    weights: dict
    x: list
    output: list
    before: dict = field(default_factory=dict)
    after: dict = field(default_factory=dict)
    sizes: dict = field(default_factory=dict)


def one(value):
    return [[value]]


EXAMPLES = {
    # i = 3/4, f = 1/4, z = 3/5, o = 3/4; c = 1/4 * (ln 2 * 4 - 9/5) + 3/4 * 3/5 = ln 2; h = 3/4 * 3/5.
    "lstm": Example(
        gl.cell("lstm"),
        {
            **{"W_i": one(LN3), "R_i": one(0), "b_i": [0]},
            **{"W_f": one(0), "R_f": one(-LN3), "b_f": [LN3]},
            **{"W_z": one(LN2), "R_z": one(1), "b_z": [-2]},
            **{"W_o": one(LN3), "R_o": one(LN3), "b_o": [-2 * LN3]},
        },
        x=[1],
        before={"h": [2], "c": [4 * LN2 - 9 / 5]},
        output=[9 / 20],
        after={"h": [9 / 20], "c": [LN2]},
    ),
    # r = 1/4 multiplies the product with its bias: n = tanh(1/4 * (4 ln 2)); h = 3/4 * 2 + 1/4 * 3/5.
    "gru": Example(
        gl.cell("gru"),
        {
            **{"W_r": one(-LN3), "R_r": one(0), "b_r": [0]},
            **{"W_z": one(LN3), "R_z": one(0), "b_z": [0]},
            **{"W_n": one(1), "R_n": one(LN2), "b_n": [-1], "b_rn": [2 * LN2]},
        },
        x=[1],
        before={"h": [2]},
        output=[1.65],
        after={"h": [1.65]},
    ),
    # r = 1/4 multiplies the state before the product: n = tanh(ln 2 * 1/4 * 2 + ln 2 / 2).
    "gru_original": Example(
        gl.cell("gru_original"),
        {
            **{"W_r": one(-LN3), "R_r": one(0), "b_r": [0]},
            **{"W_z": one(LN3), "R_z": one(0), "b_z": [0]},
            **{"W_n": one(0), "R_n": one(LN2), "b_n": [LN2 / 2]},
        },
        x=[1],
        before={"h": [2]},
        output=[1.65],
        after={"h": [1.65]},
    ),
    # The two states of f are one: f = 3/4, z = 3/5; 3/4 * 1 + 1/4 * 3/5.
    "states stored once": Example(
        gl.cell("f"),
        {"W_f": one(LN3), "R_f": one(0), "b_f": [0], "W_z": one(0), "R_z": one(LN2), "b_z": [0]},
        x=[1],
        before={"h": [1]},
        output=[0.9],
        after={"h": [0.9]},
    ),
    "transpose": Example(
        gl.Cell("h = transpose(R) @ h + W @ x"),
        {"R": [[1, 2], [3, 4]], "W": [[1], [0]]},
        x=[10],
        before={"h": [1, 1]},
        output=[14, 6],
    ),
    "a matrix and its transpose": Example(
        gl.Cell("h = R @ h - transpose(R) @ h + 0 * (W @ x)"),
        {"R": [[1, 2], [3, 4]], "W": [[1], [0]]},
        x=[10],
        before={"h": [1, 0]},
        output=[0, 1],
    ),
    # e = x - (1, 1, 2); W e = (2, 1).
    "a matrix there and back between widths": Example(
        gl.Cell("e = x - transpose(W) @ h\nh = h + W @ e", widths={"e": "I"}),
        {"W": [[1, 0, 2], [0, 1, 0]]},
        x=[1, 2, 3],
        before={"h": [1, 1]},
        output=[3, 2],
    ),
    # m = (1 + 2, 2 + 0).
    "a width of its own": Example(
        gl.Cell("m = W @ x + R @ h\nh = P_h @ m", widths={"h": "P"}),
        {"W": [[1], [2]], "R": [[1], [0]], "P_h": [[10, 1]]},
        x=[1],
        before={"h": [2]},
        output=[32],
        sizes={"P": 1},
    ),
    "a product inside of a product": Example(
        gl.Cell("h = R @ (R @ h + W @ x) + b"),
        {"R": [[0, 1], [1, 1]], "W": [[1], [2]], "b": [0.5, 0]},
        x=[1],
        before={"h": [1, 0]},
        output=[3.5, 4],
    ),
    "a scalar and a vector that are learned": Example(
        gl.Cell("h = a * h + s * (W @ x)", parameters={"a": "scalar", "s": "vector"}),
        {"a": 0.5, "s": [1, -1], "W": [[1], [1]]},
        x=[3],
        before={"h": [2, 4]},
        output=[4, -1],
    ),
    "constants": Example(
        gl.Cell("h = h + dt * (W @ x) + k ** 2", constants={"dt": 0.1, "k": 3}),
        {"W": [[1], [2]]},
        x=[10],
        before={"h": [1, 1]},
        output=[11, 12],
    ),
    # v = (1, 3): mean 2, max 3, sum 4, size 2.
    "reductions": Example(
        gl.Cell("v = W @ x\nh = v - mean(v) + max(v) * sum(v) / size(v)"),
        {"W": [[1], [3]]},
        x=[1],
        output=[5, 7],
    ),
    # mean 2, variance 1; softmax of (0, ln 3).
    "normalize, softmax and cumsum": Example(
        gl.Cell("v = W @ x\nh = normalize(v) + 10 * cumsum(v) + 100 * softmax(b)"),
        {"W": [[1], [3]], "b": [0, LN3]},
        x=[1],
        output=[10 + 25 - (1 + 1e-5) ** -0.5, 40 + 75 + (1 + 1e-5) ** -0.5],
    ),
    "an output that is no state and the same for all units": Example(
        gl.Cell("h = h + W @ x\ny = mean(h)", output="y"),
        {"W": [[1], [3]]},
        x=[1],
        before={"h": [1, 1]},
        output=[3, 3],
        after={"h": [2, 4]},
    ),
    "an output that is a plain number": Example(
        gl.Cell("c = c + W @ x\nh = sqrt(2) ** 2 / 8"),
        {"W": [[1], [3]]},
        x=[1],
        before={"c": [1, 1]},
        output=[0.25, 0.25],
        after={"c": [2, 4]},
    ),
    "an output that is learned": Example(
        gl.Cell("c = c + W @ x\nh = b"), {"W": [[1], [3]], "b": [7, 8]}, x=[1], before={"c": [1, 1]}, output=[7, 8]
    ),
    "plain numbers": Example(
        gl.Cell("k = minimum(3, 2 + 2) * step(1) - clip(-5, -1, 1)\nh = k * (W @ x) + exp(0)"),
        {"W": [[1], [2]]},
        x=[1],
        output=[5, 9],
    ),
    "no states": Example(gl.Cell("h = relu(W @ x + b)"), {"W": [[1], [-1]], "b": [1, 1]}, x=[2], output=[3, 0]),
    "no weights": Example(gl.Cell("h = h + x ** 2", widths={"x": "H"}), {}, x=[3], before={"h": [1]}, output=[10]),
    # A line reads what stands above it anew, and what stands below it from the step before.
    "before and after": Example(
        gl.Cell("d2 = d1\nd1 = h\nh = c + 100 * d2\nc = c + W @ x + 10 * h"),
        {"W": one(1)},
        x=[1],
        before={"h": [3], "d1": [5], "c": [7]},
        output=[507],
        after={"h": [507], "d1": [3], "c": [5078]},
    ),
}


@pytest.mark.parametrize("example", EXAMPLES.values(), ids=EXAMPLES)
@pytest.mark.parametrize("replicas", [None, 2])
def test_a_step_by_hand(example, replicas):
    """Two sequences alike, and replicas alike, to see that each stays by itself."""
    weights = {key: torch.tensor(value, dtype=DOUBLE) for key, value in example.weights.items()}
    wide = len(next(iter(example.before.values()), example.output))
    sizes = {"I": len(example.x), "H": wide, **example.sizes}
    if example.sizes:
        sizes["H"] = len(example.weights["W"])
    assert {key: tuple(value.shape) for key, value in weights.items()} == example.cell.parameters(
        sizes["I"], sizes["H"], **example.sizes
    )
    batch = (2,) if replicas is None or not weights else (replicas, 2)
    if replicas is not None:
        weights = {key: torch.stack([value] * replicas) for key, value in weights.items()}
    x = torch.tensor(example.x, dtype=DOUBLE).expand(1, *batch, -1)
    state = tuple(torch.tensor(example.before[key], dtype=DOUBLE).expand(*batch, -1) for key in example.cell.states)
    result = eager.run(Run(example.cell, sizes, weights, x, state))
    expected = torch.tensor(example.output, dtype=DOUBLE)
    assert result.output.shape == (1, *batch, len(example.output))
    torch.testing.assert_close(result.output, expected.expand_as(result.output), rtol=0, atol=1e-12)
    after = dict(zip(example.cell.states, result.state, strict=True))
    for name, values in example.after.items():
        wanted = torch.tensor(values, dtype=DOUBLE).expand(*batch, -1)
        torch.testing.assert_close(after[name], wanted, rtol=0, atol=1e-12)


# Products.


def test_products_are_gathered_by_the_vector_they_multiply():
    gathered = {
        show(operand): [show(product) for product in members]
        for operand, members in eager.products(
            gl.Cell("r = sigmoid(W_r @ x + R_r @ h)\nh = tanh(W_h @ x + R_h @ (r * h) + transpose(R_r) @ h + R_r @ h)")
        ).items()
    }
    assert gathered == {
        "x": ["W_r @ x", "W_h @ x"],
        "h": ["R_r @ h", "transpose(R_r) @ h"],
        "r * h": ["R_h @ (r * h)"],
    }


def plainly(cell, weights, widths, x, state):
    """The outputs and final states of one sequence, each product by itself, written without any of the backend."""

    def value(expression, now):
        match expression:
            case Number(value=number):
                return torch.tensor(number, dtype=DOUBLE)
            case Name(name=name, role="previous"):
                return state[cell.stored_as[name]]
            case Name(name=name, role="constant"):
                return torch.tensor(cell.constants[name], dtype=DOUBLE)
            case Name(name=name, role="current" | "input"):
                return now[name]
            case Name(name=name):
                return weights[name]
            case Product(matrix=matrix, transposed=transposed, operand=operand):
                return (weights[matrix].T if transposed else weights[matrix]) @ value(operand, now)
            case Apply(operation=operation, arguments=arguments):
                return OPERATIONS[operation].meaning(*(value(argument, now) for argument in arguments))

    outputs = []
    for x_t in x:
        now = {"x": x_t}
        for line in cell.lines:
            now[line.name] = value(line.expression, now).expand(widths[cell.width(line.name)])
        state = {name: now[name] for name in cell.states}
        outputs.append(now[cell.output])
    return torch.stack(outputs), state


@pytest.mark.parametrize("name", gl.cells())
def test_gathered_products_are_products_one_by_one(name):
    subject = Subject(gl.cell(name))
    layer, sizes = subject.layer(Sizes(T=3, B=2, I=3, H=4))
    x, state = subject.inputs(layer, sizes)
    weights = {key.removesuffix("_l0"): value.detach() for key, value in layer.named_parameters()}
    widths = subject.cell.sizes(sizes.I, sizes.H, layer.widths)
    output, final = layer(x, state)
    for b in range(sizes.B):
        start = {key: value[0, b] for key, value in zip(subject.cell.states, state, strict=True)}
        expected, ends = plainly(subject.cell, weights, widths, x[:, b], start)
        torch.testing.assert_close(output[:, b], expected, rtol=1e-10, atol=1e-12)
        for key, value in ends.items():
            torch.testing.assert_close(getattr(final, key)[0, b], value, rtol=1e-10, atol=1e-12)


# Values that are the same for all units.


@pytest.mark.parametrize("operation", [row.name for row in OPERATIONS.values() if row.mixes])
def test_a_state_that_is_the_same_for_all_units_is_a_vector(operation):
    """The language refuses to reduce what is the same for all units in a step; a state is a vector in any case."""
    layer = gl.Recurrent(gl.Cell(f"v = W @ x\nh = v + {operation}(p)\np = max(v)"), 1, 3, dtype=DOUBLE)
    with torch.no_grad():
        layer.W_l0.copy_(torch.tensor([[0.0], [1.0], [2.0]]))
        output, state = layer(torch.ones(2, 1, 1, dtype=DOUBLE))
    expected = torch.arange(3) + OPERATIONS[operation].meaning(torch.full((3,), 2, dtype=DOUBLE))
    torch.testing.assert_close(output[1, 0], expected, rtol=0, atol=1e-12)
    assert state.p.shape == (1, 1, 3)


@pytest.mark.parametrize("line", ["2", "k", "s", "max(v)"])
def test_a_line_that_is_the_same_for_all_units_enters_a_product_as_a_vector(line):
    """Given by a number, a constant, a learned scalar, a reduction."""
    cell = gl.Cell(f"v = W @ x\nm = {line}\nh = R @ m + 0 * (s + k)", constants={"k": 2}, parameters={"s": "scalar"})
    layer = gl.Recurrent(cell, 1, 3, dtype=DOUBLE, init={"s": 2.0})
    with torch.no_grad():
        layer.W_l0.copy_(torch.tensor([[0.0], [1.0], [2.0]]))
        output, _ = layer(torch.ones(1, 1, 1, dtype=DOUBLE))
    torch.testing.assert_close(output[0, 0], 2 * layer.R_l0.detach().sum(1), rtol=0, atol=1e-12)


def test_plain_numbers_keep_the_dtype_of_the_layer():
    layer = gl.Recurrent(gl.Cell("k = sqrt(2)\nc = c + k * (W @ x)\nh = 1 / 3"), 2, 3)
    output, state = layer(torch.ones(2, 1, 2))
    assert output.dtype == state.c.dtype == torch.float32
    assert output.eq(torch.tensor(1 / 3)).all()
