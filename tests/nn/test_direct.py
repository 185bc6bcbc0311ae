"""`layer(x)` by the shortest way: the bits of the long one, and the long one wherever something else counts."""

import copy
import gc
import pickle
import weakref
from dataclasses import replace

import pytest
import torch
from torch.nn.utils import parametrize

import gatelab as gl
from gatelab.backends import eager
from gatelab.errors import OptionError, ShapeError
from gatelab.nn import direct, recurrent

T, B, I, H = 5, 4, 3, 6


def layer_of(cell="lstm", **options):
    torch.manual_seed(0)
    return gl.Recurrent(cell, I, H, **options)


def inputs(layer, steps=T):
    shape = (B, steps, I) if layer.batch_first else (steps, B, I)
    return torch.randn(*([] if layer.replicas is None else [layer.replicas]), *shape, requires_grad=True)


def results(layer, x, **given):
    """Output, states, and the gradients of a loss in all of them."""
    for value in (x, *layer.parameters()):
        value.grad = None
    output, state = layer(x, **given)
    (output.square().sum() + sum(part.sin().sum() for part in state)).backward()
    return [output, *state, x.grad, *(value.grad for value in layer.parameters())]


FORMS = [
    {},
    {"batch_first": True},
    {"num_layers": 3},
    {"replicas": 2},
    {"replicas": 2, "batch_first": True, "num_layers": 2},
    {"dropout": 0.1},  # One layer has nothing between layers.
]


@pytest.mark.parametrize("cell", ["lstm", "f", "elman", "min_gru", "gru_original"])
@pytest.mark.parametrize("options", FORMS)
def test_the_bits_and_the_strides_of_the_long_way(cell, options, long_way, monkeypatch):
    layer = layer_of(cell, **options)
    x = inputs(layer)
    for _ in range(2):  # Known, and found again.
        ours = results(layer, x)
    assert not long_way
    with torch.no_grad():
        alone = layer(x)
    monkeypatch.setattr(recurrent.Recurrent, "_call_directly", lambda self, x, lengths: None)
    theirs = results(layer, x)
    assert long_way
    for own, other in zip([*ours, alone[0], *alone[1]], [*theirs, *theirs[: 1 + len(alone[1])]], strict=True):
        assert torch.equal(own, other)
        assert own.stride() == other.stride()
    assert type(alone[1]) is type(layer(x)[1])


@pytest.mark.parametrize("options", FORMS)
@pytest.mark.parametrize("cell", ["lstm", "gru_original"])
def test_ends_of_sequences_go_the_short_way_too(cell, options, long_way, monkeypatch):
    layer = layer_of(cell, **options)
    x = inputs(layer)
    given = [[5, 1, 3, 5], torch.tensor([2, 2, 5, 1])]
    if layer.replicas:
        given.append(torch.tensor([[1, 2, 3, 4], [5, 4, 3, 2]]))
    ours = [results(layer, x, lengths=lengths) for lengths in given * 2]
    ours += [results(layer, x)]  # One with ends does not stand for one without.
    with torch.no_grad():
        alone = [layer(x, lengths=lengths)[0] for lengths in given]
    with gl.probe(layer, calls=None) as record:
        seen = [layer(x, lengths=lengths)[0] for lengths in given]
    assert not long_way
    monkeypatch.setattr(recurrent.Recurrent, "_call_directly", lambda self, x, lengths: None)
    theirs = [results(layer, x, lengths=lengths) for lengths in given * 2] + [results(layer, x)]
    with gl.probe(layer, calls=None) as long_record:
        for lengths in given:
            layer(x, lengths=lengths)
    assert long_way
    for own, other in zip(ours, theirs, strict=True):
        assert all(map(torch.equal, own, other))
    for own, watched, other in zip(alone, seen, theirs, strict=False):
        assert torch.equal(own, other[0]) and torch.equal(watched, other[0])
    for own, other in zip(record.calls, long_record.calls, strict=True):
        assert torch.equal(own.lengths, other.lengths)
        assert all(torch.equal(own.values[key], other.values[key]) for key in record.names)


