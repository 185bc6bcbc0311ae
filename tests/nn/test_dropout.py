"""Dropout from a generator for each replica."""

import pytest
import torch

from gatelab.nn.dropout import drop


def generators(*seeds):
    return [torch.Generator().manual_seed(seed) for seed in seeds]


@pytest.mark.parametrize("held", [None, 1])
def test_a_replica_gets_what_its_generator_gives_alone(held):
    values = torch.ones(3, 5, 4, 6)
    together = drop(values, 0.5, generators(3, 1, 4), replicas_at=0, held_at=held)
    alone = drop(values[:1], 0.5, generators(1), replicas_at=0, held_at=held)
    assert torch.equal(together[1], alone[0])
    assert not torch.equal(together[0], together[1])


@pytest.mark.parametrize("own", [None, (0, 1)])
def test_a_held_mask_is_one_for_all_steps(own):
    torch.manual_seed(0)
    found = drop(torch.ones(2, 5, 4, 6), 0.5, own and generators(*own), replicas_at=0, held_at=1)
    assert torch.equal(found, found[:, :1].expand_as(found))
    free = drop(torch.ones(2, 5, 4, 6), 0.5, own and generators(*own), replicas_at=0)
    assert not torch.equal(free, free[:, :1].expand_as(free))


@pytest.mark.parametrize("own", [None, (0,)])
@pytest.mark.parametrize("held", [None, 1])
def test_sums_stay_as_they_were_on_average(own, held):
    torch.manual_seed(0)
    found = drop(torch.ones(1, 3, 100, 100), 0.2, own and generators(*own), replicas_at=0, held_at=held)
    assert set(found.unique().tolist()) == {0.0, 1.25}
    # Of 10,000 units or more, the share kept is within 5 of its deviations, 0.004 each.
    assert abs((found > 0).float().mean() - 0.8) < 0.02
