"""The schedule as text; and as numbers, one step against autograd through eager."""

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from strategies import cells

import gatelab as gl
from gatelab import Cell
from gatelab.backends import eager
from gatelab.backends.base import Run
from gatelab.compiler.program import nest
from gatelab.compiler.schedule import compile_cell
from gatelab.language.expressions import Apply, Name, Number, Product
from gatelab.language.ops import apply
from gatelab.testing import Sizes, Subject


def text(lines):
    return [str(line) for line in lines]


def people(phase):
    named = [line.name for line in phase.lines if not line.name[-1].isdigit()]
    return text(phase.products), text(nest(phase.lines, named))


def test_the_products_of_an_lstm_with_x_leave_the_loop():
    way = compile_cell(gl.cell("lstm")).forwards
    assert text(way.before) == ["i.1 = W_i @ x", "f.1 = W_f @ x", "z.1 = W_z @ x", "o.1 = W_o @ x"]
    assert [people(phase) for phase in way.loop] == [
        (
            ["i.2 = R_i @ h", "f.2 = R_f @ h", "z.2 = R_z @ h", "o.2 = R_o @ h"],
            [
                "i = sigmoid(i.1 + i.2 + b_i)",
                "f = sigmoid(f.1 + f.2 + b_f)",
                "z = tanh(z.1 + z.2 + b_z)",
                "c = f * c + i * z",
                "o = sigmoid(o.1 + o.2 + b_o)",
                "h = o * tanh(c)",
            ],
        )
    ]
    assert not way.after


def test_the_adjoint_of_the_forget_only_cell():
    schedule = compile_cell(gl.cell("f"))
    first, second = schedule.backwards.loop
    assert not first.products
    assert text(nest(first.lines, ["d.c", "d.z.4", "d.f.4"])) == [
        "d.c = d.h.next + d.h.out",
        "d.z.4 = d.c * c.2 * (1 - square(z))",
        "d.f.4 = (-(d.c * z) + d.c * h) * f * (1 - f)",
        "d.h.before:1 = d.c * f",
    ]
    assert text(second.products) == [
        "d.h.before:2 = transpose(R_z) @ d.z.4",
        "d.h.before:4 = transpose(R_f) @ d.f.4",
    ]
    assert text(nest(schedule.backwards.after, ["d.x.sum"])) == [
        "d.x.sum = transpose(W_z) @ d.z.4 + transpose(W_f) @ d.f.4"
    ]
    assert schedule.saved == ("f", "z")
    assert text(schedule.again) == ["c.2 = 1 - f"]
    assert schedule.states == {"h": Name("c", "current")}


PHASES = {"lstm": 1, "f": 1, "gru": 1, "gru_original": 2, "mgu": 2, "peephole": 1, "lstm_projected": 2, "lem": 2,
          "slstm": 1, "rhn": 3, "elman": 1, "layer_norm_lstm": 3, "indrnn": 1}  # fmt: skip


@pytest.mark.parametrize("name", PHASES)
def test_a_step_has_as_many_phases_as_it_needs(name):
    assert len(compile_cell(gl.cell(name)).forwards.loop) == PHASES[name]


SCANS = {"sru", "gilr", "min_gru", "min_gru_positive", "min_lstm", "min_lstm_positive", "rg_lru", "trnn",
         "indrnn", "indrnn_tanh", "br", "unicornn"}  # fmt: skip


def test_cells_without_a_recurrent_product_are_scans():
    assert {name for name in gl.cells() if compile_cell(gl.cell(name)).is_scan} == SCANS


def test_what_only_the_output_needs_comes_after_the_loop():
    schedule = compile_cell(gl.cell("scrn"))
    assert text(schedule.forwards.after) == ["y.1 = U_y @ h", "y.2 = V_y @ s", "y = y.1 + y.2"]
    assert text(schedule.backwards.before) == ["d.h:1 = transpose(U_y) @ d.y.out", "d.s:1 = transpose(V_y) @ d.y.out"]


def test_a_value_is_computed_once():
    schedule = compile_cell(Cell("a = tanh(W @ x)\nd = tanh(W @ x)\nh = a * d + tanh(W @ x) * h"))
    assert text(schedule.forwards.before) == ["a.1 = W @ x"]
    (phase,) = schedule.forwards.loop
    assert text(phase.lines) == ["a = tanh(a.1)", "h.1 = a * a", "h.4 = a * h", "h = h.1 + h.4"]


def test_infinity_times_zero_is_left_as_it_is():
    (phase,) = compile_cell(Cell("h = 0 * (W @ x) + h")).forwards.loop
    assert "h.2 = 0 * h.1" in text(phase.lines)


def test_numbers_are_computed_once_and_only_if_they_are_finite():
    (phase,) = compile_cell(Cell("h = sqrt(2) * 1 * h + 1 / 0 + log(-1) * b")).forwards.loop
    assert [line[:14] for line in text(phase.lines)[:2]] == ["h.3 = 1.414213", "h.4 = 1 / 0"]


# Numbers: the schedule is carried out line by line, with nothing but what it says is there.


