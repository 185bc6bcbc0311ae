"""`Recurrent`: shapes under every option, its noise, streaming, and what it says of itself.

What the conformance suite checks for every cell (`gatelab/testing.py`) is not checked again here.
"""

import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

import gatelab as gl
from gatelab.backends import eager
from gatelab.backends.base import Backend

T, B, I, H, P = 4, 3, 2, 5, 2
DOUBLE = torch.float64

COPY = gl.Cell("h = W @ x", name="copy")
"""With W = 1, the output is the input: what comes out shows what happened on the way."""

REPEAT = gl.Cell("h = R @ h + W @ x", name="repeat")
"""With R = 1 and W = 0, the state stays as it is but for recurrent dropout."""

COUNT = gl.Cell("h = h + b", name="count")
"""With b = 1, the state counts the steps that changed it."""

NESTED = gl.Cell("m = 0.5 * m + W @ x\nh = h + 2 * m", name="nested")
"""Two states that differ, without anything random."""


def randn(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=DOUBLE)


def layer_of(cell="lstm", seed=0, **options):
    torch.manual_seed(seed)
    return gl.Recurrent(cell, I, H, **{"dtype": DOUBLE, **options})


def set_to(layer, **values):
    """Every matrix named becomes so many times the identity, every vector constant."""
    with torch.no_grad():
        for key, parameter in layer.named_parameters():
            value = values[key.split("_")[0]]
            parameter.copy_(value * torch.eye(*parameter.shape) if parameter.ndim == 2 else torch.tensor(value))
    return layer


# Shapes.


@pytest.mark.parametrize("num_layers", [1, 3])
@pytest.mark.parametrize("bidirectional", [False, True], ids=["forth", "both ways"])
@pytest.mark.parametrize("batch_first", [False, True], ids=["time first", "batch first"])
@pytest.mark.parametrize(
    ("replicas", "form"),
    [(None, "batch"), (None, "one"), (None, "packed"), (2, "own input"), (2, "shared input")],
)
def test_shapes(num_layers, bidirectional, batch_first, replicas, form):
    layer = layer_of(
        "lstm_projected",
        widths={"P": P},
        num_layers=num_layers,
        bidirectional=bidirectional,
        batch_first=batch_first,
        replicas=replicas,
    )
    places, wide = num_layers * (1 + bidirectional), P * (1 + bidirectional)
    batch = () if form == "one" else (B,)
    lead = () if replicas is None else (replicas,)
    own = lead if form == "own input" else ()

    def sequence(width, lead=own):
        return (*lead, *batch, T, width) if batch_first and batch else (*lead, T, *batch, width)

    x = randn(*sequence(I))
    if form == "packed":
        x = pack_padded_sequence(x, torch.tensor([2, 4, 1]), batch_first, enforce_sorted=False)
    output, state = layer(x)
    for found in (state, layer(x, state)[1]):  # What comes back can be given again.
        assert found._fields == ("h", "c")
        assert found.h.shape == (*lead, places, *batch, P)
        assert found.c.shape == (*lead, places, *batch, H)
    assert layer.output_size == wide
    if form == "packed":
        assert isinstance(output, PackedSequence)
        assert output.data.shape == (7, wide)
        assert all(torch.equal(a, b) for a, b in zip(output[1:], x[1:], strict=True))
    else:
        assert output.shape == sequence(wide, lead)


def test_the_facts_of_the_notebook():
    first = gl.Recurrent("lstm", 6, 4, batch_first=True)
    second = gl.Recurrent("lstm", 4, 5, batch_first=True)
    assert second(first(torch.zeros(2, 3, 6))[0])[0].shape == (2, 3, 5)
    model = nn.ModuleList([nn.Embedding(5000, 15), gl.Recurrent("lstm", 15, 10), nn.Linear(10, 1)])
    assert sum(parameter.numel() for parameter in model.parameters()) == 76_051


