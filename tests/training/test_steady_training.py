"""Training on memory that stays has the bits of training through autograd, in each of its ways."""

import pytest
import torch

from gatelab.nn.steady import Stack, Steady
from gatelab.tasks.losses import SLOPES, mean_cross_entropy
from gatelab.training import steady
from gatelab.training.flat import Flat
from gatelab.training.loop import Training
from gatelab.training.optimizers import OPTIMIZERS, make_optimizer, take_step
from gatelab.training.settings import make_settings
from gatelab.training.steady import SteadyModel

STEPS = 12


@pytest.fixture
def stacks(monkeypatch):
    """The calls, with gradients, on memory that stays."""
    seen, backward = [], Stack.backward
    monkeypatch.setattr(Stack, "backward", lambda self, *given: seen.append(self) or backward(self, *given))
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


@pytest.mark.parametrize(("task", "cell", "choices"), TRAININGS, ids=str)
def test_the_bits_of_autograd(task, cell, choices, stacks, monkeypatch):
    given = {"batch_size": 10, "learning_rate": 0.01, **choices}
    settings = make_settings(task, cell, 5, (0, 1, 2), steps=STEPS, **given)
    by_hand = trained(settings)
    assert len(stacks) == STEPS - 1, "all but the first"
    monkeypatch.setattr(steady, "SLOPES", {})
    in_part = trained(settings)
    assert len(stacks) == 2 * (STEPS - 1)
    monkeypatch.setattr(Steady, "find", lambda *given, **options: None)
    by_autograd = trained(settings)
    assert len(stacks) == 2 * (STEPS - 1)
    for training in (by_hand, in_part):
        assert training.results() == by_autograd.results()
        assert all(torch.equal(value, by_autograd.kept[name]) for name, value in training.kept.items())


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


@pytest.mark.parametrize("loss", SLOPES, ids=lambda loss: loss.__name__)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_slopes_are_those_of_autograd(loss, dtype):
    for shape in ((3, 7), (2, 4, 5), (1, 1)):
        if loss.__name__ in ("summed_cross_entropy", "mean_binary_cross_entropy") and len(shape) > 2:
            continue
        outputs = 1 if "binary" in loss.__name__ else 6
        answers = (4 * torch.randn(*shape, outputs, dtype=dtype)).requires_grad_()
        if "squared" in loss.__name__:
            target = torch.randn_like(answers)
        elif "binary" in loss.__name__:
            target = torch.randint(2, shape).to(dtype)
        else:
            target = torch.randint(outputs, shape)
        (expected,) = torch.autograd.grad(loss(answers, target).sum(), [answers])
        found = SLOPES[loss](answers.detach(), target)
        assert torch.equal(found, expected), "not only near it"
        assert not torch.equal(1.0001 * found, expected)


def test_a_loss_that_is_not_in_the_table_goes_through_autograd(stacks):
    training = Training(make_settings("digits", "lstm", 4, (0, 1), batch_size=10))
    model = SteadyModel(training.model, training.flat)

    def loss(answers, target):
        return 2 * mean_cross_entropy(answers, target)

    batch = training.course.batch()
    for _ in range(3):
        model.learn(batch, loss)
    twice = training.flat.gradient.clone()
    model.learn(batch, mean_cross_entropy)
    torch.testing.assert_close(twice, 2 * training.flat.gradient)
    assert len(stacks) == 3


WAYS = ({"amsgrad": True}, {"maximize": True}, {"weight_decay": 0.1})
ADAMS = [(name, given) for name in ("adam", "adamw") for given in WAYS]


@pytest.mark.parametrize(("name", "options"), [*((name, {}) for name in OPTIMIZERS), *ADAMS], ids=str)
def test_a_step_is_that_of_the_optimizer(name, options):
    def taken(step):
        flat = Flat(torch.nn.Linear(5, 3))
        with torch.no_grad():
            flat.whole.copy_(torch.linspace(-1, 1, len(flat.whole)))
        optimizer = make_optimizer(name, [flat.whole], 0.1, options=options)
        for k in range(4):
            flat.gradient.copy_(torch.linspace(1, k, len(flat.whole)))
            optimizer.param_groups[0]["lr"] = 0.1 / (1 + k)  # As a schedule does.
            step(optimizer, flat)
        return flat.whole.detach(), optimizer.state_dict()["state"].get(0, {})

    ours, our_state = taken(take_step)
    theirs, their_state = taken(lambda optimizer, flat: optimizer.step())
    assert torch.equal(ours, theirs)
    assert our_state.keys() == their_state.keys()
    for key, value in their_state.items():
        assert torch.equal(torch.as_tensor(our_state[key]), torch.as_tensor(value)), key
