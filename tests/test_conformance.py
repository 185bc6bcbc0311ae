"""Every cell of the catalogue and many random ones pass the suite; wrong derivatives do not."""

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from strategies import cells

import gatelab as gl
from gatelab.backends import eager
from gatelab.backends.base import Backend, Result, Run
from gatelab.testing import CHECKS, ConformanceError, Subject, check_cell


@pytest.mark.parametrize("name", gl.cells())
def test_every_cell_of_the_catalogue(name):
    worst = check_cell(name, "eager")
    assert worst.keys() == CHECKS.keys()


@pytest.mark.parametrize("lines", [1, 2, 3, 4, 5])
@settings(max_examples=40, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_random_cells(lines, data):
    check_cell(data.draw(cells(lines)), "eager")


PLAIN = ["h = step(W @ x)", "h = W @ x", "h = b", "h = 1", "h = h", "h = W @ x + R @ h", "c = c\nh = 2 * c",
         "h = mean(W @ x)", "a = 3\nh = a * h", "h = 0.9 * h"]  # fmt: skip


@pytest.mark.parametrize("text", PLAIN)
def test_cells_with_next_to_nothing_in_them(text):
    check_cell(gl.Cell(text), "eager")


class Scaled(torch.autograd.Function):
    """The identity, with a gradient that is slightly wrong."""

    @staticmethod
    def forward(ctx, value, factor):
        ctx.factor = factor
        return value.clone()

    @staticmethod
    def backward(ctx, gradient):
        return gradient * ctx.factor, None


def wrong_by(factor, which):
    """The eager backend with one gradient off by a factor."""

    def run(asked: Run) -> Result:
        if which == "x":
            return eager.run(asked._replace(x=Scaled.apply(asked.x, factor)))
        if which == "state":
            state = tuple(Scaled.apply(value, factor) for value in asked.state)
            return eager.run(asked._replace(state=state))
        changed = dict(asked.parameters) | {which: Scaled.apply(asked.parameters[which], factor)}
        return eager.run(asked._replace(parameters=changed))

    return Backend("wrong", "eager with a mistake", run)


@pytest.mark.parametrize("which", ["x", "state", "R_f", "b_f", "W_z"])
@pytest.mark.parametrize("check", ["gradients", "against eager"])
def test_a_derivative_wrong_by_one_part_in_a_thousand_is_rejected(which, check):
    for factor in (1.001, 0.999):
        with pytest.raises(ConformanceError):
            CHECKS[check](Subject(gl.cell("lstm"), wrong_by(factor, which)))
    CHECKS[check](Subject(gl.cell("lstm"), wrong_by(1.0, which)))


def changed(change):
    """The eager backend with a change to what it is asked or what it gives."""
    return Backend("changed", "eager with a mistake", change)


def forgets_masks(asked):
    return eager.run(asked._replace(alive=None))


def forgets_resets(asked):
    return eager.run(asked._replace(resets=None))


def mixes_replicas(asked):
    if asked.x.ndim == 3:
        return eager.run(asked)
    rolled = {name: value.roll(1, 0) for name, value in asked.parameters.items()}
    return eager.run(asked._replace(parameters=rolled))


def forgets_the_first_state(asked):
    return eager.run(asked._replace(state=tuple(0 * value for value in asked.state)))


def leaks_the_future(asked):
    ahead = torch.cat([asked.x[1:], asked.x[:1]])
    return eager.run(asked._replace(x=asked.x + 1e-6 * ahead))


def lets_nan_through(asked):
    if asked.alive is None:
        return eager.run(asked)
    poisoned = torch.where(asked.alive, asked.x, torch.nan)
    return eager.run(asked._replace(x=poisoned))


MISTAKES = {
    "ragged": [forgets_masks, lets_nan_through],
    "resets": [forgets_resets],
    "replicas": [mixes_replicas],
    "stepwise": [forgets_the_first_state, leaks_the_future],
    "against eager": [forgets_masks, forgets_the_first_state, leaks_the_future],
}


@pytest.mark.parametrize(("check", "mistake"), [(c, m) for c, ms in MISTAKES.items() for m in ms])
def test_a_backend_with_a_mistake_is_rejected(check, mistake):
    with pytest.raises(ConformanceError):
        CHECKS[check](Subject(gl.cell("lstm"), changed(mistake)))


def test_a_message_says_what_where_and_by_how_much():
    with pytest.raises(ConformanceError, match=r"'lstm': gradient of W_z_l0 differs from the eager backend by \d"):
        CHECKS["against eager"](Subject(gl.cell("lstm"), wrong_by(1.001, "W_z")))


def test_a_cell_of_your_own(tmp_path):
    path = tmp_path / "mine.cell"
    path.write_text("f = sigmoid(W_f @ x + R_f @ h)\nh = f * h + (1 - f) * tanh(W @ x)")
    assert max(check_cell(path).values()) < 1e-5
    path.write_text("h = exp(exp(exp(5 + square(h))))")
    with pytest.raises(ConformanceError, match=r"not finite|derivative"):
        check_cell(path)
