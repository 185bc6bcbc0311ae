"""`layer.step` by the shortest way: the bits of `layer(x)`, whatever becomes of the parameters between two steps."""

import copy
import gc
import io
import multiprocessing
import weakref
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from torch import nn

import gatelab as gl
from gatelab.backends import eager
from gatelab.backends.base import Backend
from gatelab.errors import ShapeError
from gatelab.nn import recurrent, stepping
from gatelab.training.flat import Flat

I, H = 7, 20
COUNT = gl.Cell("h = 0.9 * h", name="count")
BLIND = gl.Cell("h = tanh(R @ h + b)", name="blind")
STATELESS = gl.Cell("h = tanh(W @ x + b)", name="stateless")


def layer_of(cell="lstm", hidden_size=H, **options):
    torch.manual_seed(0)
    return gl.Recurrent(cell, I, hidden_size, **options)


@pytest.fixture
def long_way(long_way, monkeypatch):
    """The steps that were taken on it, and the sequences, which otherwise have a short way of their own."""
    monkeypatch.setattr(recurrent.Recurrent, "_call_directly", lambda self, x, lengths: None)
    return long_way


@pytest.fixture
def threads():
    """A function that sets the number of threads, for this test."""
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


def whole(layer, x, state):
    """A step as a sequence of one."""
    time = -2 if layer.batch_first and x.ndim > 1 else -3 if x.ndim > 1 else 0
    output, state = layer(x.unsqueeze(time), state)
    return output.squeeze(time), state


def agree(layer, x, state=None, expected_by=None):
    """Takes a step both ways and compares the bits; the states after it."""
    output, after = layer.step(x, state)
    expected, expected_after = whole(expected_by or layer, x, state)
    assert torch.equal(output, expected)
    assert type(after) is type(expected_after)
    assert all(map(torch.equal, after, expected_after))
    assert [value.stride() for value in after] == [value.stride() for value in expected_after]
    return after


CELLS = {
    "lstm": {},
    "f": {},
    "gru": {},
    "gru_original": {},
    "layer_norm_lstm": {},
    "lstm_projected": {"widths": {"P": 3}},
    "slstm": {},
    "min_gru": {},
    COUNT: {},
    BLIND: {},
    STATELESS: {},
}


@torch.no_grad()
@pytest.mark.parametrize("lead", [(), (1,), (8,), (17,)], ids=str)
@pytest.mark.parametrize("hidden_size", [1, 20, 64])
@pytest.mark.parametrize("cell", CELLS, ids=str)
def test_the_bits_of_the_layer(cell, hidden_size, lead, long_way):
    for options in ({}, {"num_layers": 3, "batch_first": True, "dtype": torch.float64}):
        layer, state = layer_of(cell, hidden_size, **CELLS[cell], **options), None
        for _ in range(3):
            before = len(long_way)
            x = torch.randn(*lead, I, dtype=options.get("dtype"))
            state = agree(layer, x, state)
            assert len(long_way) == before + 1, "step itself went the long way"


@torch.no_grad()
def test_the_bits_with_gradients_are_the_same():
    layer, x = layer_of(), torch.randn(3, I)
    with torch.enable_grad():
        expected = layer(x.unsqueeze(0))[0][0]
    assert expected.requires_grad
    assert torch.equal(layer.step(x)[0], expected)


@torch.no_grad()
def test_inputs_that_lie_apart(long_way):
    layer, x = layer_of(num_layers=2, batch_first=True), torch.randn(5, 4, I)
    state = None
    for x_t in x.unbind(1):
        state = agree(layer, x_t, state)
    agree(layer, torch.randn(I).expand(5, I), state)
    agree(layer, torch.randn(I, 5).t(), state)
    assert len(long_way) == 6
    turned = [value.transpose(0, 1).contiguous().transpose(0, 1) for value in state]
    agree(layer, x[:, 0], tuple(turned))


@torch.no_grad()
def test_results_are_memory_of_their_own():
    layer, x = layer_of(), torch.randn(2, I)
    output, first = layer.step(x)
    kept = [value.clone() for value in (output, *first)]
    output_again, second = layer.step(x, first)
    assert all(map(torch.equal, (output, *first), kept))
    every = [output, *first, output_again, *second]
    assert len({value.data_ptr() for value in every}) == len(every)


@torch.no_grad()
def test_other_batches_and_dtypes_in_turn():
    layer = layer_of(num_layers=2)
    for lead, dtype in [((3,), None), ((), None), ((1,), None), ((3,), torch.float64), ((40,), None), ((3,), None)]:
        layer.to(dtype or torch.float32)
        agree(layer, torch.randn(*lead, I, dtype=dtype))


# What changes the parameters between two steps.


@torch.enable_grad()
def optimizer_step(layer):
    optimizer = torch.optim.Adam(layer.parameters())
    layer(torch.randn(3, 2, I))[0].sum().backward()
    optimizer.step()


