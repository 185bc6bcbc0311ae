"""`LSTM`, `GRU` and `RNN` with torch's arguments, `state_dict` and results, run by gatelab.

Each is torch's own class with another `forward`: its parameters, initialisation, checks and pickles are torch's.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence

from gatelab.backends.base import Backend
from gatelab.backends.registry import choose
from gatelab.language.cell import Cell
from gatelab.language.lookup import find_cell
from gatelab.nn.function import Direction, Noise, run_layers
from gatelab.nn.sequences import check_like, read_sequences
from gatelab.nn.state import read_state


@cache
def torch_cell(name: str, bias: bool) -> Cell:
    """The cell of the catalogue as torch has it: projections without peepholes, biases as asked for."""
    cell = find_cell(name)
    if name == "lstm_projected":
        cell = cell.without("p_i").without("p_f").without("p_o")
    return cell if bias else cell.without_biases()


class _Torch(torch.nn.RNNBase):
    """What the three have in common."""

    gates: tuple[str, ...]
    """The gates in the order in which torch stacks their weights."""

    backend: str | Backend = "auto"

    def cell_name(self) -> str:
        raise NotImplementedError

    def named_biases(self, on_input: Tensor, recurrent: Tensor) -> dict[str, Tensor]:
        """The cell's biases from torch's two; torch keeps both where their sum would do."""
        return _named("b", self.gates, on_input + recurrent)

    def forward(self, input: Tensor | PackedSequence, hx: Any = None) -> tuple[Any, Any]:
        """As torch's: see the class in `torch.nn` for shapes."""
        cell = torch_cell(self.cell_name(), self.bias)
        read = read_sequences(
            input, None, None, input_size=self.input_size, batch_first=self.batch_first, replicas=None
        )
        check_like(read.x, next(self.parameters()))
        batch = read.x.shape[-2]
        directions = 2 if self.bidirectional else 1
        widths = {"h": self.proj_size or self.hidden_size, "c": self.hidden_size}
        shapes = [(self.num_layers * directions, batch, widths[name]) for name in cell.states]
        if hx is None:
            start = tuple(read.x.new_zeros(shape) for shape in shapes)
        else:
            start = read_state(hx, cell, shapes, read.x, read.batched)
        layers = [
            [
                self._direction(cell, depth, backwards, tuple(s[depth * directions + backwards] for s in start))
                for backwards in range(directions)
            ]
            for depth in range(self.num_layers)
        ]
        output, final = run_layers(
            layers,
            read.x,
            backend=choose(self.backend)[0],
            lengths=read.lengths,
            noise=Noise(dropout=self.dropout, training=self.training),
        )
        states = tuple(torch.stack(parts) for parts in zip(*final, strict=True))
        if not read.batched:
            states = tuple(state.squeeze(1) for state in states)
        return read.restore(output), states if len(states) > 1 else states[0]

    def _direction(self, cell: Cell, depth: int, backwards: int, start: tuple[Tensor, ...]) -> Direction:
        suffix = f"_l{depth}" + "_reverse" * backwards
        on_input = getattr(self, f"weight_ih{suffix}")
        parameters = _named("W", self.gates, on_input)
        parameters |= _named("R", self.gates, getattr(self, f"weight_hh{suffix}"))
        if self.bias:
            biases = (getattr(self, f"bias_{side}{suffix}") for side in ("ih", "hh"))
            parameters |= self.named_biases(*biases)
        further = {}
        if self.proj_size:
            parameters["P_h"] = getattr(self, f"weight_hr{suffix}")
            further["P"] = self.proj_size
        sizes = cell.sizes(on_input.shape[1], self.hidden_size, further)
        return Direction(cell, sizes, parameters, start, start, bool(backwards))


def _named(letter: str, gates: tuple[str, ...], stacked: Tensor) -> dict[str, Tensor]:
    """Weights stacked by gate, as the cell's parameters."""
    names = [f"{letter}_{gate}" for gate in gates]
    return dict(zip(names, stacked.chunk(len(gates)), strict=True))


class LSTM(_Torch, torch.nn.LSTM):
    """`torch.nn.LSTM`, run by gatelab: the same arguments, `state_dict` and results, `proj_size` included."""

    gates = ("i", "f", "z", "o")

    def cell_name(self) -> str:
        return "lstm_projected" if self.proj_size else "lstm"


class GRU(_Torch, torch.nn.GRU):
    """`torch.nn.GRU`, run by gatelab: the same arguments, `state_dict` and results."""

    gates = ("r", "z", "n")

    def cell_name(self) -> str:
        return "gru"

    def named_biases(self, on_input: Tensor, recurrent: Tensor) -> dict[str, Tensor]:
        biases = super().named_biases(on_input, recurrent)
        # The reset gate multiplies the recurrent product with its bias, so for n the two biases differ.
        return biases | {"b_n": on_input.chunk(3)[2], "b_rn": recurrent.chunk(3)[2]}


class RNN(_Torch, torch.nn.RNN):
    """`torch.nn.RNN`, run by gatelab: the same arguments, `state_dict` and results."""

    gates = ("h",)

    def cell_name(self) -> str:
        return {"RNN_TANH": "elman", "RNN_RELU": "elman_relu"}[self.mode]
