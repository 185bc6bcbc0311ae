"""Answers of a model for more sequences than the memory would hold at a time.

T time, N sequences, I input, O outputs, R replicas.
"""

from __future__ import annotations

import torch
from torch import Tensor

from gatelab.tasks.base import Model

STEPS_AT_A_TIME = 2**16
"""Steps of all sequences of a part: with 128 units and 10 replicas, an output of 320 MB."""


def answers_in_parts(model: Model, x: Tensor, lengths: Tensor | None = None) -> Tensor:
    """What the model answers, (R, N, O) or (R, T, N, O).

    Args:
        model: of R replicas.
        x: inputs, ([R,] T, N, I).
        lengths: the steps of each sequence, ([R,] N), or None if all have T.
    """
    size = max(1, STEPS_AT_A_TIME // x.shape[-3])
    parts = x.split(size, dim=-2)
    ends = [None] * len(parts) if lengths is None else lengths.split(size, dim=-1)
    return torch.cat([model(part, end) for part, end in zip(parts, ends, strict=True)], dim=-2)
