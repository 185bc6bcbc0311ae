import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from gatelab.data.splits import split
from gatelab.errors import DataError, OptionError

THREE = {"train": 0.7, "valid": 0.1, "test": 0.2}


def test_a_split_has_every_row_once():
    parts = split(100, THREE, seed=0)
    assert list(parts) == ["train", "valid", "test"]
    assert [len(rows) for rows in parts.values()] == [70, 10, 20]
    assert sorted(torch.cat(list(parts.values())).tolist()) == list(range(100))
    for rows in parts.values():
        assert rows.dtype == torch.long and torch.equal(rows, rows.sort().values)


def test_the_seed_makes_the_split():
    first, again, other = (split(100, THREE, seed)["test"] for seed in (1, 1, 2))
    assert torch.equal(first, again) and not torch.equal(first, other)


@given(st.integers(20, 200), st.integers(0, 2**32 - 1), st.integers(1, 9))
def test_any_split_is_complete_and_near_its_shares(count, seed, tenths):
    shares = {"a": tenths / 20, "b": 0.5, "c": 0.5 - tenths / 20}
    parts = split(count, shares, seed)
    assert sorted(torch.cat(list(parts.values())).tolist()) == list(range(count))
    for name, rows in parts.items():
        assert abs(len(rows) - shares[name] * count) <= 1


def test_classes_keep_their_proportion():
    labels = torch.tensor([0] * 600 + [1] * 300 + [2] * 100)
    parts = split(1000, THREE, seed=3, labels=labels)
    counts = {name: labels[rows].bincount().tolist() for name, rows in parts.items()}
    assert counts == {"train": [420, 210, 70], "valid": [60, 30, 10], "test": [120, 60, 20]}


@pytest.mark.parametrize("stratified", [False, True])
def test_groups_stay_together(stratified):
    groups = torch.arange(300) % 100 * 7
    labels = groups % 2 if stratified else None
    parts = split(300, THREE, seed=0, labels=labels, groups=groups)
    assert [len(rows) for rows in parts.values()] == [210, 30, 60]
    members = [set(groups[rows].tolist()) for rows in parts.values()]
    assert not members[0] & members[1] and not members[0] & members[2] and not members[1] & members[2]


def test_all_in_one_part():
    assert split(5, {"all": 1.0}, seed=0)["all"].tolist() == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("shares", [{}, {"a": 0.5, "b": 0.6}, {"a": 1.5, "b": -0.5}, {"a": 1.0, "b": 0.0}])
def test_shares_that_are_none(shares):
    with pytest.raises(OptionError, match="not positive numbers that sum to 1"):
        split(10, shares, seed=0)


@pytest.mark.parametrize("count", [0, 1, 3])
def test_too_few_rows(count):
    with pytest.raises(DataError, match=rf"{count} rows; the part '\w+' gets none"):
        split(count, THREE, seed=0)


def test_a_class_with_one_row():
    halves, labels = {"a": 0.5, "b": 0.5}, torch.tensor([0] * 9 + [1])
    with pytest.raises(DataError, match=r"^The data: 10 rows; the class '1' has only 1 of them"):
        split(10, halves, seed=0, labels=labels)
    with pytest.raises(DataError, match=r"^a\.csv: 10 rows; the class 'dull' has only 1 of them"):
        split(10, halves, seed=0, labels=labels, names=("fine", "dull"), source="a.csv")
    with pytest.raises(DataError, match="the class '1' has only 1 of them"):
        split(13, {"a": 0.6, "b": 0.2, "c": 0.2}, seed=0, labels=torch.tensor([0] * 10 + [1] * 3))


def test_a_part_that_is_smaller_than_the_classes():
    with pytest.raises(DataError, match="20 rows; a part of 4 of them is too small for 5 classes"):
        split(20, {"a": 0.8, "b": 0.2}, seed=0, labels=torch.arange(20) % 5)


def test_equal_rows_count_once_in_errors():
    with pytest.raises(DataError, match="60 rows, but only 2 different ones; the class '0' has only 1 of them"):
        split(60, {"a": 0.5, "b": 0.5}, seed=0, labels=torch.arange(60) % 2, groups=torch.arange(60) % 2)
