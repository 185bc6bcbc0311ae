"""Heads: which output is the last, replicas, and how they start."""

import pytest
import torch
from torch import nn

from gatelab.errors import OptionError
from gatelab.nn.heads import Head, last_valid


def test_last_valid_reads_each_sequences_own_last_step():
    output = torch.arange(4.0).view(4, 1, 1).expand(4, 3, 2)
    assert last_valid(output, torch.tensor([1, 4, 2])).tolist() == [[0, 0], [3, 3], [1, 1]]
    assert last_valid(output, None).tolist() == [[3, 3]] * 3


def test_last_valid_with_replicas_of_different_lengths():
    output = torch.arange(4.0).view(1, 4, 1, 1).expand(2, 4, 2, 1)
    lengths = torch.tensor([[1, 2], [3, 4]])
    assert last_valid(output, lengths).squeeze(-1).tolist() == [[0, 1], [2, 3]]


def test_a_head_with_replicas_is_that_many_linear_layers():
    head, hidden = Head(3, 5, replicas=4), torch.randn(4, 7, 3)
    for replica in range(4):
        linear = nn.functional.linear(hidden[replica], head.weight[replica], head.bias[replica])
        torch.testing.assert_close(head(hidden)[replica], linear)


def test_a_head_starts_as_it_is_told():
    torch.manual_seed(0)
    uniform = Head(100, 50)
    assert 0.09 < uniform.weight.abs().max() <= 0.1
    normal = Head(100, 50, init="truncated_normal")
    assert normal.weight.abs().max() <= 2
    assert normal.weight.std().item() == pytest.approx(0.88, abs=0.03)  # of a normal cut at two deviations
    assert normal.bias.abs().max() <= 0.2


def test_an_unknown_start_offers_the_nearest():
    with pytest.raises(OptionError, match="truncated_normal"):
        Head(3, 5, init="truncated normal")
