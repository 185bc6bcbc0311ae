"""What torch does to modules and functions: derivatives of derivatives, vmap, copies, files, autocast, DDP, threads."""

import copy
import pickle
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
import torch
from torch import nn
from torch.func import functional_call, grad, hessian, jacfwd, jacrev, jvp, stack_module_state, vmap
from torch.nn.parallel import DistributedDataParallel

import gatelab as gl

T, B, I, H = 4, 3, 2, 3
DOUBLE = torch.float64
EXACT = {"rtol": 0, "atol": 1e-10}

# Forward mode loads torch's own decompositions, which use what torch deprecates.
forward_mode = pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated:DeprecationWarning")

CELLS = ("lstm", "gru_original", "layer_norm_lstm", "f", "min_gru")
each_cell = pytest.mark.parametrize("cell", CELLS)


def layer_of(cell="lstm", seed=0, **options):
    torch.manual_seed(seed)
    return gl.Recurrent(cell, I, H, **{"dtype": DOUBLE, **options})


def randn(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=DOUBLE)


def loss_of(layer, x, weights=None):
    output, state = functional_call(layer, weights or {}, (x,))
    return output.square().mean() + sum(value.sin().sum() for value in state)


# Derivatives.


@pytest.mark.parametrize("kind", ["LSTM", "GRU", "RNN"])
def test_hessian_is_torchs(kind):
    torch.manual_seed(0)
    theirs = getattr(nn, kind)(I, H, 2, bidirectional=True, dtype=DOUBLE)
    ours = getattr(gl.nn, kind)(I, H, 2, bidirectional=True, dtype=DOUBLE)
    ours.load_state_dict(theirs.state_dict())
    found = [
        torch.autograd.functional.hessian(lambda x, layer=layer: layer(x)[0].square().sum(), randn(T, 1, I))
        for layer in (ours, theirs)
    ]
    assert found[1].abs().max() > 1e-2
    torch.testing.assert_close(*found, **EXACT)


def test_second_derivatives_of_ragged_sequences_with_resets():
    layer = layer_of(bidirectional=True, learned_state=True)
    named = dict(layer.named_parameters())
    resets = torch.zeros(T, B, dtype=torch.bool)
    resets[2] = True

    def function(x, *weights):
        given = dict(zip(named, weights, strict=True))
        output, state = functional_call(layer, given, (x,), {"lengths": [4, 2, 3], "resets": resets})
        return output, *state

    inputs = [value.detach().requires_grad_() for value in (randn(T, B, I), *named.values())]
    assert torch.autograd.gradcheck(function, inputs, fast_mode=True)
    assert torch.autograd.gradgradcheck(function, inputs, fast_mode=True)


@forward_mode
@each_cell
def test_forward_and_reverse_mode_agree(cell):
    layer, x, tangent = layer_of(cell, bidirectional=True), randn(T, 1, I), randn(T, 1, I, seed=1)
    reverse = jacrev(lambda x: layer(x)[0])(x)
    torch.testing.assert_close(jacfwd(lambda x: layer(x)[0])(x), reverse, **EXACT)
    torch.testing.assert_close(torch.autograd.functional.jacobian(lambda x: layer(x)[0], x), reverse, **EXACT)
    (output, state), (moved, state_moved) = jvp(lambda x: layer(x), (x,), (tangent,))
    torch.testing.assert_close(output, layer(x)[0], **EXACT)
    torch.testing.assert_close(moved, torch.einsum("tbhuci,uci->tbh", reverse, tangent), **EXACT)
    assert type(state_moved) is type(state)
    by_input = torch.autograd.functional.hessian(lambda x: loss_of(layer, x), x)
    torch.testing.assert_close(hessian(lambda x: loss_of(layer, x))(x), by_input, **EXACT)


# Mapping over batches and weights.


@each_cell
def test_vmap_over_the_batch(cell):
    layer, x = layer_of(cell, num_layers=2, bidirectional=True), randn(T, B, I)
    expected, state = layer(x)
    output, mapped = vmap(lambda one: layer(one), in_dims=1, out_dims=1)(x)
    torch.testing.assert_close(output, expected, **EXACT)
    assert mapped._fields == state._fields
    torch.testing.assert_close(tuple(mapped), tuple(state), **EXACT)


@each_cell
def test_gradients_of_each_sample(cell):
    layer, x = layer_of(cell, num_layers=2), randn(T, B, I)
    weights = {key: value.detach() for key, value in layer.named_parameters()}
    found = vmap(grad(lambda weights, one: loss_of(layer, one, weights)), in_dims=(None, 1))(weights, x)
    for b in range(B):
        expected = torch.autograd.grad(loss_of(layer, x[:, b]), [*layer.parameters()])
        for key, value in zip(weights, expected, strict=True):
            torch.testing.assert_close(found[key][b], value, msg=lambda text, key=key: f"{key}: {text}", **EXACT)


