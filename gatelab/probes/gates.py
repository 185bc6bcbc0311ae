"""Readings of gates and states, by unit: how often they are shut or open, how long they keep, how they spread.

T time, B batch, W the width of a vector, N the steps of all sequences together. Each reading takes values (T, B, W)
and, where sequences are ragged, their lengths (B,); steps beyond a sequence's end do not count.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gatelab.errors import DataError, OptionError, ShapeError

QUANTILES = (0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0)
"""The shares of steps, or of units, that lie at or below a quantile."""


@dataclass(frozen=True)
class Saturation:
    """How often a gate is shut or open; all shares from 0 to 1.

    Attributes:
        low: below this a gate counts as shut.
        high: above this it counts as open.
        shut: the share of all steps and units below `low`.
        open: the share above `high`.
        shut_by_unit: the share of steps, a unit each.
        open_by_unit: likewise.
    """

    low: float
    high: float
    shut: float
    open: float
    shut_by_unit: tuple[float, ...]
    open_by_unit: tuple[float, ...]


@dataclass(frozen=True)
class HalfLife:
    """How long a memory keeps what is in it.

    Attributes:
        by_unit: steps after which half is left; infinite where the gate is always 1, and 0 where it is 0 once.
        quantiles: of the units, at `QUANTILES`.
    """

    by_unit: tuple[float, ...]
    quantiles: tuple[float, ...]


@dataclass(frozen=True)
class Distribution:
    """How values spread, by unit.

    Attributes:
        edges: of the histogram's bins, the same for all units so that they can be laid side by side.
        counts: steps in each bin, a row a unit.
        quantiles: at `QUANTILES`, a row a unit.
        mean: of each unit.
        deviation: of each unit.
    """

    edges: tuple[float, ...]
    counts: tuple[tuple[int, ...], ...]
    quantiles: tuple[tuple[float, ...], ...]
    mean: tuple[float, ...]
    deviation: tuple[float, ...]


@dataclass(frozen=True)
class IdleUnits:
    """Units that say nothing.

    Attributes:
        dead: units that are never further from 0 than the tolerance.
        frozen: units that are not dead, and whose values all lie within one tolerance.
        of: W, how many units there are.
        tolerance: as it was given.
    """

    dead: tuple[int, ...]
    frozen: tuple[int, ...]
    of: int
    tolerance: float


def saturation(values: Tensor, lengths: Tensor | None = None, low: float = 0.1, high: float = 0.9) -> Saturation:
    """How often each gate is shut, below `low`, and open, above `high`.

    Raises:
        OptionError: `low` lies above `high`.
        ShapeError, DataError: as `valid_steps` has it.
    """
    if low > high:
        raise OptionError(f"low, {low}, lies above high, {high}.\nTurn them round.")
    steps = valid_steps(values, lengths)
    shut, opened = ((side.double().mean(0)) for side in (steps < low, steps > high))
    return Saturation(low, high, float(shut.mean()), float(opened.mean()), _row(shut), _row(opened))


def half_life(forget: Tensor, lengths: Tensor | None = None) -> HalfLife:
    """Steps after which half of a memory's content is left, by unit.

    What is left after n steps is the product of n forget gates, so what counts is their geometric mean g, and half is
    left after log(1/2) / log(g) steps.

    Args:
        forget: a gate from 0 to 1 that multiplies the memory, (T, B, W).
        lengths: (B,), if they are ragged.

    Raises:
        OptionError: values lie outside of 0 to 1.
        ShapeError, DataError: as `valid_steps` has it.
    """
    steps = valid_steps(forget, lengths).double()
    least, most = map(float, steps.aminmax())
    if least < 0 or most > 1:
        raise OptionError(f"The values run from {least:g} to {most:g}.\nGive a forget gate, which is from 0 to 1.")
    # Without its sign, since half-lives of a mean of -0 and of 0 would be opposite infinities.
    found = (math.log(2) / steps.log().mean(0).abs()).numpy()
    # Between infinite half-lives nothing can be interpolated, so these quantiles are always some unit's own.
    return HalfLife(_row(found), _row(np.quantile(found, QUANTILES, method="inverted_cdf")))


def distribution(values: Tensor, lengths: Tensor | None = None, bins: int | Sequence[float] = 20) -> Distribution:
    """Histogram and quantiles of each unit.

    Args:
        values: (T, B, W).
        lengths: (B,), if they are ragged.
        bins: how many equal ones from the least value to the most, or their edges; what lies outside of them is not
            counted.

    Raises:
        OptionError: bins that can't be.
        ShapeError, DataError: as `valid_steps` has it.
    """
    steps = valid_steps(values, lengths).double().numpy()
    try:
        edges = np.histogram_bin_edges(steps, bins)
    except (TypeError, ValueError):
        raise OptionError(f"bins is {bins!r}.\nGive a count from 1, or edges that rise.") from None
    return Distribution(
        edges=_row(edges),
        counts=tuple(tuple(np.histogram(unit, edges)[0].tolist()) for unit in steps.T),
        quantiles=tuple(map(_row, np.quantile(steps, QUANTILES, axis=0).T)),
        mean=_row(steps.mean(0)),
        deviation=_row(steps.std(0)),
    )


def idle_units(values: Tensor, lengths: Tensor | None = None, tolerance: float = 1e-3) -> IdleUnits:
    """Units that are always about 0 (dead), or about the same at all steps of all sequences (frozen).

    Raises:
        OptionError: the tolerance is negative.
        ShapeError, DataError: as `valid_steps` has it.
    """
    if not tolerance >= 0:
        raise OptionError(f"tolerance is {tolerance}.\nGive a number of at least 0.")
    least, most = valid_steps(values, lengths).aminmax(dim=0)
    dead = (least >= -tolerance) & (most <= tolerance)
    frozen = ~dead & (most - least <= tolerance)
    return IdleUnits(_places(dead), _places(frozen), len(dead), tolerance)


def valid_steps(values: Tensor, lengths: Tensor | None = None) -> Tensor:
    """The steps that lie within their sequences, (N, W), step by step; in single precision or better.

    Raises:
        ShapeError: as `valid_mask` has it, or there are no steps or no units.
        DataError: a value is not finite.
    """
    mask, steps = valid_mask(values, lengths), values.detach().cpu()
    steps = steps.flatten(0, 1) if lengths is None else steps[mask]
    if not steps.numel():
        raise ShapeError(f"Values {tuple(values.shape)} hold nothing to read.\nGive at least one step and one unit.")
    if not steps.isfinite().all():
        raise DataError("Some values are infinite or no numbers: the model has diverged.\nProbe one that has not.")
    return steps if steps.dtype == torch.float64 else steps.float()


def valid_mask(values: Tensor, lengths: Tensor | None = None) -> Tensor:
    """Which steps lie within their sequences, (T, B), of bool.

    Args:
        values: (T, B, W).
        lengths: (B,), if they are ragged.

    Raises:
        ShapeError: values or lengths have the wrong shape, type or range.
    """
    if values.ndim != 3 or not values.is_floating_point():
        raise ShapeError(
            f"Values are {values.dtype} of shape {tuple(values.shape)}.\n"
            "Give floats (T, B, W); of replicas, (R, T, B, W), those of one: values[0]."
        )
    count, batch = values.shape[:2]
    if lengths is None:
        return torch.ones(count, batch, dtype=torch.bool)
    lengths = torch.as_tensor(lengths)
    if lengths.shape != (batch,) or lengths.dtype not in (torch.int32, torch.int64):
        raise ShapeError(
            f"lengths are {lengths.dtype} of shape {tuple(lengths.shape)}.\n"
            f"Give whole numbers, one a sequence, ({batch},), and values (T, B, W); of layers with batch_first, "
            "values.transpose(0, 1)."
        )
    if batch and not 1 <= int(lengths.min()) <= int(lengths.max()) <= count:
        raise ShapeError(
            f"lengths run from {int(lengths.min())} to {int(lengths.max())}.\n"
            f"Each must be from 1 to the {count} steps of the values."
        )
    return torch.arange(count).unsqueeze(-1) < lengths.cpu()


def _places(chosen: Tensor) -> tuple[int, ...]:
    return tuple(chosen.nonzero().flatten().tolist())


def _row(numbers: Tensor | NDArray[np.float64]) -> tuple[float, ...]:
    return tuple(numbers.tolist())
