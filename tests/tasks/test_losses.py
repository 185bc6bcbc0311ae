"""Losses and accuracies by hand."""

import math

import pytest
import torch

from gatelab.tasks.losses import (
    accuracy_of_bits,
    accuracy_of_classes,
    cross_entropies,
    mean_binary_cross_entropy,
    mean_cross_entropy,
    mean_squared_error,
    summed_cross_entropy,
)


def test_summed_cross_entropy():
    logits = torch.tensor([[[math.log(3.0), 0.0], [0.0, 0.0]], [[0.0, 0.0], [0.0, 0.0]]])
    target = torch.tensor([[0, 1], [0, 0]])
    expected = [math.log(4 / 3) + math.log(2), 2 * math.log(2)]
    assert summed_cross_entropy(logits, target).tolist() == pytest.approx(expected)


def test_mean_binary_cross_entropy():
    logits = torch.tensor([[[math.log(3.0)], [0.0]], [[0.0], [0.0]]])
    target = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    expected = [(math.log(4 / 3) + math.log(2)) / 2, math.log(2)]
    assert mean_binary_cross_entropy(logits, target).tolist() == pytest.approx(expected)


def test_a_sure_answer_has_no_floor():
    """With a sigmoid before the loss it would stay above 0.3 for ever."""
    assert mean_binary_cross_entropy(torch.full((1, 2, 1), 30.0), torch.ones(1, 2)) < 1e-6


def test_accuracies():
    classes = torch.tensor([[[0.0, 1.0], [1.0, 0.0]]])
    assert accuracy_of_classes(classes, torch.tensor([[1, 1]])).tolist() == [50.0]
    bits = torch.tensor([[[2.0], [-2.0], [0.1], [-0.1]]])
    assert accuracy_of_bits(bits, torch.tensor([[1.0, 1.0, 1.0, 0.0]])).tolist() == [75.0]


def test_mean_cross_entropy_is_over_all_answers_of_a_replica():
    logits = torch.tensor([[[[math.log(3.0), 0.0]], [[0.0, 0.0]]], [[[0.0, 0.0]], [[0.0, 0.0]]]])
    target = torch.tensor([[[0], [1]], [[0], [0]]])
    each = [[[math.log(4 / 3)], [math.log(2)]], [[math.log(2)], [math.log(2)]]]
    torch.testing.assert_close(cross_entropies(logits, target), torch.tensor(each))
    expected = [(math.log(4 / 3) + math.log(2)) / 2, math.log(2)]
    assert mean_cross_entropy(logits, target).tolist() == pytest.approx(expected)


def test_mean_squared_error_is_over_all_answers_of_a_replica():
    answers, target = torch.tensor([[[1.0, 2.0]], [[0.0, 0.0]]]), torch.tensor([[[1.0, 0.0]], [[3.0, 1.0]]])
    assert mean_squared_error(answers, target).tolist() == [2.0, 5.0]
