"""Seeded splits of a data set's rows into named parts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate, pairwise

import torch
from torch import Tensor

from gatelab.errors import DataError, OptionError


def split(
    count: int,
    shares: Mapping[str, float],
    seed: int,
    labels: Tensor | None = None,
    groups: Tensor | None = None,
    names: Sequence[str] = (),
    source: str = "The data",
) -> dict[str, Tensor]:
    """The rows of each part: every row in one of them, in ascending order, so shuffle before training.

    Args:
        count: N rows.
        shares: of each part by its name; they sum to 1. For example {"train": 0.9, "valid": 0.1}.
        seed: the same one gives the same split.
        labels: the class of each row, (N,) of long; each part then has the classes in their proportion.
        groups: a number for each row, (N,) of long; rows with the same one, such as duplicates, stay together. Shares
            are then of groups, and a group has the class of its first row.
        names: of the classes, for errors; without them their numbers stand there.
        source: of the rows, such as their file, for errors.

    Returns:
        Row numbers by the part's name, (n,) of long.

    Raises:
        OptionError: the shares are not positive or don't sum to 1.
        DataError: a part would have no row, or a class has too few of them for the parts.
    """
    if min(shares.values(), default=0) <= 0 or abs(sum(shares.values()) - 1) > 1e-6:
        raise OptionError(f"The shares {dict(shares)} are not positive numbers that sum to 1.\nMake them so.")
    found = f"{source}: {count} rows"
    if groups is None:
        return dict(_parts(count, shares, seed, labels, names, found))
    distinct, group = groups.unique(return_inverse=True)
    first = torch.full_like(distinct, count).scatter_reduce(0, group, torch.arange(count), "amin")
    if len(distinct) < count:
        found += f", but only {len(distinct)} different ones"
    own = None if labels is None else labels[first]
    parts = _parts(len(distinct), shares, seed, own, names, found)
    return {name: torch.isin(group, chosen).nonzero().squeeze(1) for name, chosen in parts}


def _parts(
    count: int, shares: Mapping[str, float], seed: int, labels: Tensor | None, names: Sequence[str], found: str
) -> Iterator[tuple[str, Tensor]]:
    """One part after the other, each taken from the rows that the earlier ones have left."""
    borders = [0, *(round(done * count) for done in accumulate([*shares.values()][:-1])), count]
    sizes = {name: end - start for name, (start, end) in zip(shares, pairwise(borders), strict=True)}
    for name, size in sizes.items():
        if size < 1:
            raise DataError(f"{found}; the part '{name}' gets none.\nGive it a larger share, or take more data.")
    left = torch.arange(count)
    for name, size in sizes.items():
        if labels is not None and size < len(left):
            _check_classes(labels[left], min(size, len(left) - size), names, found)
        taken, left = _taken(left, size, seed, labels)
        yield name, taken


def _check_classes(labels: Tensor, smaller: int, names: Sequence[str], found: str) -> None:
    """Refuses rows of which two parts, the smaller one of so many rows, can't both have every class."""
    classes, counts = labels.unique(return_counts=True)
    rarest = int(counts.argmin())
    name = names[classes[rarest]] if names else classes[rarest].item()
    if counts[rarest] < 2:
        raise DataError(
            f"{found}; the class '{name}' has only 1 of them, which can't be in two parts.\n"
            "Leave that class out, or take more data of it."
        )
    if smaller < len(classes):
        raise DataError(
            f"{found}; a part of {smaller} of them is too small for {len(classes)} classes.\n"
            "Give it a larger share, leave out small classes, or take more data."
        )


def _taken(left: Tensor, size: int, seed: int, labels: Tensor | None) -> tuple[Tensor, Tensor]:
    """`size` of the rows, and the others, each in ascending order."""
    if size == len(left):
        return left, left[:0]
    from sklearn.model_selection import train_test_split  # noqa: PLC0415 - a second to load.

    strata = None if labels is None else labels[left].numpy()
    taken, others = train_test_split(left.numpy(), train_size=size, random_state=seed, stratify=strata)
    return torch.from_numpy(taken).sort().values, torch.from_numpy(others).sort().values