def test_parameters_are_named_as_in_the_equations():
    layer = layer_of("gru", num_layers=2, bidirectional=True, learned_state=True)
    names = "W_r R_r W_z R_z W_n R_n b_r b_z b_n b_rn initial_h".split()
    ends = ["_l0", "_l0_reverse", "_l1", "_l1_reverse"]
    assert set(layer.state_dict()) == {name + end for name in names for end in ends}
    assert layer.W_r_l0.shape == (H, I)
    assert layer.W_r_l1_reverse.shape == (H, 2 * H)
    assert layer_of("gru", replicas=7).R_n_l0.shape == (7, H, H)


@pytest.mark.parametrize("cell", ["lstm", "gru", "layer_norm_lstm", COUNT.replace("h", "tanh(W @ x + R @ h + b)")])
def test_no_bias_leaves_out_biases_and_nothing_else(cell):
    whole, without = layer_of(cell), layer_of(cell, bias=False)
    assert not without.bias
    assert {key for key in whole.state_dict() if key[0] != "b"} == set(without.state_dict()) != set(whole.state_dict())
    with torch.no_grad():
        for key, parameter in whole.named_parameters():
            parameter.zero_() if key[0] == "b" else parameter.copy_(without.get_parameter(key))
    x = randn(T, B, I)
    torch.testing.assert_close(without(x)[0], whole(x)[0], rtol=0, atol=1e-14)


def test_a_cell_may_be_a_name_a_cell_or_a_file(tmp_path):
    path = tmp_path / "my.cell"
    path.write_text("h = tanh(W_h @ x + R_h @ h + b_h)\n")
    x = randn(T, B, I)
    outputs = [layer_of(cell)(x)[0] for cell in ("elman", "RNN-tanh", gl.cell("elman"), path, str(path))]
    assert all(torch.equal(output, outputs[0]) for output in outputs)


@pytest.mark.parametrize("cell", [gl.Cell("h = tanh(W @ x)"), COUNT, gl.Cell("h = 2 * x", widths={"x": "H"})])
@pytest.mark.parametrize("replicas", [None, 2])
def test_cells_that_lack_something(cell, replicas):
    """No states, no parameter on the input, no parameters at all."""
    layer = gl.Recurrent(cell, H, H, num_layers=2, replicas=replicas)
    output, state = layer(torch.zeros(T, B, H), lengths=[4, 2, 1])
    lead = () if replicas is None else (replicas,)
    assert output.shape == (*lead, T, B, H)
    assert [value.shape for value in state] == [(*lead, 2, B, H) for _ in cell.states]


# The forms in which sequences come.


def test_one_sequence_is_a_batch_of_one():
    layer = layer_of(num_layers=2, bidirectional=True, batch_first=True)
    x, state = randn(T, I), (randn(4, H), randn(4, H, seed=1))
    resets = torch.tensor([False, False, True, False])
    output, final = layer(x, state, lengths=3, resets=resets)
    expected, ends = layer(
        x.unsqueeze(0), tuple(value.unsqueeze(1) for value in state), lengths=[3], resets=resets.unsqueeze(0)
    )
    assert torch.equal(output, expected[0])
    assert all(torch.equal(a, b.squeeze(1)) for a, b in zip(final, ends, strict=True))


@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("counts", [[4, 3, 1], [2, 4, 3]], ids=["sorted", "unsorted"])
def test_packed_sequences_are_sequences_with_lengths(batch_first, counts):
    layer = layer_of(num_layers=2, bidirectional=True, batch_first=batch_first)
    x = randn(B, T, I) if batch_first else randn(T, B, I)
    lengths = torch.tensor(counts)
    packed = pack_padded_sequence(x, lengths, batch_first, enforce_sorted=counts == sorted(counts, reverse=True))
    output, final = layer(packed)
    expected, ends = layer(x, lengths=lengths)
    unpacked, again = pad_packed_sequence(output, batch_first)
    assert torch.equal(unpacked, expected)
    assert torch.equal(again, lengths)
    assert all(torch.equal(a, b) for a, b in zip(final, ends, strict=True))


