"""The probe: names of the equations, watched while layers run, in all the forms in which layers run."""

import copy

import pytest
import torch
from torch.nn.utils.rnn import pack_sequence

import gatelab as gl
from gatelab.errors import OptionError, ShapeError

X = torch.randn(6, 2, 3, generator=torch.Generator().manual_seed(0))


def test_the_values_are_those_of_the_equations():
    layer = gl.Recurrent("lstm", 3, 4)
    with gl.probe(layer, "i", "f", "z", "o", "c", "h") as record:
        output, state = layer(X)
    assert torch.equal(record["h"], output) and torch.equal(record["c"][-1], state.c[0])
    before = torch.cat([torch.zeros(1, 2, 4), record["c"][:-1]])
    assert torch.allclose(record["c"], record["f"] * before + record["i"] * record["z"], atol=1e-6)
    assert torch.allclose(record["h"], record["o"] * record["c"].tanh(), atol=1e-6)
    assert not record["h"].requires_grad


@pytest.mark.parametrize("backend", ["eager", "cpu"])
def test_the_gradient_is_that_of_a_small_change(backend):
    torch.manual_seed(1)
    layer = gl.Recurrent("f", 3, 4, backend=backend, dtype=torch.float64)
    x = X.double()

    def loss(values):
        return values[-1].square().sum()

    with gl.probe(layer, "f", gradients=True) as record:
        loss(layer(x)[0]).backward()
    # A change of b_f changes f at all steps: the sum over them of df/db times the gradient is that of the bias.
    f = record["f"]
    expected = (record.gradient["f"] * f * (1 - f)).sum((0, 1))
    assert torch.allclose(layer.b_f_l0.grad, expected, atol=1e-12)


def test_gradients_of_states_are_total():
    layer = gl.Recurrent("lstm", 3, 4)
    with gl.probe(layer, "h", "c", gradients=True) as record:
        output, _ = layer(X)
        output.retain_grad()
        output[-1].sum().backward()
    assert torch.equal(record.gradient["h"][-1], torch.ones(2, 4))
    assert record.gradient["c"][0].abs().sum() > 0  # Through all steps, though the loss reads the last.


def test_frozen_weights_have_gradients_inside_too():
    layer = gl.Recurrent("lstm", 3, 4).requires_grad_(False)
    with gl.probe(layer, "f", gradients=True) as record:
        layer(X)[0].sum().backward()
    assert record.gradient["f"].abs().sum() > 0


def test_layers_directions_and_short_names():
    layer = gl.Recurrent("lstm", 3, 4, num_layers=2, bidirectional=True)
    with gl.probe(layer, "c", "f_l1_reverse", gradients=True) as record:
        output, _ = layer(X, lengths=[6, 4])
        output.sum().backward()
    assert set(record) == {"c_l0", "c_l0_reverse", "c_l1", "c_l1_reverse", "f_l1_reverse"}
    assert torch.equal(record["f"], record["f_l1_reverse"])
    assert record.lengths.tolist() == [6, 4] and not record["c_l1"][4:, 1].any()
    assert not record.gradient["c_l0_reverse"][4:, 1].any() and record.gradient["c_l0_reverse"][:4].all()
    with pytest.raises(OptionError, match="more than one place"):
        record["c"]


def test_backwards_values_stand_at_the_steps_of_the_input():
    layer = gl.Recurrent("f", 3, 4, bidirectional=True)
    with gl.probe(layer, "h", gradients=True) as record:
        output, _ = layer(X, lengths=[6, 3])
        (output * torch.arange(6.0)[:, None, None]).sum().backward()
    assert torch.equal(torch.cat([record["h_l0"], record["h_l0_reverse"]], -1), output)
    with gl.probe(layer, "h", gradients=True, every=2) as some:
        output, _ = layer(X, lengths=[6, 3])
        (output * torch.arange(6.0)[:, None, None]).sum().backward()
    for key in record:
        assert torch.equal(some[key], record[key][::2])
        assert torch.allclose(some.gradient[key], record.gradient[key][::2])


