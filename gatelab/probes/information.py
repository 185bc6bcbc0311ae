"""How many bits each unit tells of a label or of an input symbol, and how many it seems to tell by chance.

T time, B batch, W the width of a vector, N pairs of a unit's value and what is to be known, K bins, S symbols.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import entr
from scipy.stats import rankdata
from torch import Tensor

from gatelab.errors import OptionError, ShapeError
from gatelab.probes.gates import valid_mask, valid_steps

Array = NDArray[np.float64]
Whole = NDArray[np.int64]

ESTIMATOR = "equally filled bins, Miller-Madow correction"
MOST_PAIRS = 20_000
"""Of more, whole sequences are drawn: a hundred units with a hundred shuffles then take about two seconds."""
CHANCE = 0.05
"""How often the best of all units passes the threshold where no unit knows anything."""


@dataclass(frozen=True)
class Information:
    """What units tell, in bits.

    Attributes:
        bits: the mutual information of each unit with the symbols; never below 0 or above the entropy.
        threshold: what the best of all units stays below in 95 % of shuffles, in which no unit can know anything.
        entropy: of the symbols, which is all that there is to tell; never above that of symbols which are equally
            frequent.
        pairs: N, how many it was estimated from.
        estimator: how, in words.
    """

    bits: tuple[float, ...]
    threshold: float
    entropy: float
    pairs: int
    estimator: str = ESTIMATOR

    @property
    def informative(self) -> tuple[int, ...]:
        """The units above the threshold, the one that tells most first."""
        order = sorted(range(len(self.bits)), key=lambda unit: -self.bits[unit])
        return tuple(unit for unit in order if self.bits[unit] > self.threshold)


def information(
    values: Tensor,
    symbols: Tensor,
    lengths: Tensor | None = None,
    *,
    lag: int = 0,
    bins: int = 8,
    shuffles: int = 100,
    seed: int = 0,
) -> Information:
    """The mutual information of every unit with a label of each sequence, or with the input symbol at each step.

    Values are put into bins by their rank, so that all are equally filled, equal values together. From the counts
    comes each entropy, with (m - 1) / 2N nats added for m cells that are not empty (Miller 1955), and from these the
    information. Where symbols are about equally frequent, this leads beyond what so many of them can tell, so that the
    entropy ends there, and the information at the entropy. A threshold comes from shuffles, in which whole sequences of
    symbols change places and then all are shifted by a random number of steps: what goes on within a sequence is kept,
    so that units and symbols that change slowly do not pass for related.

    Args:
        values: (T, B, W).
        symbols: a label of each sequence, (B,), of which the units' values after the last step tell; or a symbol at
            each step, (T, B). Whole numbers.
        lengths: (B,), if they are ragged.
        lag: how many steps back the symbol lies that a unit is to tell, for symbols (T, B).
        bins: K.
        shuffles: how many.
        seed: of the shuffles, and of which sequences are drawn where there are more than `MOST_PAIRS` pairs.

    Raises:
        OptionError: an option that can't be.
        ShapeError, DataError: as `valid_steps` has it; or symbols do not fit.
    """
    _check(values, symbols, lag, bins, shuffles)
    random = np.random.default_rng(seed)
    columns, read, ends = _pairs(values, symbols, lengths, lag, random)
    found, codes = np.unique(read, return_inverse=True)
    ranks = (rankdata(columns, axis=0) - 0.5) / len(columns)
    cells = ((ranks * bins).astype(np.int64) + np.arange(columns.shape[1]) * bins) * len(found)
    shape = (columns.shape[1], bins, len(found))
    entropy = min(float(_entropy(np.bincount(codes)[np.newaxis])[0]), math.log2(len(found)))
    chance = [_bits(cells, shuffled, shape, entropy).max() for shuffled in _shuffled(codes, ends, shuffles, random)]
    return Information(
        bits=tuple(_bits(cells, codes, shape, entropy).tolist()),
        threshold=float(np.quantile(chance, 1 - CHANCE)),
        entropy=entropy,
        pairs=len(columns),
    )


def _pairs(
    values: Tensor, symbols: Tensor, lengths: Tensor | None, lag: int, random: np.random.Generator
) -> tuple[Array, Whole, Whole]:
    """Values (N, W), symbols (N,), and where each sequence ends in them; the sequences in a random order."""
    valid_steps(values, lengths)  # For its errors.
    alive, own, read = valid_mask(values, lengths), values.detach().cpu(), symbols.cpu()
    if read.ndim == 1:
        last = alive.sum(0) - 1
        own, read, alive = own[last, torch.arange(len(last))].unsqueeze(0), read.unsqueeze(0), alive[:1]
    own, read, alive = own[lag:], read[: len(read) - lag], alive[lag:]
    order = torch.from_numpy(random.permutation(own.shape[1]))
    counts = alive.sum(0)[order]
    order = order[counts.cumsum(0) - counts < MOST_PAIRS]
    kept = alive.T[order]
    columns, chosen = own.transpose(0, 1)[order][kept][:MOST_PAIRS], read.T[order][kept][:MOST_PAIRS]
    if not len(columns):
        raise ShapeError(f"No sequence has more than {lag} steps.\nGive longer ones, or a smaller lag.")
    return columns.double().numpy(), chosen.numpy(), kept.sum(1).cumsum(0).clamp(max=MOST_PAIRS).numpy()


def _shuffled(codes: Whole, ends: Whole, count: int, random: np.random.Generator) -> Iterator[Whole]:
    """The symbols with their sequences in another order, all shifted in a circle."""
    sequences = np.split(codes, ends[:-1])
    for _ in range(count):
        mixed = np.concatenate([sequences[place] for place in random.permutation(len(sequences))])
        yield np.roll(mixed, random.integers(len(codes)))


def _bits(cells: Whole, codes: Whole, shape: tuple[int, int, int], most: float) -> Array:
    """The information of each unit, (W,) up to `most`, from the cells of its values, (N, W), and the symbols, (N,)."""
    counts = np.bincount((cells + codes[:, np.newaxis]).ravel(), minlength=np.prod(shape)).reshape(shape)
    joint = _entropy(counts.reshape(shape[0], -1))
    found: Array = _entropy(counts.sum(2)) + _entropy(counts.sum(1)) - joint
    return found.clip(0, most)


def _entropy(counts: Whole) -> Array:
    """Of each row of counts, in bits, with the correction of Miller and Madow."""
    total = counts.sum(-1, keepdims=True)
    nats = entr(counts / total).sum(-1) + (np.count_nonzero(counts, axis=-1) - 1) / (2 * total[..., 0])
    found: Array = nats / np.log(2)
    return found


def _check(values: Tensor, symbols: Tensor, lag: int, bins: int, shuffles: int) -> None:
    if symbols.shape not in (values.shape[1:2], values.shape[:2]) or symbols.is_floating_point():
        raise ShapeError(
            f"The symbols are {symbols.dtype} of shape {tuple(symbols.shape)}.\n"
            f"Give whole numbers, one a sequence, {tuple(values.shape[1:2])}, or one a step, {tuple(values.shape[:2])}."
        )
    if lag < 0 or (lag and symbols.ndim == 1):
        raise OptionError(f"lag is {lag}.\nGive steps from 0, and 0 for labels of whole sequences.")
    if bins < 2 or shuffles < 1:
        raise OptionError(f"bins is {bins} and shuffles is {shuffles}.\nGive at least 2 bins and 1 shuffle.")