@pytest.mark.parametrize(
    "lengths",
    [(2, 4, 3), torch.tensor([2, 4, 3], dtype=torch.int32), torch.tensor([2, 4, 3], dtype=torch.uint8)],
    ids=["tuple", "int32", "uint8"],
)
def test_lengths_may_be_of_any_whole_type(lengths):
    layer = layer_of(bidirectional=True)
    x = randn(T, B, I)
    expected, ends = layer(x, lengths=[2, 4, 3])
    output, final = layer(x, lengths=lengths)
    assert torch.equal(output, expected)
    assert all(torch.equal(a, b) for a, b in zip(final, ends, strict=True))
    assert not expected[2:, 0].any()
    assert expected[:2, 0].all()


@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("own_input", [False, True])
def test_replicas_may_have_lengths_and_resets_of_their_own(own_input, batch_first):
    together = layer_of("gru", replicas=2, bidirectional=True, batch_first=batch_first, num_layers=2)
    alone = layer_of("gru", bidirectional=True, num_layers=2)
    x, lengths = randn(2, T, B, I) if own_input else randn(T, B, I), torch.tensor([[4, 1, 3], [2, 4, 4]])
    resets = torch.rand(2, T, B, generator=torch.Generator().manual_seed(3)) < 0.4
    turn = (lambda tensor: tensor.transpose(-2, -3)) if batch_first else (lambda tensor: tensor)
    mark = resets.mT if batch_first else resets
    output, final = together(turn(x), lengths=lengths, resets=mark)
    shared, _ = together(turn(x), lengths=lengths[0], resets=mark[0])
    for r in range(2):
        alone.load_state_dict({key: value[r] for key, value in together.state_dict().items()})
        own = x[r] if own_input else x
        expected, ends = alone(own, lengths=lengths[r], resets=resets[r])
        torch.testing.assert_close(turn(output[r]), expected, rtol=0, atol=1e-12)
        torch.testing.assert_close(final.h[r], ends.h, rtol=0, atol=1e-12)
        expected, _ = alone(own, lengths=lengths[0], resets=resets[0])
        torch.testing.assert_close(turn(shared[r]), expected, rtol=0, atol=1e-12)


def test_resets_going_backwards():
    """A reset before step t cuts the sequence there, whichever way it is run."""
    layer = layer_of(bidirectional=True)
    x, state = randn(6, 1, I), (randn(2, 1, H), randn(2, 1, H, seed=1))
    resets = torch.tensor([False, False, True, False, False, True]).unsqueeze(1)
    found, final = layer(x, state, resets=resets)
    zeros = tuple(torch.zeros_like(value) for value in state)
    from_left = [torch.cat([a[:1], b[1:]]) for a, b in zip(state, zeros, strict=True)]
    from_right = [torch.cat([b[:1], a[1:]]) for a, b in zip(state, zeros, strict=True)]
    parts = [layer(x[:2], from_left), layer(x[2:5], zeros), layer(x[5:], from_right)]
    torch.testing.assert_close(found, torch.cat([part[0] for part in parts]), rtol=0, atol=1e-12)
    torch.testing.assert_close(final.c[0], parts[2][1].c[0], rtol=0, atol=1e-12)
    torch.testing.assert_close(final.c[1], parts[0][1].c[1], rtol=0, atol=1e-12)


@pytest.mark.parametrize("bidirectional", [False, True])
def test_resets_beyond_the_end_do_nothing(bidirectional):
    layer = layer_of(bidirectional=bidirectional)
    x, lengths = randn(T, B, I), [2, 4, 3]
    resets = torch.ones(T, B, dtype=torch.bool)
    resets[0, 0] = resets[1, 0] = False
    within = resets & (torch.arange(T).unsqueeze(1) < torch.tensor(lengths))
    output, final = layer(x, lengths=lengths, resets=resets)
    expected, ends = layer(x, lengths=lengths, resets=within)
    assert torch.equal(output, expected)
    assert all(torch.equal(a, b) for a, b in zip(final, ends, strict=True))


# States.


@pytest.mark.parametrize("form", [tuple, list])
def test_a_state_may_be_any_sequence_of_tensors(form):
    layer, x = layer_of(), randn(T, B, I)
    _, state = layer(x)
    assert torch.equal(layer(x, form(state))[0], layer(x, state)[0])
    single = layer_of("gru")
    _, state = single(x)
    assert torch.equal(single(x, state.h)[0], single(x, state)[0])