@pytest.mark.parametrize("form", ["batch_first", "unbatched", "packed", "replicas"])
def test_values_come_in_the_form_of_the_output(form):
    options = {"batch_first": form == "batch_first", "replicas": 2 if form == "replicas" else None}
    layer = gl.Recurrent("lstm", 3, 4, **options)
    x = {"unbatched": X[:, 0], "packed": pack_sequence([X[:, 0], X[:4, 1]])}.get(form, X)
    with gl.probe(layer, "h", gradients=True) as record:
        output, _ = layer(x)
        (output.data if form == "packed" else output).sum().backward()
    if form == "packed":
        output, lengths = torch.nn.utils.rnn.pad_packed_sequence(output)
        assert torch.equal(record.lengths, lengths)
    assert torch.equal(record["h"], output) and record.gradient["h"].shape == output.shape


def test_models_and_torchs_own_names():
    model = gl.SequenceModel("gru", 3, 4, 2)
    with gl.probe(model) as record:
        model(X)
    assert set(record) == {*model.recurrent.cell.gates, "h"}
    theirs, ours = torch.nn.LSTM(3, 4, 2), gl.nn.LSTM(3, 4, 2)
    ours.load_state_dict(theirs.state_dict())
    with gl.probe(ours, "h") as record:
        output, _ = ours(X)
    assert torch.equal(record["h_l1"], output)


def test_two_layers_of_a_module_have_its_names():
    both = torch.nn.ModuleDict({"encoder": gl.Recurrent("f", 3, 4), "decoder": gl.Recurrent("lstm", 4, 5)})
    with gl.probe(both, "f", "decoder.c") as record:
        both["decoder"](both["encoder"](X)[0])
    assert set(record) == {"encoder.f", "decoder.f", "decoder.c"}
    assert record["encoder.f"].shape[-1] == 4 and record["c"].shape[-1] == 5


def test_some_steps_units_and_calls():
    layer = gl.Recurrent("lstm", 3, 4)
    with torch.no_grad(), gl.probe(layer, "c") as whole:
        layer(X)
    with torch.no_grad(), gl.probe(layer, "c", every=4, units=[2, 0]) as some:
        layer(X)
    assert torch.equal(some["c"], whole["c"][::4][..., [2, 0]])
    state, steps = None, []
    with torch.no_grad(), gl.probe(layer, "c", calls=None) as record:
        for x in X:
            _, state = layer.step(x, state)
            steps.append(state.c[0])
    assert len(record.calls) == 6
    assert torch.equal(torch.cat([call.values["c"] for call in record.calls]), torch.stack(steps))
    with torch.no_grad(), gl.probe(layer, "c", calls=2) as record:
        for x in X:
            layer.step(x)
    assert len(record.calls) == 2


def test_nothing_stays_behind():
    layer = gl.Recurrent("lstm", 3, 4)
    with pytest.raises(RuntimeError), gl.probe(layer, "c"):
        raise RuntimeError("of the user's")
    assert layer.watch is None and "forward" not in layer.__dict__
    assert set(layer.state_dict()) == set(gl.Recurrent("lstm", 3, 4).state_dict())


def test_training_goes_the_same_way_under_a_probe():
    def trained(watch):
        torch.manual_seed(0)
        layer = gl.Recurrent("lstm", 3, 4)
        optimizer = torch.optim.SGD(layer.parameters(), 0.1)
        for _ in range(3):
            optimizer.zero_grad()
            if watch:
                with gl.probe(layer, "i", "c"):
                    layer(X)[0].square().sum().backward()
            else:
                layer(X)[0].square().sum().backward()
            optimizer.step()
        return layer.state_dict()

    plain, watched = trained(False), trained(True)
    assert all(torch.equal(plain[name], watched[name]) for name in plain)


@pytest.mark.filterwarnings("ignore")  # Of the compiler's own making.
def test_a_compiled_model_leaves_its_graph_to_be_watched():
    model = gl.SequenceModel("lstm", 3, 4, 2)
    compiled = torch.compile(model, backend="eager")
    expected = compiled(X)
    with gl.probe(compiled, "h") as record:
        found = compiled(X)
    assert torch.equal(found, expected) and record["h"].shape == (6, 2, 4)
    assert torch.equal(compiled(X), expected)


