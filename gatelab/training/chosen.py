"""The best weights of each replica so far, by a score on validation data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from gatelab.tasks.base import Best
from gatelab.training.replicas import select


class Chosen:
    """The best weights that each of R replicas has had.

    Attributes:
        values: the best score of each, (R,); not a number before the first.
        steps: the steps after which they were, (R,).
        waited: the scores since then that were no better, (R,).
        weights: the best weights, each (R, ...); empty before the first score.
    """

    def __init__(self, replicas: int) -> None:
        self.values = torch.full((replicas,), torch.nan)
        self.steps, self.waited = torch.zeros(replicas, dtype=torch.long), torch.zeros(replicas, dtype=torch.long)
        self.weights: dict[str, Tensor] = {}

    def offer(self, step: int, values: Tensor, best: Best, weights: Mapping[str, Tensor]) -> None:
        """Takes the weights of the replicas whose scores, (R,), are better than before; of equals the first stay."""
        gain = values - self.values if best == "highest" else self.values - values
        better = ((gain > 0) | self.values.isnan()) & values.isfinite()
        if not self.weights:
            self.weights = {name: tensor.clone() for name, tensor in weights.items()}
        for name, tensor in weights.items():
            self.weights[name][better] = tensor[better]
        self.values = torch.where(better, values, self.values)
        self.steps = torch.where(better, step, self.steps)
        self.waited = torch.where(better, 0, self.waited + 1)

    def keep(self, rows: Tensor) -> None:
        """Goes on with these replicas only."""
        self.values, self.steps, self.waited = self.values[rows], self.steps[rows], self.waited[rows]
        self.weights = select(self.weights, rows)

    def state(self) -> dict[str, Tensor]:
        """All that `restore` needs."""
        own = {"values": self.values, "steps": self.steps, "waited": self.waited}
        return own | {f"weights/{name}": tensor for name, tensor in self.weights.items()}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Takes up what `state` gave."""
        self.values, self.steps, self.waited = state["values"], state["steps"], state["waited"]
        self.weights = {
            name.removeprefix("weights/"): tensor for name, tensor in state.items() if name.startswith("weights/")
        }
