"""Word vectors: GloVe's text files, and the table of a vocabulary."""

from __future__ import annotations

import warnings
from collections.abc import Collection, Iterable, Iterator, Set
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, islice
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gatelab.data.fetch import find
from gatelab.data.reading import opened
from gatelab.data.vocabulary import PAD, Vocabulary
from gatelab.errors import DataError

BLOCK = 10_000
"""Lines parsed at a time: their text and their numbers lie in memory together."""

OTHER_SPACE = ("  ", "\t", "\r", "\v", "\f")


@dataclass(frozen=True)
class Vectors:
    """Words and a vector for each.

    Attributes:
        words: V of them, all different.
        table: their vectors, (V, D) of float32.
        duplicates: how many lines were left out because their word had come before.
    """

    words: tuple[str, ...]
    table: Tensor
    duplicates: int = 0

    @cached_property
    def index(self) -> dict[str, int]:
        """The row of each word."""
        return {word: row for row, word in enumerate(self.words)}


def glove(dimensions: int = 50, words: Collection[str] | None = None) -> Vectors:
    """GloVe 6B (Pennington et al. 2014) in 50, 100, 200 or 300 dimensions.

    Args:
        dimensions: D.
        words: only these; None for all that the file has.

    Raises:
        DataError: as `find` and `read_vectors` do.
    """
    path = find(f"glove/{dimensions}")
    return read_vectors(path, dimensions, words, member=f"glove.6B.{dimensions}d.txt")


def read_vectors(path: Path, dimensions: int, words: Collection[str] | None = None, member: str = "") -> Vectors:
    """The vectors of a text file with lines `word v1 ... vD`, split by single spaces; it may be .gz or .zip.

    Args:
        path: of the file.
        dimensions: D.
        words: only these; None for all.
        member: the file inside of a .zip.

    Raises:
        DataError: a line has another number of values than D, or one that is no finite number (the text names the
            line); no line has a word that is wanted; the file is broken.
    """
    wanted = words if words is None or isinstance(words, Set) else frozenset(words)
    rows: dict[str, int] = {}
    tables = []
    duplicates = 0
    for block in _blocks(path, dimensions, wanted, member):
        table = _parsed(path, block, dimensions)
        fresh = []
        for place, (_, word, _) in enumerate(block):
            if word not in rows:
                rows[word] = len(rows)
                fresh.append(place)
        duplicates += len(block) - len(fresh)
        tables.append(table[fresh])
    if not rows:
        raise DataError(f"{path} has no vector of a word that is wanted.\nEach line is a word and its numbers.")
    return Vectors(tuple(rows), torch.from_numpy(np.concatenate(tables)), duplicates)


def table_for(vocabulary: Vocabulary, vectors: Vectors, seed: int) -> Tensor:
    """The vector of each word of a vocabulary, (V, D) of float32.

    Padding, word 0 or wherever `<pad>` is, is zero. Words without a vector, the other reserved ones included, all get
    one and the same. So it is in the data of the 2018 gate report, which it has from
    github.com/adeshpande3/LSTM-Sentiment-Analysis: one row of the table stands for every unknown word. That row's
    numbers are not printed anywhere; here they are drawn from a normal distribution with the mean and spread that the
    vectors have in each dimension.

    Args:
        vocabulary: V words.
        vectors: of as many words as there are.
        seed: of the vector for unknown words.
    """
    generator = torch.Generator().manual_seed(seed)
    drawn = torch.randn(vectors.table.shape[1], generator=generator)
    spread, mean = torch.std_mean(vectors.table, 0, correction=0)
    table = torch.cat([vectors.table, (mean + spread * drawn).unsqueeze(0)])
    unknown = len(vectors.words)
    chosen = table[torch.tensor([vectors.index.get(word, unknown) for word in vocabulary.words])]
    if PAD in vocabulary.index:
        chosen[vocabulary.index[PAD]] = 0
    return chosen


def coverage(texts: Iterable[Iterable[str]], vectors: Vectors) -> float:
    """The share of the tokens of some texts that have a vector, from 0 to 1.

    Raises:
        DataError: there are no tokens.
    """
    known = [token in vectors.index for token in chain.from_iterable(texts)]
    if not known:
        raise DataError("The texts have no tokens.\nA share needs one at least.")
    return sum(known) / len(known)


_Line = tuple[int, str, str]
"""The number of a line, its word, and the text of its numbers."""


def _blocks(path: Path, dimensions: int, wanted: Set[str] | None, member: str) -> Iterator[list[_Line]]:
    with opened(path, member) as text:
        lines = _lines(path, enumerate(text, 1), dimensions, wanted)
        while block := list(islice(lines, BLOCK)):
            yield block


def _lines(
    path: Path, numbered: Iterable[tuple[int, str]], dimensions: int, wanted: Set[str] | None
) -> Iterator[_Line]:
    for number, line in numbered:
        word, _, values = line.rstrip("\r\n").partition(" ")
        if values.count(" ") != dimensions - 1:
            found = f"{values.count(' ') + bool(values)} values, expected {dimensions}"
            raise DataError(f"{path}, line {number}: {found}.\nAsk for the file's own dimension, or mend the line.")
        if wanted is None or word in wanted:
            yield number, word, values


def _parsed(path: Path, block: list[_Line], dimensions: int) -> NDArray[np.float32]:
    """The numbers of a block, (lines, D)."""
    try:
        table = _numbers(" ".join(values for _, _, values in block))
        if len(table) == len(block) * dimensions and np.isfinite(table).all():
            return table.reshape(len(block), dimensions)
    except ValueError:
        pass
    number = next(number for number, _, values in block if not _is_sound(values, dimensions))
    raise DataError(f"{path}, line {number}: not {dimensions} finite numbers.\nMend the line, or download it again.")


def _is_sound(values: str, dimensions: int) -> bool:
    try:
        table = _numbers(values)
    except ValueError:
        return False
    return len(table) == dimensions and bool(np.isfinite(table).all())


def _numbers(text: str) -> NDArray[np.float32]:
    """All numbers of a text, parsed at once, which is far faster than one by one.

    numpy takes any white space for a single space, so a line short of a number could hide behind one with a number too
    many; texts that have any other are refused.
    """
    if any(space in text for space in OTHER_SPACE):
        raise ValueError("white space other than single spaces")
    with warnings.catch_warnings():
        warnings.simplefilter("error", DeprecationWarning)
        try:
            return np.fromstring(text, dtype=np.float32, sep=" ")
        except DeprecationWarning as error:
            raise ValueError(str(error)) from error