def test_what_cannot_be_watched():
    layer = gl.Recurrent("lstm", 3, 4)
    for names, options, message in (
        (("cc",), {}, "no 'cc' in the equations.\nDid you mean 'c'"),
        (("q",), {}, "There are: .*c, .*f"),
        (("c",), {"every": 0}, "whole numbers"),
        (("c",), {"calls": 0}, "whole numbers"),
        (("c",), {"units": [4]}, "'c' has 4 units"),
    ):
        with pytest.raises(OptionError, match=message), gl.probe(layer, *names, **options):
            pass
    with pytest.raises(OptionError, match=r"gl\.nn\.LSTM"), gl.probe(torch.nn.LSTM(3, 4)):
        pass
    with gl.probe(layer, "c"), pytest.raises(OptionError, match="Another probe"), gl.probe(layer, "f"):
        pass
    assert layer.watch is None
    with gl.probe(layer, "c", most_bytes=100), pytest.raises(OptionError, match=r"every=10 .*most_bytes"):
        layer(X)


def test_a_backend_that_shows_nothing_says_so():
    layer = gl.Recurrent("lstm", 3, 4, backend="torch")
    with gl.probe(layer, "c"), pytest.raises(OptionError, match="show nothing"):
        layer(X)


@pytest.mark.parametrize("backend", ["eager", "cpu"])
def test_a_name_that_nothing_reads_has_a_gradient_of_zeros(backend):
    layer = gl.Recurrent(gl.Cell("idle = W @ x\nh = tanh(V @ x + R @ h)"), 3, 4, backend=backend)
    with gl.probe(layer, "idle", "h", gradients=True) as record:
        layer(X)[0].sum().backward()
    assert torch.equal(record.gradient["idle"], torch.zeros(6, 2, 4))


def test_what_is_read_late_is_what_was_seen():
    layer = gl.Recurrent("lstm", 3, 4)
    with gl.probe(layer, "f") as record:
        layer(X)
        early = record["f"].clone()
        layer(X)[0].sum().backward()
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.add_(1.0)
    layer(X)[0].sum().backward()
    assert torch.equal(record["f"], early) and record["f"] is record["f"]


def test_a_call_that_fails_leaves_what_was_seen():
    layer = gl.Recurrent("lstm", 3, 4)
    with gl.probe(layer, "f") as record:
        layer(X)
        for wrong in (X.double(), X[..., :2], X.unsqueeze(0)):
            with pytest.raises(ShapeError):
                layer(wrong)
    assert record["f"].shape == (6, 2, 4)


@pytest.mark.parametrize("make", [lambda: gl.Recurrent("lstm", 3, 4), lambda: gl.nn.LSTM(3, 4)])
@pytest.mark.parametrize("compiler", [False, True])
def test_a_copy_made_while_a_probe_looks_on_is_a_layer_of_its_own(make, compiler, tmp_path):
    layer = make()
    if compiler:
        torch.optim.Adam(layer.parameters())  # Loads it, and the probe then has to keep it away.
    with gl.probe(layer, "f") as record:
        layer(X)
        twin = copy.deepcopy(layer)
        torch.save(layer, tmp_path / "layer.pt")
        with torch.no_grad():
            for value in twin.parameters():
                value.zero_()
        assert not twin(X)[0].any()
        with gl.probe(twin, "f"):
            twin(X)
    assert twin.watch is None and len(record.calls) == 1
    again = torch.load(tmp_path / "layer.pt", weights_only=False)
    assert torch.equal(again(X)[0], layer(X)[0])


@pytest.mark.parametrize("options", [{"every": 1.5}, {"calls": 0}, {"units": 3}, {"units": [0.5]}, {"units": [4]}])
def test_numbers_that_are_none_are_an_error(options):
    with pytest.raises(OptionError), gl.probe(gl.Recurrent("lstm", 3, 4), "f", **options):
        pass
