"""Layers, and stand-ins for torch's own."""

from gatelab.nn.compat import GRU, LSTM, RNN
from gatelab.nn.recurrent import Recurrent

__all__ = ["GRU", "LSTM", "RNN", "Recurrent"]
