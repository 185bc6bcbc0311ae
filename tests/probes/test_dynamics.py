"""Jacobians, spectra and Lyapunov exponents, on maps whose answers are known."""

import math

import pytest
import torch

import gatelab as gl
from gatelab.errors import DataError, OptionError, ShapeError
from gatelab.probes.dynamics import jacobian_spectrum, jacobians, lyapunov

LINEAR = gl.Cell("h = R @ h + W @ x")
DOUBLE = torch.float64


def linear(matrix):
    """A layer whose step is a matrix."""
    matrix = torch.as_tensor(matrix, dtype=DOUBLE)
    layer = gl.Recurrent(LINEAR, 1, len(matrix), dtype=DOUBLE)
    with torch.no_grad():
        layer.R_l0.copy_(matrix)
    return layer


def randn(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=DOUBLE)


def orthogonal(size, seed=0):
    return torch.linalg.qr(randn(size, size, seed=seed)).Q


@pytest.mark.parametrize("cell", ["lstm", "gru", "f", "elman", "nested_lstm"])
@pytest.mark.parametrize("learned_state", [False, True])
def test_their_product_is_what_the_whole_layer_does(cell, learned_state):
    torch.manual_seed(0)
    layer = gl.Recurrent(cell, 2, 3, num_layers=2, dtype=DOUBLE, learned_state=learned_state)
    x = randn(6, 1, 2)
    with torch.no_grad():
        for name, value in layer.named_parameters():
            if name.startswith("initial_"):
                value.copy_(randn(*value.shape, seed=1))
        start = [torch.zeros(2, 1, 3, dtype=DOUBLE) for _ in layer.cell.states]
        if learned_state:
            start = [
                torch.stack([layer.get_parameter(f"initial_{name}_l{depth}") for depth in (0, 1)]).unsqueeze(1)
                for name in layer.cell.states
            ]
    whole = torch.autograd.functional.jacobian(lambda *state: tuple(layer(x, state)[1]), tuple(start))
    expected = torch.cat([torch.cat([part.reshape(6, 6) for part in row], 1) for row in whole])
    found = torch.eye(6 * len(start), dtype=DOUBLE)
    for jacobian in jacobians(layer, x):
        found = jacobian[0] @ found
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-12)


def test_the_layer_stays_as_it_is():
    layer = gl.Recurrent("lstm", 2, 3)
    next(jacobians(layer, randn(2, 1, 2)))
    assert layer.backend == "auto"
    assert all(value.requires_grad and value.dtype == torch.float32 for value in layer.parameters())


def test_the_spectrum_of_a_matrix():
    turn = [[0.0, -0.5], [0.5, 0.0]]
    eigenvalues = jacobian_spectrum(linear(turn), randn(3, 2, 1), "eigenvalues")
    assert eigenvalues.values.shape == (3, 2, 2)
    torch.testing.assert_close(eigenvalues.values.imag.abs(), torch.full((3, 2, 2), 0.5, dtype=DOUBLE))
    torch.testing.assert_close(eigenvalues.values.real, torch.zeros(3, 2, 2, dtype=DOUBLE))
    shear = jacobian_spectrum(linear([[1.0, 3.0], [0.0, 1.0]]), randn(3, 2, 1))
    expected = torch.linalg.svdvals(torch.tensor([[1.0, 3.0], [0.0, 1.0]], dtype=DOUBLE))
    torch.testing.assert_close(shear.values, expected.expand(3, 2, 2))
    torch.testing.assert_close(shear.largest, expected[0].expand(3, 2))


def test_the_largest_come_first():
    values = jacobian_spectrum(linear(randn(5, 5)), randn(1, 1, 1), "eigenvalues").values
    assert (values.abs().diff(dim=-1) <= 1e-12).all()


def test_exponents_of_a_matrix_are_the_logarithms_of_its_eigenvalues():
    base, scales = orthogonal(4), torch.tensor([1.2, 0.9, 0.5, 0.1], dtype=DOUBLE)
    layer = linear(base @ scales.diag() @ base.T)
    found = lyapunov(layer, randn(300, 2, 1), warm_up=200)
    torch.testing.assert_close(found.exponents, scales.log().expand(2, 4), rtol=0, atol=1e-9)
    some = lyapunov(layer, randn(300, 2, 1), 2, warm_up=200)
    torch.testing.assert_close(some.exponents, found.exponents[:, :2], rtol=0, atol=1e-9)
    assert found.steps.tolist() == [100, 100]


def test_axes_that_a_cell_keeps_apart_are_all_seen():
    """A frame along the axes of the first units would never find the third."""
    found = lyapunov(linear(torch.diag(torch.tensor([0.1, 0.5, 1.5]))), randn(200, 1, 1), 1, warm_up=100)
    torch.testing.assert_close(found.exponents, torch.tensor([[math.log(1.5)]], dtype=DOUBLE), rtol=0, atol=1e-9)


