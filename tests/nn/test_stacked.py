"""`gl.nn.LSTM`, `GRU` and `RNN` by the shortest way: the numbers of the long one, and the long one where it counts."""

import copy

import pytest
import torch
from torch.nn.utils import parametrize

import gatelab as gl
from gatelab.nn.compat import _Torch

T, B, I, H = 5, 4, 3, 6
KINDS = {"LSTM": {}, "GRU": {}, "RNN": {"nonlinearity": "relu"}}
each_kind = pytest.mark.parametrize("kind", KINDS)


def layer_of(kind, **options):
    torch.manual_seed(0)
    return getattr(gl.nn, kind)(I, H, **KINDS[kind], **options)


def inputs(batch_first=False):
    return torch.randn(*((B, T) if batch_first else (T, B)), I, requires_grad=True)


def results(layer, x):
    """Output, states, and the gradients of a loss in all of them."""
    for value in (x, *layer.parameters()):
        value.grad = None
    output, state = layer(x)
    states = state if isinstance(state, tuple) else (state,)
    (output.square().sum() + sum(part.sin().sum() for part in states)).backward()
    return [output, *states, x.grad, *(value.grad for value in layer.parameters())]


@pytest.fixture
def short(monkeypatch):
    """What the short way gave, call by call; None where it did not go."""
    seen, own = [], _Torch._call_directly

    def call(self, cell, x):
        seen.append(own(self, cell, x))
        return seen[-1]

    monkeypatch.setattr(_Torch, "_call_directly", call)
    return seen


@pytest.mark.parametrize("options", [{}, {"bias": False}, {"batch_first": True}, {"num_layers": 3}], ids=str)
@each_kind
def test_the_numbers_of_the_long_way(kind, options, short, monkeypatch):
    layer = layer_of(kind, **options)
    x = inputs(layer.batch_first)
    for _ in range(2):
        ours = results(layer, x)
    with torch.no_grad():
        alone, _ = layer(x)
    assert len(short) == 3 and None not in short
    monkeypatch.setattr(_Torch, "_call_directly", lambda self, cell, x: None)
    theirs = results(layer, x)
    for one, other in zip([*ours, alone], [*theirs, theirs[0]], strict=True):
        assert torch.equal(one, other)
        assert one.stride() == other.stride()


@each_kind
def test_weights_that_change_are_seen(kind, short):
    layer = layer_of(kind)
    x = inputs()
    before = results(layer, x)
    with torch.no_grad():
        for value in layer.parameters():
            value.add_(0.1)
    after = results(layer, x)
    assert not any(torch.equal(one, other) for one, other in zip(before, after, strict=True))
    assert None not in short


@each_kind
def test_second_derivatives(kind, short):
    layer = layer_of(kind).double()
    stacks = [value.detach() for value in layer.parameters()]
    x = torch.randn(3, 2, I, dtype=torch.float64)

    def output(x, *stacks):
        named = dict(zip(dict(layer.named_parameters()), stacks, strict=True))
        return torch.func.functional_call(layer, named, (x,))[0]

    leaves = [value.clone().requires_grad_() for value in (x, *stacks)]
    assert torch.autograd.gradcheck(output, leaves)
    assert torch.autograd.gradgradcheck(output, leaves)
    assert any(found is not None for found in short)


@each_kind
def test_frozen_weights(kind, short):
    layer, x = layer_of(kind), inputs()
    theirs = results(layer, x)
    layer.weight_hh_l0.requires_grad_(False)
    ours = results(layer, x)
    names = [None] * (len(ours) - len(list(layer.parameters()))) + [name for name, _ in layer.named_parameters()]
    for name, one, other in zip(names, ours, theirs, strict=True):
        assert one is None if name == "weight_hh_l0" else torch.equal(one, other)
    assert None not in short


def test_a_weight_that_was_changed_before_the_way_back_is_noticed():
    layer, x = layer_of("LSTM"), inputs()
    output, _ = layer(x)
    with torch.no_grad():
        layer.weight_hh_l0.mul_(2)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        output.sum().backward()


def test_weights_that_lie_otherwise(short):
    layer, x = layer_of("LSTM"), inputs()
    theirs = results(layer, x)
    for name, value in list(layer.named_parameters()):
        if value.ndim == 2:
            setattr(layer, name, torch.nn.Parameter(value.detach().T.contiguous().T))
    ours = results(layer, x)
    assert not layer.weight_hh_l0.is_contiguous()
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, other)


class Doubled(torch.nn.Module):
    def forward(self, weight):
        return 2 * weight


def test_what_counts_on_the_long_way(short):
    x = inputs()
    for layer in (
        layer_of("LSTM", bidirectional=True),
        layer_of("LSTM", proj_size=2),
        layer_of("LSTM", num_layers=2, dropout=0.5),
    ):
        layer(x)
    assert short == [None] * 3
    layer = layer_of("LSTM")
    layer(x, (torch.zeros(1, B, H), torch.zeros(1, B, H)))
    with gl.probe(layer, "f") as record:
        layer(x)
    assert record["f"].shape == (T, B, H)
    with torch.autocast("cpu"):
        layer(x)
    layer.backend = "eager"
    layer(x)
    assert len(short) == 4 and short[-1] is None
    layer.backend = "auto"
    plain = layer(x)[0]
    parametrize.register_parametrization(layer, "weight_hh_l0", Doubled())
    assert not torch.equal(layer(x)[0], plain)
    assert short[-1] is None


def test_copies_and_other_cells_are_their_own():
    layer, x = layer_of("GRU"), inputs()
    theirs = results(layer, x)
    twin = copy.deepcopy(layer)
    with torch.no_grad():
        layer.weight_ih_l0.zero_()
    assert all(map(torch.equal, results(twin, x), theirs))


def test_vmap_over_inputs():
    layer = layer_of("RNN")
    xs = torch.randn(3, T, B, I)
    each = torch.func.vmap(lambda x: layer(x)[0], randomness="error")(xs)
    for x, found in zip(xs, each, strict=True):
        torch.testing.assert_close(layer(x)[0], found)


def test_wrong_input_is_refused_as_before():
    layer = layer_of("LSTM")
    layer(inputs())
    with pytest.raises(gl.errors.ShapeError):
        layer(torch.randn(T, B, I + 1))
    with pytest.raises(gl.errors.ShapeError):
        layer(torch.randn(T, B, I, dtype=torch.float64))
