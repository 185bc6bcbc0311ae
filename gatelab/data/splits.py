"""Seeded splits of a data set's rows into named parts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor

from gatelab.errors import DataError, OptionError


def split(
    count: int,
    shares: Mapping[str, float],
    seed: int,
    labels: Tensor | None = None,
    groups: Tensor | None = None,
) -> dict[str, Tensor]:
    """The rows of each part: every row in one of them, in ascending order, so shuffle before training.

    Args:
        count: N rows.
        shares: of each part by its name; they sum to 1. For example {"train": 0.9, "valid": 0.1}.
        seed: the same one gives the same split.
        labels: the class of each row, (N,) of long; each part then has the classes in their proportion.
        groups: a number for each row, (N,) of long; rows with the same one, such as duplicates, stay together. Shares
            are then of groups, and a group has the class of its first row.

    Returns:
        Row numbers by the part's name, (n,) of long.

    Raises:
        OptionError: the shares are not positive or don't sum to 1.
        DataError: a part would have no row, or a class has too few of them for the parts.
    """
    if min(shares.values(), default=0) <= 0 or abs(sum(shares.values()) - 1) > 1e-6:
        raise OptionError(f"The shares {dict(shares)} are not positive numbers that sum to 1.\nMake them so.")
    if groups is None:
        return dict(_parts(count, shares, seed, labels))
    distinct, group = groups.unique(return_inverse=True)
    first = torch.full_like(distinct, count).scatter_reduce(0, group, torch.arange(count), "amin")
    parts = _parts(len(distinct), shares, seed, None if labels is None else labels[first])
    return {name: torch.isin(group, chosen).nonzero().squeeze(1) for name, chosen in parts}


def _parts(count: int, shares: Mapping[str, float], seed: int, labels: Tensor | None) -> Iterator[tuple[str, Tensor]]:
    """One part after the other, each taken from the rows that the earlier ones have left."""
    left = torch.arange(count)
    *names, last = shares
    done = 0.0
    for name in names:
        border = round((done := done + shares[name]) * count)
        size = border - (count - len(left))
        _check(name, size, count)
        taken, left = _taken(left, size, seed, labels)
        yield name, taken
    _check(last, len(left), count)
    yield last, left


def _check(name: str, size: int, count: int) -> None:
    if size < 1:
        raise DataError(f"The part '{name}' of {count} rows has no row.\nGive it a larger share, or take more data.")


def _taken(left: Tensor, size: int, seed: int, labels: Tensor | None) -> tuple[Tensor, Tensor]:
    """`size` of the rows, and the others, each in ascending order."""
    if size == len(left):
        return left, left[:0]
    from sklearn.model_selection import train_test_split  # noqa: PLC0415 - a second to load.

    strata = None if labels is None else labels[left].numpy()
    try:
        taken, others = train_test_split(left.numpy(), train_size=size, random_state=seed, stratify=strata)
    except ValueError as error:
        raise DataError(
            f"The rows can't be split by class: {error}\nLeave out small classes, or take more data."
        ) from error
    return torch.from_numpy(taken).sort().values, torch.from_numpy(others).sort().values
