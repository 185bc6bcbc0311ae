"""`gl.nn.LSTM`, `GRU` and `RNN` against torch's own, in float64: the same weights, results and gradients."""

import copy

import pytest
import torch
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pack_sequence

import gatelab as gl
from gatelab.errors import GatelabError

T, B, I, H = 4, 3, 2, 3
LENGTHS = {"sorted": [4, 3, 1], "unsorted": [2, 4, 3]}

KINDS = {
    "LSTM": ("LSTM", {}),
    "LSTM projected": ("LSTM", {"proj_size": 2}),
    "GRU": ("GRU", {}),
    "RNN tanh": ("RNN", {"nonlinearity": "tanh"}),
    "RNN relu": ("RNN", {"nonlinearity": "relu"}),
}
each_kind = pytest.mark.parametrize("kind", KINDS)


def pair(kind, **options):
    """torch's layer and ours, with the same weights."""
    name, given = KINDS[kind]
    torch.manual_seed(0)
    layers = [getattr(nn, name)(I, H, dtype=torch.float64, **given, **options) for nn in (torch.nn, gl.nn)]
    layers[1].load_state_dict(layers[0].state_dict(), strict=True)
    return layers


def inputs(layer, form, with_state):
    """A leaf that holds the input, and leaves for the states or None."""
    generator = torch.Generator().manual_seed(1)
    batch = () if form == "unbatched" else (B,)
    shape = (*batch, T, I) if layer.batch_first else (T, *batch, I)
    x = torch.randn(shape, generator=generator, dtype=torch.float64).requires_grad_()
    places = layer.num_layers * (1 + layer.bidirectional)
    widths = [layer.proj_size or H, H] if isinstance(layer, torch.nn.LSTM) else [H]
    state = tuple(
        torch.randn((places, *batch, width), generator=generator, dtype=torch.float64).requires_grad_()
        for width in widths
    )
    return x, state if with_state else None


def run(layer, x, state, form):
    """The output, as the sequences came, and the final states as a tuple."""
    if form in LENGTHS:
        x = pack_padded_sequence(x, torch.tensor(LENGTHS[form]), layer.batch_first, enforce_sorted=form == "sorted")
    output, final = layer(x, None if state is None else state if len(state) > 1 else state[0])
    return output, final if isinstance(final, tuple) else (final,)


def results(layer, form, with_state):
    """Output, states and the gradients of a random loss by input, initial states and weights."""
    x, state = inputs(layer, form, with_state)
    output, final = run(layer, x, state, form)
    found = {f"final {k}": value for k, value in enumerate(final)}
    if isinstance(output, PackedSequence):
        found |= {f"packed {key}": value for key, value in output._asdict().items() if value is not None}
        output = output.data
    found["output"] = output
    generator = torch.Generator().manual_seed(2)
    loss = sum(
        (value * torch.randn(value.shape, generator=generator, dtype=value.dtype)).sum()
        for key, value in found.items()
        if not key.startswith("packed")
    )
    leaves = {"x": x, **{f"state {k}": value for k, value in enumerate(state or ())}, **dict(layer.named_parameters())}
    gradients = torch.autograd.grad(loss, list(leaves.values()))
    return found | {f"gradient of {key}": value for key, value in zip(leaves, gradients, strict=True)}


def assert_same(ours, theirs, tolerance=1e-10):
    assert ours.keys() == theirs.keys()
    for key, value in theirs.items():
        torch.testing.assert_close(ours[key], value, rtol=0, atol=tolerance, msg=lambda text, key=key: f"{key}: {text}")


@pytest.mark.parametrize("form", ["batch", "unbatched", "sorted", "unsorted"])
@pytest.mark.parametrize("with_state", [False, True], ids=["from zero", "from states"])
@pytest.mark.parametrize("bias", [True, False], ids=["bias", "no bias"])
@pytest.mark.parametrize("bidirectional", [False, True], ids=["forth", "both ways"])
@pytest.mark.parametrize("num_layers", [1, 2])
@each_kind
def test_results_and_gradients(kind, num_layers, bidirectional, bias, with_state, form):
    for batch_first in (False, True):
        theirs, ours = pair(
            kind, num_layers=num_layers, bidirectional=bidirectional, bias=bias, batch_first=batch_first
        )
        assert_same(results(ours, form, with_state), results(theirs, form, with_state))


