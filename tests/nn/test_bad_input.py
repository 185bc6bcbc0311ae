"""Bad options and bad calls of `Recurrent`: one clear error that says what to do, or what torch would give."""

import pytest
import torch
from torch.nn.utils.rnn import pack_padded_sequence, pack_sequence

import gatelab as gl
from gatelab.backends.cpu import kernels
from gatelab.errors import GatelabError

T, B, I, H, R = 4, 3, 2, 5, 2
NAN, INF = float("nan"), float("inf")


def zeros(*shape, **options):
    return torch.zeros(shape, **options)


def refused(call, fragment):
    """The call raises one of our errors, which holds the fragment and says what to do."""
    with pytest.raises(GatelabError) as raised:
        call()
    message = str(raised.value)
    assert fragment in message
    assert len(message.splitlines()) > 1 or "Did you mean" in message, f"no cure: {message}"


OPTIONS = {
    "hidden size 0": ({"hidden_size": 0}, "The width H is 0"),
    "negative hidden size": ({"hidden_size": -1}, "The width H is -1"),
    "hidden size True": ({"hidden_size": True}, "The width H is True"),
    "hidden size 2.0": ({"hidden_size": 2.0}, "whole number"),
    "hidden size None": ({"hidden_size": None}, "The width H is None"),
    "input size 0": ({"input_size": 0}, "The width I is 0"),
    "input size of text": ({"input_size": "2"}, "The width I is '2'"),
    "no layers": ({"num_layers": 0}, "num_layers is 0"),
    "layers True": ({"num_layers": True}, "num_layers is True"),
    "1.5 layers": ({"num_layers": 1.5}, "num_layers is 1.5"),
    "dropout 1": ({"dropout": 1.0}, "dropout is 1.0"),
    "dropout below 0": ({"dropout": -0.1}, "share from 0 to under 1"),
    "dropout NaN": ({"dropout": NAN}, "dropout is nan"),
    "dropout of text": ({"dropout": "0.5"}, "dropout is '0.5'"),
    "dropout True": ({"dropout": True}, "dropout is True"),
    "recurrent dropout 1": ({"recurrent_dropout": 1}, "recurrent_dropout is 1"),
    "recurrent dropout of no product": ({"cell": "indrnn", "recurrent_dropout": 0.1}, "Use zoneout"),
    "zoneout 1": ({"zoneout": 1.0}, "zoneout is 1.0"),
    "zoneout NaN": ({"zoneout": {"c": NAN}}, "zoneout is nan"),
    "zoneout of no state": ({"zoneout": {"i": 0.1}}, "'i', which is not a state of 'lstm'"),
    "zoneout None": ({"zoneout": None}, "zoneout is None"),
    "zoneout 5 without states": ({"cell": gl.Cell("h = W @ x"), "zoneout": 5.0}, "zoneout is 5.0"),
    "no replicas": ({"replicas": 0}, "replicas is 0"),
    "replicas True": ({"replicas": True}, "replicas is True"),
    "unknown backend": ({"backend": "eagr"}, "Did you mean 'eager'"),
    "backend of no name": ({"backend": 3}, "There are: auto"),
    "backend that is a list": ({"backend": []}, "There are: auto"),
    "unknown cell": ({"cell": "lsmt"}, "Did you mean 'lstm'"),
    "cell of no name": ({"cell": 3}, "A cell is a name, a path or a Cell"),
    "cell file that is not there": ({"cell": "nowhere/my.cell"}, "my.cell"),
    "equations for a name": ({"cell": "h = tanh(W @ x)"}, "There is no cell"),
    "missing width": ({"cell": "lstm_projected"}, "widths={'P': 32}"),
    "states of two widths": ({"cell": "qrnn", "num_layers": 2}, "as wide as the input: 2 in the first layer, 5 in"),
    "unknown width": ({"widths": {"P": 3}}, "no width 'P'"),
    "width 0": ({"cell": "lstm_projected", "widths": {"P": 0}}, "The width P is 0"),
    "input as wide as hidden": ({"cell": "sru"}, "Make them equal"),
    "unknown init": ({"init": "uniformm"}, "Did you mean 'uniform'"),
    "init True": ({"init": True}, "init is True"),
    "init of no parameter": ({"init": {"b_g": 1.0}}, "no such parameter"),
    "init of no scheme": ({"init": {"b_f": "ons"}}, "Did you mean 'ones'"),
    "init None of one": ({"init": {"b_f": None}}, "b_f"),
    "init of a list": ({"init": {"b_f": [1.0]}}, "b_f"),
    "chrono without a forget gate": ({"cell": "gru", "init": "chrono(100)"}, "b_f"),
}


