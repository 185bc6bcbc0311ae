"""Layers on memory that stays: the bits of the layer itself, and the layer itself wherever something else counts."""

import pytest
import torch

import gatelab as gl
from gatelab.errors import ShapeError
from gatelab.nn import steady
from gatelab.nn.steady import Steady

T, B, I, H = 5, 4, 3, 6


def layer_of(cell="lstm", **options):
    torch.manual_seed(0)
    return gl.Recurrent(cell, I, H, **options)


def inputs(layer, batch=B, learned=False):
    shape = (batch, T, I) if layer.batch_first else (T, batch, I)
    lead = [] if layer.replicas is None else [layer.replicas]
    return torch.randn(*lead, *shape).requires_grad_(learned)


def steady_of(layer):
    """The layer, steady, and where the gradients of its parameters go, filled with what must be written over."""
    gradients = {name: torch.full_like(value, torch.nan) for name, value in layer.named_parameters()}
    return Steady(layer, gradients), gradients


def both(output, state):
    return output.square().sum() + sum(part.select(-3, -1).sin().sum() for part in state)


def last(output, state):
    return state[0].select(-3, -1).square().sum()


def every(output, state):
    return output.cos().sum()


def taken_by_autograd(layer, x, lengths, loss):
    for value in (x, *layer.parameters()):
        value.grad = None
    output, state = layer(x, None, lengths)
    loss(output, state).backward()
    return [output, *(part.select(-3, -1) for part in state), x.grad], {n: v.grad for n, v in layer.named_parameters()}


def taken_steadily(own, gradients, x, lengths, loss):
    x.grad = None
    for value in gradients.values():
        value.zero_()
    output, state = own(x, None, lengths)
    loss(output, state).backward()
    own.backward()
    return [output, *(part.select(-3, -1) for part in state), x.grad], gradients


@pytest.fixture
def stacks(monkeypatch):
    """How often memory that stays was run on."""
    seen, forward = [], steady.Stack.forward
    monkeypatch.setattr(steady.Stack, "forward", lambda self, *given: seen.append(self) or forward(self, *given))
    return seen


FORMS = [
    {},
    {"batch_first": True},
    {"num_layers": 3},
    {"replicas": 2},
    {"replicas": 2, "batch_first": True, "num_layers": 2},
]


@pytest.mark.parametrize("loss", [both, last, every])
@pytest.mark.parametrize("learned", [False, True])
@pytest.mark.parametrize("ragged", [False, True])
@pytest.mark.parametrize("options", FORMS)
@pytest.mark.parametrize("cell", ["lstm", "f", "gru_original", "min_gru"])
def test_the_bits_of_the_layer(cell, options, ragged, learned, loss, stacks):
    layer = layer_of(cell, **options)
    own, gradients = steady_of(layer)
    for turn in range(4):
        x = inputs(layer, learned=learned)
        lead = [] if layer.replicas is None else [layer.replicas]
        lengths = torch.randint(1, T + 1, (*lead, B)) if ragged else None
        ours, ours_by_name = taken_steadily(own, gradients, x, lengths, loss)
        assert len(stacks) == max(0, turn), "the first call is the layer's own"
        if turn:
            ours = [value if value is None else value.clone() for value in ours]
            theirs, theirs_by_name = taken_by_autograd(layer, x, lengths, loss)
            for one, other in zip(ours, theirs, strict=True):
                assert one is other is None or torch.equal(one, other)
            assert ours_by_name.keys() == theirs_by_name.keys()
            for name, gradient in ours_by_name.items():
                assert torch.equal(gradient, theirs_by_name[name]), name
        with torch.no_grad():  # An optimizer changes the weights where they are.
            for value in layer.parameters():
                value.add_(0.01 * torch.randn_like(value))


def test_a_gradient_that_is_slightly_wrong_would_be_seen():
    layer = layer_of()
    x = inputs(layer)
    _, theirs = taken_by_autograd(layer, x, None, both)
    _, others = taken_by_autograd(layer, x, None, lambda output, state: 1.000001 * both(output, state))
    assert not any(torch.equal(gradient, others[name]) for name, gradient in theirs.items())


