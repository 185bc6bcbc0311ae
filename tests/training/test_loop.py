"""Every setting of a training: a replica is its seed alone, and a killed run ends with the same bits."""

from dataclasses import replace

import pytest
import torch

from gatelab import tasks
from gatelab.errors import OptionError
from gatelab.files import read_tensors, write_tensors
from gatelab.nn.inputs import Tokens
from gatelab.tasks.base import Batch, Measure, Options, Problem, Task, Validation
from gatelab.tasks.courses import Epochs
from gatelab.tasks.losses import mean_cross_entropy
from gatelab.training.fit import fit
from gatelab.training.loop import Training
from gatelab.training.optimizers import OPTIMIZERS
from gatelab.training.replicas import count_parameters
from gatelab.training.schedules import SCHEDULES
from gatelab.training.settings import make_settings

WORDS, LENGTH = 6, 5


class Echo(Options):
    """A made-up task: to say each token again one step later."""

    stateful: bool = False
    frozen: bool = False
    look: bool = True


class Stretches(Epochs):
    """Batches of which every second one goes on where the one before ended."""

    def batch(self):
        goes_on = self.taken % 2 == 1
        return replace(super().batch(), goes_on=goes_on)


def open_echo(options):
    tokens = torch.randint(WORDS, (40, LENGTH), generator=torch.Generator().manual_seed(0))
    kind = Stretches if options.stateful else Epochs

    def gather(rows):
        x = tokens[rows].movedim(-1, 1)
        return Batch(x, x.roll(1, dims=1))

    def score(model):
        x = tokens.T
        answers = model(x)
        return -mean_cross_entropy(answers, x.roll(1, dims=0).expand(answers.shape[:-1]))

    vectors = torch.randn(WORDS, 3, generator=torch.Generator().manual_seed(1)) if options.frozen else None
    return Problem(
        inputs=Tokens(WORDS, 3, vectors, learned=not options.frozen),
        output_size=WORDS,
        reads="every",
        stateful=options.stateful,
        course=lambda seeds, batch_size: kind(seeds, len(tokens), batch_size, gather),
        loss=mean_cross_entropy,
        score=lambda answers, target: 100 * (answers.argmax(-1) == target).float().flatten(1).mean(1),
        test=lambda model: {"gain": score(model)},
        validation=Validation("gain", "highest", score) if options.look else None,
    )


ECHO = Task(
    name="echo",
    about="Says each token again.",
    revision=1,
    usual={"hidden_size": 3, "epochs": 3, "batch_size": 8, "learning_rate": 0.02},
    measures=(Measure("gain", "nats", best="highest"),),
    open=open_echo,
    options=Echo,
)


@pytest.fixture(autouse=True)
def echo(monkeypatch):
    monkeypatch.setitem(tasks.TASKS, "echo", ECHO)
    tasks._open.cache_clear()
    yield
    tasks._open.cache_clear()


def digits(cell="lstm", seeds=(0, 1, 2), **choices):
    return make_settings("digits", cell, 3, seeds, **{"steps": 12, "batch_size": 10, **choices})


def echoing(cell="lstm", seeds=(0, 1, 2), **choices):
    return make_settings("echo", cell, 3, seeds, **choices)


CHOICES = [
    *((digits, {"optimizer": name}) for name in OPTIMIZERS),
    *((digits, {"optimizer": name, "weight_decay": 0.1}) for name in ("adam", "adamw", "sgd")),
    (digits, {"optimizer": "sgd", "optimizer_options": {"momentum": 0.9, "nesterov": True}}),
    *((digits, {"schedule": name, "final_rate": 0.1, "warmup": 3}) for name in SCHEDULES),
    (digits, {"clip_value": 0.5}),
    (digits, {"clip": 0.5, "clip_value": 0.5}),
    (digits, {"input_dropout": 0.3}),
    (digits, {"output_dropout": 0.3}),
    (digits, {"num_layers": 2, "dropout": 0.3}),
    (digits, {"recurrent_dropout": 0.3}),
    (digits, {"zoneout": 0.3}),
    (digits, {"zoneout": {"c": 0.3, "h": 0.1}}),
    (digits, {"num_layers": 2, "variational": True, "input_dropout": 0.2, "dropout": 0.3, "output_dropout": 0.2}),
    (digits, {"bidirectional": True, "output_dropout": 0.3}),
    (digits, {"options": {"validation": 0.1}, "validate_every": 3}),
    (digits, {"options": {"validation": 0.1}, "validate_every": 3, "patience": 1, "input_dropout": 0.3}),
    (echoing, {"epochs": 4}),
    (echoing, {"tied": True, "output_dropout": 0.2, "variational": True}),
    (echoing, {"options": {"stateful": True, "look": False}}),
    (echoing, {"options": {"stateful": True}, "zoneout": 0.2, "patience": 1, "validate_every": 4}),
    (echoing, {"options": {"frozen": True}, "input_dropout": 0.2}),
]
every_choice = pytest.mark.parametrize(
    ("make", "choices"), CHOICES, ids=lambda part: getattr(part, "__name__", None) or str(part)
)