@pytest.mark.parametrize(("options", "fragment"), OPTIONS.values(), ids=OPTIONS)
def test_bad_options(options, fragment):
    refused(lambda: gl.Recurrent(**{"cell": "lstm", "input_size": I, "hidden_size": H, **options}), fragment)


X = zeros(T, B, I)
ONE = zeros(T, I)
MANY = zeros(R, T, B, I)
PACKED = pack_padded_sequence(X, torch.tensor([4, 2, 1]))
GOOD = zeros(1, B, H)
FALSE = {"dtype": torch.bool}

CALLS = {
    # The input.
    "features": (X[..., :1], {}, "1 features a step (shape (4, 3, 1)); the layer takes 2"),
    "one axis": (X[0, 0], {}, "Give (T, B, I) or (T, I)"),
    "four axes": (MANY, {}, "The input has shape (2, 4, 3, 2)"),
    "no axis": (zeros(), {}, "The input has shape ()"),
    "no steps": (zeros(0, B, I), {}, "0 time steps"),
    "whole numbers": (X.long(), {}, "x.float()"),
    "true and false": (X.bool(), {}, "torch.bool"),
    "double": (X.double(), {}, "x.to(torch.float32)"),
    "half": (X.half(), {}, "torch.float16"),
    "another device": (X.to("meta"), {}, "The input is on meta"),
    "a list": ([[0.0, 0.0]], {}, "The input is a list"),
    "nothing": (None, {}, "NoneType"),
    "packed features": (pack_sequence([zeros(T, I + 1)]), {}, "(4, 3)"),
    "packed whole numbers": (pack_sequence([ONE.long()]), {}, "torch.int64"),
    "packed double": (pack_sequence([ONE.double()]), {}, "torch.float64"),
    "packed images": (pack_sequence([zeros(T, I, I)]), {}, "(4, 2, 2)"),
    # Lengths.
    "length 0": (X, {"lengths": [4, 0, 2]}, "from 0 to 4"),
    "negative length": (X, {"lengths": [4, -1, 2]}, "Each length must be from 1 to 4"),
    "length too long": (X, {"lengths": [4, 5, 2]}, "the input has 4 steps"),
    "lengths with a point": (X, {"lengths": [4.0, 1.0, 2.0]}, "lengths.long()"),
    "lengths of bool": (X, {"lengths": torch.ones(B, dtype=torch.bool)}, "torch.bool"),
    "too few lengths": (X, {"lengths": [4, 2]}, "lengths has shape (2,)"),
    "lengths of two axes": (X, {"lengths": torch.ones(R, B, dtype=torch.long)}, "lengths has shape (2, 3)"),
    "one length for all": (X, {"lengths": 4}, "lengths has shape ()"),
    "two lengths for one": (ONE, {"lengths": [2, 2]}, "lengths has shape (2,)"),
    "ragged lengths": (X, {"lengths": [[4], [2, 1]]}, "whole numbers"),
    "lengths of text": (X, {"lengths": "abc"}, "whole numbers"),
    "lengths of packed": (PACKED, {"lengths": [4, 2, 1]}, "pad_packed_sequence"),
    # Resets.
    "resets of numbers": (X, {"resets": zeros(T, B)}, "resets.bool()"),
    "resets of a list": (X, {"resets": [False] * T}, "resets must be a tensor of bool"),
    "resets of another shape": (X, {"resets": zeros(B, T, **FALSE)}, "resets has shape (3, 4)"),
    "resets with a third axis": (X, {"resets": zeros(T, B, 1, **FALSE)}, "(4, 3)"),
    "resets of packed": (PACKED, {"resets": zeros(T, B, **FALSE)}, "takes no resets"),
    # States.
    "one state of two": (X, {"state": GOOD}, "'lstm' has 2 states: h, c"),
    "three states of two": (X, {"state": (GOOD, GOOD, GOOD)}, "3 tensors"),
    "state of another width": (X, {"state": (GOOD, zeros(1, B, 1))}, "'c' has shape (1, 3, 1)"),
    "state of another batch": (X, {"state": (zeros(1, 1, H), GOOD)}, "Give (1, 3, 5)"),
    "state without its layer": (X, {"state": (GOOD[0], GOOD[0])}, "'h' has shape (3, 5)"),
    "batched state for one": (ONE, {"state": (GOOD, GOOD)}, "Give (1, 5)"),
    "state of double": (X, {"state": (GOOD.double(), GOOD)}, "torch.float64"),
    "state of whole numbers": (X, {"state": (GOOD, GOOD.long())}, "torch.int64"),
    "state elsewhere": (X, {"state": (GOOD, GOOD.to("meta"))}, "on meta"),
    "state of numbers": (X, {"state": 0.0}, "tuple of tensors"),
    "state in a dict": (X, {"state": {"h": GOOD, "c": GOOD}}, "tuple of tensors"),
    "state with a hole": (X, {"state": (GOOD, None)}, "tuple of tensors"),
}


