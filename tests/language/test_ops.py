"""The operation table: every row's derivative, shape and LaTeX."""

import dataclasses

import pytest
import torch

from gatelab.language.latex import latex_expression
from gatelab.language.ops import OPERATIONS, apply
from gatelab.language.parse import parse_expression
from gatelab.testing import ConformanceError, check_operation, evaluate_adjoint

KINKS = {"relu": 0.0, "leaky_relu": 0.0, "elu": 0.0, "abs": 0.0, "hard_tanh": 1.0, "hard_sigmoid": 3.0, "softsign": 0.0}


@pytest.mark.parametrize("name", OPERATIONS)
def test_the_adjoint_is_the_derivative_of_the_meaning(name):
    for seed in range(3):
        check_operation(OPERATIONS[name], seed)


@pytest.mark.parametrize("name", [name for name in OPERATIONS if name not in ("sign", "step", "size")])
def test_a_derivative_that_is_wrong_by_one_part_in_a_thousand_is_rejected(name):
    row = OPERATIONS[name]
    for k in range(row.arity):
        adjoint = list(row.adjoint)
        adjoint[k] = f"1.001 * ({adjoint[k]})"
        with pytest.raises(ConformanceError, match="is off by"):
            check_operation(dataclasses.replace(row, adjoint=tuple(adjoint)))


@pytest.mark.parametrize("name", KINKS)
def test_at_a_kink_the_derivative_is_torch_s(name):
    row = OPERATIONS[name]
    a = torch.tensor([[-KINKS[name], KINKS[name]]], dtype=torch.float64, requires_grad=True)
    y = row.meaning(a)
    (expected,) = torch.autograd.grad(y.sum(), a)
    found = evaluate_adjoint(row.adjoint[0], {"a": a, "y": y, "d": torch.ones_like(y)})
    assert torch.equal(torch.as_tensor(found), expected)


@pytest.mark.parametrize("name", [name for name, row in OPERATIONS.items() if row.arity == 2 and row.mixes is False])
def test_equal_arguments_share_the_gradient_as_in_torch(name):
    a = torch.full((1, 3), 0.5, dtype=torch.float64, requires_grad=True)
    b = torch.full((1, 3), 0.5, dtype=torch.float64, requires_grad=True)
    row = OPERATIONS[name]
    y = row.meaning(a, b)
    expected = torch.autograd.grad(y.sum(), (a, b))
    for text, gradient in zip(row.adjoint, expected, strict=True):
        found = torch.as_tensor(evaluate_adjoint(text, {"a": a, "b": b, "y": y, "d": torch.ones_like(y)}))
        torch.testing.assert_close(found, gradient)


def test_rows_that_reduce_give_one_number_a_sequence():
    a = torch.randn(4, 6, dtype=torch.float64)
    for row in OPERATIONS.values():
        if row.arity == 1:
            assert row.meaning(a.abs()).shape == ((4, 1) if row.reduces else (4, 6)), row.name
            assert row.mixes or not row.reduces


def test_rows_that_mix_units_are_marked():
    for row in OPERATIONS.values():
        a = [torch.rand(1, 6, dtype=torch.float64) + 0.1 for _ in range(row.arity)]
        changed = [value.clone() for value in a]
        for value in changed:
            value[0, 0] += 3.0
        before, after = row.meaning(*a), row.meaning(*changed)
        if not row.reduces and not row.mixes:
            assert torch.equal(before[0, 1:], after[0, 1:]), row.name
        if row.mixes and row.name != "size":
            assert not torch.equal(before[0, -1:], after[0, -1:]), row.name


def test_bounded_rows_stay_between_zero_and_one():
    a = torch.linspace(-50, 50, 101, dtype=torch.float64)[None]
    for row in OPERATIONS.values():
        if row.bounded:
            y = row.meaning(a)
            assert y.min() >= 0
            assert y.max() <= 1


@pytest.mark.parametrize("name", [name for name, row in OPERATIONS.items() if not row.mixes])
def test_plain_numbers_mean_what_tensors_mean(name):
    row = OPERATIONS[name]
    numbers = [0.7, 0.3, 0.9][: row.arity]
    expected = row.meaning(*(torch.tensor([[n]], dtype=torch.float64) for n in numbers))
    assert apply(name, list(numbers)) == pytest.approx(expected.item())


@pytest.mark.parametrize("name", OPERATIONS)
def test_latex_is_balanced(name):
    row = OPERATIONS[name]
    arguments = "abc"[: row.arity]
    call = f"{name}({', '.join(arguments)})"
    text = row.symbol.join(arguments) if row.symbol and row.arity == 2 else f"-{arguments}" if row.symbol else call
    latex = latex_expression(parse_expression(text, dict.fromkeys(arguments, "vector")))
    assert latex.count("{") == latex.count("}")
    assert all(argument in latex for argument in arguments)