def test_an_ensemble_of_layers():
    layers, x = [layer_of(seed=seed) for seed in range(3)], randn(T, B, I)
    weights, buffers = stack_module_state(layers)
    together = vmap(lambda weights, buffers: functional_call(layers[0], (weights, buffers), (x,))[0])(weights, buffers)
    for k, layer in enumerate(layers):
        torch.testing.assert_close(together[k], layer(x)[0], **EXACT)


def test_functional_call_takes_other_weights():
    first, second, x = layer_of(seed=0), layer_of(seed=1), randn(T, B, I)
    before = first(x)[0]
    assert torch.equal(functional_call(first, dict(second.named_parameters()), (x,))[0], second(x)[0])
    assert torch.equal(first(x)[0], before)
    assert not torch.equal(second(x)[0], before)


# Copies and files.


@pytest.fixture(params=["plain", "every option"])
def layer(request):
    """A layer that can be copied and saved."""
    if request.param == "plain":
        return layer_of()
    return layer_of(
        "lstm_projected",
        num_layers=2,
        bidirectional=True,
        replicas=2,
        widths={"P": 2},
        zoneout={"c": 0.1},
        recurrent_dropout=0.1,
        dropout=0.1,
        init={"b_*": 0.5},
        learned_state=True,
    ).eval()


def test_deepcopy_is_equal_and_independent(layer):
    x, copied = randn(T, B, I), copy.deepcopy(layer)
    expected, _ = layer(x)
    assert torch.equal(copied(x)[0], expected)
    assert repr(copied) == repr(layer)
    with torch.no_grad():
        for parameter in copied.parameters():
            parameter.add_(0.1)
    assert torch.equal(layer(x)[0], expected)
    assert not torch.equal(copied(x)[0], expected)


def test_files_of_a_layer(layer, tmp_path):
    x = randn(T, B, I)
    torch.save(layer, tmp_path / "layer.pt")
    whole = torch.load(tmp_path / "layer.pt", weights_only=False)
    assert whole.cell == layer.cell
    assert repr(whole) == repr(layer)
    torch.save(layer.state_dict(), tmp_path / "weights.pt")
    layer_again = copy.deepcopy(layer)
    layer_again.reset_parameters()
    layer_again.load_state_dict(torch.load(tmp_path / "weights.pt"), strict=True)
    for other in (whole, layer_again):
        assert torch.equal(other(x)[0], layer(x)[0])


def test_files_and_pickles_of_a_state(tmp_path):
    layer = layer_of("wmclstm")
    with torch.no_grad():
        _, state = layer(randn(T, B, I))
    torch.save({"state": state}, tmp_path / "state.pt")
    saved = torch.load(tmp_path / "state.pt", weights_only=False)["state"]
    pickled = pickle.loads(pickle.dumps(state))
    for other in (saved, pickled, copy.deepcopy(state), state._replace(c=state.c.clone())):
        assert type(other) is type(state)
        assert other._fields == ("h", "c")
        assert all(torch.equal(a, b) for a, b in zip(other, state, strict=True))
        assert torch.equal(layer(randn(T, B, I), other)[0], layer(randn(T, B, I), state)[0])


# Modes.


@pytest.mark.parametrize("backend", ["eager", "cpu"])
@pytest.mark.parametrize("cell", [*CELLS, "slstm", "on_lstm"])
def test_autocast_rounds_results_only(cell, backend):
    layer = layer_of(cell, num_layers=2, bidirectional=True, dtype=torch.float32, backend=backend)
    x = randn(T, B, I).float()
    expected, ends = layer(x, lengths=[4, 2, 3])
    with torch.autocast("cpu", dtype=torch.bfloat16):
        output, state = layer(x, lengths=[4, 2, 3])
        layer(x.bfloat16(), state)  # As after a layer that autocast has run in half precision.
    assert torch.equal(output, expected.bfloat16())
    assert all(torch.equal(a, b.bfloat16()) for a, b in zip(state, ends, strict=True))
    output.float().sum().backward()
    assert all(p.grad.dtype == torch.float32 and p.grad.isfinite().all() for p in layer.parameters())