@pytest.mark.parametrize("backend", ["eager", "cpu", "torch"])
@pytest.mark.parametrize(("x", "given", "fragment"), CALLS.values(), ids=CALLS)
def test_bad_calls(x, given, fragment, backend, monkeypatch):
    monkeypatch.setattr(kernels, "forward", None)  # No kernel is ever asked.
    layer = gl.Recurrent("lstm", I, H, backend=backend)
    refused(lambda: layer(x, **given), fragment)


CALLS_WITH_REPLICAS = {
    "one sequence": (ONE, {}, "for all replicas"),
    "too many replicas": (zeros(R + 1, T, B, I), {}, "with R = 2"),
    "features": (MANY[..., :1], {}, "1 features"),
    "no steps": (zeros(R, 0, B, I), {}, "0 time steps"),
    "packed": (PACKED, {}, "replicas"),
    "lengths of too many": (X, {"lengths": torch.ones(R + 1, B, dtype=torch.long)}, "(2, 3)"),
    "resets of too many": (X, {"resets": zeros(R + 1, T, B, **FALSE)}, "(4, 3)"),
    "state without replicas": (X, {"state": (GOOD, GOOD)}, "Give (2, 1, 3, 5)"),
}


@pytest.mark.parametrize("backend", ["eager", "cpu"])
@pytest.mark.parametrize(("x", "given", "fragment"), CALLS_WITH_REPLICAS.values(), ids=CALLS_WITH_REPLICAS)
def test_bad_calls_with_replicas(x, given, fragment, backend):
    layer = gl.Recurrent("lstm", I, H, replicas=R, backend=backend)
    refused(lambda: layer(x, **given), fragment)


STEPS = {
    "both ways": ({"bidirectional": True}, X[0], "Use layer(x)"),
    "recurrent dropout": ({"recurrent_dropout": 0.1}, X[0], "layer.eval()"),
    "features": ({}, X[0, :, :1], "1 features"),
    "a whole batch": ({}, MANY, "The input has shape"),
    "a list": ({}, [0.0, 0.0], "The input is a list"),
    "whole numbers": ({}, X[0].long(), "x.float()"),
}


@pytest.mark.parametrize(("options", "x", "fragment"), STEPS.values(), ids=STEPS)
def test_bad_steps(options, x, fragment):
    layer = gl.Recurrent("lstm", I, H, **options)
    refused(lambda: layer.step(x), fragment)


def test_recurrent_dropout_streams_in_eval():
    layer = gl.Recurrent("lstm", I, H, recurrent_dropout=0.5).eval()
    assert torch.equal(layer.step(X[0])[0], layer(X[:1])[0][0])