@torch.enable_grad()
def flat_optimizer_step(layer):
    flat = Flat(layer)
    agree_quietly(layer)
    optimizer = torch.optim.SGD([flat.whole], lr=0.1)
    layer(torch.randn(3, 2, I))[0].sum().backward()
    optimizer.step()


@torch.no_grad()
def agree_quietly(layer):
    agree(layer, torch.ones(2, I, dtype=next(layer.parameters()).dtype))


def in_inference_mode(layer):
    with torch.inference_mode():
        layer.R_f_l0.mul_(2)


def one_bit(layer):
    layer.b_f_l0.data.numpy().view("int32")[3] ^= 1


def load(layer, **options):
    layer.load_state_dict({name: 2 * value for name, value in layer.state_dict().items()}, **options)


def other_data(layer):
    layer.W_i_l0.data = layer.W_i_l0.data * 2


def turned_data(layer):
    layer.R_i_l0.data = layer.R_i_l0.data.t()


CHANGES = {
    "an optimizer's step": optimizer_step,
    "an optimizer's step over all parameters as one": flat_optimizer_step,
    "load_state_dict": load,
    "load_state_dict, assigned": lambda layer: load(layer, assign=True),
    "a write in place": lambda layer: layer.W_i_l0.mul_(2),
    "a write to .data": lambda layer: layer.W_i_l0.data.mul_(2),
    "all signs": lambda layer: [value.data.neg_() for value in layer.parameters()],
    "one bit": one_bit,
    "other .data": other_data,
    "the same .data, turned": turned_data,
    "a new parameter": lambda layer: setattr(layer, "R_i_l0", nn.Parameter(torch.randn(H, H))),
    "in inference mode": in_inference_mode,
    "two that change places": lambda layer: layer.W_i_l0.data.copy_(layer.W_f_l0.data.clone()),
    "another dtype": lambda layer: layer.double(),
    "a dtype there and back": lambda layer: layer.half().float(),
    "drawn anew": lambda layer: layer.reset_parameters(),
    "nothing": lambda layer: None,
}


@torch.no_grad()
@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_changed_parameters(change):
    layer = layer_of(num_layers=2)
    agree_quietly(layer)
    change(layer)
    for _ in range(2):
        agree_quietly(layer)


def test_in_inference_mode():
    with torch.inference_mode():
        layer = layer_of()
        x = torch.randn(2, I)
        state = agree(layer, x, agree(layer, x))
        layer.W_i_l0.mul_(2)
        agree(layer, x, state)


@torch.no_grad()
def test_parameters_of_another_call():
    layer, other, x = layer_of(), layer_of("lstm"), torch.randn(2, I)
    other.reset_parameters()
    agree(layer, x)
    given = dict(other.named_parameters())

    class Stepped(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = layer

        def forward(self, x):
            return self.layer.step(x)[0]

    found = torch.func.functional_call(Stepped(), {f"layer.{name}": value for name, value in given.items()}, (x,))
    assert torch.equal(found, other(x.unsqueeze(0))[0][0])
    agree(layer, x)


# Copies, files, memory.


@torch.no_grad()
def test_copies_and_files_have_nothing_of_it():
    layer, x = layer_of(), torch.randn(2, I)
    before, names = io.BytesIO(), list(layer.state_dict())
    torch.save(layer, before)
    agree(layer, x)
    after = io.BytesIO()
    torch.save(layer, after)
    assert before.getvalue() == after.getvalue()
    assert list(layer.state_dict()) == names
    twin = copy.deepcopy(layer)
    assert twin not in stepping._PREPARED
    twin.W_i_l0.data.neg_()
    agree(twin, x)
    agree(layer, x)
    assert not torch.equal(twin.step(x)[0], layer.step(x)[0])


@torch.no_grad()
def test_it_goes_with_the_layer():
    layer = layer_of()
    layer.step(torch.randn(2, I))
    steps = weakref.ref(stepping._PREPARED[layer].steps)
    gone = weakref.ref(layer)
    del layer
    gc.collect()
    assert gone() is None
    assert steps() is None


# Threads and processes.


@torch.no_grad()
def stream(layer, seed):
    x = torch.randn(200, 2, I, generator=torch.Generator().manual_seed(seed))
    state, outputs = None, []
    for x_t in x:
        output, state = layer.step(x_t, state)
        outputs.append(output)
    return torch.stack(outputs)


def test_threads_that_step_one_layer():
    layer = layer_of(num_layers=2)
    expected = [stream(layer, seed) for seed in range(4)]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda seed: stream(layer, seed), range(4)))
    assert all(map(torch.equal, found, expected))


