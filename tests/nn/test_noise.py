"""Gaussian noise on inputs, drawn from a generator for each replica."""

import pytest
import torch

from gatelab.errors import OptionError
from gatelab.nn.dropout import add_noise
from gatelab.nn.inputs import Tokens
from gatelab.nn.models import SequenceModel
from gatelab.training.fit import fit
from gatelab.training.loop import Training
from gatelab.training.settings import make_settings


def generators(*seeds):
    return [torch.Generator().manual_seed(seed) for seed in seeds]


def noisy(**others):
    choices = {"steps": 6, "batch_size": 8, "input_noise": 0.7, **others}
    return make_settings("digits", "f", 3, choices.pop("seeds", (3, 1)), **choices)


@pytest.mark.parametrize("replicas_at", [0, 1])
def test_a_replica_gets_what_its_generator_gives_alone(replicas_at):
    values = torch.ones(3, 3, 5)
    together = add_noise(values, 0.5, generators(3, 1, 4), replicas_at).unbind(replicas_at)
    alone = add_noise(values.narrow(replicas_at, 0, 1), 0.5, generators(1), replicas_at).select(replicas_at, 0)
    assert torch.equal(together[1], alone)
    assert not torch.equal(together[0], together[1])


def test_the_draws_do_not_depend_on_how_values_lie_in_memory():
    values = torch.ones(2, 4, 30)
    turned = values.transpose(1, 2).contiguous().transpose(1, 2)
    assert torch.equal(*(add_noise(own, 0.5, generators(1, 2), replicas_at=0) for own in (values, turned)))


@pytest.mark.parametrize("own", [None, (0,)])
def test_the_noise_has_the_deviation_and_no_mean(own):
    torch.manual_seed(0)
    found = add_noise(torch.full((1, 100, 100), 3.0), 0.5, own and generators(*own), replicas_at=0)
    # Of 10,000 draws the mean deviates by 0.005, the deviation by 0.0035; here are 5 times as much.
    assert abs(found.mean() - 3) < 0.025
    assert abs(found.std() - 0.5) < 0.0175


def test_noise_is_for_training_only_and_each_replica_has_its_own():
    torch.manual_seed(0)
    model = SequenceModel("f", 2, 4, 3, replicas=2, input_noise=0.5)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter[1] = parameter[0]
    x = torch.randn(5, 6, 2)
    model.draw_from(generators(1, 2))
    assert not torch.equal(*model(x))
    model.draw_from(generators(1, 1))
    assert torch.equal(*model(x))
    model.eval()
    assert torch.equal(model(x), model(x))


def test_vectors_of_tokens_have_noise_before_some_are_dropped():
    torch.manual_seed(0)
    model = SequenceModel("f", Tokens(7, 3), 4, 2, input_noise=0.5, input_dropout=0.5)
    seen = []
    model.recurrent.register_forward_pre_hook(lambda layer, given: seen.append(given[0]))
    model(torch.zeros(20, 10, dtype=torch.long))
    kept = seen[0] != 0
    assert 0.35 < kept.float().mean() < 0.65, "what is dropped is exactly 0"
    assert len(seen[0][kept].unique()) > 0.9 * kept.sum()


def test_a_seed_among_others_is_the_seed_alone():
    together, alone = fit(noisy()), fit(noisy(seeds=(1,)))
    assert together.run.results[1] == alone.run.results[0]
    for name, weights in together.weights.items():
        assert torch.equal(weights[1], alone.weights[name][0])


def test_noise_changes_what_is_learned():
    plain, other = fit(noisy(input_noise=0.0)).weights, fit(noisy()).weights
    assert not any(torch.equal(plain[name], other[name]) for name in plain)


def test_a_run_goes_on_with_the_same_noise():
    whole, part = Training(noisy()), Training(noisy())
    for training, steps in ((whole, 6), (part, 3)):
        for _ in range(steps):
            training.step()
    resumed = Training.restore(noisy(), part.checkpoint(1.0))
    while not resumed.over:
        resumed.step()
    assert whole.over
    for name, weights in whole.kept.items():
        assert torch.equal(weights, resumed.kept[name])


def test_runs_without_noise_keep_the_identity_that_they_had_before_there_was_any():
    plain = noisy(input_noise=0.0)
    assert plain.identity == make_settings("digits", "f", 3, (3, 1), steps=6, batch_size=8).identity
    assert noisy().identity != plain.identity
    assert noisy().is_noisy and not plain.is_noisy


@pytest.mark.parametrize("deviation", [-0.1, float("inf"), float("nan")])
def test_a_deviation_that_cannot_be(deviation):
    with pytest.raises(OptionError, match=f"input_noise is {deviation}"):
        SequenceModel("f", 2, 3, 4, input_noise=deviation)
    with pytest.raises(OptionError, match=f"input_noise is {deviation}"):
        noisy(input_noise=deviation)
