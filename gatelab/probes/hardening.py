"""Hard gates in a trained model, and what they cost: could these gates be electronics?"""

from __future__ import annotations

import copy
import statistics
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from gatelab.language.edits import soft_gates
from gatelab.nn.models import SequenceModel

Score = Callable[[SequenceModel], Tensor | float]
"""How good a model is: a number, or one for each replica, (R,)."""

SOFT, ALL = "none", "all"


@dataclass(frozen=True)
class Hardening:
    """Scores of one model with soft and with hard gates, one a replica each.

    Attributes:
        soft: as it was trained.
        hard: with all these gates hard.
        alone: by gate, with that one hard and the others soft.
    """

    soft: tuple[float, ...]
    hard: tuple[float, ...]
    alone: Mapping[str, tuple[float, ...]]

    @property
    def rows(self) -> dict[str, tuple[float, ...]]:
        """Scores by which gates are hard, the soft model first."""
        return {SOFT: self.soft, **self.alone, ALL: self.hard}

    def change(self, gates: str) -> float:
        """How far the median score lies above that of the soft model, for a name of `rows`; mostly below 0."""
        return statistics.median(self.rows[gates]) - statistics.median(self.soft)

    def __str__(self) -> str:
        """A table: the median score, its change and the range over replicas."""
        several, wide = len(self.soft) > 1, max(map(len, (*self.rows, "hard"))) + 2
        lines = [f"{'hard':<{wide}}{'score':>10}{'change':>10}" + (f"{'from':>10}{'to':>10}" if several else "")]
        for gates, scores in self.rows.items():
            line = f"{gates:<{wide}}{statistics.median(scores):>10.3f}{self.change(gates):>+z10.3f}"
            lines.append(line + (f"{min(scores):>10.3f}{max(scores):>10.3f}" if several else ""))
        return "\n".join(lines)


def harden(model: SequenceModel, *gates: str) -> SequenceModel:
    """A copy of a model with hard gates and the same weights: those named, or all.

    Raises:
        EquationError: the cell has no such gate.
    """
    hard = copy.deepcopy(model)
    hard.recurrent.cell = model.recurrent.cell.hardened(*gates)
    return hard


@torch.no_grad()
def hardening(model: SequenceModel, score: Score, *gates: str) -> Hardening:
    """What is left of a trained model's score when its gates become hard.

    Args:
        model: with soft gates.
        score: such as one of the scores of `Problem.test`.
        gates: which ones; all if none are named.

    Raises:
        EquationError: the cell has no such gate.
    """
    chosen = gates or soft_gates(model.recurrent.cell.lines)

    def scores(of: SequenceModel) -> tuple[float, ...]:
        return tuple(torch.as_tensor(score(of)).flatten().tolist())

    hard = scores(harden(model, *chosen))
    alone = {gate: scores(harden(model, gate)) if len(chosen) > 1 else hard for gate in chosen}
    return Hardening(soft=scores(model), hard=hard, alone=alone)
