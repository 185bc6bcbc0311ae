"""Digits as the report has them."""

import pytest
import torch
from learners import Knowing
from sklearn.datasets import load_digits

from gatelab.tasks import digits
from gatelab.tasks.base import Batch
from gatelab.tasks.courses import Draws
from gatelab.tasks.losses import summed_cross_entropy


def course(seeds, validation=0.0, batch_size=100):
    return digits.open_digits(digits.DigitsOptions(validation=validation)).course(seeds, batch_size)


def test_the_split_and_the_values():
    data = digits.images()
    assert data.train.shape == (1401, 8, 8)
    assert data.test.shape == (396, 8, 8)
    assert data.train.min() == 0
    assert data.train.max() == 16
    assert torch.equal(data.train, data.train.round())


def test_every_image_is_in_one_part_with_its_digit():
    data, bunch = digits.images(), load_digits()

    def key(image, digit):
        return (int(digit), *image.flatten().int().tolist())

    ours = [key(*pair) for part in ((data.train, data.train_digits), (data.test, data.test_digits))
            for pair in zip(*part, strict=True)]  # fmt: skip
    theirs = [key(torch.as_tensor(image), digit) for image, digit in zip(bunch.images, bunch.target, strict=True)]
    assert sorted(ours) == sorted(theirs)


def test_a_step_is_a_row_of_an_image():
    data, batch = digits.images(), course([0]).batch()
    assert batch.x.shape == (1, 8, 100, 8)
    first = batch.x[0, :, 0, :]
    known = (data.train[:1400] == first).all((1, 2)).nonzero().flatten()
    assert len(known) == 1
    assert data.train_digits[known[0]] == batch.target[0, 0]


def test_the_last_training_image_is_never_drawn():
    drawn = torch.cat([course([seed]).streams.draw().flatten() for seed in range(200)])
    assert (drawn.min(), drawn.max()) == (0, 1399)


@pytest.mark.parametrize(("step", "looks"), [(1, False), (99, False), (100, True), (150, False), (200, True)])
def test_the_goal_is_looked_at_every_hundred_steps(step, looks):
    batch = Batch(torch.zeros(2, 8, 100, 8), torch.zeros(2, 100, dtype=torch.long))
    sure, unsure = torch.zeros(100, 10), torch.zeros(100, 10)
    sure[:, 0] = 20.0
    model = Knowing(lambda x, lengths: torch.stack([sure, unsure]), summed_cross_entropy)
    reached = course([0, 1]).finished(step, batch, model)
    assert reached == [looks, False]


def test_the_goal_is_five_nats_over_the_batch():
    batch = Batch(torch.zeros(2, 8, 100, 8), torch.zeros(2, 100, dtype=torch.long))
    for nats, reached in ((4.9, True), (5.1, False)):
        # The logit of the right class that gives nats / 100 for each sequence, against nine zeros.
        margin = -torch.log((torch.exp(torch.tensor(nats / 100)) - 1) / 9)
        logits = torch.zeros(2, 100, 10)
        logits[..., 0] = margin
        model = Knowing(lambda x, lengths, logits=logits: logits, summed_cross_entropy)
        found = course([0, 1]).finished(100, batch, model)
        assert found == [reached, reached]


def test_with_validation_data_nothing_stops_early_and_none_of_them_is_drawn():
    problem = digits.open_digits(digits.DigitsOptions(validation=0.1))
    found = problem.course([0, 1], 100)
    assert type(found) is Draws
    rows = torch.cat([course([seed], 0.1).streams.draw().flatten() for seed in range(100)])
    assert (rows.min(), rows.max()) == (0, 1259)
    sure = torch.zeros(2, 100, 10)
    sure[..., 0] = 20.0
    batch = Batch(torch.zeros(2, 8, 100, 8), torch.zeros(2, 100, dtype=torch.long))
    assert not any(found.finished(100, batch, Knowing(lambda x, lengths: sure, summed_cross_entropy)))


def test_the_validation_images_are_the_last_of_those_drawn_from():
    data, seen = digits.images(), []
    problem = digits.open_digits(digits.DigitsOptions(validation=0.1))
    right = torch.nn.functional.one_hot(data.train_digits[1260:1400], 10).float()
    model = lambda x, lengths=None: seen.append(x) or torch.stack([right, -right])  # noqa: E731
    assert problem.validation.score(model).tolist() == [100.0, 0.0]
    assert torch.equal(seen[0], data.train[1260:1400].transpose(0, 1))


def test_the_batch_size_can_be_chosen():
    assert course([0], batch_size=7).batch().x.shape == (1, 8, 7, 8)


def test_another_split_tests_on_other_images():
    one, other = digits.images(), digits.images(42)
    assert other.test.shape == one.test.shape
    assert not torch.equal(one.test, other.test)
    batch = digits.open_digits(digits.DigitsOptions(split=42)).course([0], 100).batch()
    first = batch.x[0, :, 0, :]
    known = (other.train[:1400] == first).all((1, 2)).nonzero().flatten()
    assert other.train_digits[known].tolist() == batch.target[0, :1].tolist()
