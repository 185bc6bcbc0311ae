"""What a model reads at each step: numbers as they come, or tokens that are looked up in a table of vectors.

T time, B batch, R replicas, V tokens, E the width of a vector; the axis R is there only with replicas.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from gatelab.errors import OptionError, ShapeError, nearest
from gatelab.nn.lookup import look_up

EMBEDDING_SCHEMES: dict[str, Callable[[Tensor], object]] = {
    "normal": nn.init.normal_,
    "uniform": lambda table: nn.init.uniform_(table, -0.05, 0.05),
    "wide": lambda table: nn.init.uniform_(table, -0.1, 0.1),
}
"""How vectors of tokens start, by name: torch's, Keras's, and that of Zaremba et al. 2014."""


@dataclass(frozen=True)
class Features:
    """Numbers: so many a step."""

    size: int


@dataclass(frozen=True)
class Tokens:
    """Whole numbers below `count`, each with a vector.

    Attributes:
        count: V.
        size: E.
        vectors: to start from, (V, E); None draws them.
        learned: whether the vectors are learned; if not, all replicas share them.
    """

    count: int
    size: int
    vectors: Tensor | None = None
    learned: bool = True


Inputs = Features | Tokens


class Embedding(nn.Module):
    """The vectors of tokens: `weight` ([R,] V, E), or (V, E) if they are not learned.

    Args:
        tokens: how many, how wide, and from where.
        replicas: R, or None for one table without the axis.
        init: a name of `EMBEDDING_SCHEMES`, for vectors that are drawn.

    Raises:
        OptionError: there is no such scheme.
    """

    def __init__(self, tokens: Tokens, *, replicas: int | None = None, init: str = "normal") -> None:
        super().__init__()
        if init not in EMBEDDING_SCHEMES:
            raise OptionError(f"Vectors can't start as '{init}'.\n{nearest(init, EMBEDDING_SCHEMES)}")
        self.count = tokens.count
        table = torch.empty(tokens.count, tokens.size)
        if tokens.vectors is not None:
            table.copy_(tokens.vectors)
        if not tokens.learned:
            self.register_buffer("weight", table)
            return
        tables = []
        for _ in range(replicas or 1):
            if tokens.vectors is None:
                EMBEDDING_SCHEMES[init](table)
            tables.append(table.clone())
        self.weight = nn.Parameter(tables[0] if replicas is None else torch.stack(tables))

    def forward(self, tokens: Tensor) -> Tensor:
        """Vectors ([R,] T, B, E) of tokens ([R,] T, B).

        Raises:
            ShapeError: they are not whole numbers.
        """
        if tokens.is_floating_point() or tokens.dtype == torch.bool:
            raise ShapeError(f"Tokens have dtype {tokens.dtype}.\nGive whole numbers: tokens.long().")
        if self.weight.ndim == 2:
            return look_up(tokens, self.weight)
        replicas = len(self.weight)
        # One lookup in all tables, one behind the other; the gradient is then one scatter.
        offsets = torch.arange(replicas, device=tokens.device).view(-1, 1, 1) * self.count
        return look_up(tokens + offsets, self.weight.flatten(0, 1))
