"""`LSTM`, `GRU` and `RNN` with torch's arguments, `state_dict` and results, run by gatelab.

Each is torch's own class with another `forward`: its parameters, initialisation, checks and pickles are torch's.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from itertools import product
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence

from gatelab.backends.base import Backend
from gatelab.backends.cpu.stacked import Stacking
from gatelab.backends.registry import choose
from gatelab.language.cell import Cell
from gatelab.language.lookup import find_cell
from gatelab.nn.direct import find_direct, nothing_looks_on, run_directly
from gatelab.nn.function import Direction, Noise, join_states, run_layers
from gatelab.nn.sequences import as_it_came, check_like, read_sequences, time_first
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

    shares: tuple[str, ...]
    """The gates of which the two biases are one in the cell; for the others it has both, the second as `b_r...`."""

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
        if hx is None and isinstance(input, Tensor) and self.watch is None and nothing_looks_on():
            found = self._call_directly(cell, input)
            if found is not None:
                return found
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

    def _call_directly(self, cell: Cell, x: Tensor) -> tuple[Tensor, Any] | None:
        """The output and the states by the shortest way; None if something on the long way counts here."""
        drops = self.training and self.dropout and self.num_layers > 1
        if self.bidirectional or self.proj_size or drops or x.ndim != 3 or x.shape[-1] != self.input_size:
            return None
        x = time_first(x, self.batch_first)
        layers = find_direct(
            self,
            cell,
            x,
            None,
            backend=self.backend,
            names=self._all_weights,
            directions=lambda: (
                self._direction(cell, depth, 0, (None,) * len(cell.states)) for depth in range(self.num_layers)
            ),
        )
        if layers is None:
            return None
        output, final = run_directly(layers, x, stacking=_stacking(self.gates, self.shares, self.bias))
        states = join_states(final, batched=True)
        return as_it_came(output, self.batch_first), tuple(states) if len(states) > 1 else states[0]

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


@cache
def _stacking(gates: tuple[str, ...], shares: tuple[str, ...], bias: bool) -> Stacking:
    """How the parameters lie, in the order of `_direction`."""
    count = len(gates)
    apart = [(3, gate) for gate in range(len(shares), count)] if bias else []
    stacks = range(3 if bias else 2)
    return Stacking(count, len(shares), (*product(stacks, range(count)), *apart))


def _named(letter: str, gates: tuple[str, ...], stacked: Tensor) -> dict[str, Tensor]:
    """Weights stacked by gate, as the cell's parameters."""
    names = [f"{letter}_{gate}" for gate in gates]
    return dict(zip(names, stacked.chunk(len(gates)), strict=True))


class LSTM(_Torch, torch.nn.LSTM):
    """`torch.nn.LSTM`, run by gatelab: the same arguments, `state_dict` and results, `proj_size` included."""

    gates = shares = ("i", "f", "z", "o")

    def cell_name(self) -> str:
        return "lstm_projected" if self.proj_size else "lstm"


class GRU(_Torch, torch.nn.GRU):
    """`torch.nn.GRU`, run by gatelab: the same arguments, `state_dict` and results."""

    gates, shares = ("r", "z", "n"), ("r", "z")

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

    gates = shares = ("h",)

    def cell_name(self) -> str:
        return {"RNN_TANH": "elman", "RNN_RELU": "elman_relu"}[self.mode]