def test_without_gradients_too(stacks):
    layer = layer_of(replicas=2)
    own, _ = steady_of(layer)
    with torch.no_grad():
        for _ in range(3):
            x = inputs(layer)
            output, state = own(x, None, None)
            assert not output.requires_grad
            expected, final = layer(x)
            assert torch.equal(output, expected)
            assert all(map(torch.equal, state, final))
    own.backward()  # Of nothing.
    assert len(stacks) == 2


def test_calls_with_and_without_gradients_take_turns(stacks):
    layer = layer_of()
    own, _ = steady_of(layer)
    for _ in range(4):
        x, checked = inputs(layer), inputs(layer, batch=7)
        output, state = own(x, None, None)
        with torch.no_grad():
            own(checked, None, None)
        assert torch.equal(output, layer(x)[0])
        both(output, state).backward()
    assert len(stacks) == 6


def test_shapes_that_change_are_the_layers_own(stacks):
    layer = layer_of()
    own, _ = steady_of(layer)
    for batch in (3, 4, 5, 3, 4, 5):
        own(inputs(layer, batch=batch), None, None)
    assert not stacks
    for batch in (1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 1, 1):
        x = inputs(layer, batch=batch)
        assert torch.equal(own(x, None, None)[0], layer(x)[0])
    assert len(own._known) <= steady.MOST


def test_what_is_large_is_the_layers_own(stacks, monkeypatch):
    monkeypatch.setattr(steady, "MOST_NUMBERS", 10)
    own, _ = steady_of(layer_of())
    for _ in range(3):
        own(inputs(own.layer), None, None)
    assert not stacks


@pytest.mark.parametrize(
    "options",
    [
        {"bidirectional": True},
        {"zoneout": 0.1},
        {"recurrent_dropout": 0.1},
        {"num_layers": 2, "dropout": 0.1},
        {"learned_state": True},
        {"backend": "eager"},
    ],
    ids=str,
)
def test_what_kernels_alone_can_not_do_goes_through_autograd(options, stacks):
    layer = layer_of(**options)
    own, gradients = steady_of(layer)
    for _ in range(3):
        output, state = own(inputs(layer), None, None)
        both(output, state).backward()
        own.backward()
    assert not stacks
    assert all(value.grad is not None for value in layer.parameters())
    assert all(value.isnan().all() for value in gradients.values())


def test_a_given_state_is_gone_on_from(stacks):
    layer = layer_of()
    own, _ = steady_of(layer)
    x = inputs(layer)
    for _ in range(3):
        _, state = layer(x)
        assert torch.equal(own(x, state, None)[0], layer(x, state)[0])
    assert not stacks


def test_a_probe_sees_all(stacks):
    layer = layer_of()
    own, _ = steady_of(layer)
    x = inputs(layer)
    own(x, None, None)
    own(x, None, None)
    with gl.probe(layer, "f", gradients=True) as record:
        output, state = own(x, None, None)
        both(output, state).backward()
        own.backward()
    assert record["f"].shape == record.gradient["f"].shape == (T, B, H)
    assert len(stacks) == 1


def test_another_number_of_threads_is_another_call(stacks):
    layer = gl.Recurrent("lstm", 40, 40)
    own, gradients = steady_of(layer)
    x, threads = torch.randn(50, 60, 40), torch.get_num_threads()
    theirs = {name: value.clone() for name, value in taken_by_autograd(layer, x, None, both)[1].items()}
    try:
        for count in (1, 1, 2, 2, 1):
            torch.set_num_threads(count)
            _, ours = taken_steadily(own, gradients, x, None, both)
    finally:
        torch.set_num_threads(threads)
    assert [stack is stacks[0] for stack in stacks] == [True, False, True]
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


def test_wrong_input_is_the_layers_to_refuse():
    own, _ = steady_of(layer_of())
    for _ in range(3):
        with pytest.raises(ShapeError):
            own(torch.randn(T, B, I + 1), None, None)
