"""Hard gates: the same weights, other gates, and a score that says what it costs."""

import pytest
import torch

import gatelab as gl
from gatelab.errors import EquationError
from gatelab.probes.hardening import harden, hardening

ONE_GATE = gl.Cell("g = sigmoid(W_g @ x)\nh = g")


def model_of(cell="lstm", **options):
    torch.manual_seed(0)
    return gl.SequenceModel(cell, 2, 5, 3, **options)


def test_a_hard_model_is_that_of_the_hard_cell_with_the_same_weights():
    model, x = model_of(num_layers=2, replicas=2), torch.randn(7, 4, 2)
    expected = model_of(gl.cell("lstm").hardened("f", "o"), num_layers=2, replicas=2)
    expected.load_state_dict(model.state_dict())
    hard = harden(model, "f", "o")
    assert torch.equal(hard(x), expected(x))
    assert hard.description() == expected.description()


def test_the_soft_model_stays_as_it_is():
    model, x = model_of(), torch.randn(7, 4, 2)
    before = model(x)
    hard = harden(model)
    with torch.no_grad():
        hard.head.weight.zero_()
    assert torch.equal(model(x), before)
    assert model.recurrent.cell == gl.cell("lstm")


def test_vectors_that_are_not_learned_stay_too():
    tokens = gl.Tokens(4, 2, vectors=torch.randn(4, 2), learned=False)
    model = gl.SequenceModel("f", tokens, 5, 3)
    assert torch.equal(harden(model).embedding.weight, model.embedding.weight)


def test_a_hard_model_can_be_saved(tmp_path):
    hard, x = harden(model_of()), torch.randn(7, 4, 2)
    gl.save(hard, tmp_path / "hard.safetensors")
    assert torch.equal(gl.load(tmp_path / "hard.safetensors")(x), hard(x))


def by_hand():
    """Two replicas whose one gate sees 1 times, and -1 times its input, and whose answer is the gate."""
    model = gl.SequenceModel(ONE_GATE, 1, 1, 1, replicas=2)
    with torch.no_grad():
        model.recurrent.W_g_l0.copy_(torch.tensor([1.0, -1.0]).view(2, 1, 1))
        model.head.weight.fill_(1.0)
        model.head.bias.zero_()
    return model


def test_scores_by_hand():
    x = torch.full((1, 1, 1), 2.0)
    found = hardening(by_hand(), lambda model: model(x).flatten())
    assert found.soft == pytest.approx((1 / (1 + 2.718281828**-2), 1 / (1 + 2.718281828**2)))
    assert found.hard == (1.0, 0.0)
    assert found.alone == {"g": (1.0, 0.0)}
    assert found.change("all") == pytest.approx(0.0, abs=1e-6)


def test_the_record_prints_as_a_table():
    text = str(hardening(by_hand(), lambda model: model(torch.full((1, 1, 1), 2.0)).flatten()))
    assert [line.split()[0] for line in text.splitlines()] == ["hard", "none", "g", "all"]
    assert text.splitlines()[-1].split() == ["all", "0.500", "+0.000", "0.000", "1.000"]
    single = str(hardening(model_of("f"), lambda model: 97.25))
    assert single.splitlines()[1].split() == ["none", "97.250", "+0.000"]


def test_gates_that_are_named_are_the_ones():
    found = hardening(model_of(), lambda model: len(model.recurrent.cell.gates), "f", "i")
    assert list(found.rows) == ["none", "f", "i", "all"]
    with pytest.raises(EquationError, match="not a gate"):
        hardening(model_of(), lambda model: 0.0, "z")
    with pytest.raises(EquationError, match="no soft gate"):
        hardening(model_of("elman"), lambda model: 0.0)


def test_a_parity_cell_by_hand_keeps_its_score():
    """A cell that flips its memory at each one: with weights this large its gate was hard already."""
    cell = gl.Cell("f = sigmoid(W_f @ x + b_f)\nh = f * (1 - h) + (1 - f) * h")
    model = gl.SequenceModel(cell, 1, 1, 1)
    with torch.no_grad():
        model.recurrent.W_f_l0.fill_(40.0)
        model.recurrent.b_f_l0.fill_(-20.0)
        model.head.weight.fill_(1.0)
        model.head.bias.fill_(-0.5)
    bits = torch.randint(0, 2, (30, 50, 1), generator=torch.Generator().manual_seed(0)).float()
    odd = bits.sum(0).flatten() % 2 == 1
    found = hardening(model, lambda model: ((model(bits).flatten() > 0) == odd).float().mean())
    assert found.soft == found.hard == (1.0,)
