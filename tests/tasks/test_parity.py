"""Parity and its curriculum."""

import math

import torch
from learners import Knowing

from gatelab.tasks import parity
from gatelab.tasks.losses import mean_binary_cross_entropy


def learner(answers):
    return Knowing(answers, mean_binary_cross_entropy)


def knows(x, lengths=None):
    """A model that knows the answer; what stands beyond a length must be 0 for it."""
    return 20.0 * (x.sum(-3) % 2) - 10.0


def knows_nothing(x, lengths=None):
    return torch.zeros_like(x.sum(-3))


def test_targets_are_the_parity_of_the_bits_within_the_length():
    course = parity.ParityCourse([0, 1], 64, 2)
    course.go_to(torch.tensor([2, 5]))
    batch = course.batch()
    assert batch.x.shape == (2, 5, 64, 1)
    assert set(batch.x.unique().tolist()) == {0.0, 1.0}
    assert batch.lengths.tolist() == [[2] * 64, [5] * 64]
    assert not batch.x[0, 2:].any()
    assert torch.equal(batch.target, batch.x.sum((1, 3)) % 2)


def test_equal_lengths_need_no_padding():
    assert parity.ParityCourse([0, 1], 64, 2).batch().lengths is None


def test_about_half_of_the_bits_are_ones():
    course = parity.ParityCourse(range(20), 64, 2)
    course.go_to(torch.full((20,), 8))
    assert abs(course.batch().x.mean() - 0.5) < 4 * 0.5 / math.sqrt(20 * 64 * 8)


def test_every_sequence_comes_and_no_bit_depends_on_another():
    course, seen = parity.ParityCourse([0], 64, 2), torch.zeros(256)
    course.go_to(torch.tensor([8]))
    for _ in range(100):
        bits = course.batch().x[0, :, :, 0]
        seen += torch.bincount((bits.T @ 2.0 ** torch.arange(8)).long(), minlength=256)
    # 6,400 sequences, 25 of each: a chi-squared of 255 degrees of freedom, which is under 350 but once in 10,000 times.
    assert ((seen - 25) ** 2 / 25).sum() < 350


def test_the_check_has_sequences_of_its_own():
    course, asked = parity.ParityCourse([0], 64, 2), []
    course.go_to(torch.tensor([8]))
    batch = course.batch()
    course.finished(1, batch, learner(lambda x, lengths=None: asked.append(x) or knows(x)))
    assert asked[0].shape == (1, 8, 128, 1)
    assert not torch.equal(asked[0][:, :, :64], batch.x)
    assert not torch.equal(asked[0][:, :, 64:], batch.x)


def test_who_knows_is_through_in_seven_steps():
    course = parity.ParityCourse([0], 64, 2)
    stages = []
    for step in range(1, 8):
        (reached,) = course.finished(step, course.batch(), learner(knows))
        stages.append((course.stage(), reached))
    assert stages == [(f"length {min(k, 8)}", k == 9) for k in range(3, 10)]


def test_more_steps_at_the_last_length():
    course = parity.ParityCourse([0], 64, 2, more=3)
    done = [course.finished(step, course.batch(), learner(knows)) == [True] for step in range(1, 11)]
    assert done == [False] * 9 + [True] and course.stage() == "length 8"
    again = parity.ParityCourse([0], 64, 2, more=3)
    for step in range(1, 9):
        again.finished(step, again.batch(), learner(knows))
    resumed = parity.ParityCourse([0], 64, 2, more=3)
    resumed.restore(again.state())
    assert [resumed.finished(step, resumed.batch(), learner(knows)) for step in (9, 10)] == [[False], [True]]


def test_who_knows_nothing_stays():
    course = parity.ParityCourse([0], 64, 2)
    for step in range(1, 4):
        assert course.finished(step, course.batch(), learner(knows_nothing)) == [False]
    assert course.length.tolist() == [2]


def test_every_replica_has_its_own_length():
    def one_knows(x, lengths=None):
        return torch.stack([knows(x[0]), knows_nothing(x[1])])

    course = parity.ParityCourse([0, 1], 64, 2)
    for step in range(1, 4):
        course.finished(step, course.batch(), learner(one_knows))
    assert course.length.tolist() == [5, 2]
    assert course.stage() == "lengths 2 to 5"


def test_the_threshold_falls_with_the_length():
    """Passing needs a loss under 0.2 - k/100, here with a model whose loss is 0.15 for every sequence."""
    logit = -math.log(math.exp(0.15) - 1)

    def so_sure(x, lengths=None):
        return logit * (2 * (x.sum(-3) % 2) - 1)

    for length, passes in ((4, True), (6, False)):
        course = parity.ParityCourse([0], 64, 2)
        course.go_to(torch.tensor([length]))
        course.finished(1, course.batch(), learner(so_sure))
        assert course.length.item() == length + passes


def test_the_test_has_long_sequences_and_finds_who_knows():
    bits, answers = parity.test_sequences(100)
    assert bits.shape == (100, 2**13, 1)
    assert torch.equal(answers, bits.sum((0, 2)) % 2)
    scores = parity.score_test_sequences(lambda x, lengths=None: torch.stack([knows(x), -knows(x)]))
    assert {name: score.tolist() for name, score in scores.items()} == {
        "accuracy at 16": [100.0, 0.0],
        "accuracy at 100": [100.0, 0.0],
    }


def test_without_the_curriculum_every_sequence_is_long_from_the_first():
    problem = parity.open_parity(parity.ParityOptions(curriculum=False))
    course = problem.course([0, 1], 16)
    batch = course.batch()
    assert (batch.x.shape, batch.lengths) == ((2, 8, 16, 1), None)
    assert course.finished(1, batch, learner(knows)) == [True, True]
    assert parity.open_parity(parity.ParityOptions()).course([0], 16).batch().x.shape == (1, 2, 16, 1)