# Numbers that are not ones.


@pytest.mark.parametrize("value", [NAN, INF])
@pytest.mark.parametrize("cell", ["lstm", "gru_original", "layer_norm_lstm", "on_lstm", "min_gru"])
def test_nan_stays_in_its_own_sequence(cell, value):
    torch.manual_seed(0)
    layer = gl.Recurrent(cell, I, H, num_layers=2, bidirectional=True)
    x = torch.randn(T, B, I)
    clean, ends = layer(x)
    x[2, 1] = value
    x.requires_grad_()
    output, state = layer(x)
    others = [0, 2]
    torch.testing.assert_close(output[:, others], clean[:, others])
    torch.testing.assert_close(state.h[:, others], ends.h[:, others])
    output[:, others].sum().backward()
    assert x.grad[:, others].isfinite().all()
    if value != value:
        assert output[:, 1].isnan().all()
        assert state.h[:, 1].isnan().all()


def test_nan_reaches_only_later_steps_and_its_own_replica():
    layer = gl.Recurrent("lstm", I, H, replicas=R)
    x = torch.randn(R, T, B, I)
    x[1, 2, 0, 0] = NAN
    output, _ = layer(x)
    reached = output.isnan()
    assert reached[1, 2:, 0].all()
    assert reached.sum() == 2 * H


@pytest.mark.parametrize("value", [NAN, INF])
def test_nan_beyond_the_end_of_a_sequence_reaches_nothing(value):
    layer = gl.Recurrent("lstm", I, H, num_layers=2, bidirectional=True)
    x, lengths = torch.randn(T, B, I), [4, 1, 3]
    expected, ends = layer(x, lengths=lengths)
    x[1:, 1] = x[3:, 2] = value
    x.requires_grad_()
    output, state = layer(x, lengths=lengths)
    assert torch.equal(output, expected)
    assert all(torch.equal(a, b) for a, b in zip(state, ends, strict=True))
    output.sum().backward()
    assert x.grad.isfinite().all()
    assert all(parameter.grad.isfinite().all() for parameter in layer.parameters())


@pytest.mark.parametrize("backend", ["eager", "cpu"])
@pytest.mark.parametrize("replicas", [None, R])
@pytest.mark.parametrize("form", ["time first", "batch first"])
def test_an_empty_batch_gives_empty_outputs_and_zero_gradients(form, replicas, backend):
    layer = gl.Recurrent(
        "lstm",
        I,
        H,
        2,
        batch_first=form == "batch first",
        bidirectional=True,
        replicas=replicas,
        learned_state=True,
        backend=backend,
    )
    lead = () if replicas is None else (replicas,)
    empty = (0, T) if layer.batch_first else (T, 0)
    x = zeros(*lead, *empty, I, requires_grad=True)
    output, state = layer(x)
    assert output.shape == (*lead, *empty, 2 * H)
    assert state.c.shape == (*lead, 4, 0, H)
    output.sum().backward()
    assert x.grad.shape == x.shape
    for key, parameter in layer.named_parameters():
        assert parameter.grad is not None, key
        assert not parameter.grad.any(), key


@pytest.mark.parametrize("lengths", [[], torch.zeros(0, dtype=torch.long)], ids=["list", "tensor"])
def test_an_empty_batch_has_no_lengths(lengths):
    layer = gl.Recurrent("lstm", I, H, bidirectional=True)
    output, _ = layer(zeros(T, 0, I), lengths=lengths, resets=zeros(T, 0, **FALSE))
    assert output.shape == (T, 0, 2 * H)


def test_a_bad_call_leaves_the_layer_as_it_was():
    layer = gl.Recurrent("lstm", I, H)
    before = {key: value.clone() for key, value in layer.state_dict().items()}
    expected, _ = layer(X + 1)
    for x, given, _ in CALLS.values():
        with pytest.raises(GatelabError):
            layer(x, **given)
    assert torch.equal(layer(X + 1)[0], expected)
    assert all(torch.equal(value, before[key]) for key, value in layer.state_dict().items())