@each_kind
def test_the_comparison_sees_a_small_difference(kind):
    theirs, ours = pair(kind)
    with torch.no_grad():
        ours.weight_hh_l0[0, 0] += 1e-6
    with pytest.raises(AssertionError):
        assert_same(results(ours, "batch", True), results(theirs, "batch", True))


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("bias", [False, True])
@each_kind
def test_state_dicts_load_both_ways(kind, bidirectional, bias):
    options = {"num_layers": 2, "bidirectional": bidirectional, "bias": bias}
    theirs, ours = pair(kind, **options)
    assert [*ours.state_dict()] == [*theirs.state_dict()]
    ours.reset_parameters()
    theirs.load_state_dict(ours.state_dict(), strict=True)
    assert_same(results(ours, "batch", True), results(theirs, "batch", True))


@each_kind
def test_the_same_seed_starts_the_same(kind):
    name, options = KINDS[kind]
    started = []
    for nn in (torch.nn, gl.nn):
        torch.manual_seed(5)
        started.append(getattr(nn, name)(I, H, 2, bidirectional=True, **options))
    theirs, ours = started
    assert all(torch.equal(a, b) for a, b in zip(theirs.parameters(), ours.parameters(), strict=True))
    assert isinstance(ours, type(theirs))
    assert type(ours) is not type(theirs)
    assert repr(ours) == repr(theirs)


def test_the_module_stands_in_for_torchs():
    assert gl.nn.Linear is torch.nn.Linear
    assert gl.nn.utils.rnn.pad_sequence is torch.nn.utils.rnn.pad_sequence
    with pytest.raises(AttributeError, match=r"neither gatelab\.nn nor torch\.nn has 'LSTMM'"):
        gl.nn.LSTMM  # noqa: B018


@each_kind
def test_dropout_does_nothing_in_eval(kind):
    theirs, ours = pair(kind, num_layers=3, dropout=0.5)
    assert_same(results(ours.eval(), "unsorted", True), results(theirs.eval(), "unsorted", True))


@pytest.mark.parametrize("nn", [torch.nn, gl.nn], ids=["torch", "gatelab"])
@pytest.mark.parametrize("share", [0.2, 0.5])
def test_dropout_drops_its_share_between_layers(nn, share):
    """Layers that copy: the first one's output is 1 everywhere, so the second one's shows what was dropped."""
    layer = nn.RNN(50, 50, 2, nonlinearity="relu", bias=False, dropout=share)
    with torch.no_grad():
        for depth in range(2):
            getattr(layer, f"weight_ih_l{depth}").copy_(torch.eye(50))
            getattr(layer, f"weight_hh_l{depth}").zero_()
    torch.manual_seed(0)
    output, _ = layer(torch.ones(20, 10, 50))
    assert output.unique().tolist() == pytest.approx([0, 1 / (1 - share)])
    # 10,000 draws have a deviation of at most 0.005.
    assert (output == 0).double().mean().item() == pytest.approx(share, abs=0.02)


@each_kind
def test_copies_and_files(kind, tmp_path):
    _, ours = pair(kind, num_layers=2)
    expected = results(ours, "batch", True)
    torch.save(ours.state_dict(), tmp_path / "weights.pt")
    torch.save(ours, tmp_path / "layer.pt")
    fresh = pair(kind, num_layers=2)[1]
    fresh.reset_parameters()
    fresh.load_state_dict(torch.load(tmp_path / "weights.pt"), strict=True)
    whole = torch.load(tmp_path / "layer.pt", weights_only=False)
    copied = copy.deepcopy(ours)
    with torch.no_grad():
        ours.weight_ih_l0.zero_()
    ours.flatten_parameters()
    for layer in (fresh, whole, copied):
        layer.flatten_parameters()
        assert type(layer) is type(ours)
        assert_same(results(layer, "batch", True), expected, tolerance=0)


