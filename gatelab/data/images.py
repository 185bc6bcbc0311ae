"""Images and their classes, from files in MNIST's IDX form."""

from __future__ import annotations

import gzip
import math
import zlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from gatelab.data.fetch import find
from gatelab.errors import DataError, nearest

FAMILIES = ("mnist", "fashion-mnist")
SIDE = 28
CLASSES = 10

GZIP = b"\x1f\x8b"
TYPES = {8: "uint8", 9: "int8", 11: "int16", 12: "int32", 13: "float32", 14: "float64"}
"""The codes of IDX; images and labels are uint8."""
MOST_DIMENSIONS = 4
AGAIN = "Delete it and get it once more."


@dataclass(frozen=True, eq=False)
class Images:
    """Images and their classes, for training and for the test.

    Attributes:
        train: (N, 28, 28) of uint8, 0 to 255.
        train_labels: (N,) of long, 0 to 9.
        test: likewise.
        test_labels: likewise.
    """

    train: Tensor
    train_labels: Tensor
    test: Tensor
    test_labels: Tensor


@cache
def images(name: str) -> Images:
    """The images of "mnist" or "fashion-mnist": 60,000 for training, 10,000 for the test. Read once a process.

    Raises:
        DataError: there are no others, or a file is missing or broken.
    """
    if name not in FAMILIES:
        raise DataError(f"There are no images '{name}'.\n{nearest(name, FAMILIES)}")
    return Images(*_labelled(name, "train"), *_labelled(name, "test"))


def _labelled(name: str, part: str) -> tuple[Tensor, Tensor]:
    found, labels = read_idx(find(f"{name}/{part}-images")), read_idx(find(f"{name}/{part}-labels"))
    if found.shape[1:] != (SIDE, SIDE) or labels.shape != found.shape[:1] or labels.max() >= CLASSES:
        raise DataError(
            f"The {part} files of {name} hold images {tuple(found.shape)} and labels {tuple(labels.shape)} up to "
            f"{labels.max()}, not (N, {SIDE}, {SIDE}) and (N,) up to {CLASSES - 1}.\n"
            "Images and labels belong together; take both from the same place."
        )
    return found, labels.long()


def read_idx(path: Path) -> Tensor:
    """The array in an IDX file, plain or gzipped, of uint8.

    An IDX file is two bytes of 0, the code of a type, the number of dimensions, each dimension as four bytes with
    the highest first, and the values.

    Raises:
        DataError: it is none, holds another type, or has more or fewer values than its dimensions say.
    """
    content = _content(path)
    sizes = _sizes(path.name, content)
    values = np.frombuffer(content, np.uint8, offset=4 + 4 * len(sizes))
    wanted = math.prod(sizes)
    if len(values) != wanted:
        state = "is cut off" if len(values) < wanted else "is too long"
        cause = f"its dimensions {sizes} need {wanted} values, and it has {len(values)}"
        raise DataError(f"{path.name} {state}: {cause}.\n{AGAIN}")
    return torch.from_numpy(values.reshape(sizes).copy())


def _content(path: Path) -> bytes:
    """The bytes of a file; whether they are gzipped is told by the first two, since names are changed by downloads."""
    try:
        content = path.read_bytes()
        return gzip.decompress(content) if content.startswith(GZIP) else content
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path.name} cannot be read: {error}.\n{AGAIN}") from error


def _sizes(name: str, content: bytes) -> tuple[int, ...]:
    """The dimensions in the head of an IDX file."""
    head = content[:4]
    if len(head) < 4 or head[:2] != b"\0\0" or head[2] not in TYPES or not 1 <= head[3] <= MOST_DIMENSIONS:
        found = head.hex(" ") or "nothing"
        raise DataError(
            f"{name} is no IDX file: it begins with {found}, not with 00 00 08 and the number of dimensions.\n{AGAIN}"
        )
    if head[2] != 8:
        raise DataError(
            f"{name} holds {TYPES[head[2]]}, and images and labels are uint8.\nStore it as uint8 (type 08)."
        )
    end = 4 + 4 * head[3]
    if len(content) < end:
        raise DataError(f"{name} is cut off after {len(content)} bytes, within its head of {end}.\n{AGAIN}")
    sizes = tuple(int.from_bytes(content[at : at + 4], "big") for at in range(4, end, 4))
    if 0 in sizes:
        raise DataError(f"{name} is empty: its dimensions are {sizes}.\n{AGAIN}")
    return sizes
