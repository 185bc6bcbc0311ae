"""The slides' series: its windows, its scores, and sequences that a model makes up."""

import math

import pytest
import torch

from gatelab.errors import OptionError
from gatelab.nn.models import SequenceModel
from gatelab.tasks import find_task, open_problem, read_options
from gatelab.tasks.sine import STARTS, continue_series, sine_windows
from gatelab.training.fit import fit
from gatelab.training.loop import Training
from gatelab.training.settings import make_settings


def value(t):
    return t * math.sin(t) / 3 + 2 * math.sin(5 * t)


class Adds:
    """Stands for a model that answers each input with itself and one more, and counts the steps it has seen."""

    def run(self, x, lengths=None, state=None):
        return x + 1, (state or 0) + len(x)


@pytest.fixture
def problem():
    return open_problem("sine", {})


def test_windows_lie_in_the_span_and_are_answered_by_what_follows():
    x, y = sine_windows(torch.tensor([0.0, 0.5, 1.0]))
    assert x.shape == y.shape == (20, 3, 1)
    assert torch.equal(x[1:], y[:-1])
    for row, begin in enumerate((0.0, 14.0, 28.0)):
        assert x[:, row, 0].tolist() == pytest.approx([value(begin + 0.1 * step) for step in range(20)], abs=1e-4)


def test_batches_are_drawn_by_each_seed_for_itself(problem):
    batch, alone = problem.course([4, 9], 50).batch(), problem.course([9], 50).batch()
    assert batch.x.shape == batch.target.shape == (2, 20, 50, 1)
    assert torch.equal(batch.x[1], alone.x[0])
    assert not torch.equal(batch.x[0], batch.x[1])


def test_the_scores_by_hand(problem):
    x, y = sine_windows(torch.linspace(0, 1, 1000))

    def off_at_first(given):
        assert torch.equal(given, x)
        answers = y.clone()
        answers[:4] += 3.0
        return answers.unsqueeze(0)

    scores = problem.test(off_at_first)
    assert scores["MSE"].tolist() == pytest.approx([9 * 4 / 20])
    assert scores["MSE from step 5"].tolist() == [0.0]


def settings(seeds, **choices):
    return make_settings("sine", "elman_relu", 8, seeds, **{"steps": 12, "batch_size": 5, **choices})


def test_a_replica_is_its_seed_alone():
    together, alone = fit(settings((0, 1))), fit(settings((1,)))
    for name, weights in together.weights.items():
        torch.testing.assert_close(weights[1], alone.weights[name][0], rtol=2e-4, atol=2e-5)
    assert together.run.results[1].scores == pytest.approx(alone.run.results[0].scores, rel=1e-3)


def test_a_resumed_run_ends_with_the_same_bits():
    whole, cut = Training(settings((0, 1))), Training(settings((0, 1)))
    for _ in range(6):
        cut.step()
    resumed = Training.restore(settings((0, 1)), cut.checkpoint(0.0))
    for training in (whole, resumed):
        while not training.over:
            training.step()
    assert whole.results() == resumed.results()


def test_it_learns():
    run = fit(settings((0, 1), steps=250, batch_size=20, learning_rate=0.01)).run
    for result in run.results:
        assert result.scores["MSE from step 5"] < 0.3 * run.baselines["naive"]["MSE from step 5"]


def test_there_is_nothing_to_choose():
    with pytest.raises(OptionError, match="There is no key 'steps'"):
        read_options(find_task("sine"), {"steps": 30})


def test_the_starts_are_zeros_and_the_series_where_the_span_ends():
    zeros, real = STARTS["zeros"](), STARTS["real"]()
    assert zeros.shape == real.shape == (20, 1, 1)
    assert not zeros.any()
    assert real.flatten().tolist() == pytest.approx([value(30 + 0.1 * step) for step in range(20)], abs=1e-3)


@pytest.mark.parametrize("window", [20, 3, None])
def test_each_answer_is_the_next_input(window):
    start = torch.arange(4.0).view(-1, 1, 1).expand(-1, 2, -1)
    found = continue_series(Adds(), start, 6, window)
    assert found.shape == (10, 2, 1)
    assert found[:, 1, 0].tolist() == list(range(10))


def test_with_a_window_only_the_last_values_count():
    model = SequenceModel("elman_relu", 1, 6, 1, reads="every").eval()
    found = continue_series(model, torch.randn(5, 1, 1), 4, window=3)
    for at in range(5, 9):
        torch.testing.assert_close(found[at], model(found[at - 3 : at])[-1].detach())


def test_without_one_the_states_go_on():
    model = SequenceModel("lstm", 1, 6, 1, reads="every").eval()
    found = continue_series(model, torch.randn(5, 2, 1), 30, window=None)
    torch.testing.assert_close(found[5:], model(found[:-1])[4:].detach())


@pytest.mark.slow
def test_the_slides_model_learns_the_series():
    results = fit(make_settings("sine", "elman_relu", seeds=tuple(range(5)))).run.results
    for name, most in (("MSE", 0.047), ("MSE from step 5", 0.005)):
        assert sorted(result.scores[name] for result in results)[2] <= most
