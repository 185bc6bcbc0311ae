"""The layer: a cell of your own with the manners of `nn.LSTM`."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from os import PathLike
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from gatelab.backends.base import Backend
from gatelab.backends.registry import choose, explain
from gatelab.errors import OptionError, ShapeError, nearest
from gatelab.language.cell import Cell
from gatelab.language.lookup import find_cell
from gatelab.nn.direct import Ready, find_direct, nothing_looks_on, run_directly
from gatelab.nn.dropout import Generators
from gatelab.nn.function import Direction, Noise, join_states, make_run, run_layers, states_in_products
from gatelab.nn.initialise import check_init, initialise
from gatelab.nn.sequences import Lengths, Sequences, as_sequences, check_like, read_sequences, time_first
from gatelab.nn.state import make_state, read_state, state_type
from gatelab.nn.stepping import is_alone, is_bare, take_step
from gatelab.nn.watching import Inside, Sight, Watch, Wish, unwatched


class Recurrent(nn.Module):
    """Layers of a recurrent cell.

    T time, R replicas, B batch, I input, H hidden, L layers, D directions, W the width of the cell's output or of
    one of its states; W is H unless the cell has widths of its own.

    Args:
        cell: a name of the catalogue, a path to a text file of equations, or a Cell.
        input_size: I.
        hidden_size: H.
        num_layers: L.
        bias: whether the cell's biases `b...` are learned, or left out.
        batch_first: sequences come as (B, T, I).
        dropout: share of features dropped between layers in training.
        bidirectional: a second cell a layer, going backwards; outputs are joined.
        recurrent_dropout: share of units of a state dropped inside of products such as `R @ h`, the same for all
            steps of a sequence (variational; Gal & Ghahramani 2016).
        zoneout: share of units that keep their value over a step; one number, or one a state.
        replicas: R independent copies, trained in one call; each parameter has a leading axis R.
        backend: "auto", the name of one, or a Backend of your own.
        init: how parameters start: None for torch's uniform with the cell's own entries above it; the name of a
            scheme ("uniform", "glorot", "orthogonal", "keras", "zeros", "chrono(784)"); or a mapping from
            parameters or patterns to schemes.
        widths: sizes for the cell's further widths, as in `{"P": 32}`.
        learned_state: whether the states before the first step are learned; else they are zeros.
        variational: whether `dropout` holds one mask for all steps of a sequence (Gal & Ghahramani 2016).

    Attributes:
        generators: what dropout and zoneout are drawn from, one for each replica; None for torch's own generator.

    Raises:
        OptionError: an option that can't be.
        EquationError: the text of a cell is not one.

    Example:
        >>> layer = Recurrent("lstm", 10, 20)
        >>> output, state = layer(torch.zeros(5, 3, 10))
        >>> output.shape, state.h.shape, state.c.shape
        (torch.Size([5, 3, 20]), torch.Size([1, 3, 20]), torch.Size([1, 3, 20]))
    """

    watch: Watch | None = None
    """What looks on at the moment, see `gatelab.probe`."""

    def __init__(
        self,
        cell: str | PathLike[str] | Cell,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        recurrent_dropout: float = 0.0,
        zoneout: float | Mapping[str, float] = 0.0,
        replicas: int | None = None,
        backend: str | Backend = "auto",
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
        *,
        init: object = None,
        widths: Mapping[str, int] | None = None,
        learned_state: bool = False,
        variational: bool = False,
    ) -> None:
        super().__init__()
        found = find_cell(cell)
        self.cell = found if bias else found.without_biases()
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.num_layers = _whole("num_layers", num_layers)
        self.bias = bias
        self.batch_first = batch_first
        self.dropout = _share("dropout", dropout)
        self.bidirectional = bidirectional
        self.recurrent_dropout = _share("recurrent_dropout", recurrent_dropout)
        self.zoneout = _zoneout(zoneout, self.cell)
        self.replicas = None if replicas is None else _whole("replicas", replicas)
        self.init = dict(init) if isinstance(init, Mapping) else init
        self.widths = dict(widths or {})
        self.learned_state = learned_state
        self.variational = variational
        self.generators: Generators = None
        self.backend = backend
        choose(backend)
        check_init(init, self.cell)
        if self.recurrent_dropout and not states_in_products(self.cell):
            raise OptionError(
                f"recurrent_dropout drops states inside of products, and '{self.cell.name}' has no such product.\n"
                "Use zoneout, which acts on the states themselves."
            )
        self._places = tuple(self._find_places())
        self._check_state_widths()
        state_type(self.cell.states)  # Made now, since torch.compile can't trace it.
        lead = () if self.replicas is None else (self.replicas,)
        for place in self._places:
            shapes = self.cell.parameters(place.sizes["I"], hidden_size, **self.widths)
            shapes |= {f"initial_{name}": (place.sizes[self.cell.width(name)],) for name in place.learned}
            for name, shape in shapes.items():
                tensor = torch.empty((*lead, *shape), device=device, dtype=dtype)
                self.register_parameter(name + place.suffix, nn.Parameter(tensor))
        self.reset_parameters()

    @property
    def inside(self) -> dict[str, Inside]:
        """What can be watched: each layer and direction, by the suffix that its parameters have."""
        return {place.suffix: Inside(self.cell, place.sizes) for place in self._places}

    @property
    def output_size(self) -> int:
        """The features of the output at a step, D * W."""
        return self._places[0].sizes[self.cell.width(self.cell.output)] * self._directions

    def reset_parameters(self) -> None:
        """Draws all parameters anew, replica by replica."""
        for replica in range(self.replicas or 1):
            for place in self._places:
                drawn = {
                    name: value.detach() if self.replicas is None else value.detach()[replica]
                    for name, value in self._read(place.parameters).items()
                }
                initialise(drawn, self.cell, self.hidden_size, self.init)
        for place in self._places:
            for value in self._read(place.learned).values():
                nn.init.zeros_(value)

    def forward(
        self,
        x: Tensor | PackedSequence,
        state: object = None,
        lengths: Lengths = None,
        resets: Tensor | None = None,
    ) -> tuple[Any, Any]:
        """Run the cell over sequences.

        Args:
            x: (T, B, I); (B, T, I) with `batch_first`; (T, I) for one sequence; or packed. With replicas
                (R, T, B, I), or without R for all of them.
            state: the states before the first step: a tuple of tensors (L*D, B, W), as this returns it; with
                replicas (R, L*D, B, W); without B for one sequence. Zeros if None.
            lengths: how many steps each sequence has, (B,), with replicas also (R, B). Beyond them outputs are 0
                and states stay.
            resets: before which steps the states start afresh, (T, B), of bool, in the order of `x`.

        Returns:
            The output after each step, (T, B, D*W), in the form in which `x` came; and the states after the last
            step, a NamedTuple.

        Raises:
            ShapeError: a shape, dtype, device or length that does not fit.
        """
        if state is None and resets is None and nothing_looks_on():
            found = self._call_directly(x, lengths)
            if found is not None:
                return found
        read = self._sequences(x, lengths, resets)
        layers, backend = self._layers(state, read.x, read.batched), choose(self.backend)
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
            resets=read.resets,
            noise=self._noise(),
            wishes=wishes,
            sights=sights,
        )
        if self.watch is not None:
            self.watch.take(read, sights)
        return read.restore(output), make_state(self.cell.states, join_states(final, read.batched))

    def step(self, x: Tensor, state: object = None) -> tuple[Tensor, Any]:
        """One step, for streaming.

        Without gradients, on the cpu backend, the weights stay in the order of the kernels from step to step, for as
        long as the parameters hold the same bits. All of these are looked at each time, so that no way to change them
        goes unseen.

        Args:
            x: (B, I), or (I,) for one sequence; with replicas (R, B, I), or without R for all of them.
            state: as in `forward`; what the step before returned.

        Returns:
            The output, (B, W), and the states.

        Raises:
            ShapeError: as in `forward`.
            OptionError: the layer goes both ways, or would draw a dropout mask anew at each step.
        """
        if self.bidirectional:
            raise OptionError("A layer that goes both ways needs the whole sequence.\nUse layer(x).")
        if self.training and self.recurrent_dropout:
            raise OptionError("Recurrent dropout holds one mask for a whole sequence.\nCall layer.eval() first.")
        if not isinstance(x, Tensor):
            raise ShapeError(f"The input is a {type(x).__name__}.\nGive a tensor.")
        if self.watch is None and is_alone() and is_bare(self, Recurrent.forward):
            found = self._quick_step(x, state)
            if found is not None:
                return found[0], make_state(self.cell.states, found[1])
        time = -2 if self.batch_first and x.ndim > 1 else -3 if x.ndim > 1 else 0
        output, state = self(x.unsqueeze(time), state)
        return output.squeeze(time), state

    def _call_directly(self, x: object, lengths: Lengths) -> tuple[Tensor, Any] | None:
        """The output and the states by the shortest way; None if something on the long way counts here."""
        if self.watch is not None and self.watch.gradients:
            return None
        found = self.find_directly(x, lengths)
        if found is None:
            return None
        read, layers = found
        alive = None if read.ragged is None else read.ragged.alive
        if self.watch is None:
            output, final = run_directly(layers, read.x, alive)
        else:
            sights: list[Sight] = []
            self.watch.make_room()
            output, final = run_directly(layers, read.x, alive, sights)
            self.watch.take(read, sights)
        return read.arrange(output), make_state(self.cell.states, join_states(final, batched=True))

    def find_directly(self, x: object, lengths: Lengths) -> tuple[Sequences, list[Ready]] | None:
        """The sequences, and what the shortest way runs on them from zeros; None if the long way has to be taken.

        Args:
            x: as in `forward`.
            lengths: likewise.
        """
        draws = self.training and (self.recurrent_dropout or self._drops)
        if self.bidirectional or self.learned_state or self.zoneout or draws or not isinstance(x, Tensor):
            return None
        lead = x.shape[:-3]
        if x.ndim < 3 or lead != (() if self.replicas is None else (self.replicas,)) or x.shape[-1] != self.input_size:
            return None
        if lengths is None:
            read = as_sequences(time_first(x, self.batch_first), batch_first=self.batch_first)
        else:
            read = self._sequences(x, lengths, None)
        layers = find_direct(
            self,
            self.cell,
            read.x,
            None if read.ragged is None else read.ragged.alive,
            backend=self.backend,
            names=[place.parameters.values() for place in self._places],
            directions=lambda: chain.from_iterable(self._layers(None, read.x, batched=True)),
            wishes=() if self.watch is None else self.watch.wishes(read),
        )
        return None if layers is None else (read, layers)

    def _quick_step(self, x: Tensor, state: object) -> tuple[Tensor, list[Tensor]] | None:
        """The output and the states by the shortest way; None if something on the long way counts here."""
        plain = not (self.bidirectional or self.replicas or self.zoneout or (self.training and self._drops))
        start = () if state is None and not self.learned_state else state
        if not (plain and isinstance(start, tuple) and len(start) == (state is not None) * len(self.cell.states)):
            return None
        if x.ndim not in (1, 2) or x.shape[-1] != self.input_size:
            return None
        return take_step(
            self,
            self.cell,
            x,
            start,
            backend=self.backend,
            names=[place.parameters.values() for place in self._places],
            directions=lambda: chain.from_iterable(self._layers(None, x.view(1, -1, self.input_size), batched=True)),
        )

    def explain(self, x: Tensor | None = None, lengths: Lengths = None, resets: Tensor | None = None) -> str:
        """Which backend runs this layer, why, and what would change it.

        Args:
            x: an input, if its sizes may matter; one step of one sequence if None.
            lengths: as in `forward`.
            resets: as in `forward`.
        """
        if x is None:
            like = next(self.parameters(), torch.empty(0))
            x = like.new_zeros(1, 1, self.input_size)
        read = self._sequences(x, lengths, resets)
        first = self._layers(None, read.x, read.batched)[0][0]
        return explain(self.backend, make_run(first, read.x, read.ragged, read.resets, self._noise()))

    def extra_repr(self) -> str:
        shown = [f"{self.cell.name!r}", str(self.input_size), str(self.hidden_size)]
        options: dict[str, tuple[object, object]] = {
            "num_layers": (self.num_layers, 1),
            "bias": (self.bias, True),
            "batch_first": (self.batch_first, False),
            "dropout": (self.dropout, 0.0),
            "bidirectional": (self.bidirectional, False),
            "recurrent_dropout": (self.recurrent_dropout, 0.0),
            "zoneout": (self.zoneout, {}),
            "replicas": (self.replicas, None),
            "backend": (self.backend, "auto"),
            "init": (self.init, None),
            "widths": (self.widths, {}),
            "learned_state": (self.learned_state, False),
            "variational": (self.variational, False),
        }
        return ", ".join(shown + [f"{k}={value!r}" for k, (value, usual) in options.items() if value != usual])

    def __getstate__(self) -> dict[str, Any]:
        return unwatched(super().__getstate__())  # type: ignore[no-untyped-call]

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)  # type: ignore[no-untyped-call]
        state_type(self.cell.states)

    @property
    def _drops(self) -> bool:
        """Whether there is something between layers that training drops."""
        return bool(self.dropout) and self.num_layers > 1

    @property
    def _directions(self) -> int:
        return 2 if self.bidirectional else 1

    def _sequences(self, x: Tensor | PackedSequence, lengths: Lengths, resets: Tensor | None) -> Sequences:
        return read_sequences(
            x,
            lengths,
            resets,
            input_size=self.input_size,
            batch_first=self.batch_first,
            replicas=self.replicas,
        )

    def _noise(self) -> Noise:
        return Noise(
            self.dropout, self.recurrent_dropout, self.zoneout, self.training, self.variational, self.generators
        )

    def _find_places(self) -> Iterator[Place]:
        sizes = self.cell.sizes(self.input_size, self.hidden_size, self.widths)
        for depth in range(self.num_layers):
            if depth == 1:
                wide = sizes[self.cell.width(self.cell.output)] * self._directions
                sizes = self.cell.sizes(wide, self.hidden_size, self.widths)
            for ending in ("", "_reverse")[: self._directions]:
                suffix = f"_l{depth}{ending}"
                yield Place(
                    depth=depth,
                    suffix=suffix,
                    sizes=sizes,
                    parameters={name: name + suffix for name in self.cell.parameter_names},
                    learned={name: f"initial_{name}{suffix}" for name in self.cell.states if self.learned_state},
                )

    def _check_state_widths(self) -> None:
        """Raises if a state is as wide as the input where layers have inputs of different widths."""
        for name in self.cell.states:
            widths = {place.sizes[self.cell.width(name)] for place in self._places}
            if len(widths) > 1:
                wide = self._places[-1].sizes["I"]
                raise OptionError(
                    f"The state '{name}' of '{self.cell.name}' is as wide as the input: {self.input_size} in the first "
                    f"layer, {wide} in the others, and the states of all layers are one tensor.\n"
                    f"Give input_size={wide}, or use a layer of its own for each."
                )

    def _read(self, names: Mapping[str, str]) -> dict[str, Tensor]:
        """Parameters by their names in the cell; what torch has put in the place of one counts too."""
        own = self._parameters  # Half of the time of `getattr`.
        try:
            return dict(zip(names, map(own.__getitem__, names.values()), strict=True))  # type: ignore[arg-type]
        except KeyError:
            return {name: getattr(self, key) for name, key in names.items()}

    def _layers(self, state: object, x: Tensor, batched: bool) -> list[list[Direction]]:
        states, batch = self.cell.states, x.shape[1:-1]
        parameters = [self._read(place.parameters) for place in self._places]
        learned = [tuple(self._read(place.learned).values()) for place in self._places] if self.learned_state else []
        check_like(x, next(chain(parameters[0].values(), *learned), None))
        given: tuple[Tensor, ...] | None = None
        if state is not None:
            widths = [self._places[0].sizes[self.cell.width(name)] for name in states]
            shapes = [(*batch[:-1], len(self._places), batch[-1], width) for width in widths]
            given = read_state(state, self.cell, shapes, x, batched)
        layers: list[list[Direction]] = [[] for _ in range(self.num_layers)]
        for index, place in enumerate(self._places):
            fresh: tuple[Tensor | None, ...] = (None,) * len(states)
            if self.learned_state:
                fresh = tuple(value.unsqueeze(-2).expand(*batch, value.shape[-1]) for value in learned[index])
            start = fresh if given is None else tuple(value.select(-3, index) for value in given)
            layers[place.depth].append(
                Direction(self.cell, place.sizes, parameters[index], start, fresh, place.suffix.endswith("_reverse"))
            )
        return layers


@dataclass(frozen=True)
class Place:
    """One layer and direction.

    Attributes:
        depth: the layer.
        suffix: what the names of its parameters end in.
        sizes: what each width symbol of the cell is.
        parameters: the names of its parameters by those in the cell.
        learned: the names of the states that it learns to start from, by those in the cell.
    """

    depth: int
    suffix: str
    sizes: Mapping[str, int]
    parameters: Mapping[str, str]
    learned: Mapping[str, str]


def _whole(name: str, value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise OptionError(f"{name} is {value!r}.\nGive a whole number from 1 on.")
    return value


def _share(name: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1 or math.isnan(value):
        raise OptionError(f"{name} is {value!r}.\nGive a share from 0 to under 1.")
    return float(value)


def _zoneout(given: float | Mapping[str, float], cell: Cell) -> dict[str, float]:
    """The share for each stored state; the larger one for states that are stored as one."""
    shares = dict(given) if isinstance(given, Mapping) else dict.fromkeys(cell.states, _share("zoneout", given))
    for name in shares:
        if name not in cell.stored_as:
            raise OptionError(
                f"zoneout names '{name}', which is not a state of '{cell.name}'.\n{nearest(name, cell.states)}"
            )
    stored: dict[str, float] = {}
    for name, share in shares.items():
        kept = cell.stored_as[name]
        stored[kept] = max(stored.get(kept, 0.0), _share("zoneout", share))
    return {name: share for name, share in stored.items() if share}
