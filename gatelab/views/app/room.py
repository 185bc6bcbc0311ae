"""The room: exhibits, and what a visitor may ask of them, one at a time.

All of it is computed from the question alone; nothing is kept of a visitor, and nothing is written.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from threading import Lock

from gatelab.errors import DataError, OptionError, nearest
from gatelab.views.app.asked import Asked
from gatelab.views.app.scenery import Scenery
from gatelab.views.live.exhibits import Exhibit
from gatelab.views.live.forcing import forced
from gatelab.views.live.hands import Typed
from gatelab.views.live.likes import Like, find_likes
from gatelab.views.live.looks import Look, Score, look, score_of

FIRST_MAPS, FEW_UNITS = 8, 3
"""Names that have a map to begin with, and units of which there are so few that all have a line from the start."""


@dataclass(frozen=True, eq=False)
class Seen:
    """An answer to the page: what was read, and what the models do with it."""

    typed: Typed
    plain: Look
    held: Look | None
    scenery: Scenery


@dataclass(frozen=True, eq=False)
class Room:
    """Exhibits side by side.

    Attributes:
        exhibits: one a run.
        lock: a layer can be watched by one probe at a time, and a server answers several at once.
    """

    exhibits: tuple[Exhibit, ...]
    lock: Lock = field(default_factory=Lock)

    def exhibit(self, run: int) -> Exhibit:
        """The one of a run.

        Raises:
            OptionError: there is none.
        """
        if not 0 <= run < len(self.exhibits):
            raise OptionError(f"There is no run {run + 1}.\nThere are {len(self.exhibits)}; open the page anew.")
        return self.exhibits[run]

    def see(self, asked: Asked) -> Seen:
        """What the models do with an input.

        Raises:
            OptionError, DataError: the input can't be read, or there is no such gate, name or unit.
        """
        own = self.exhibit(asked.run)
        typed = own.read(asked.written)
        with self.lock:
            plain = look(own.model, typed, own.hand)
            held = look(forced(own.model, asked.forces), typed, own.hand) if asked.forces else None
        return Seen(typed, plain, held, _scenery(asked, own, plain, held))

    def scores(self, asked: Asked) -> tuple[Score, Score | None]:
        """How good the model is as it is, and with its held gates if there are any.

        Raises:
            DataError: the test is not at hand.
        """
        own = self.exhibit(asked.run)
        sample = own.sample
        if sample is None:
            raise DataError(f"No score: the test is not at hand.\n{own.missing}")
        with self.lock:
            plain = score_of(own.model, sample, own.hand.ahead)
            held = score_of(forced(own.model, asked.forces), sample, own.hand.ahead) if asked.forces else None
        return plain, held

    def likes(self, asked: Asked) -> tuple[Like, ...]:
        """Spans of the test that are like the marked one.

        Raises:
            OptionError: nothing is marked, or it is not in the input.
            DataError: the test is not at hand.
        """
        own, span = self.exhibit(asked.run), asked.span
        if own.sample is None:
            raise DataError(f"There is nothing to search: the test is not at hand.\n{own.missing}")
        if span is None:
            raise OptionError("Nothing is marked.\nGive the first and the last step, or drag over the figure.")
        examples = own.read(asked.written).examples
        if span[1] > len(examples.labels[0]):
            raise OptionError(f"The input has {len(examples.labels[0])} steps.\nMark some of these.")
        with self.lock:
            model = forced(own.model, asked.forces)
            return find_likes(model, examples, own.sample, asked.focus, (span[0] - 1, span[1]), asked.units or None)


def keys_of(exhibit: Exhibit) -> dict[str, str]:
    """All that can be looked at: the probe's keys, and the name of each in the equations."""
    layer = exhibit.model.recurrent
    alone = len(layer.inside) == 1
    return {
        name if alone else name + suffix: name for suffix, inside in layer.inside.items() for name in inside.cell.names
    }


def gate_keys(exhibit: Exhibit) -> tuple[str, ...]:
    """Those of the gates."""
    gates = exhibit.model.recurrent.cell.gates
    return tuple(key for key, name in keys_of(exhibit).items() if name in gates)


def first_shown(exhibit: Exhibit) -> list[str]:
    """What has a map to begin with: gates and states, of the last layers where there are many."""
    cell, keys = exhibit.model.recurrent.cell, keys_of(exhibit)
    wanted = [key for key, name in keys.items() if name in (*cell.gates, *cell.states)]
    return wanted[-FIRST_MAPS:]


def first_focus(exhibit: Exhibit) -> str:
    """A state beside the output where there is one, since that is the memory; of the last layer."""
    cell, keys = exhibit.model.recurrent.cell, keys_of(exhibit)
    memory = next((state for state in cell.states if state != cell.output), cell.output)
    return [key for key, name in keys.items() if name == memory][-1]


def width_of(exhibit: Exhibit, key: str) -> int:
    """How many units a name has."""
    layer = exhibit.model.recurrent
    places = [inside.width(name) for inside in layer.inside.values() for name in inside.cell.names]
    return dict(zip(keys_of(exhibit), places, strict=True)).get(key, 0)


def _scenery(asked: Asked, own: Exhibit, plain: Look, held: Look | None) -> Scenery:
    known = keys_of(own)
    for key in (*asked.shown, asked.focus):
        if key not in known:
            raise OptionError(f"There is no name '{key}'.\n{nearest(key, known)}")
    steps = len(plain.labels)
    span = None if asked.span is None or asked.span[0] > steps else (asked.span[0], min(asked.span[1], steps))
    width = plain.values[asked.focus].shape[1]
    return Scenery(
        plain=plain,
        held=held,
        gates=gate_keys(own),
        shown=tuple(asked.shown),
        side=asked.side if held else "as it is",
        focus=asked.focus,
        units=tuple(unit for unit in asked.units if unit < width),
        span=span,
        target=own.hand.target,
    )
