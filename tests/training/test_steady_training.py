"""Training on memory that stays has the bits of training through autograd, in each of its ways."""

import pytest
import torch

from gatelab.backends.cpu import standing_head
from gatelab.backends.cpu.standing_head import StandingHead
from gatelab.nn.steady import Stack, Steady
from gatelab.tasks.losses import mean_cross_entropy
from gatelab.training import steady
from gatelab.training.flat import Flat
from gatelab.training.loop import Training
from gatelab.training.optimizers import OPTIMIZERS, make_optimizer, stepping
from gatelab.training.settings import make_settings
from gatelab.training.steady import SteadyModel

STEPS = 12


@pytest.fixture
def stacks(monkeypatch):
    """The calls, with gradients, on memory that stays."""
    seen, put = [], Stack.put

    def noting(self, *given):
        if self.backwards:
            seen.append(self)
        put(self, *given)

    monkeypatch.setattr(Stack, "put", noting)
    return seen


@pytest.fixture
def heads(monkeypatch):
    """The calls of kernels for the head."""
    seen, put = [], StandingHead.put
    monkeypatch.setattr(StandingHead, "put", lambda self, *given: seen.append(self) or put(self, *given))
    return seen


def trained(settings):
    training = Training(settings)
    while not training.over:
        training.step()
    return training


TRAININGS = [
    ("parity", "lstm", {}),
    ("parity", "o", {"num_layers": 2, "options": {"more": 2}}),
    ("digits", "lstm", {}),
    ("digits", "peephole", {"clip": 0.5}),
    ("digits", "gru_original", {"num_layers": 2, "optimizer": "adamw"}),
    ("digits", "f", {"input_dropout": 0.3, "schedule": "linear"}),
    ("adding", "mgu", {"clip_value": 0.1}),
    ("copying", "f", {"optimizer": "rmsprop"}),
    ("temporal-order", "fo", {}),
    ("sine", "lstm", {}),
]


def settings_for(task, cell, choices, steps=STEPS):
    return make_settings(task, cell, 5, (0, 1, 2), steps=steps, **{"batch_size": 10, "learning_rate": 0.01, **choices})


@pytest.mark.parametrize(("task", "cell", "choices"), TRAININGS, ids=str)
def test_layers_have_the_bits_of_autograd(task, cell, choices, stacks, monkeypatch):
    """With the head and the loss of torch."""
    settings = settings_for(task, cell, choices)
    monkeypatch.setattr(steady, "OWN", {})
    by_hand = trained(settings)
    assert len(stacks) == STEPS - 1, "all but the first"
    monkeypatch.setattr(Steady, "find", lambda *given, **options: None)
    by_autograd = trained(settings)
    assert len(stacks) == STEPS - 1
    assert by_hand.results() == by_autograd.results()
    assert same_bits(by_hand.kept, by_autograd.kept)


def same_bits(ours, theirs):
    return all(torch.equal(value, theirs[name]) for name, value in ours.items())


WITH_KERNELS = [*TRAININGS, ("digits", "qrnn", {}), ("sine", "lstm", {"output_dropout": 0.2})]
OTHERS = ({"output_dropout": 0.2}, {"recurrent_dropout": 0.2}, {"bidirectional": True}, {"dropout": 0.2})
WITH_KERNELS += [("digits", "lstm", {"num_layers": 2, **choices}) for choices in OTHERS]


@pytest.mark.parametrize(("task", "cell", "choices"), WITH_KERNELS, ids=str)
def test_kernels_for_the_head_agree_with_torch_wherever_the_layers_run(task, cell, choices, heads, monkeypatch):
    settings = settings_for(task, cell, choices, steps=4)
    ours = trained(settings)
    assert len(heads) >= 4, "from the first step on"
    with monkeypatch.context() as patch:
        patch.setattr(Steady, "find", lambda *given, **options: None)
        elsewhere = trained(settings)
    assert ours.results() == elsewhere.results()
    assert same_bits(ours.kept, elsewhere.kept)
    count = len(heads)
    monkeypatch.setattr(steady, "OWN", {})
    theirs = trained(settings)
    assert len(heads) == count
    for name, value in ours.kept.items():
        torch.testing.assert_close(value, theirs.kept[name], rtol=1e-4, atol=1e-5)
    for own, other in zip(ours.histories, theirs.histories, strict=True):
        assert [point.loss for point in own.curve] == pytest.approx([point.loss for point in other.curve], rel=1e-4)


