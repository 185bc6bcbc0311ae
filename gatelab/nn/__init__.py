"""Layers. `from gatelab import nn` stands in for `from torch import nn`: what is not here is torch's own."""

from typing import Any

import torch

from gatelab.nn.compat import GRU, LSTM, RNN
from gatelab.nn.recurrent import Recurrent

__all__ = ["GRU", "LSTM", "RNN", "Recurrent"]


def __getattr__(name: str) -> Any:
    try:
        return getattr(torch.nn, name)
    except AttributeError:
        raise AttributeError(f"neither gatelab.nn nor torch.nn has '{name}'") from None
