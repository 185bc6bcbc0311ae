"""Gradient flow: by hand, against autograd, and the story that it tells."""

import math

import pytest
import torch

import gatelab as gl
from gatelab.errors import OptionError
from gatelab.probes.flow import Flow, LayerFlow, Start, compare_flow, flow_table, gradient_flow, lag_norms
from gatelab.training.replicas import clip_norms

DOUBLE = torch.float64
NAN = float("nan")
STEPS = 200


def randn(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=DOUBLE)


def test_norms_by_lag_by_hand():
    gradient = torch.tensor([[[3.0, 4.0], [1.0, 0.0]], [[6.0, 8.0], [0.0, 2.0]], [[0.0, 1.0], [9.0, 9.0]]])
    found = lag_norms(gradient, torch.tensor([3, 2]))
    torch.testing.assert_close(found, torch.tensor([[[1.0, 2.0]], [[10.0, 1.0]], [[5.0, NAN]]]), equal_nan=True)
    whole = lag_norms(gradient)
    torch.testing.assert_close(whole[:, 0, 0], torch.tensor([1.0, 10.0, 5.0]))
    short = lag_norms(gradient, torch.tensor([1, 2]))
    torch.testing.assert_close(short, torch.tensor([[[5.0, 2.0]], [[NAN, 1.0]]]), equal_nan=True)


def test_norms_of_replicas_with_lengths_of_their_own():
    gradient = randn(2, 4, 3, 5)
    lengths = torch.tensor([[4, 2, 1], [3, 4, 4]])
    found = lag_norms(gradient, lengths)
    assert found.shape == (4, 2, 3)
    for r in range(2):
        torch.testing.assert_close(found[:, r], lag_norms(gradient[r], lengths[r])[:, 0], equal_nan=True)


def test_orders_rate_and_quantiles_by_hand():
    lags = torch.arange(5.0, dtype=DOUBLE)
    norms = torch.stack([10.0 ** (-2 * lags), 10.0 ** (0.5 * lags)], dim=1)[:, :, None].expand(-1, -1, 3)
    flow = Flow(norms)
    torch.testing.assert_close(flow.orders, torch.tensor([-8.0, 2.0], dtype=DOUBLE))
    torch.testing.assert_close(flow.rate, torch.tensor([-2.0, 0.5], dtype=DOUBLE))
    torch.testing.assert_close(flow.quantile(1.0), norms[:, 1, 0])
    torch.testing.assert_close(flow.mean, (norms[:, 0, 0] + norms[:, 1, 0]) / 2)


def test_what_has_become_nothing_has_a_rate_from_what_is_left():
    flow = Flow(torch.tensor([1.0, 0.1, 0.01, 0.0]).view(4, 1, 1))
    assert flow.rate.item() == pytest.approx(-1.0)
    assert flow.orders.item() == -math.inf


def test_a_matrix_takes_its_power_at_each_lag():
    layer = gl.Recurrent(gl.Cell("h = R @ h + W @ x"), 1, 2, dtype=DOUBLE)
    with torch.no_grad():
        layer.R_l0.copy_(torch.diag(torch.tensor([0.5, 0.5])))
    flow = gradient_flow(layer, randn(6, 4, 1)).names["h"]
    expected = math.sqrt(2) / 4 * 0.5 ** torch.arange(6.0, dtype=DOUBLE)
    torch.testing.assert_close(flow.norms, expected[:, None, None].expand(6, 1, 4))


def by_hand(layer, x):
    """Norms of the gradients of h and c by lag, (T, B), by autograd through the equations of an LSTM."""
    own, kept = {name.removesuffix("_l0"): value for name, value in layer.named_parameters()}, []
    h = c = torch.zeros(x.shape[1], layer.hidden_size, dtype=x.dtype)
    for x_t in x:
        i, f, z, o = (x_t @ own[f"W_{g}"].T + h @ own[f"R_{g}"].T + own[f"b_{g}"] for g in "ifzo")
        c = f.sigmoid() * c + i.sigmoid() * z.tanh()
        h = o.sigmoid() * c.tanh()
        c.retain_grad()
        h.retain_grad()
        kept.append({"h": h, "c": c})
    h.sum(-1).mean().backward()
    return {name: torch.stack([step[name].grad.norm(dim=-1) for step in reversed(kept)]) for name in "hc"}


