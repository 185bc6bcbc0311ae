"""Rows by their numbers: the same as torch's, with the same gradients, and where torch has to look on."""

import hypothesis.strategies as st
import pytest
import torch
from hypothesis import given
from torch.nn import functional

from gatelab.nn.lookup import look_up


def gradients(find, numbers, table, weights):
    own = table.clone().requires_grad_()
    found = find(numbers, own)
    (found * weights).sum().backward()
    return found.detach(), own.grad


@given(
    rows=st.integers(1, 9),
    width=st.integers(1, 20),
    shape=st.lists(st.integers(0, 5), min_size=1, max_size=3),
    dtype=st.sampled_from([torch.float32, torch.float64]),
    seed=st.integers(0, 2**31),
)
def test_rows_and_their_gradients_are_torchs_bit_by_bit(rows, width, shape, dtype, seed):
    torch.manual_seed(seed)
    numbers, table = torch.randint(rows, shape), torch.randn(rows, width, dtype=dtype)
    weights = torch.randn(*shape, width, dtype=dtype)
    ours, theirs = (gradients(find, numbers, table, weights) for find in (look_up, functional.embedding))
    for own, other in zip(ours, theirs, strict=True):
        assert torch.equal(own, other)


def test_a_gradient_that_does_not_lie_in_a_row_counts_too():
    numbers, table = torch.tensor([[0, 2], [2, 1]]), torch.randn(3, 4)
    turned, flipped = torch.randn(2, 4, 2).transpose(1, 2), torch.randn(2, 2, 4, dtype=torch.cfloat).conj().imag
    assert not turned.is_contiguous()
    assert flipped.is_neg()
    for weights in (turned, flipped):
        ours, theirs = table.clone().requires_grad_(), table.clone().requires_grad_()
        look_up(numbers, ours).backward(weights)
        functional.embedding(numbers, theirs).backward(weights)
        assert torch.equal(ours.grad, theirs.grad)


def test_numbers_beyond_the_table_are_an_error():
    with pytest.raises(IndexError):
        look_up(torch.tensor([3]), torch.randn(3, 4))


def test_other_types_of_numbers_and_int32():
    table = torch.randn(3, 4, dtype=torch.bfloat16, requires_grad=True)
    look_up(torch.tensor([0, 0, 2]), table).sum().backward()
    assert torch.equal(table.grad[:, 0], torch.tensor([2.0, 0, 1], dtype=torch.bfloat16))
    table = torch.randn(3, 4, requires_grad=True)
    look_up(torch.tensor([0, 0, 2], dtype=torch.int32), table).sum().backward()
    assert torch.equal(table.grad[:, 0], torch.tensor([2.0, 0, 1]))


def test_second_derivatives_vmap_and_compiled_programs_see_torchs_own():
    numbers, table = torch.tensor([0, 2, 2]), torch.randn(3, 4, dtype=torch.float64, requires_grad=True)
    weights = torch.randn(3, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda table: look_up(numbers, table), [table])
    (first,) = torch.autograd.grad((look_up(numbers, table) * weights).sum(), table, create_graph=True)
    (second,) = torch.autograd.grad(first[2].sum(), weights)
    assert torch.equal(second, torch.tensor([[0.0], [1], [1]], dtype=torch.float64).expand(3, 4))
    each = torch.func.vmap(lambda weights: torch.func.grad(lambda own: (look_up(numbers, own) * weights).sum())(table))
    assert torch.equal(each(torch.ones(2, 3, 4, dtype=torch.float64))[0][:, 0].long(), torch.tensor([1, 0, 2]))
    both = torch.eye(2, dtype=torch.float64).view(2, 2, 1, 1).expand(2, 2, 3, 4).sum(1)
    (batched,) = torch.autograd.grad(look_up(numbers, table), table, both, is_grads_batched=True)
    assert batched.shape == (2, 3, 4)
    compiled = torch.compile(lambda table: look_up(numbers, table).sum(), fullgraph=True, backend="aot_eager")
    (found,) = torch.autograd.grad(compiled(table), table)
    assert torch.equal(found[:, 0].long(), torch.tensor([1, 0, 2]))
