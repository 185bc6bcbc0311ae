"""How good a classifier's answers are, class by class, and how far its probabilities can be believed.

N sequences, O outputs, K classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Classes = NDArray[np.int64]
LONGEST_NAME = 28
"""Letters of a class's name where there is little room."""
BINS = 10
"""Equal parts of the confidence from 0 to 1."""


@dataclass(frozen=True)
class ClassScore:
    """How well one class is found, or classes on average; all but `count` from 0 to 1.

    Attributes:
        name: of the class or of the average.
        precision: the share of its answers that are right; 0 if there are none.
        recall: the share of its sequences that are found; 0 if there are none.
        f1: their harmonic mean.
        count: its sequences.
    """

    name: str
    precision: float
    recall: float
    f1: float
    count: int


@dataclass(frozen=True)
class Bin:
    """Answers of about one confidence, which is the probability of the class that is answered.

    Attributes:
        low: from above this,
        high: to this.
        count: of the answers; none of the bins is empty.
        confidence: their mean.
        accuracy: the share of them that are right.
    """

    low: float
    high: float
    count: int
    confidence: float
    accuracy: float


@dataclass(frozen=True)
class Classification:
    """The answers of a classifier, judged.

    Attributes:
        accuracy: the share that is right.
        loss: the mean of -log p(class), in nats.
        classes: one a class.
        averages: over the classes, each the same ("macro") or by its count ("weighted").
        confusion: how many sequences of a class (row) are answered with a class (column).
        calibration_error: how far the confidence is from the accuracy, in the mean over answers, from 0 to 1. Guo et
            al. 2017, "On Calibration of Modern Neural Networks", equation 3.
        bins: what it is made of.
    """

    accuracy: float
    loss: float
    classes: tuple[ClassScore, ...]
    averages: tuple[ClassScore, ...]
    confusion: tuple[tuple[int, ...], ...]
    calibration_error: float
    bins: tuple[Bin, ...]


def probabilities(logits: Tensor) -> NDArray[np.float64]:
    """Of each class, (N, K): from one logit (N, 1) by the sigmoid, for the second class of two; else by softmax."""
    wide = torch.cat([torch.zeros_like(logits), logits], dim=-1) if logits.shape[-1] == 1 else logits
    # In double precision, as rows in single sum to 1 too roughly for scikit-learn.
    return wide.double().softmax(-1).numpy()


def judge(logits: Tensor, target: Tensor, names: Sequence[str]) -> Classification:
    """Judges answers.

    Args:
        logits: (N, O), with one for two classes or one for each.
        target: the classes, (N,) of long.
        names: of the classes.
    """
    shares, true = probabilities(logits), target.numpy()
    answered, every = shares.argmax(-1), range(len(names))
    bins = calibration_bins(shares.max(-1), answered == true)
    return Classification(
        accuracy=float((answered == true).mean()),
        loss=float(_metrics().log_loss(true, shares, labels=every)),
        classes=_class_scores(true, answered, names),
        averages=tuple(_average(true, answered, names, kind) for kind in ("macro", "weighted")),
        confusion=tuple(map(tuple, _metrics().confusion_matrix(true, answered, labels=every).tolist())),
        calibration_error=sum(one.count * abs(one.accuracy - one.confidence) for one in bins) / len(true),
        bins=bins,
    )


def _metrics() -> Any:
    """Those of scikit-learn, which takes a second to load."""
    return import_module("sklearn.metrics")


def calibration_bins(confidence: NDArray[np.float64], right: NDArray[np.bool_]) -> tuple[Bin, ...]:
    """The bins that have answers, from confidences (N,) and whether the answers are right, (N,)."""
    edges = np.linspace(0, 1, BINS + 1)
    place = np.digitize(confidence, edges[1:-1], right=True)
    return tuple(
        Bin(
            low=float(edges[own]),
            high=float(edges[own + 1]),
            count=int((place == own).sum()),
            confidence=float(confidence[place == own].mean()),
            accuracy=float(right[place == own].mean()),
        )
        for own in np.unique(place)
    )


def _class_scores(true: Classes, answered: Classes, names: Sequence[str]) -> tuple[ClassScore, ...]:
    columns = _metrics().precision_recall_fscore_support(true, answered, labels=range(len(names)), zero_division=0.0)
    rows = zip(*(column.tolist() for column in columns), strict=True)
    return tuple(ClassScore(name, *row) for name, row in zip(names, rows, strict=True))


def _average(true: Classes, answered: Classes, names: Sequence[str], kind: str) -> ClassScore:
    labels = range(len(names))
    precision, recall, f1, _ = _metrics().precision_recall_fscore_support(
        true, answered, labels=labels, average=kind, zero_division=0.0
    )
    return ClassScore(f"{kind} average", float(precision), float(recall), float(f1), len(true))


def short_names(names: Sequence[str]) -> list[str]:
    """Names of classes for tables and figures, each different: the beginnings of long ones."""
    found: list[str] = []
    for name in names:
        short = name if len(name) <= LONGEST_NAME else name[: LONGEST_NAME - 1] + "…"
        same = sum(other.startswith(short) for other in found)
        found.append(f"{short} ({same + 1})" if same and short != name else short)
    return found