@every_choice
def test_a_replica_is_its_seed_alone(make, choices):
    together = fit(make(**choices))
    for replica, seed in enumerate((0, 1, 2)):
        alone = fit(make(seeds=(seed,), **choices))
        ours, theirs = together.run.results[replica], alone.run.results[0]
        assert (ours.end, ours.steps, ours.chosen) == (theirs.end, theirs.steps, theirs.chosen)
        for name, weights in together.weights.items():
            assert torch.equal(weights[replica], alone.weights[name][0]), name


@every_choice
@pytest.mark.parametrize("cut", [5, 6])
def test_a_run_that_is_cut_and_resumed_ends_with_the_same_bits(make, choices, cut, tmp_path):
    settings, whole = make(**choices), Training(make(**choices))
    part = Training(settings)
    for _ in range(cut):
        part.step()
    checkpoint = part.checkpoint(1.0)
    write_tensors(tmp_path / "checkpoint", checkpoint.tensors, checkpoint.facts)
    del part
    resumed = Training.restore(settings, read_tensors(tmp_path / "checkpoint"))
    for training in (whole, resumed):
        while not training.over:
            training.step()
    assert resumed.results() == whole.results()
    assert all(torch.equal(tensor, whole.kept[name]) for name, tensor in resumed.kept.items())


@pytest.mark.parametrize(
    "choices",
    [
        {"optimizer": "sgd"},
        {"weight_decay": 0.5},
        {"schedule": "linear"},
        {"warmup": 5},
        {"clip_value": 0.01},
        {"clip": 0.01},
        {"input_dropout": 0.3},
        {"output_dropout": 0.3},
        {"recurrent_dropout": 0.3},
        {"zoneout": 0.3},
        {"batch_size": 11},
        {"optimizer_options": {"eps": 0.1}},
    ],
    ids=str,
)
def test_every_setting_has_an_effect(choices):
    usual, other = fit(digits()).weights, fit(digits(**choices)).weights
    assert not any(torch.equal(usual[name], other[name]) for name in usual)


def plain_step(settings, change):
    """The weights after one step of plain SGD in torch, whose gradients `change` has changed."""
    training = Training(settings)
    model, batch = training.model, training.course.batch()
    before = {name: weights.detach().clone() for name, weights in model.named_parameters()}
    losses = training.problem.loss(model(batch.x, batch.lengths), batch.target)
    gradients = torch.autograd.grad(losses.sum(), list(model.parameters()))
    pairs = zip(before.items(), gradients, strict=True)
    return {name: old - settings.learning_rate * change(old, gradient) for (name, old), gradient in pairs}


@pytest.mark.parametrize(
    ("choices", "change"),
    [
        ({"weight_decay": 0.1}, lambda weights, gradient: gradient + 0.1 * weights),
        ({"clip_value": 0.05}, lambda weights, gradient: gradient.clamp(-0.05, 0.05)),
        ({"warmup": 4}, lambda weights, gradient: gradient / 4),
    ],
    ids=["weight_decay", "clip_value", "warmup"],
)
def test_one_step_is_what_the_formula_says(choices, change):
    settings = digits(optimizer="sgd", learning_rate=0.1, **choices)
    training = Training(settings)
    training.step()
    for name, expected in plain_step(settings, change).items():
        torch.testing.assert_close(training.model.get_parameter(name).detach(), expected)


def test_an_option_that_the_optimizer_does_not_have():
    with pytest.raises(OptionError, match="adam does not take these options"):
        Training(digits(optimizer_options={"momentum": 0.9}))


# Validation, best weights and patience.


def test_the_weights_kept_are_those_that_were_best():
    """A learning rate far too high, so that the last weights are not the best."""
    settings = digits(learning_rate=0.5, steps=30, options={"validation": 0.1}, validate_every=5)
    fitted, training = fit(settings), Training(settings)
    kept = {}
    while not training.over:
        model = training.model
        training.step()
        kept[training.taken] = {name: weights.detach().clone() for name, weights in model.named_parameters()}
    assert any(result.chosen < 30 for result in fitted.run.results)
    for replica, result in enumerate(fitted.run.results):
        assert [look.step for look in result.looks] == [5, 10, 15, 20, 25, 30]
        best = max(result.looks, key=lambda look: look.score)
        assert result.chosen == best.step
        for name, weights in fitted.weights.items():
            assert torch.equal(weights[replica], kept[result.chosen][name][replica])