@pytest.mark.parametrize("options", FORMS)
@pytest.mark.parametrize("every", [1, 2])
@pytest.mark.parametrize("learns", [True, False])
def test_what_a_probe_sees_is_that_of_the_long_way(options, every, learns, long_way, monkeypatch):
    layer = layer_of(**options)
    x = inputs(layer)
    plain = results(layer, x)
    with torch.set_grad_enabled(learns), gl.probe(layer, every=every, calls=None) as record:
        for _ in range(2):
            ours = results(layer, x) if learns else layer(x)
        assert not long_way
        monkeypatch.setattr(recurrent.Recurrent, "_call_directly", lambda self, x, lengths: None)
        layer(x)
    assert long_way
    assert all(torch.equal(own, other) for own, other in zip(ours, plain, strict=False) if torch.is_tensor(own))
    first, again, theirs = record.calls
    assert set(first.values) == set(theirs.values) == set(record.names)
    for key in record.names:
        for call in (first, again):
            assert torch.equal(call.values[key], theirs.values[key]), key
            assert call.axes == theirs.axes and not call.gradients
    gates = record["f_l0" if layer.num_layers > 1 else "f"]
    assert gates.shape[layer.batch_first - 3] == -(-T // every)


def test_gradients_of_a_probe_take_the_long_way(long_way):
    layer = layer_of()
    with gl.probe(layer, "f", gradients=True) as record:
        layer(inputs(layer))[0].sum().backward()
    assert long_way and record.gradient["f"].any()


@pytest.mark.parametrize(
    "options",
    [
        {"bidirectional": True},
        {"zoneout": 0.1},
        {"learned_state": True},
        {"recurrent_dropout": 0.1},
        {"num_layers": 2, "dropout": 0.1},
        {"backend": "eager"},
        {"backend": eager.BACKEND},
    ],
)
def test_layers_that_do_more_take_the_long_way(options, long_way):
    layer = layer_of(**options)
    layer(inputs(layer))
    assert long_way


def test_out_of_training_dropout_does_nothing(long_way):
    layer = layer_of(num_layers=2, dropout=0.5, recurrent_dropout=0.5).eval()
    layer(inputs(layer))
    assert not long_way


def test_whatever_is_given_beside_the_input_takes_the_long_way(long_way):
    layer = layer_of()
    x = inputs(layer)
    _, state = layer(x)
    calls = [{"state": state}, {"resets": torch.zeros(T, B, dtype=torch.bool)}]
    for count, given in enumerate(calls, 1):
        layer(x, **given)
        assert len(long_way) == count
    layer(x[:, 0])  # One sequence without the axis of a batch.
    assert len(long_way) == 3


def test_who_looks_on_sees_the_long_way(long_way):
    layer = layer_of()
    x = inputs(layer).detach()
    layer(x)
    torch.func.vmap(lambda own: layer(own)[0], in_dims=1)(x.unsqueeze(1))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert layer(x)[0].dtype == torch.bfloat16
    assert len(long_way) == 2
    parametrize.register_parametrization(layer, "R_f_l0", torch.nn.Identity())
    expected = layer(x)[0]
    assert len(long_way) == 3
    parametrize.remove_parametrizations(layer, "R_f_l0")
    assert torch.equal(layer(x)[0], expected)


def test_parameters_that_change_their_kind_are_an_error_or_count():
    layer = layer_of()
    x = inputs(layer).detach()
    layer(x)
    with pytest.raises(ShapeError, match="float32"):
        layer.double()(x)
    assert layer(x.double())[0].dtype == torch.float64
    layer = layer_of()
    before = layer(x)[0]
    with torch.no_grad():
        layer.b_f_l0 += 1
    assert not torch.equal(layer(x)[0], before)
    turned = layer.R_f_l0.detach().clone()
    expected = layer(x)[0]
    layer.R_f_l0.data = turned.t().contiguous().t()
    assert torch.equal(layer(x)[0], expected)


def test_a_change_in_place_before_the_way_back_is_noticed():
    layer = layer_of()
    output, _ = layer(inputs(layer))
    with torch.no_grad():
        layer.R_f_l0.add_(1)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        output.sum().backward()


def test_the_backend_may_change(long_way):
    layer = layer_of()
    x = inputs(layer)
    first = layer(x)[0]
    layer.backend = "eager"
    torch.testing.assert_close(layer(x)[0], first)
    assert len(long_way) == 1
    layer.backend = "auto"
    assert torch.equal(layer(x)[0], first)
    assert len(long_way) == 1


def test_what_is_remembered_has_bounds_and_goes_with_the_layer(monkeypatch):
    monkeypatch.setattr(direct, "MOST", 3)
    layer = layer_of()
    for steps in range(1, 9):
        layer(inputs(layer, steps))
        assert len(direct._REMEMBERED[layer].by_input) <= 3
    twin = copy.deepcopy(layer)
    assert twin not in direct._REMEMBERED
    assert len(pickle.dumps(layer)) < 20_000
    gone = weakref.ref(layer)
    del layer
    gc.collect()
    assert gone() is None


def test_an_input_that_is_none_says_so():
    layer = layer_of()
    for x, says in ((torch.zeros(0, B, I), "0 time steps"), (torch.zeros(T, B, I + 1), "features"), (3, "is a int")):
        with pytest.raises(ShapeError, match=says):
            layer(x)
    assert layer(torch.zeros(T, 0, I))[0].shape == (T, 0, H)


@pytest.mark.parametrize("names", [("f_l1",), ("f_l0",), ("f_l0", "c_l1")])
def test_a_probe_may_look_at_some_of_the_layers(names, long_way):
    layer = layer_of(num_layers=2)
    with gl.probe(layer, *names) as record:
        layer(inputs(layer))
    assert not long_way and tuple(record) == names
    assert all(record[name].shape == (T, B, H) for name in names)


def test_another_cell_counts_from_the_next_call_on():
    layer = layer_of()
    x = inputs(layer).detach()
    with torch.no_grad():
        soft, step = layer(x)[0], layer.step(x[0])[0]
        layer.cell = layer.cell.hardened()
        hard, hard_step = layer(x)[0], layer.step(x[0])[0]
        layer.backend = "eager"
        torch.testing.assert_close(hard, layer(x)[0])
        torch.testing.assert_close(hard_step, layer.step(x[0])[0])
    assert not torch.equal(soft, hard) and not torch.equal(step, hard_step)


def holding(layer):
    """A backend that refers to the layer which it runs."""
    return replace(eager.BACKEND, name="mine", run=lambda asked: (layer.training, eager.run(asked))[1])


def test_what_is_no_backend_of_ours_is_not_remembered():
    layer = layer_of()
    x = inputs(layer)
    layer(x)
    layer.backend = ["cpu"]
    with pytest.raises(OptionError):
        layer(x)
    layer.backend = holding(layer)
    layer(x)
    gone = weakref.ref(layer)
    del layer
    gc.collect()
    assert gone() is None


def test_replicas_are_counted_though_a_cell_has_no_parameters():
    layer = gl.Recurrent(gl.Cell("h = 0.5 * h + x", widths={"x": "H"}), 3, 3, replicas=2)
    with pytest.raises(ShapeError, match="R = 2"):
        layer(torch.zeros(3, T, B, 3))