def test_states_carry_over_chunks():
    layer, x = layer_of("wmclstm", num_layers=2), randn(T, B, I)
    whole, end = layer(x)
    first, state = layer(x[:3])
    second, final = layer(x[3:], state)
    torch.testing.assert_close(torch.cat([first, second]), whole, rtol=0, atol=1e-12)
    torch.testing.assert_close(tuple(final), tuple(end), rtol=0, atol=1e-12)


@pytest.mark.parametrize("replicas", [None, 2])
def test_learned_states(replicas):
    layer = layer_of(num_layers=2, bidirectional=True, learned_state=True, replicas=replicas)
    lead = () if replicas is None else (replicas,)
    learned = {key: value for key, value in layer.named_parameters() if key.startswith("initial")}
    assert len(learned) == 8
    assert all(value.shape == (*lead, H) and not value.any() for value in learned.values())
    x = randn(T, B, I)
    assert torch.equal(layer(x)[0], layer(x, tuple(torch.zeros(*lead, 4, B, H, dtype=DOUBLE) for _ in "hc"))[0])

    with torch.no_grad():
        for k, value in enumerate(learned.values()):
            value.copy_(randn(*value.shape, seed=k))
    given = [
        torch.stack([learned[f"initial_{name}{end}"] for end in ("_l0", "_l0_reverse", "_l1", "_l1_reverse")], dim=-2)
        .unsqueeze(-2)
        .repeat_interleave(B, -2)
        .detach()
        .requires_grad_()
        for name in "hc"
    ]
    output, (expected, _) = layer(x)[0], layer(x, given)
    torch.testing.assert_close(output, expected, rtol=0, atol=1e-12)
    output.sin().sum().backward()
    by_given = torch.autograd.grad(expected.sin().sum(), given)
    for k, name in enumerate("hc"):
        found = torch.stack(
            [learned[f"initial_{name}{end}"].grad for end in ("_l0", "_l0_reverse", "_l1", "_l1_reverse")], dim=-2
        )
        assert found.all()
        torch.testing.assert_close(found, by_given[k].sum(-2), rtol=0, atol=1e-12)
    # A state that is given goes before the learned one.
    layer.zero_grad()
    layer(x, [value.detach() for value in given])[0].sum().backward()
    assert all(value.grad is None for value in learned.values())


# Noise.


@pytest.mark.parametrize("num_layers", [1, 2])
def test_dropout_lies_between_layers(num_layers):
    torch.manual_seed(0)
    layer = set_to(gl.Recurrent(COPY, 50, 50, num_layers=num_layers, dropout=0.2), W=1.0)
    output, _ = layer(torch.ones(20, 10, 50))
    if num_layers == 1:
        assert output.eq(1).all()
        return
    assert output.unique().tolist() == pytest.approx([0, 1.25])
    # 10,000 draws have a deviation of 0.004.
    assert (output == 0).float().mean().item() == pytest.approx(0.2, abs=0.02)
    assert (output[0] != output[1]).any(), "drawn anew at each step"
    assert layer.eval()(torch.ones(20, 10, 50))[0].eq(1).all()


def test_recurrent_dropout_holds_one_mask_for_a_sequence():
    torch.manual_seed(0)
    layer = set_to(gl.Recurrent(REPEAT, 1, 50, recurrent_dropout=0.2), R=1.0, W=0.0)
    x, start = torch.zeros(3, 200, 1), torch.ones(1, 200, 50)
    output, _ = layer(x, start)
    kept = output[0] != 0
    for t in range(3):
        # One mask for all steps: a unit is dropped at each or at none.
        torch.testing.assert_close(output[t], kept * 1.25 ** (t + 1))
    assert 1 - kept.float().mean().item() == pytest.approx(0.2, abs=0.02)
    assert output[0].mean().item() == pytest.approx(1, abs=0.02), "the expectation stays"
    assert (kept[0] != kept[1]).any(), "each sequence has a mask of its own"
    assert (kept != (layer(x, start)[0][0] != 0)).any(), "each call draws anew"
    assert layer.eval()(x, start)[0].eq(1).all()


