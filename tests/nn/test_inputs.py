"""Vectors of tokens: lookups, replicas, and how they start."""

import pytest
import torch

from gatelab.errors import OptionError, ShapeError
from gatelab.nn.inputs import EMBEDDING_SCHEMES, Embedding, Tokens


def test_a_lookup_is_torchs():
    table, tokens = Embedding(Tokens(7, 3)), torch.randint(7, (4, 5))
    assert torch.equal(table(tokens), table.weight[tokens])


def test_replicas_look_up_in_tables_of_their_own_and_learn_apart():
    torch.manual_seed(0)
    table, tokens = Embedding(Tokens(7, 3), replicas=2), torch.randint(7, (2, 4, 5))
    found = table(tokens)
    found.sum().backward()
    for replica in range(2):
        assert torch.equal(found[replica], table.weight[replica][tokens[replica]])
        counts = torch.bincount(tokens[replica].flatten(), minlength=7)
        assert torch.equal(table.weight.grad[replica], counts.float().unsqueeze(-1).expand(7, 3))
    assert not torch.equal(table.weight[0], table.weight[1])


def test_given_vectors_are_taken_and_copied():
    vectors = torch.randn(7, 3)
    for replicas, shape in ((None, (7, 3)), (2, (2, 7, 3))):
        table = Embedding(Tokens(7, 3, vectors), replicas=replicas)
        assert torch.equal(table.weight, vectors.expand(shape))
        assert table.weight.data_ptr() != vectors.data_ptr()


def test_vectors_that_are_not_learned_are_shared_by_replicas():
    table = Embedding(Tokens(7, 3, torch.randn(7, 3), learned=False), replicas=2)
    assert not list(table.parameters())
    assert table.weight.shape == (7, 3)
    tokens = torch.randint(7, (2, 4, 5))
    assert torch.equal(table(tokens), table.weight[tokens])


@pytest.mark.parametrize(("scheme", "spread"), [("normal", 1.0), ("uniform", 0.1 / 12**0.5), ("wide", 0.2 / 12**0.5)])
def test_vectors_start_as_they_are_told(scheme, spread):
    torch.manual_seed(0)
    weight = Embedding(Tokens(200, 50), init=scheme).weight
    assert weight.std().item() == pytest.approx(spread, rel=0.03)
    assert abs(weight.mean()) < 0.05 * spread
    assert scheme in EMBEDDING_SCHEMES


def test_an_unknown_start_offers_the_nearest():
    with pytest.raises(OptionError, match="Did you mean 'uniform'"):
        Embedding(Tokens(7, 3), init="unifrom")


@pytest.mark.parametrize("dtype", [torch.float32, torch.bool])
def test_tokens_are_whole_numbers(dtype):
    with pytest.raises(ShapeError, match=r"Give whole numbers: tokens\.long\(\)"):
        Embedding(Tokens(7, 3))(torch.zeros(4, 5, dtype=dtype))
