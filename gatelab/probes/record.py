"""What was seen inside of layers while a probe looked on: a record of calls, to be read, kept and saved.

T time, R replicas, B batch, W the width of a vector, H hidden.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gatelab.errors import OptionError, StoreError, nearest
from gatelab.files import read_tensors, write_tensors

FORMAT = "gatelab record 1"


class Fetched(Mapping[str, Tensor]):
    """Tensors that are made when they are first asked for, so that who looks now and then pays then."""

    def __init__(self, makers: Mapping[str, Callable[[], Tensor]]) -> None:
        self._makers, self._made = dict(makers), dict[str, Tensor]()

    def __getitem__(self, key: str) -> Tensor:
        if key not in self._made:
            # The maker goes, with all of the kernel's record that it holds.
            self._made[key] = self._makers[key]()
            self._makers[key] = partial(_itself, self._made[key])
        return self._made[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._makers)

    def __len__(self) -> int:
        return len(self._makers)


@dataclass(frozen=True)
class Seen:
    """One call of a layer.

    Attributes:
        values: by key, each in the form of the layer's output, (T, B, W), of the steps and units that were asked for;
            0 beyond the end of a sequence. Packed input gives it padded.
        gradients: by key, what gives the gradient so far, or None before there is one; empty if there are none.
        lengths: how many steps each sequence has, ([R or 1,] B), or None if all have T.
        every: of so many steps the first is there.
        units: by key the units that are there, where not all are.
        axes: what the axes of the values are, such as ("step", "sequence", "unit").
    """

    values: Mapping[str, Tensor]
    gradients: Mapping[str, Callable[[], Tensor | None]]
    lengths: Tensor | None
    every: int
    axes: tuple[str, ...]
    units: Mapping[str, tuple[int, ...]] = field(default_factory=dict)


@dataclass
class Record(Mapping[str, Tensor]):
    """What a probe has seen: `record["f"]` of the last call, all that are kept in `calls`.

    It grows while the probe looks on; after that it can be read for as long as one likes.

    Attributes:
        keys_by_name: the keys that each name stands for. "f_l0" is a key of a layer among several; "f" is one if only
            one layer and direction has it.
        calls: the last ones, the oldest first.
    """

    keys_by_name: Mapping[str, tuple[str, ...]]
    calls: list[Seen] = field(default_factory=list)

    @property
    def names(self) -> tuple[str, ...]:
        """The keys."""
        return tuple(dict.fromkeys(key for keys in self.keys_by_name.values() for key in keys))

    def __getitem__(self, name: str) -> Tensor:
        """The values of a name in the last call, (T, B, W).

        Raises:
            OptionError: it was not watched, or no layer has run.
        """
        return self.last(name).values[self.key(name)]

    def __contains__(self, name: object) -> bool:
        """Whether a name stands for one key that was seen."""
        keys = self.keys_by_name.get(name, ()) if isinstance(name, str) else ()
        return len(keys) == 1 and any(keys[0] in call.values for call in self.calls)

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __len__(self) -> int:
        return len(self.names)

    def __repr__(self) -> str:
        shapes = {key: tuple(call.values[key].shape) for call in self.calls[-1:] for key in call.values}
        shown = ", ".join(f"{key} {shapes[key]}" if key in shapes else key for key in self.names)
        return f"Record({shown or 'nothing'}; {len(self.calls)} call{'s' * (len(self.calls) != 1)})"

    @property
    def gradient(self) -> Gradients:
        """The gradients of the last call by name: `record.gradient["c"]` is dL/dc_t, (T, B, W)."""
        return Gradients(self)

    @property
    def lengths(self) -> Tensor | None:
        """The lengths of the last call's sequences, (B,), or None."""
        return self.calls[-1].lengths if self.calls else None

    def key(self, name: str) -> str:
        """The one key that a name stands for."""
        found = self.keys_by_name.get(name, ())
        if len(found) > 1:
            raise OptionError(f"'{name}' is watched in more than one place.\nTake one of: {', '.join(found)}.")
        if not found:
            raise OptionError(f"'{name}' was not watched.\n{nearest(name, self.keys_by_name)}")
        return found[0]

    def last(self, name: str) -> Seen:
        """The last call in which a name was seen."""
        key = self.key(name)
        for call in reversed(self.calls):
            if key in call.values:
                return call
        raise OptionError(f"'{name}' was never seen: the layer has not run inside of the probe.\nCall it there.")

    def arrays(self) -> dict[str, np.ndarray]:
        """The values of the last call as arrays of numpy, by key."""
        return {key: _array(self[key]) for key in self.names}

    def table(self) -> dict[str, np.ndarray]:
        """The last call as a tidy table: columns of one length, a row for each number.

        The columns are name, the axes of the values (step, sequence and unit, perhaps replica), value, and gradient
        if there are gradients. Steps beyond the end of a sequence are left out, and so are names that were not seen.
        An axis that only some have is 0 for the others, a gradient NaN.
        """
        parts = [_rows(key, self.last(key)) for key in self.names if key in self]
        if not parts:
            return {}
        found = {column for part in parts for column in part}
        return {
            column: np.concatenate([part.get(column, np.full(len(part["name"]), empty)) for part in parts])
            for column, empty in COLUMNS.items()
            if column in found
        }

    def save(self, path: str | Path) -> None:
        """Writes all calls to one safetensors file.

        Raises:
            StoreError: it can't be written.
        """
        tensors: dict[str, Tensor] = {}
        facts: list[dict[str, Any]] = []
        for number, call in enumerate(self.calls):
            tensors |= {f"{number}:value:{key}": values for key, values in call.values.items()}
            found = {key: read() for key, read in call.gradients.items()}
            tensors |= {f"{number}:gradient:{key}": value for key, value in found.items() if value is not None}
            if call.lengths is not None:
                tensors[f"{number}:lengths:"] = call.lengths
            facts.append({"every": call.every, "axes": call.axes, "units": dict(call.units)})
        names = {name: list(keys) for name, keys in self.keys_by_name.items()}
        write_tensors(Path(path), tensors, {"format": FORMAT, "names": names, "calls": facts})

    @classmethod
    def load(cls, path: str | Path) -> Record:
        """Reads what `save` wrote.

        Raises:
            StoreError: the file is missing, broken or no record.
        """
        found = read_tensors(Path(path))
        if found.facts.get("format") != FORMAT:
            raise StoreError(f"{path} is no record of a probe, or of another version.\nSave it anew with record.save.")
        parts: dict[tuple[str, str], dict[str, Tensor]] = {}
        for name, tensor in found.tensors.items():
            number, kind, key = name.split(":", 2)
            parts.setdefault((number, kind), {})[key] = tensor
        calls = [
            Seen(
                values=parts.get((str(number), "value"), {}),
                gradients={
                    key: partial(_itself, tensor) for key, tensor in parts.get((str(number), "gradient"), {}).items()
                },
                lengths=parts.get((str(number), "lengths"), {}).get(""),
                every=facts["every"],
                axes=tuple(facts["axes"]),
                units={key: tuple(units) for key, units in facts.get("units", {}).items()},
            )
            for number, facts in enumerate(found.facts["calls"])
        ]
        return cls({name: tuple(keys) for name, keys in found.facts["names"].items()}, calls)


