"""The probe: watch names in the equations of layers while they run, at the speed of the backend that runs them."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from math import prod

import torch
from torch import Tensor, nn

from gatelab.errors import OptionError, nearest
from gatelab.nn.compat import GRU, LSTM, RNN
from gatelab.nn.recurrent import Recurrent
from gatelab.nn.sequences import Sequences
from gatelab.nn.watching import Sight, Values, Wish, values_of
from gatelab.probes.record import Fetched, Record, Seen

Layer = Recurrent | LSTM | GRU | RNN
MOST = 2**32
"""Bytes that a call may show, unless told otherwise."""


@contextmanager
def probe(
    module: nn.Module,
    *names: str,
    gradients: bool = False,
    every: int = 1,
    units: Sequence[int] | None = None,
    calls: int | None = 1,
    most_bytes: int = MOST,
) -> Iterator[Record]:
    """Watches names in the equations of a module's recurrent layers while they run.

    The layers compute as they would without it, on the backend that they have; only what is asked for is written out.

    Args:
        module: a layer, or anything with recurrent layers inside.
        names: of the equations, in all layers and directions that have them; "f_l1" or "f_l1_reverse" in one of them,
            "encoder.f" in the layer of that name. All gates and states if there are none.
        gradients: whether to see the gradient of each name too, as soon as `backward` has been called.
        every: of so many steps the first is seen.
        units: the units to keep; all if None.
        calls: how many calls of each layer to keep, the last ones; all if None.
        most_bytes: what a call may show at most.

    Yields:
        The record, which grows with each call. Values are those that the equations give: before zoneout, and 0 beyond
        the end of a sequence. States that are always equal have one gradient, that of all of them.

    Raises:
        OptionError: there is no such name, no layer, another probe on the same layer, or too much to be seen.

    Example:
        >>> import gatelab as gl, torch
        >>> layer = gl.Recurrent("lstm", 3, 4)
        >>> with gl.probe(layer, "f", "c", gradients=True) as record:
        ...     layer(torch.zeros(5, 2, 3))[0].sum().backward()
        >>> record["f"].shape, record.gradient["c"].shape
        (torch.Size([5, 2, 4]), torch.Size([5, 2, 4]))
    """
    if any(not isinstance(count, int) or count < 1 for count in (every, 1 if calls is None else calls)):
        raise OptionError(f"every={every}, calls={calls}.\nGive whole numbers from 1 on.")
    layers = {path: part for path, part in module.named_modules() if isinstance(part, Layer)}
    if not layers:
        raise OptionError(
            f"There is no recurrent layer of gatelab inside of {type(module).__name__}.\n"
            "torch's own layers show nothing; gl.nn.LSTM, GRU and RNN take their place with the same weights."
        )
    found = find_names(layers, names)
    record = Record(_by_alias(found))
    kept = None if units is None else _whole_numbers(units)
    _check_units(found, kept)
    watching = {path: layer for path, layer in layers.items() if any(place.path == path for place in found)}
    for path, layer in watching.items():
        if layer.watch is not None:
            raise OptionError(
                f"Another probe watches {path or 'the layer'} already.\nName all that is wanted in one probe."
            )
    left = ExitStack()
    try:
        for path, layer in watching.items():
            left.enter_context(_seen_by_torch(layer))
            wanted = {
                suffix: tuple(p for p in found if (p.path, p.suffix) == (path, suffix)) for suffix in layer.inside
            }
            layer.watch = Watching(record, tuple(wanted.values()), gradients, every, kept, calls, most_bytes)
        yield record
    finally:
        left.close()
        for layer in watching.values():
            layer.watch = None


@contextmanager
def _seen_by_torch(layer: Layer) -> Iterator[None]:
    """Has torch.compile leave its graph where the layer is called, since nothing can be watched inside of one."""
    compiler = sys.modules.get("torch._dynamo")  # Loading it takes longer than a probe, and is of no use by itself.
    if compiler is None:
        yield
        return
    before = layer.__dict__.get("forward")
    layer.forward = compiler.disable(layer.forward)  # type: ignore[method-assign]
    try:
        yield
    finally:
        del layer.__dict__["forward"]
        if before is not None:
            layer.forward = before  # type: ignore[method-assign]


@dataclass(frozen=True)
class Watched:
    """A name in one layer and direction.

    Attributes:
        name: in the equations.
        path: of the layer in the module.
        suffix: of the layer and direction, as its parameters have it.
        width: W.
        key: in the record.
    """

    name: str
    path: str
    suffix: str
    width: int
    key: str = ""

    @property
    def aliases(self) -> tuple[str, ...]:
        """What it may be called, where that is clear."""
        short = (self.name, self.name + self.suffix)
        return (*short, *(f"{self.path}.{name}" for name in short if self.path))


def find_names(layers: Mapping[str, Layer], names: Sequence[str]) -> tuple[Watched, ...]:
    """What names mean in the layers of a module, in the order of the layers and their equations.

    Raises:
        OptionError: one of them means nothing.
    """
    all_of_them = [
        Watched(line.name, path, suffix, inside.width(line.name))
        for path, layer in layers.items()
        for suffix, inside in layer.inside.items()
        for line in inside.cell.lines
    ]
    known = {alias for place in all_of_them for alias in place.aliases}
    for name in names:
        if name not in known:
            raise OptionError(f"There is no '{name}' in the equations.\n{nearest(name, known)}")
    usual = {
        (path, name)
        for path, layer in layers.items()
        for inside in layer.inside.values()
        for name in (*inside.cell.gates, *inside.cell.states)
    }
    wanted = [
        place
        for place in all_of_them
        if (set(place.aliases) & set(names) if names else (place.path, place.name) in usual)
    ]
    return tuple(replace(place, key=_key(place, all_of_them)) for place in wanted)


def _key(place: Watched, all_of_them: Sequence[Watched]) -> str:
    """The shortest name that is clear: "f", "f_l1" in one of several layers, "encoder.f" in one of several modules."""
    for alias in (place.name, f"{place.path}.{place.name}", place.name + place.suffix):
        if sum(alias in other.aliases for other in all_of_them) == 1:
            return alias
    return place.aliases[-1]


def _by_alias(found: Sequence[Watched]) -> dict[str, tuple[str, ...]]:
    keys: dict[str, tuple[str, ...]] = {}
    for place in found:
        for alias in place.aliases:
            keys[alias] = (*keys.get(alias, ()), place.key)
    return keys


def _whole_numbers(units: Sequence[int]) -> tuple[int, ...]:
    numbers = torch.as_tensor(units)
    if numbers.ndim != 1 or numbers.is_floating_point() or numbers.is_complex():
        raise OptionError(f"units={units!r}.\nGive a list of whole numbers, as in units=[0, 3].")
    return tuple(map(int, numbers))


def _check_units(found: Sequence[Watched], units: Sequence[int] | None) -> None:
    for place in found:
        if units is not None and not all(-place.width <= unit < place.width for unit in units):
            raise OptionError(
                f"units={list(units)}, but '{place.key}' has {place.width} units.\n"
                f"Give numbers from 0 to {place.width - 1}."
            )


@dataclass
class Watching:
    """What looks on at one layer.

    Attributes:
        wanted: for each layer and direction what is seen of it.
        own: the calls that the record has from here.
    """

    record: Record
    wanted: tuple[tuple[Watched, ...], ...]
    gradients: bool
    every: int
    units: tuple[int, ...] | None
    calls: int | None
    most_bytes: int
    own: list[Seen] = field(default_factory=list)

    def wishes(self, read: Sequences) -> tuple[Wish, ...]:
        """Of each layer and direction."""
        self._check_size(read.x)
        return tuple(Wish(tuple(place.name for place in places), self.gradients, self.every) for places in self.wanted)

    def take(self, read: Sequences, sights: Sequence[Sight]) -> None:
        """What was seen of each layer and direction goes into the record."""
        values: dict[str, Callable[[], Tensor]] = {}
        gradients: dict[str, Callable[[], Tensor | None]] = {}
        taps = tuple(tap for sight in sights for tap in sight.taps.values())
        for places, sight in zip(self.wanted, sights, strict=True):
            for place in places:
                values[place.key] = partial(self._values, read, sight.values[place.name])
                if place.name in sight.taps:
                    gradients[place.key] = partial(self._gradient, read, sight.taps[place.name], taps)
        lengths = None if read.ragged is None else read.ragged.lengths
        units = {} if self.units is None else self._units_by_key
        self.own.append(Seen(Fetched(values), gradients, lengths, self.every, read.axes, units))
        self.record.calls.append(self.own[-1])

    def make_room(self) -> None:
        """Lets go of the oldest call if there is no room for one more.

        Before the next one runs, which then finds the same memory for its record: with another one in turn, a step of
        imdb-small would take a quarter longer.
        """
        if self.calls is not None and len(self.own) >= self.calls:
            oldest = self.own.pop(0)
            self.record.calls[:] = [call for call in self.record.calls if call is not oldest]

    @cached_property
    def _units_by_key(self) -> dict[str, tuple[int, ...]]:
        """The units that are kept, those that were counted from the last one on as they are."""
        chosen = self.units or ()
        return {place.key: tuple(unit % place.width for unit in chosen) for places in self.wanted for place in places}

    def _kept(self, read: Sequences, values: Tensor) -> Tensor:
        """Values of a run in the form of the layer's output, of the units that are kept."""
        shown = read.arrange(values)
        return shown if self.units is None else shown[..., list(self.units)]

    def _values(self, read: Sequences, values: Values) -> Tensor:
        return self._kept(read, values_of(values))

    def _gradient(self, read: Sequences, tap: Tensor, taps: Sequence[Tensor]) -> Tensor | None:
        """What has reached a tap; zeros if it has reached others of the call only, None if there are none yet."""
        if tap.grad is not None:
            return self._kept(read, tap.grad)
        return self._kept(read, torch.zeros_like(tap)) if any(other.grad is not None for other in taps) else None

    def _check_size(self, x: Tensor) -> None:
        steps = -(-x.shape[0] // self.every)
        numbers = steps * prod(x.shape[1:-1]) * sum(place.width for places in self.wanted for place in places)
        size = numbers * x.element_size() * (1 + self.gradients)
        if size > self.most_bytes:
            raise OptionError(
                f"What is watched takes {size / 2**30:.2f} GiB in this call, and {self.most_bytes / 2**30:.2f} are "
                "allowed.\nWatch fewer names, every=10 steps, or a smaller batch; or allow more with most_bytes=."
            )