def test_recurrent_dropout_acts_inside_of_products_only():
    layer = set_to(gl.Recurrent(REPEAT.replace("h", "h + R @ h + W @ x"), 1, 50, recurrent_dropout=0.5), R=1.0, W=0.0)
    output, state = layer(torch.zeros(1, 20, 1), torch.ones(1, 20, 50))
    assert output.unique().tolist() == [1, 3]
    assert torch.equal(state.h[0], output[0])


def test_recurrent_dropout_differs_by_layer_and_direction():
    layer = set_to(gl.Recurrent(REPEAT, 50, 50, num_layers=2, bidirectional=True, recurrent_dropout=0.5), R=1.0, W=0.0)
    _, state = layer(torch.zeros(1, 1, 50), torch.ones(4, 1, 50))
    masks = {tuple(part.tolist()) for part in state.h.squeeze(1)}
    assert len(masks) == 4


def test_zoneout_in_training_keeps_units_as_they_were():
    torch.manual_seed(0)
    layer = set_to(gl.Recurrent(COUNT, 1, 50, zoneout=0.3), b=1.0)
    output, state = layer(torch.zeros(10, 40, 1))
    grown = output.diff(dim=0, prepend=torch.zeros(1, 40, 50))
    assert grown.unique().tolist() == [0, 1]
    assert torch.equal(state.h[0], output[-1])
    # 20,000 draws have a deviation of 0.003.
    assert grown.mean().item() == pytest.approx(0.7, abs=0.02)
    assert (grown[0] != grown[1]).any(), "drawn anew at each step"


def test_zoneout_out_of_training_mixes():
    layer = set_to(gl.Recurrent(COUNT, 1, H, zoneout=0.3), b=1.0).eval()
    output, _ = layer(torch.zeros(10, B, 1))
    expected = 0.7 * torch.arange(1, 11.0).view(10, 1, 1).expand(10, B, H)
    torch.testing.assert_close(output, expected)


@pytest.mark.parametrize("zoned", ["m", "h"])
def test_zoneout_may_differ_by_state(zoned):
    plain = layer_of(NESTED)
    layer = layer_of(NESTED, zoneout={zoned: 0.25}).eval()
    x, h, m = randn(1, B, I), randn(1, B, H), randn(1, B, H, seed=1)
    found, expected = layer(x, (h, m))[1], plain(x, (h, m))[1]
    for name, old in (("h", h), ("m", m)):
        new = getattr(expected, name)
        wanted = 0.25 * old + 0.75 * new if name == zoned else new
        torch.testing.assert_close(getattr(found, name), wanted, rtol=0, atol=1e-12)


def test_zoneout_of_states_that_are_stored_as_one():
    """The cell f has h = c: either name means the one state."""
    x = randn(T, B, I)
    outputs = [layer_of("f", zoneout=zoneout).eval()(x)[0] for zoneout in (0.4, {"c": 0.4}, {"h": 0.4, "c": 0.1}, 0.0)]
    assert torch.equal(outputs[0], outputs[1])
    assert torch.equal(outputs[0], outputs[2])
    assert not torch.equal(outputs[0], outputs[3])


# One step at a time.


@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("form", ["batch", "one", "own input", "shared input"])
def test_streaming(form, batch_first):
    replicas = 2 if "input" in form else None
    layer = layer_of(num_layers=2, batch_first=batch_first, replicas=replicas, learned_state=True)
    with torch.no_grad():
        layer.initial_h_l1.fill_(0.3)
    lead = (2,) if form == "own input" else ()
    x = randn(*lead, T, I) if form == "one" else randn(*lead, T, B, I)
    time = -2 if form == "one" else -3
    turned = x.transpose(-2, -3) if batch_first and form != "one" else x
    output, final = layer(turned)
    expected = output.transpose(-2, -3) if batch_first and form != "one" else output
    state, steps = None, []
    for x_t in x.unbind(time):
        y, state = layer.step(x_t, state)
        steps.append(y)
    torch.testing.assert_close(torch.stack(steps, dim=time), expected, rtol=0, atol=1e-12)
    torch.testing.assert_close(tuple(state), tuple(final), rtol=0, atol=1e-12)