@dataclass(frozen=True)
class Gradients(Mapping[str, Tensor]):
    """The gradients of a record's last call."""

    record: Record

    def __getitem__(self, name: str) -> Tensor:
        """dL/d name at each step, (T, B, W).

        Raises:
            OptionError: none were asked for, or there was no backward pass.
        """
        call, key = self.record.last(name), self.record.key(name)
        if key not in call.gradients:
            raise OptionError(
                f"There are no gradients of '{name}'.\n"
                "Ask for them, gl.probe(..., gradients=True), and leave torch.no_grad out."
            )
        found = call.gradients[key]()
        if found is None:
            raise OptionError(
                f"There is no gradient of '{name}' yet.\n"
                "Call backward() on a loss of the layer's output; torch.autograd.grad does not reach it."
            )
        return found

    def __contains__(self, name: object) -> bool:
        """Whether there is a gradient of a name."""
        if not isinstance(name, str) or name not in self.record:
            return False
        read = self.record.last(name).gradients.get(self.record.key(name))
        return read is not None and read() is not None

    def __iter__(self) -> Iterator[str]:
        return iter(self.record.names)

    def __len__(self) -> int:
        return len(self.record)


def _itself(tensor: Tensor) -> Tensor:
    return tensor


COLUMNS: Mapping[str, Any] = {
    "name": "", "replica": 0, "step": 0, "sequence": 0, "unit": 0, "value": math.nan, "gradient": math.nan
}  # fmt: skip
"""Of a table, in their order, and what stands where there is none."""


def _array(values: Tensor) -> np.ndarray:
    """In numpy, which has no bfloat16."""
    return (values.float() if values.dtype == torch.bfloat16 else values).cpu().numpy()


def _rows(key: str, call: Seen) -> dict[str, np.ndarray]:
    """One key of a call as columns."""
    values = _array(call.values[key])
    places: dict[str, np.ndarray] = dict(zip(call.axes, np.indices(values.shape), strict=True))
    places["step"] = places["step"] * call.every
    if key in call.units:
        places["unit"] = np.asarray(call.units[key], int)[places["unit"]]
    within = np.ones(values.shape, bool)
    if call.lengths is not None:
        lengths = np.atleast_2d(call.lengths.cpu().numpy())
        replica = places.get("replica", np.zeros(values.shape, int)) % len(lengths)
        within = places["step"] < lengths[replica, places.get("sequence", np.zeros(values.shape, int))]
    columns = {axis: index[within] for axis, index in places.items()}
    rows = {"name": np.full(int(within.sum()), key), **columns, "value": values[within]}
    if key in call.gradients:
        gradient = call.gradients[key]()
        rows["gradient"] = (np.full(values.shape, np.nan) if gradient is None else _array(gradient))[within]
    return rows