@pytest.mark.parametrize("backend", ["eager", "cpu"])
def test_autograd_through_the_equations_agrees(backend):
    layer, x = gl.Recurrent("lstm", 2, 3, dtype=DOUBLE, backend=backend), randn(7, 4, 2)
    found = gradient_flow(layer, x)
    assert all(parameter.grad is None for parameter in layer.parameters()), "the layer stays as it is"
    expected = by_hand(layer, x)
    assert list(found.names) == ["h", "c"]
    assert found.memory == "c"
    for name, norms in expected.items():
        torch.testing.assert_close(found.names[name].norms[:, 0], norms)


def test_short_sequences_are_as_they_are_alone():
    layer, x = gl.Recurrent("gru", 2, 3, dtype=DOUBLE, batch_first=True), randn(2, 6, 2)
    ragged = gradient_flow(layer, x, ["h"], torch.tensor([6, 4])).names["h"].norms
    alone = gradient_flow(layer, x[1:, :4], ["h"]).names["h"].norms
    # The loss is averaged over two sequences, and then over one.
    torch.testing.assert_close(ragged[:4, :, 1:], alone / 2)
    assert ragged[4:, :, 1:].isnan().all()


def test_frozen_weights_carry_gradients_too():
    layer, x = gl.Recurrent("lstm", 2, 3), torch.randn(5, 4, 2)
    expected = gradient_flow(layer, x).names["c"].norms
    assert torch.equal(gradient_flow(layer.requires_grad_(False), x).names["c"].norms, expected)
    assert not layer.R_i_l0.requires_grad


def test_names_of_several_layers():
    layer = gl.Recurrent("f", 2, 3, num_layers=2, replicas=2)
    found = gradient_flow(layer, torch.randn(5, 4, 2), ["h"])
    assert list(found.names) == ["h_l0", "h_l1"]
    assert found.names["h_l0"].norms.shape == (5, 2, 4)


def test_clipping_is_that_of_training():
    torch.manual_seed(0)
    layer, x = gl.Recurrent("gru", 2, 3, replicas=3, dtype=DOUBLE), randn(5, 4, 2)
    found = gradient_flow(layer, x)
    layer(x)[0][:, -1].sum(-1).mean(-1).sum().backward()
    limit = 1.001 * found.weights.median().item()
    before = layer.R_z_l0.grad.clone()
    clip_norms(layer, limit)
    torch.testing.assert_close(layer.R_z_l0.grad, before * found.clip_factor(limit)[:, None, None], rtol=1e-5, atol=0)
    assert (found.clip_factor(limit) < 1).sum() == 1


@pytest.fixture(scope="module")
def story():
    return compare_flow(steps=STEPS, hidden_size=16, sequences=4, seeds=3)


def test_an_elman_network_vanishes_or_explodes(story):
    assert (story["elman"].names["h"].orders < -20).all()
    assert (story["elman, orthogonal"].names["h"].orders < -10).all()
    assert story["elman, large weights"].names["h"].orders.max() > 8


def test_an_lstm_with_its_forget_gate_open_holds(story):
    orders = {label: story[label].names["c"].orders for label in story if label.startswith("lstm")}
    assert (orders[f"lstm, chrono({STEPS})"].abs() < 3).all()
    assert orders["lstm, forget bias 0"].max() < orders["lstm, forget bias 1"].min() < -5


def test_a_row_does_not_depend_on_the_others(story):
    alone = compare_flow([Start("one", "gru")], steps=STEPS, hidden_size=16, sequences=4, seeds=3)
    assert torch.equal(alone["one"].names["h"].norms, story["gru"].names["h"].norms)


def test_the_table_says_what_clipping_changes():
    def falls(orders, weights):
        norms = torch.tensor([1.0, 10.0**orders]).view(2, 1, 1)
        return LayerFlow({"h": Flow(norms)}, torch.tensor([weights]))

    found = {"down": falls(-4, 0.5), "up": falls(3, 80.0)}
    rows = [line.split() for line in flow_table(found, clip=2.0).splitlines()]
    assert rows[1] == ["down", "h", "-4.0", "-4.0", "-4.0", "-4.000", "0.5", "0.5"]
    assert rows[2] == ["up", "h", "+3.0", "+3.0", "+3.0", "+3.000", "80", "2"]
    assert "clipped" not in flow_table(found)


def test_what_makes_no_sense():
    with pytest.raises(OptionError, match="both ways"):
        gradient_flow(gl.Recurrent("f", 1, 2, bidirectional=True), torch.randn(3, 1, 1))
    with pytest.raises(OptionError, match="q"):
        gradient_flow(gl.Recurrent("f", 1, 2), torch.randn(3, 1, 1), ["q"])