def test_patience_ends_a_replica_after_so_many_looks_that_are_no_better():
    settings = digits(learning_rate=0.5, steps=200, options={"validation": 0.1}, validate_every=2, patience=3)
    results = fit(settings).run.results
    assert {result.end for result in results} == {"patience"}
    for result in results:
        assert result.steps == result.chosen + 3 * 2
        best = max(look.score for look in result.looks)
        assert [look.score for look in result.looks[-3:]] <= [best] * 3


def test_without_validation_data_the_last_weights_count():
    result = fit(digits()).run.results[0]
    assert (result.looks, result.chosen, result.steps) == ((), 12, 12)


def test_the_last_step_is_looked_at_too():
    result = fit(digits(steps=7, options={"validation": 0.1}, validate_every=5)).run.results[0]
    assert [look.step for look in result.looks] == [5, 7]


# Epochs and steps.


@pytest.mark.parametrize(
    ("choices", "steps", "words"),
    [
        ({"epochs": 2}, 10, "2 epochs"),
        ({"steps": 7}, 7, "7 steps"),
        ({"steps": 7, "epochs": 2}, 7, "2 epochs or 7 steps"),
        ({"steps": 700, "epochs": 2}, 10, "2 epochs or 700 steps"),
        ({"epochs": 2, "batch_size": 3}, 28, "2 epochs"),
    ],
)
def test_a_training_ends_with_its_epochs_or_its_steps(choices, steps, words):
    settings = echoing(**choices)
    assert fit(settings).run.results[0].steps == steps
    assert settings.length == words


def test_a_look_comes_once_an_epoch():
    assert [look.step for look in fit(echoing(epochs=3)).run.results[0].looks] == [5, 10, 15]


def test_a_task_without_epochs_needs_steps():
    with pytest.raises(OptionError, match=r"no epochs with these options\.\nGive steps"):
        fit(make_settings("digits", "f", 3, epochs=2))


# States that go on, tied weights, vectors that stay.


def test_states_go_on_only_where_the_batch_does():
    free, carried = (Training(echoing(options={"stateful": own, "look": False})) for own in (False, True))
    losses = []
    for training in (free, carried):
        own = []
        for _ in range(3):
            training.step()
            own.append(training.seen.losses)
        losses.append(own)
    # The first batch begins, the second goes on from its states, and by then the weights are others.
    assert losses[0][0] == pytest.approx(losses[1][0], rel=1e-6)
    assert losses[0][1] != pytest.approx(losses[1][1], rel=1e-4)


def test_a_state_that_goes_on_is_that_of_the_batch_before():
    training = Training(echoing(options={"stateful": True, "look": False}))
    training.step()
    carried, weights = training.carried, {k: v.detach().clone() for k, v in training.model.named_parameters()}
    assert not any(state.requires_grad for state in carried)
    training.step()
    other = Training(echoing(options={"stateful": True, "look": False}))
    other.course.batch()
    batch = other.course.batch()
    assert batch.goes_on
    with torch.no_grad():
        for name, parameter in other.model.named_parameters():
            parameter.copy_(weights[name])
        answers, _ = other.model.run(batch.x, None, carried)
    torch.testing.assert_close(torch.tensor(training.seen.losses), mean_cross_entropy(answers, batch.target))


def test_tied_weights_are_learned_once_and_stay_tied():
    settings = echoing(tied=True)
    fitted, training = fit(settings), Training(settings)
    training.step()
    assert training.model.head.weight is training.model.embedding.weight
    assert "head.weight" not in fitted.weights
    assert count_parameters(settings) == count_parameters(echoing()) - WORDS * 3


def test_vectors_that_are_not_learned_are_no_weights_and_the_same_for_all():
    settings = echoing(options={"frozen": True})
    fitted, training = fit(settings), Training(settings)
    before = training.model.embedding.weight.clone()
    while not training.over:
        training.step()
    assert before.shape == (WORDS, 3)
    assert "embedding.weight" not in fitted.weights
    assert count_parameters(settings) == count_parameters(echoing()) - WORDS * 3


@pytest.mark.parametrize(
    "settings",
    [
        {"cell": "lstm"},
        {"cell": "gru", "num_layers": 2, "bidirectional": True},
        {"cell": "peephole", "batch_size": 1},
        {"cell": "lstm_projected", "widths": {"P": 2}},
    ],
    ids=str,
)
def test_parameters_are_counted_as_a_real_model_has_them(settings):
    found = Training(digits(seeds=(0,), **settings))
    assert count_parameters(found.settings) == sum(own.numel() for own in found.model.parameters())


def test_counting_parameters_leaves_the_data_as_they_are():
    """They are read when they are first asked for, and must not be without numbers then."""
    count_parameters(echoing())
    batch = tasks.open_problem("echo", echoing().options).course([0], 4).batch()
    assert batch.x.device.type == "cpu"


def test_a_finished_run_knows_its_parameters_and_lengths(tmp_path):
    run = fit(digits(), tmp_path / "run").run
    assert run.parameters == count_parameters(digits())
    assert fit(digits(), tmp_path / "run").run == run