def test_an_orthogonal_cell_keeps_all_it_has():
    found = lyapunov(linear(orthogonal(6)), randn(100, 1, 1))
    torch.testing.assert_close(found.exponents, torch.zeros(1, 6, dtype=DOUBLE), rtol=0, atol=1e-12)
    assert "+0.0000, +0.0000" in str(found)


def test_the_logistic_map_has_the_exponent_log_2():
    layer = gl.Recurrent(gl.Cell("h = 4 * h * (1 - h)"), 1, 1)
    starts = torch.rand((1, 400, 1), generator=torch.Generator().manual_seed(0), dtype=DOUBLE)
    found = lyapunov(layer, torch.zeros(150, 400, 1), state=starts, warm_up=30)
    assert found.exponents.mean().item() == pytest.approx(math.log(2), abs=0.01)


def test_steps_beyond_the_end_do_not_count():
    torch.manual_seed(0)
    layer, x = gl.Recurrent("lstm", 2, 3), randn(8, 2, 2)
    lengths = torch.tensor([8, 5])
    ragged, short = lyapunov(layer, x, lengths=lengths), lyapunov(layer, x[:5, 1:])
    torch.testing.assert_close(ragged.exponents[1:], short.exponents)
    assert ragged.steps.tolist() == [8, 5]
    values = jacobian_spectrum(layer, x, lengths=lengths).values
    assert values[:5].isfinite().all() and values[5:, 0].isfinite().all() and values[5:, 1].isnan().all()


def test_what_is_forgotten_at_once_is_minus_infinity():
    found = lyapunov(linear(torch.diag(torch.tensor([0.5, 0.0]))), randn(20, 1, 1), warm_up=10)
    assert found.exponents[0, 0].item() == pytest.approx(math.log(0.5))
    assert found.exponents[0, 1].item() < -30


BAD = {
    "replicas": (lambda: lyapunov(gl.Recurrent("f", 1, 2, replicas=2), randn(3, 1, 1)), OptionError, "has replicas"),
    "both ways": (
        lambda: lyapunov(gl.Recurrent("f", 1, 2, bidirectional=True), randn(3, 1, 1)),
        OptionError,
        "goes both ways",
    ),
    "too short": (lambda: lyapunov(linear([[1.0]]), randn(3, 1, 1), warm_up=3), OptionError, "is over"),
    "no such kind": (lambda: jacobian_spectrum(linear([[1.0]]), randn(3, 1, 1), "singula"), OptionError, "'singular'"),
    "one sequence": (lambda: next(jacobians(linear([[1.0]]), randn(3, 1))), ShapeError, "T, B, I"),
    "a state that does not fit": (
        lambda: next(jacobians(linear([[1.0]]), randn(3, 1, 1), randn(1, 2, 1))),
        ShapeError,
        "state 'h'",
    ),
}


@pytest.mark.parametrize("what", BAD)
def test_what_makes_no_sense(what):
    ask, error, said = BAD[what]
    with pytest.raises(error, match=said):
        ask()


@pytest.mark.parametrize("read", [jacobian_spectrum, lambda *given: jacobian_spectrum(*given, "eigenvalues"), lyapunov])
def test_what_has_diverged_is_an_error_and_no_crash(read):
    layer, x = gl.Recurrent("elman", 2, 3), randn(5, 2, 2)
    with pytest.raises(DataError, match="diverged"):
        read(layer, torch.full_like(x, math.nan))


def test_what_lies_beyond_an_end_does_not_count():
    layer, x, lengths = gl.Recurrent("elman", 2, 3), randn(5, 2, 2), torch.tensor([3, 5])
    expected = jacobian_spectrum(layer, x, lengths=lengths).values, lyapunov(layer, x, lengths=lengths).exponents
    x[3:, 0] = math.nan
    found = jacobian_spectrum(layer, x, lengths=lengths).values, lyapunov(layer, x, lengths=lengths).exponents
    for own, other in zip(found, expected, strict=True):
        assert torch.equal(own.nan_to_num(), other.nan_to_num())


@pytest.mark.parametrize("given", [{"warm_up": -1}, {"count": 0}, {"count": -1}])
def test_counts_that_are_none_are_an_error(given):
    with pytest.raises(OptionError, match="from 1 on"):
        lyapunov(gl.Recurrent("elman", 2, 3), randn(5, 2, 2), **given)


@pytest.mark.parametrize("lengths", [[9, 3], [0, 3], [5]])
def test_lengths_that_do_not_fit_are_an_error(lengths):
    layer, x = gl.Recurrent("elman", 2, 3), randn(5, 2, 2)
    for read in (jacobian_spectrum, lyapunov):
        with pytest.raises(ShapeError):
            read(layer, x, lengths=torch.tensor(lengths))
