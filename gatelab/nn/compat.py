"""`LSTM`, `GRU` and `RNN` with torch's arguments, `state_dict` and results, run by gatelab.

Each is torch's own class with another `forward`: its parameters, initialisation, checks and pickles are torch's.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence

from gatelab.backends.base import Backend
from gatelab.backends.registry import choose
from gatelab.language.cell import Cell
from gatelab.language.lookup import find_cell
from gatelab.nn.function import Direction, Noise, join_states, run_layers
from gatelab.nn.sequences import check_like, read_sequences
from gatelab.nn.state import read_state
from gatelab.nn.watching import Inside, Sight, Watch, Wish, unwatched

_CELLS: dict[tuple[str, bool], Cell] = {}


def torch_cell(name: str, bias: bool) -> Cell:
    """The cell of the catalogue as torch has it: projections without peepholes, biases as asked for."""
    if (name, bias) not in _CELLS:
        cell = find_cell(name)
        if name == "lstm_projected":
            cell = cell.without("p_i").without("p_f").without("p_o")
        _CELLS[name, bias] = cell if bias else cell.without_biases()
    return _CELLS[name, bias]


class _Torch(torch.nn.RNNBase):
    """What the three have in common."""

    gates: tuple[str, ...]
    """The gates in the order in which torch stacks their weights."""

    backend: str | Backend = "auto"
    watch: Watch | None = None

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        torch_cell(self.cell_name(), self.bias)  # Made now, since torch.compile can't trace it.

    def __getstate__(self) -> dict[str, Any]:
        return unwatched(super().__getstate__())  # type: ignore[no-untyped-call]

    def cell_name(self) -> str:
        raise NotImplementedError

    @property
    def inside(self) -> dict[str, Inside]:
        """What can be watched: each layer and direction, by the suffix that its parameters have."""
        cell, places = (
            torch_cell(self.cell_name(), self.bias),
            product(range(self.num_layers), (0, 1)[: 1 + self.bidirectional]),
        )
        start = (None,) * len(cell.states)
        found = {f"_l{depth}" + "_reverse" * back: self._direction(cell, depth, back, start) for depth, back in places}
        return {suffix: Inside(cell, direction.sizes) for suffix, direction in found.items()}

    def autocast_to(self, x: Tensor, given: tuple[Tensor, ...] | None) -> torch.dtype | None:
        """The dtype of the results under autocast, where it is not autocast's own."""
        return None

    def named_biases(self, on_input: Tensor, recurrent: Tensor) -> dict[str, Tensor]:
        """The cell's biases from torch's two; torch keeps both where their sum would do."""
        return _named("b", self.gates, on_input + recurrent)

    def forward(self, input: Tensor | PackedSequence, hx: Any = None) -> tuple[Any, Any]:
        """As torch's: see the class in `torch.nn` for shapes."""
        cell = torch_cell(self.cell_name(), self.bias)
        read = read_sequences(
            input, None, None, input_size=self.input_size, batch_first=self.batch_first, replicas=None
        )
        check_like(read.x, next(iter(self._parameters.values()), None))
        batch = read.x.shape[-2]
        directions = 2 if self.bidirectional else 1
        widths = {"h": self.proj_size or self.hidden_size, "c": self.hidden_size}
        shapes = [(self.num_layers * directions, batch, widths[name]) for name in cell.states]
        given = None if hx is None else read_state(hx, cell, shapes, read.x, read.batched)

        def start(place: int) -> tuple[Tensor | None, ...]:
            return (None,) * len(shapes) if given is None else tuple(value[place] for value in given)

        layers = [
            [
                self._direction(cell, depth, backwards, start(depth * directions + backwards))
                for backwards in range(directions)
            ]
            for depth in range(self.num_layers)
        ]
        backend = choose(self.backend)
        wishes: Sequence[Wish] = ()
        if self.watch is not None:
            wishes = self.watch.wishes(read)
            self.watch.make_room()
        sights: list[Sight] = []
        output, final = run_layers(
            layers,
            read.x,
            backend=backend,
            ragged=read.ragged,
            noise=Noise(dropout=self.dropout, training=self.training),
            autocast_to=self.autocast_to(read.x, given),
            wishes=wishes,
            sights=sights,
        )
        if self.watch is not None:
            self.watch.take(read, sights)
        states = join_states(final, read.batched)
        return read.restore(output), tuple(states) if len(states) > 1 else states[0]

    def _direction(self, cell: Cell, depth: int, backwards: int, start: tuple[Tensor | None, ...]) -> Direction:
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

    def autocast_to(self, x: Tensor, given: tuple[Tensor, ...] | None) -> torch.dtype | None:
        # On a CPU torch adds its gates, which autocast has cast, to the state, which it has not.
        return (x if given is None else given[0]).dtype if x.device.type == "cpu" else None

    def named_biases(self, on_input: Tensor, recurrent: Tensor) -> dict[str, Tensor]:
        biases = super().named_biases(on_input, recurrent)
        # The reset gate multiplies the recurrent product with its bias, so for n the two biases differ.
        return biases | {"b_n": on_input.chunk(3)[2], "b_rn": recurrent.chunk(3)[2]}


class RNN(_Torch, torch.nn.RNN):
    """`torch.nn.RNN`, run by gatelab: the same arguments, `state_dict` and results."""

    gates = ("h",)

    def cell_name(self) -> str:
        return {"RNN_TANH": "elman", "RNN_RELU": "elman_relu"}[self.mode]
