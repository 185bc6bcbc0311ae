"""Courses over data that are all there: orders, epochs, and what a checkpoint holds."""

import pytest
import torch

from gatelab.files import read_tensors, write_tensors
from gatelab.tasks.base import Batch
from gatelab.tasks.courses import Draws, Epochs

COUNT, SIZE = 23, 5
LENGTHS = torch.randint(1, 50, (COUNT,), generator=torch.Generator().manual_seed(0))


def gather(rows):
    return Batch(rows.unsqueeze(1), rows)


def draws(seeds):
    return Draws(seeds, COUNT, SIZE, gather)


def epochs(seeds):
    return Epochs(seeds, COUNT, SIZE, gather)


def alike(seeds):
    return Epochs(seeds, COUNT, SIZE, gather, LENGTHS)


def rows_of(course, batches):
    return [course.batch().target for _ in range(batches)]


every_course = pytest.mark.parametrize("make", [draws, epochs, alike])


@every_course
def test_a_replica_has_the_order_that_it_has_alone(make):
    together, alone = rows_of(make([3, 1, 4]), 12), rows_of(make([1]), 12)
    assert all(torch.equal(many[1], one[0]) for many, one in zip(together, alone, strict=True))
    assert not torch.equal(together[0][0], together[0][1])


@every_course
@pytest.mark.parametrize("taken", [0, 2, 5, 7])
def test_a_restored_course_goes_on(make, taken, tmp_path):
    course, again = make([3, 1]), make([8, 9])
    rows_of(course, taken)
    write_tensors(tmp_path / "course", course.state(), {})
    again.restore(read_tensors(tmp_path / "course").tensors)
    assert course.stage() == again.stage()
    pairs = zip(rows_of(course, 12), rows_of(again, 12), strict=True)
    assert all(torch.equal(one, two) for one, two in pairs)


@every_course
@pytest.mark.parametrize("taken", [0, 2, 5, 7])
def test_the_others_go_on_unchanged_when_one_leaves(make, taken):
    left, whole = make([3, 1, 4]), make([3, 1, 4])
    rows_of(left, taken), rows_of(whole, taken)
    left.keep(torch.tensor([0, 2]))
    pairs = zip(rows_of(left, 12), rows_of(whole, 12), strict=True)
    assert all(torch.equal(ours, theirs[[0, 2]]) for ours, theirs in pairs)


@pytest.mark.parametrize("make", [epochs, alike])
def test_each_sequence_comes_once_an_epoch_and_the_last_batch_is_what_is_left(make):
    course, orders = make([0, 1]), []
    assert course.epoch == 5
    for _ in range(3):
        batches = rows_of(course, 5)
        assert [batch.shape[1] for batch in batches] == [5, 5, 5, 5, 3]
        orders.append(torch.cat(batches, dim=1))
        assert torch.equal(orders[-1].sort(dim=1).values, torch.arange(COUNT).expand(2, -1))
    assert not torch.equal(orders[0], orders[1])


def test_the_stage_is_the_epoch():
    course, stages = epochs([0]), []
    for _ in range(11):
        course.batch()
        stages.append(course.stage())
    assert stages == ["epoch 1"] * 5 + ["epoch 2"] * 5 + ["epoch 3"]


def test_batches_of_alike_sequences_are_neighbours():
    """With one pool that holds all, a batch's lengths leave out none of those between its least and greatest."""
    ordered = LENGTHS.sort().values
    for batch in rows_of(alike([0]), 10):
        own = LENGTHS[batch[0]].sort().values
        begin = int((ordered < own[0]).sum())
        fits = [torch.equal(own, ordered[k : k + len(own)]) for k in range(begin, COUNT - len(own) + 1)]
        assert any(fits)


def test_pools_leave_most_of_the_order_to_chance(monkeypatch):
    """With pools of two batches neighbours are those of ten sequences, so that epochs have other batches."""
    monkeypatch.setattr(Epochs, "POOL", 2)
    course = alike([0])
    first, second = ({frozenset(batch[0].tolist()) for batch in rows_of(course, 5)} for _ in range(2))
    assert first != second
    assert set.union(*map(set, first)) == set(range(COUNT))


def test_without_pools_of_chance_batches_still_come_in_any_order():
    course = alike([0])
    shortest = [int(torch.stack([LENGTHS[b[0]].min() for b in rows_of(course, 5)[:4]]).argmin()) for _ in range(20)]
    assert len(set(shortest)) > 1


def test_a_batch_larger_than_the_data_is_all_of_them():
    course = Epochs([0], 4, 100, gather)
    assert course.epoch == 1
    assert [batch.shape for batch in rows_of(course, 2)] == [(1, 4)] * 2


def test_draws_have_no_end_and_come_with_replacement():
    course = draws([0])
    assert course.epoch is None
    assert course.stage() == ""
    counts = torch.bincount(torch.cat(rows_of(course, 230), dim=1)[0], minlength=COUNT)
    # 1,150 draws, 50 of each: a chi-squared of 22 degrees of freedom, under 60 but once in 40,000 times.
    assert ((counts - 50.0) ** 2 / 50).sum() < 60
    assert counts.unique().numel() > 1
    assert course.finished(1, gather(torch.zeros(1, 5, dtype=torch.long)), None) == [False]