def test_a_head_that_is_too_large_is_left_to_torch(heads, monkeypatch):
    monkeypatch.setattr(standing_head, "MOST", 10 * 5 * 10 - 1)
    trained(settings_for("digits", "lstm", {}, steps=2))
    assert not heads


def test_a_backend_that_is_asked_for_computes_the_head_too(heads):
    training = Training(settings_for("digits", "lstm", {}, steps=2), "eager")
    training.step()
    assert not heads


@pytest.mark.parametrize(
    "choices", [{"output_dropout": 0.2}, {"recurrent_dropout": 0.2}, {"bidirectional": True}], ids=str
)
def test_what_needs_autograd_has_it(choices, monkeypatch):
    settings = make_settings("digits", "lstm", 4, (0, 1), steps=STEPS, batch_size=10, **choices)
    ours = trained(settings)
    monkeypatch.setattr(Steady, "find", lambda *given, **options: None)
    assert ours.results() == trained(settings).results()


def test_a_cell_whose_output_is_no_state_reads_its_outputs(monkeypatch):
    settings = make_settings("digits", "qrnn", 4, (0, 1), steps=STEPS, batch_size=10)
    ours = trained(settings)
    monkeypatch.setattr(Steady, "find", lambda *given, **options: None)
    assert ours.results() == trained(settings).results()


def test_a_loss_that_is_not_in_the_table_goes_through_autograd(stacks):
    training = Training(make_settings("digits", "lstm", 4, (0, 1), batch_size=10))

    def twice(answers, target):
        return 2 * mean_cross_entropy(answers, target)

    batch, gradients = training.course.batch(), []
    for loss in (twice, mean_cross_entropy):
        model = SteadyModel(training.model, training.flat, loss)
        for _ in range(3):
            model.learn(batch)
        gradients.append(training.flat.gradient.clone())
        torch.testing.assert_close(model.losses(batch), loss(training.model(batch.x), batch.target))
    torch.testing.assert_close(gradients[0], 2 * gradients[1])
    assert len(stacks) == 4, "all but the first of each"


WAYS = ({"amsgrad": True}, {"maximize": True}, {"weight_decay": 0.1})
ADAMS = [(name, given) for name in ("adam", "adamw") for given in WAYS]


@pytest.mark.parametrize(("name", "options"), [*((name, {}) for name in OPTIMIZERS), *ADAMS], ids=str)
def test_a_step_is_that_of_the_optimizer(name, options):
    def taken(way):
        flat = Flat(torch.nn.Linear(5, 3))
        with torch.no_grad():
            flat.whole.copy_(torch.linspace(-1, 1, len(flat.whole)))
        optimizer = make_optimizer(name, [flat.whole], 0.1, options=options)
        step = way(optimizer, flat)
        for k in range(4):
            flat.gradient.copy_(torch.linspace(1, k, len(flat.whole)))
            optimizer.param_groups[0]["lr"] = 0.1 / (1 + k)  # As a schedule does.
            step()
        return flat.whole.detach(), optimizer.state_dict()["state"].get(0, {})

    ours, our_state = taken(stepping)
    theirs, their_state = taken(lambda optimizer, flat: optimizer.step)
    assert torch.equal(ours, theirs)
    assert our_state.keys() == their_state.keys()
    for key, value in their_state.items():
        assert torch.equal(torch.as_tensor(our_state[key]), torch.as_tensor(value)), key