@pytest.mark.parametrize("kind", ["LSTM", "GRU", "RNN"])
@pytest.mark.parametrize("backend", ["eager", "cpu"])
def test_autocast_gives_the_dtypes_of_torch(kind, backend):
    theirs, ours = (getattr(module, kind)(I, H, 2) for module in (nn, gl.nn))
    ours.backend = backend
    for x in (randn(T, B, I).float(), randn(T, B, I).bfloat16()):
        found = []
        for layer in (theirs, ours):
            with torch.autocast("cpu", dtype=torch.bfloat16):
                output, state = layer(x)
                again, _ = layer(x, state)
            states = state if isinstance(state, tuple) else (state,)
            found.append([value.dtype for value in (output, *states, again)])
        assert found[0] == found[1]


def test_autocast_leaves_float64_alone():
    layer, x = layer_of(), randn(T, B, I)
    expected, _ = layer(x)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(layer(x)[0], expected)


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_without_gradients(mode):
    layer, x = layer_of(num_layers=2), randn(T, B, I)
    expected, _ = layer(x)
    assert expected.requires_grad
    with mode():
        output, state = layer(x)
    assert not output.requires_grad
    assert not state.c.requires_grad
    assert torch.equal(output, expected)


def on_kernels(i, h):
    return gl.Recurrent("lstm", i, h, backend="cpu")


@pytest.mark.parametrize("make", [nn.LSTM, gl.nn.LSTM, lambda i, h: gl.Recurrent("lstm", i, h), on_kernels])
def test_a_change_of_the_input_before_the_backward_pass_is_caught(make):
    layer, x = make(I, H), randn(T, B, I).float()
    loss = layer(x)[0].sum()
    x.add_(1)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()


def test_frozen_parameters_get_no_gradient():
    layer, x = layer_of(num_layers=2), randn(T, B, I)
    expected = torch.autograd.grad(layer(x)[0].sum(), layer.R_f_l0)[0]
    for key, parameter in layer.named_parameters():
        parameter.requires_grad_(key == "R_f_l0")
    layer(x)[0].sum().backward()
    torch.testing.assert_close(layer.R_f_l0.grad, expected, **EXACT)
    assert all(parameter.grad is None for key, parameter in layer.named_parameters() if key != "R_f_l0")


# Many at once.


def train(layer, x, steps=5):
    """Every bit of a short training."""
    optimizer = torch.optim.Adam(layer.parameters(), lr=0.01)
    losses = []
    for _ in range(steps):
        optimizer.zero_grad()
        loss = loss_of(layer, x)
        loss.backward()
        optimizer.step()
        losses.append(loss.detach())
    return [torch.stack(losses), *(value.detach() for value in layer.parameters())]


@pytest.mark.parametrize("backend", ["eager", "cpu"])
def test_threads_do_not_disturb_each_other(backend):
    cells, x = ("lstm", "gru"), randn(20, B, I)
    expected = [train(layer_of(cell, num_layers=2, backend=backend), x) for cell in cells]
    layers = [layer_of(cell, num_layers=2, backend=backend) for cell in cells]
    together = Barrier(len(layers))

    def work(layer):
        together.wait(timeout=60)
        return train(layer, x)

    with ThreadPoolExecutor(len(layers)) as pool:
        found = list(pool.map(work, layers))
    for ours, alone in zip(found, expected, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(ours, alone, strict=True))


def ddp_model():
    torch.manual_seed(0)
    first = gl.Recurrent("lstm", I, H, 2, bidirectional=True, backend="cpu")
    return nn.ModuleList([first, gl.nn.GRU(2 * H, H)]).double()


class Chain(nn.Module):
    """Both layers, one after the other, and a mean over the batch."""

    def __init__(self, layers):
        super().__init__()
        self.layers = layers

    def forward(self, x):
        for layer in self.layers:
            x, _ = layer(x)
        return x.square().mean()


def work(rank, folder):
    """One of two processes, with its half of the batch."""
    torch.set_num_threads(1)
    torch.distributed.init_process_group("gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=2)
    model = DistributedDataParallel(Chain(ddp_model()))
    model(randn(T, 4, I)[:, 2 * rank : 2 * rank + 2]).backward()
    torch.save([parameter.grad for parameter in model.module.parameters()], f"{folder}/gradients_{rank}.pt")
    torch.distributed.destroy_process_group()


@pytest.mark.skipif(not torch.distributed.is_available(), reason="torch was built without distributed")
def test_two_processes_have_the_gradients_of_one(tmp_path):
    alone = Chain(ddp_model())
    alone(randn(T, 4, I)).backward()
    torch.multiprocessing.spawn(work, (tmp_path,), nprocs=2)
    for rank in range(2):
        found = torch.load(tmp_path / f"gradients_{rank}.pt")
        for gradient, parameter in zip(found, alone.parameters(), strict=True):
            torch.testing.assert_close(gradient, parameter.grad, **EXACT)