def evaluate(expression, known):
    match expression:
        case Number(value=value):
            return value
        case Name(name=name, role=role):
            return known[role, name]
        case Apply(operation=operation, arguments=arguments):
            return apply(operation, [evaluate(argument, known) for argument in arguments])
        case Product(matrix=matrix, operand=operand, transposed=transposed):
            weight = known["matrix", matrix]
            weight = weight if transposed else weight.mT
            return evaluate(operand, known).expand(-1, weight.shape[0]) @ weight
    raise AssertionError(expression)


def carry_out(way, known, widths, batch):
    """Each line as wide as the schedule says, (B, W) or (B, 1)."""
    known = dict(known)
    for part in (way.before, *(phase.products + phase.lines for phase in way.loop), way.after):
        for line in part:
            value = torch.as_tensor(evaluate(line.expression, known), dtype=torch.float64)
            known["current", line.name] = value.expand(batch, widths[line.name])
    return known


def check_one_step(cell):
    schedule = compile_cell(cell)
    subject = Subject(cell)
    layer, sizes = subject.layer(Sizes(T=1, B=3, I=2, H=4))
    x, state = subject.inputs(layer, sizes)
    batch = sizes.B
    x, state = x[0].requires_grad_(), [value[0].requires_grad_() for value in state]
    weights = {name.removesuffix("_l0"): value for name, value in layer.named_parameters()}
    size = cell.sizes(sizes.I, sizes.H, layer.widths)
    result = eager.run(Run(cell=cell, sizes=size, parameters=weights, x=x[None], state=tuple(state)))

    roles = dict.fromkeys(cell.shapes.matrices, "matrix") | dict.fromkeys(cell.shapes.vectors, "vector")
    outside = {(roles.get(name, "scalar"), name): value.detach() for name, value in weights.items()}
    outside |= {("constant", name): value for name, value in cell.constants.items()}
    outside |= {("previous", name): value.detach() for name, value in zip(cell.states, state, strict=True)}
    outside["input", "x"] = x.detach()

    # Forwards.
    width = {name: size[symbol] if symbol else 1 for name, symbol in schedule.widths.items()}
    known = carry_out(schedule.forwards, outside, width, batch)
    expected = dict(zip(cell.states, result.state, strict=True))
    for name, value in (*schedule.states.items(), (None, schedule.output)):
        target = result.output[0] if name is None else expected[name]
        torch.testing.assert_close(wide(evaluate(value, known), target), target)

    # Backwards, from random gradients, with what was kept and nothing else.
    arriving = {name: torch.randn_like(value) for name, value in expected.items()}
    out = torch.randn_like(result.output[0])
    kept = {("current", name): known["current", name] for name in schedule.saved}
    for value in schedule.states.values():
        if isinstance(value, Name) and value.role == "current":
            kept["current", value.name] = known["current", value.name]
    kept |= outside | {("arriving", f"d.{name}.next"): value for name, value in arriving.items()}
    kept["arriving", f"d.{cell.output}.out"] = out
    for line in schedule.again:
        kept["current", line.name] = evaluate(line.expression, kept)
    found = carry_out(schedule.backwards, kept, width, batch)

    loss = (result.output[0] * out).sum() + sum((expected[name] * arriving[name]).sum() for name in expected)
    inputs = {"x": x, **dict(zip(cell.states, state, strict=True)), **weights}
    gradients = dict(
        zip(
            inputs,
            torch.autograd.grad(loss + 0 * x.sum(), list(inputs.values()), allow_unused=True, materialize_grads=True),
            strict=True,
        )
    )
    adjoint = schedule.adjoint
    ours = {"x": evaluate(adjoint.input, found)}
    ours |= {name: evaluate(value, found) for name, value in adjoint.states.items()}
    for name, value in adjoint.vectors.items():
        summed = wide(evaluate(value, found), torch.empty(batch, *weights[name].shape or (1,)).double()).sum(0)
        ours[name] = summed.reshape(weights[name].shape)
    for name in cell.shapes.matrices:
        ours[name] = torch.zeros_like(weights[name])
    for part in adjoint.matrices:
        rows, columns = ours[part.matrix].shape[:: -1 if part.transposed else 1]
        delta = evaluate(part.delta, found).expand(-1, rows)
        outer = delta.mT @ evaluate(part.operand, found).expand(-1, columns)
        ours[part.matrix] = ours[part.matrix] + (outer.mT if part.transposed else outer)
    found = {name: wide(ours[name], gradient) for name, gradient in gradients.items()}
    torch.testing.assert_close(found, gradients, rtol=1e-9, atol=1e-9)


def wide(value, like):
    return torch.as_tensor(value, dtype=torch.float64).expand_as(like)


@pytest.mark.parametrize("name", gl.cells())
def test_a_step_of_every_cell_and_its_adjoint(name):
    check_one_step(gl.cell(name))


@pytest.mark.parametrize("lines", [1, 2, 3, 4, 5])
@settings(max_examples=40, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_a_step_of_random_cells_and_its_adjoint(lines, data):
    check_one_step(data.draw(cells(lines)))
