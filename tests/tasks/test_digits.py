"""Digits as the report has them."""

import pytest
import torch
from sklearn.datasets import load_digits

from gatelab.tasks import digits
from gatelab.tasks.base import Batch


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
    data, batch = digits.images(), digits.DigitsCourse([0]).batch()
    assert batch.x.shape == (1, 8, 100, 8)
    first = batch.x[0, :, 0, :]
    known = (data.train[:1400] == first).all((1, 2)).nonzero().flatten()
    assert len(known) == 1
    assert data.train_digits[known[0]] == batch.target[0, 0]


def test_the_last_training_image_is_never_drawn():
    drawn = torch.cat([digits.DigitsCourse([seed]).streams.draw().flatten() for seed in range(200)])
    assert (drawn.min(), drawn.max()) == (0, 1399)


@pytest.mark.parametrize(("step", "looks"), [(1, False), (99, False), (100, True), (150, False), (200, True)])
def test_the_goal_is_looked_at_every_hundred_steps(step, looks):
    batch = Batch(torch.zeros(2, 8, 100, 8), torch.zeros(2, 100, dtype=torch.long))
    sure, unsure = torch.zeros(100, 10), torch.zeros(100, 10)
    sure[:, 0] = 20.0
    reached = digits.DigitsCourse([0, 1]).finished(step, batch, lambda x, lengths: torch.stack([sure, unsure]))
    assert reached.tolist() == [looks, False]


def test_the_goal_is_five_nats_over_the_batch():
    batch = Batch(torch.zeros(2, 8, 100, 8), torch.zeros(2, 100, dtype=torch.long))
    for nats, reached in ((4.9, True), (5.1, False)):
        # The logit of the right class that gives nats / 100 for each sequence, against nine zeros.
        margin = -torch.log((torch.exp(torch.tensor(nats / 100)) - 1) / 9)
        logits = torch.zeros(2, 100, 10)
        logits[..., 0] = margin
        found = digits.DigitsCourse([0, 1]).finished(100, batch, lambda x, lengths, logits=logits: logits)
        assert found.tolist() == [reached, reached]
