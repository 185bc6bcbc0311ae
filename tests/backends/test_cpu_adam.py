"""Steps of Adam against torch's fused ones, bit by bit."""

import pytest
import torch

from gatelab.backends.cpu import adam
from gatelab.backends.cpu.adam import StandingAdam

BETAS, EPSILON, RATE = (0.9, 0.999), 1e-8, 0.1


def started(count, dtype):
    """Parameters, gradients, and both averages."""
    values = torch.linspace(-2, 2, count, dtype=dtype)
    return values, torch.zeros_like(values), torch.zeros_like(values), torch.zeros_like(values)


def gradients(count, dtype, steps=6):
    """Of all sizes: among them some whose squares are too small for the dtype, zeros, and large ones."""
    generator = torch.Generator().manual_seed(count)
    for step in range(steps):
        drawn = torch.randn(count, dtype=dtype, generator=generator) * 10.0 ** ((step % 3) * 4 - 4)
        drawn[::7] = 0.0
        drawn[::5] *= 1e-20 if dtype == torch.float32 else 1e-158
        yield drawn


def taken(count, dtype, decay=0.0, decoupled=False):
    parameters, gradient, averages, squares = started(count, dtype)
    own = StandingAdam(parameters, gradient, averages, squares, BETAS, EPSILON, decay, decoupled)
    for number, drawn in enumerate(gradients(count, dtype), 1):
        gradient.copy_(drawn)
        own.step(number, RATE / number)
    return parameters, averages, squares


def taken_by_torch(count, dtype, decay=0.0, decoupled=False):
    parameters, _, averages, squares = started(count, dtype)
    step = torch._fused_adamw_ if decoupled else torch._fused_adam_
    for number, drawn in enumerate(gradients(count, dtype), 1):
        lists = [parameters], [drawn], [averages], [squares], [], [torch.tensor(float(number))]
        choices = {"lr": RATE / number, "beta1": BETAS[0], "beta2": BETAS[1], "eps": EPSILON}
        step(*lists, **choices, weight_decay=decay, amsgrad=False, maximize=False)
    return parameters, averages, squares


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("choices", [{}, {"decay": 0.1}, {"decay": 0.1, "decoupled": True}], ids=str)
def test_the_bits_of_torch(dtype, choices):
    # As many as whole vectors: what is left over of them torch rounds otherwise.
    for ours, theirs in zip(taken(640, dtype, **choices), taken_by_torch(640, dtype, **choices), strict=True):
        assert torch.equal(ours, theirs)


@pytest.mark.parametrize("count", [1, 7, 16, 33])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_any_count(count, dtype):
    for ours, theirs in zip(taken(count, dtype), taken_by_torch(count, dtype), strict=True):
        torch.testing.assert_close(ours, theirs)


def test_threads_change_no_bit(monkeypatch):
    monkeypatch.setattr(adam, "WORTH_A_THREAD", 1)
    threads, found = torch.get_num_threads(), []
    try:
        for count in (1, 2, 3):
            torch.set_num_threads(count)
            found.append(taken(101, torch.float32))
    finally:
        torch.set_num_threads(threads)
    for others in found[1:]:
        assert all(map(torch.equal, found[0], others))


def test_a_rate_that_is_too_large_diverges_without_a_word(recwarn):
    parameters, gradient, averages, squares = started(40, torch.float32)
    gradient.fill_(1.0)
    StandingAdam(parameters, gradient, averages, squares, BETAS, EPSILON).step(1, 1e300)
    assert parameters.isinf().all() and not recwarn


def test_nan_stays_where_it_is():
    parameters, gradient, averages, squares = started(40, torch.float32)
    gradient.fill_(1.0)
    gradient[3] = torch.nan
    StandingAdam(parameters, gradient, averages, squares, BETAS, EPSILON).step(1, RATE)
    assert parameters.isnan().nonzero().tolist() == [[3]]
