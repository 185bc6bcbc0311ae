"""Series with a class each: the archives' `.ts` and `.tsv` files, of any lengths.

N series, T steps, C channels.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from gatelab.data.fetch import find
from gatelab.data.reading import opened
from gatelab.data.table import SHOWN, number
from gatelab.data.windows import Scaler
from gatelab.errors import DataError, nearest

TS_MISSING = frozenset({"?", "nan"})
TSV_MISSING = frozenset({"?", "nan", ""})
LARGEST = float(np.finfo(np.float32).max)


@dataclass(frozen=True, eq=False)
class LabelledSeries:
    """Series and their classes.

    Attributes:
        values: of each series, (T_i, C) of float32, T_i at least 1.
        labels: places in `names`, (N,) of long.
        names: of the classes.
        filled: how many missing values were filled in, from their neighbours in time.
    """

    values: tuple[Tensor, ...]
    labels: Tensor
    names: tuple[str, ...]
    filled: int = 0

    @property
    def channels(self) -> int:
        """C."""
        return self.values[0].shape[1]

    def padded(self) -> tuple[Tensor, Tensor]:
        """All series in one tensor (T, N, C), with zeros after their ends, and their lengths (N,)."""
        return pad_sequence(list(self.values)), torch.tensor([len(one) for one in self.values])


@dataclass(frozen=True)
class _Line:
    """One series as it stands in a file: `values` (T, C) of float64, NaN where missing, and where it stands."""

    place: str
    values: NDArray[np.float64]
    label: str


def read_ts(path: Path) -> LabelledSeries:
    """The series in a `.ts` file, plain or .gz: `#` comments, `@` keys, then one series a line after `@data`.

    Channels are split by `:`, values by `,`, and the class comes last. A missing value, `?` or NaN, is put on the
    line between its neighbours in time, or made equal to the nearest at either end.

    Raises:
        DataError: it is none, has timestamps or no classes, or a line does not fit the others or the keys.
    """
    lines = _lines(path)
    keys = _keys(path.name, lines)
    read = [_ts_line(place, text.split(":")) for place, text in lines]
    _check_against_keys(path.name, keys, read)
    return _labelled(path.name, read, keys["classlabel"].split()[1:])


def read_tsv(path: Path) -> LabelledSeries:
    """The series in a file of the UCR archive, plain or .gz: a line each, its class first, split by tabs or commas.

    Missing values at the end mean that the series is shorter, as in the archive; others are filled in as by
    `read_ts`. Classes that are whole numbers are one class however they are written, such as 1 and 1.0.

    Raises:
        DataError: a value is no number, or a line is longer or shorter than the first.
    """
    rows = [(place, text.split("\t" if "\t" in text else ",")) for place, text in _lines(path)]
    for place, cells in rows:
        if len(cells) != len(rows[0][1]):
            raise DataError(
                f"{place}: {len(cells)} cells where the first line has {len(rows[0][1])}.\n"
                "Lines are of one length; a shorter series is filled up with NaN at its end."
            )
    return _labelled(path.name, [_tsv_line(place, cells) for place, cells in rows])


READERS: Mapping[str, Callable[[Path], LabelledSeries]] = {
    ".ts": read_ts,
    ".tsv": read_tsv,
    ".csv": read_tsv,
    ".txt": read_tsv,
}
"""The form of a file by the end of its name, a `.gz` left aside."""


def read_labelled(train_path: Path, test_path: Path) -> tuple[LabelledSeries, LabelledSeries]:
    """Series for training and for the test, with the class names of the training.

    Raises:
        DataError: a file is broken, the training has a single class, or the test has a class or a number of channels
            that the training lacks.
    """
    train, test = (_reader(path)(path) for path in (train_path, test_path))
    known = {train.names[label] for label in train.labels.tolist()}
    if len(known) < 2:
        raise DataError(f"{train_path.name} has the class '{min(known)}' only.\nTake series of two classes or more.")
    found = [test.names[label] for label in test.labels.tolist()]
    new = sorted(set(found) - known)
    if new:
        cause = f"{test_path.name} has the class '{new[0]}', which no series of {train_path.name} has"
        raise DataError(f"{cause}.\n{nearest(new[0], known)}")
    if test.channels != train.channels:
        raise DataError(
            f"{test_path.name} has {test.channels} channels and {train_path.name} {train.channels}.\n"
            "Take the two files of one data set."
        )
    places = {name: place for place, name in enumerate(train.names)}
    return train, replace(test, labels=torch.tensor([places[name] for name in found]), names=train.names)


def japanese_vowels() -> tuple[LabelledSeries, LabelledSeries]:
    """Nine speakers saying two vowels, 12 channels, 7 to 29 steps: 270 series for training, 370 for the test.

    Kudo, Toyama & Shimbo 1999, "Multidimensional curve classification using passing-through regions", Pattern
    Recognition Letters 20.
    """
    return read_labelled(find("japanese-vowels/train"), find("japanese-vowels/test"))


def standardised(train: LabelledSeries, test: LabelledSeries) -> tuple[LabelledSeries, LabelledSeries]:
    """Both with the training's mean taken from each channel and divided by the training's deviation."""
    scaler = Scaler.of(torch.cat(train.values))
    first, second = (replace(part, values=tuple(map(scaler.apply, part.values))) for part in (train, test))
    return first, second


def _reader(path: Path) -> Callable[[Path], LabelledSeries]:
    end = Path(path.name.removesuffix(".gz")).suffix.lower()
    if end not in READERS:
        raise DataError(f"{path.name} is no file of series by its name.\nIts name should end in {', '.join(READERS)}.")
    return READERS[end]


def _lines(path: Path) -> Iterator[tuple[str, str]]:
    """The lines that are neither blank nor a comment, each with its place for messages."""
    with opened(path) as stream:
        for line, text in enumerate(stream, 1):
            if text.strip() and not text.startswith("#"):
                yield f"{path.name}, line {line}", text.strip("\r\n")


def _keys(file: str, lines: Iterator[tuple[str, str]]) -> dict[str, str]:
    """What follows each `@` key, by its name in small letters; `lines` then stand at the first series."""
    keys: dict[str, str] = {}
    for place, text in lines:
        key, *rest = text.split(maxsplit=1)
        if not key.startswith("@"):
            raise DataError(f"{place}: neither a key nor @data.\nA .ts file has keys such as @classLabel, then @data.")
        if key.lower() == "@data":
            _check_keys(file, keys)
            return keys
        said = "".join(rest).strip()
        keys[key[1:].lower()] = said if key.lower() == "@classlabel" else said.lower()
    raise DataError(f"{file} has no line @data.\nA .ts file has its keys, then @data, then its series.")


def _check_keys(file: str, keys: Mapping[str, str]) -> None:
    if keys.get("timestamps") == "true":
        raise DataError(f"{file} has timestamps.\nBring its series to equal steps and write @timeStamps false.")
    if not keys.get("classlabel", "").lower().startswith("true"):
        raise DataError(f"{file} has no classes.\nWrite @classLabel true and their names before @data.")


def _check_against_keys(file: str, keys: Mapping[str, str], read: Sequence[_Line]) -> None:
    counts = [str(line.values.shape[1]) for line in read]
    declared = "1" if keys.get("univariate") == "true" else None
    for line, count in zip(read, counts, strict=True):
        wanted = keys.get("dimensions") or declared or counts[0]
        if count != wanted:
            raise DataError(
                f"{line.place}: {count} channels where there should be {wanted}.\n"
                "Channels are split by ':', and each series has as many as @dimensions or the first one says."
            )
    lengths = {len(line.values) for line in read}
    if keys.get("equallength") == "true" and len(lengths) > 1:
        raise DataError(
            f"{file} says @equalLength true, and has series of {min(lengths)} to {max(lengths)} steps.\n"
            "A line may be cut off; if none is, write @equalLength false."
        )


def _ts_line(place: str, fields: Sequence[str]) -> _Line:
    *channels, label = fields
    if not channels or not label.strip():
        raise DataError(f"{place}: a series without a class.\nIts channels and its class are split by ':'.")
    values = [_values(place, channel.split(","), TS_MISSING) for channel in channels]
    lengths = [len(one) for one in values]
    if len(set(lengths)) > 1:
        raise DataError(f"{place}: channels of {lengths} values.\nThe channels of a series have one value a step each.")
    return _Line(place, np.stack(values, axis=1), label.strip())


def _tsv_line(place: str, cells: Sequence[str]) -> _Line:
    values = _values(place, cells[1:], TSV_MISSING)
    end = np.flatnonzero(~np.isnan(values)).max(initial=-1) + 1
    label = cells[0].strip()
    if not label:
        raise DataError(f"{place}: a series without a class.\nThe class is the first on the line.")
    code = number(label, missing=())
    if code is not None and code.is_integer():
        label = str(int(code))
    return _Line(place, values[:end, None], label)


def _values(place: str, cells: Sequence[str], missing: Collection[str]) -> NDArray[np.float64]:
    """The numbers in cells, NaN where missing; each is one that float32 can hold."""
    values = []
    for cell in cells:
        value = number(cell, missing)
        if value is None or abs(value) > LARGEST:
            raise DataError(f"{place}: {cell[:SHOWN]!r} is no number of float32.\nA missing value is written ? or NaN.")
        values.append(value)
    return np.array(values)


def _labelled(file: str, lines: Sequence[_Line], declared: Sequence[str] = ()) -> LabelledSeries:
    """What has been read; without declared classes they are those that occur, numbers by size, then words."""
    if not lines:
        raise DataError(f"{file} has no series.\nIt needs one or more, each on a line with its class.")
    names = tuple(dict.fromkeys(declared)) or tuple(sorted({line.label for line in lines}, key=_order))
    places = {name: place for place, name in enumerate(names)}
    for line in lines:
        if line.label not in places:
            raise DataError(f"{line.place}: the class '{line.label}' is not declared.\n{nearest(line.label, names)}")
    return LabelledSeries(
        values=tuple(torch.from_numpy(_without_gaps(line).astype(np.float32)) for line in lines),
        labels=torch.tensor([places[line.label] for line in lines]),
        names=names,
        filled=sum(int(np.isnan(line.values).sum()) for line in lines),
    )


def _order(name: str) -> tuple[float, str]:
    return float(name) if name.removeprefix("-").isdecimal() else math.inf, name


def _without_gaps(line: _Line) -> NDArray[np.float64]:
    """The values with the missing ones between their neighbours in time, (T, C)."""
    known = ~np.isnan(line.values)
    if not known.any(axis=0).all():
        channel = int(known.any(axis=0).argmin()) + 1
        raise DataError(f"{line.place}: channel {channel} has no values.\nLeave the series or the channel out.")
    steps = np.arange(len(known))
    columns = zip(line.values.T, known.T, strict=True)
    return np.stack([np.interp(steps, steps[there], column[there]) for column, there in columns], axis=1)