@torch.no_grad()
def test_the_number_of_threads_between_two_steps(threads):
    layer, x = layer_of(hidden_size=64), torch.randn(100, I)
    threads(1)
    expected, state = layer.step(x)
    for count in (2, 1, 3):
        threads(count)
        assert torch.equal(layer.step(x)[0], expected)
        agree(layer, x, state)


def _in_a_child(queue, layer):
    torch.set_num_threads(2)
    queue.put(stream(layer, 1).sum().item())


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_child_process_after_a_step():
    layer = layer_of(hidden_size=64)
    expected = stream(layer, 1).sum().item()
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    child = context.Process(target=_in_a_child, args=(queue, layer))
    child.start()
    found = queue.get(timeout=60)
    child.join()
    assert found == expected


# What has to be on the long way.


class Doubled(gl.Recurrent):
    def forward(self, x, state=None, lengths=None, resets=None):
        output, state = super().forward(x, state, lengths, resets)
        return 2 * output, state


def hooked(layer):
    layer.register_forward_hook(lambda module, given, found: (2 * found[0], found[1]))
    return layer


def patched(layer):
    layer.forward = lambda x, state: (2 * x, state)
    return layer


def parametrized(layer):
    return nn.utils.parametrizations.weight_norm(layer, "R_i_l0")


LONG = {
    "zoneout": lambda: layer_of(zoneout=0.1).eval(),
    "replicas": lambda: layer_of(replicas=2),
    "eager": lambda: layer_of(backend="eager"),
    "a backend of one's own": lambda: layer_of(backend=Backend("cpu", "my own", eager.run)),
    "a learned state": lambda: layer_of(learned_state=True),
    "a hook": lambda: hooked(layer_of()),
    "another forward": lambda: patched(layer_of()),
    "a class of one's own": lambda: Doubled("lstm", I, H),
    "a parametrization": lambda: parametrized(layer_of()),
    "numbers of 16 bits": lambda: layer_of(dtype=torch.bfloat16),
}


@torch.no_grad()
@pytest.mark.parametrize("make", LONG.values(), ids=LONG)
def test_what_goes_the_long_way(make):
    layer = make()
    x = torch.randn(2, I, dtype=next(layer.parameters()).dtype)
    expected = layer(x.unsqueeze(-3), None)[0]
    assert torch.equal(layer.step(x)[0], expected.squeeze(-3))
    assert layer not in stepping._PREPARED


@torch.no_grad()
def test_a_layer_that_turns_to_eager(long_way):
    layer, x = layer_of(), torch.randn(2, I)
    layer.step(x)
    assert not long_way
    layer.backend = "eager"
    layer.step(x)
    assert long_way


def test_gradients_autocast_and_transforms_are_not_lost():
    layer, x = layer_of(), torch.randn(2, I)
    with torch.no_grad():
        layer.step(x)
        with torch.autocast("cpu"):
            assert layer.step(x)[0].dtype is torch.bfloat16
        many = torch.randn(3, 2, I)
        found = torch.vmap(lambda x: layer.step(x)[0])(many)
        torch.testing.assert_close(found, torch.stack([layer.step(x)[0] for x in many]))
    layer.step(x)[0].sum().backward()
    assert layer.W_i_l0.grad is not None


@torch.no_grad()
def test_dropout_between_layers_is_drawn_in_training():
    layer, x = layer_of(num_layers=2, dropout=0.5), torch.randn(2, I)
    assert not torch.equal(layer.step(x)[0], layer.step(x)[0])
    layer.eval()
    agree(layer, x)


# Errors.

GOOD = torch.zeros(1, 2, H)
WRONG = {
    "features": (torch.zeros(2, I + 1), None),
    "three axes": (torch.zeros(4, 3, 2, I), None),
    "whole numbers": (torch.zeros(2, I, dtype=torch.long), None),
    "another dtype": (torch.zeros(2, I, dtype=torch.float64), None),
    "another device": (torch.zeros(2, I, device="meta"), None),
    "no states": (torch.zeros(2, I), ()),
    "too few states": (torch.zeros(2, I), (GOOD,)),
    "too many states": (torch.zeros(2, I), (GOOD,) * 3),
    "a state of another batch": (torch.zeros(2, I), (GOOD, GOOD[:, :1])),
    "a state of another dtype": (torch.zeros(2, I), (GOOD, GOOD.double())),
    "a state that is none": (torch.zeros(2, I), (GOOD, 1.0)),
    "a state without its layer": (torch.zeros(2, I), (GOOD[0], GOOD[0])),
}


@torch.no_grad()
@pytest.mark.parametrize(("x", "state"), WRONG.values(), ids=WRONG)
def test_errors_are_those_of_the_layer(x, state):
    layer = layer_of()
    layer.step(torch.zeros(2, I))
    with pytest.raises(ShapeError) as expected:
        whole(layer, x, state)
    with pytest.raises(ShapeError) as found:
        layer.step(x, state)
    assert str(found.value) == str(expected.value)