@pytest.mark.parametrize("batch_first", [False, True])
@each_kind
def test_an_empty_batch(kind, batch_first):
    found = []
    for layer in pair(kind, num_layers=2, bidirectional=True, batch_first=batch_first):
        x = torch.zeros((0, T, I) if batch_first else (T, 0, I), dtype=torch.float64, requires_grad=True)
        output, final = run(layer, x, None, "batch")
        output.sum().backward()
        gradients = {key: value.grad for key, value in layer.named_parameters()}
        found.append({"output": output, **dict(enumerate(final)), "x": x.grad, **gradients})
    assert_same(found[1], found[0], tolerance=0)


def state(*shapes, dtype=torch.float32):
    return tuple(torch.zeros(shape, dtype=dtype) for shape in shapes)


def zeros(*shape, **options):
    return torch.zeros(shape, **options)


GOOD = (1, B, H)
BAD_CALLS = {
    "features": ("LSTM", lambda m: m(zeros(T, B, I + 1)), "3 features"),
    "four axes": ("LSTM", lambda m: m(zeros(1, T, B, I)), "(1, 4, 3, 2)"),
    "one axis": ("GRU", lambda m: m(zeros(I)), "(T, B, I) or (T, I)"),
    "no steps": ("GRU", lambda m: m(zeros(0, B, I)), "0 time steps"),
    "whole numbers": ("LSTM", lambda m: m(zeros(T, B, I, dtype=torch.long)), "torch.int64"),
    "a list": ("RNN", lambda m: m([[0.0, 0.0]]), "list"),
    "another dtype": ("LSTM", lambda m: m(zeros(T, B, I, dtype=torch.float64)), "torch.float64"),
    "another device": ("GRU", lambda m: m(zeros(T, B, I, device="meta")), "meta"),
    "packed features": ("LSTM", lambda m: m(pack_sequence([zeros(T, I + 1)])), "(4, 3)"),
    "packed whole numbers": ("GRU", lambda m: m(pack_sequence([zeros(T, I, dtype=torch.long)])), "torch.int64"),
    "packed dtype": ("RNN", lambda m: m(pack_sequence([zeros(T, I, dtype=torch.float64)])), "torch.float64"),
    "one state of two": ("LSTM", lambda m: m(zeros(T, B, I), zeros(*GOOD)), "2 states: h, c"),
    "three states": ("LSTM", lambda m: m(zeros(T, B, I), state(GOOD, GOOD, GOOD)), "3 tensors"),
    "two states of one": ("GRU", lambda m: m(zeros(T, B, I), state(GOOD, GOOD)), "2 tensors"),
    "state of another batch": ("LSTM", lambda m: m(zeros(T, B, I), state(GOOD, (1, B + 1, H))), "'c'"),
    "state of another width": ("GRU", lambda m: m(zeros(T, B, I), zeros(1, B, H + 1)), "(1, 3, 3)"),
    "state of too many layers": ("RNN", lambda m: m(zeros(T, B, I), zeros(2, B, H)), "(2, 3, 3)"),
    "batched state for one sequence": ("RNN", lambda m: m(zeros(T, I), zeros(*GOOD)), "(1, 3)"),
    "state of another dtype": ("GRU", lambda m: m(zeros(T, B, I), zeros(*GOOD, dtype=torch.float64)), "'h'"),
    "state that is no tensor": ("GRU", lambda m: m(zeros(T, B, I), 1.0), "state"),
}


@pytest.mark.parametrize(("name", "call", "fragment"), BAD_CALLS.values(), ids=BAD_CALLS)
def test_bad_calls(name, call, fragment):
    with pytest.raises(GatelabError) as raised:
        call(getattr(gl.nn, name)(I, H))
    assert fragment in str(raised.value)
    assert len(str(raised.value).splitlines()) > 1, "an error says what to do"


def test_a_backend_of_ones_own_choice():
    layer = gl.nn.GRU(I, H)
    layer.backend = "eagr"
    with pytest.raises(GatelabError, match="Did you mean 'eager'"):
        layer(torch.zeros(T, B, I))