# Seeds.

NOISY = {"num_layers": 2, "bidirectional": True, "dropout": 0.2, "recurrent_dropout": 0.3, "zoneout": 0.1}


@pytest.mark.parametrize("cell", ["lstm", "gru", "chrono_lstm", "f"])
def test_the_same_seed_gives_the_same_bits(cell):
    found = []
    for _ in range(2):
        layer = layer_of(cell, seed=4, **NOISY)
        x = randn(T, B, I).requires_grad_()
        output, state = layer(x)
        output.square().sum().backward()
        found.append([*layer.parameters(), *(p.grad for p in layer.parameters()), x.grad, output, *state])
    assert all(torch.equal(a, b) for a, b in zip(*found, strict=True))
    assert not torch.equal(output, layer_of(cell, seed=5, **NOISY)(x)[0])


@pytest.mark.parametrize("cell", ["lstm", "gru", "f"])
def test_one_replica_under_a_seed_is_a_layer_without_replicas_under_it(cell):
    alone, one = layer_of(cell, seed=4, **NOISY), layer_of(cell, seed=4, replicas=1, **NOISY)
    for key, value in alone.state_dict().items():
        assert torch.equal(one.state_dict()[key], value.unsqueeze(0))
    outputs = []
    for layer in (alone, one):
        torch.manual_seed(6)
        outputs.append(layer(randn(T, B, I))[0])
    # Products of one matrix and of a batch of matrices may round differently.
    torch.testing.assert_close(outputs[1], outputs[0].unsqueeze(0), rtol=0, atol=1e-12)


def test_replicas_start_differently():
    layer = layer_of(replicas=3)
    for r in range(2):
        assert (layer.R_z_l0[r] != layer.R_z_l0[r + 1]).all()


# What it says of itself.


@pytest.mark.parametrize(
    ("layer", "expected"),
    [
        (lambda: gl.Recurrent("lstm", 2, 3), "Recurrent('lstm', 2, 3)"),
        (lambda: gl.Recurrent("Basic", 2, 3, dropout=0), "Recurrent('lstm', 2, 3)"),
        (
            lambda: gl.Recurrent("lstm_projected", 2, 3, 2, False, True, 0.5, True, widths={"P": 2}, zoneout=0.1),
            "Recurrent('lstm_projected', 2, 3, num_layers=2, bias=False, batch_first=True, dropout=0.5, "
            "bidirectional=True, zoneout={'h': 0.1, 'c': 0.1}, widths={'P': 2})",
        ),
        (
            lambda: gl.Recurrent(
                "gru", 2, 3, recurrent_dropout=0.2, replicas=4, backend="eager", init="zeros", learned_state=True
            ),
            "Recurrent('gru', 2, 3, recurrent_dropout=0.2, replicas=4, backend='eager', init='zeros', "
            "learned_state=True)",
        ),
    ],
)
def test_repr_shows_what_is_not_usual(layer, expected):
    assert repr(layer()) == expected


def test_parameters_that_torch_has_put_in_the_place_of_ours():
    layer, x = layer_of(num_layers=2), randn(T, B, I)
    nn.utils.parametrizations.weight_norm(layer, "R_f_l1")
    expected, _ = layer_of(num_layers=2)(x)
    torch.testing.assert_close(layer(x)[0], expected, rtol=0, atol=1e-12)
    layer(x)[0].sum().backward()
    assert layer.parametrizations.R_f_l1.original1.grad.any()


def test_explain_says_which_backend_runs_and_why():
    assert "auto takes the first that can" in layer_of().explain()
    assert layer_of(backend="eager").explain().startswith("eager: plain torch")
    assert "backend='eager' was asked for" in layer_of(backend="eager").explain()
    calls = []

    def run(asked):
        calls.append(asked.cell.name)
        return eager.run(asked)

    layer = layer_of(backend=Backend("mine", "counts its calls", run), num_layers=2, bidirectional=True)
    assert layer.explain() == "mine: counts its calls.\nTaken because it was given."
    layer(randn(T, B, I))
    assert calls == ["lstm"] * 4
