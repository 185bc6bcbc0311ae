"""Words as numbers, and token sequences of many lengths in one tensor.

The reserved numbers are those of Keras's IMDB data: 0 pads, 1 starts a text, 2 stands for a word that is not known,
and the words follow by their frequency.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from gatelab.errors import DataError

PAD, START, UNKNOWN = "<pad>", "<start>", "<unknown>"
RESERVED = (PAD, START, UNKNOWN)


@dataclass(frozen=True)
class Vocabulary:
    """Words and their numbers.

    Attributes:
        words: the word of each number, reserved ones first.
    """

    words: tuple[str, ...]

    @classmethod
    def of(
        cls,
        texts: Iterable[Iterable[str]],
        size: int | None = None,
        reserved: Sequence[str] = RESERVED,
        fewest: int = 1,
    ) -> Vocabulary:
        """The most frequent words of some texts; words as frequent as each other in order of appearance.

        Args:
            texts: the tokens of each.
            size: at most so many words, reserved ones included, as in Keras's `num_words`.
            reserved: words that get the first numbers, whether they occur or not.
            fewest: a word must occur so often.
        """
        counts = Counter(chain.from_iterable(texts))
        for word in reserved:
            counts.pop(word, None)
        words = [word for word, count in counts.most_common() if count >= fewest]
        return cls((*reserved, *words)[:size])

    @cached_property
    def index(self) -> Mapping[str, int]:
        """The number of each word."""
        return {word: number for number, word in enumerate(self.words)}

    def __len__(self) -> int:
        return len(self.words)

    def __repr__(self) -> str:
        shown = ", ".join(map(repr, self.words[:6]))
        return f"Vocabulary of {len(self):,} words: {shown}{', ...' if len(self) > 6 else ''}"

    def encode(self, tokens: Iterable[str], start: bool = False) -> list[int]:
        """The number of each token, that of `<unknown>` for words that the vocabulary lacks.

        Args:
            tokens: of one text.
            start: whether the number of `<start>` comes first.

        Raises:
            DataError: a word is lacking and nothing is reserved for it, or nothing is for the start.
        """
        index = self.index
        try:
            if UNKNOWN in index:
                get, unknown = index.get, index[UNKNOWN]
                numbers = [get(token, unknown) for token in tokens]
            else:
                numbers = [index[token] for token in tokens]
            return [index[START], *numbers] if start else numbers
        except KeyError as error:
            word = error.args[0]
            raise DataError(
                f"The vocabulary has no word {word!r}.\nReserve {START if word == START else UNKNOWN} in it."
            ) from error

    def decode(self, numbers: Iterable[int]) -> list[str]:
        """The word of each number."""
        return [self.words[number] for number in numbers]


@dataclass(frozen=True)
class TokenSequences:
    """N sequences of tokens, one after the other in one tensor.

    Attributes:
        values: all tokens, (all,) of int32 or long.
        starts: where each begins, and the end of the last, (N + 1,) of long.
    """

    values: Tensor
    starts: Tensor

    @classmethod
    def of(cls, sequences: Iterable[Sequence[int]]) -> TokenSequences:
        """From the numbers of each sequence; they may be empty."""
        kept = list(sequences)
        starts = np.cumsum([0, *map(len, kept)], dtype=np.int64)
        values = np.fromiter(chain.from_iterable(kept), dtype=np.int32, count=int(starts[-1]))
        return cls(torch.from_numpy(values), torch.from_numpy(starts))

    def __len__(self) -> int:
        return len(self.starts) - 1

    @property
    def lengths(self) -> Tensor:
        """The tokens of each sequence, (N,) of long."""
        return self.starts.diff()

    def cut(self, at_most: int, keep: Literal["first", "last"] = "first") -> TokenSequences:
        """The same sequences with no more than so many of their first or last tokens."""
        lengths = self.lengths
        position = torch.arange(len(self.values)) - self.starts[:-1].repeat_interleave(lengths)
        if keep == "last":
            position = lengths.repeat_interleave(lengths) - 1 - position
        starts = torch.cat([self.starts[:1], lengths.clamp(max=at_most).cumsum(0)])
        return TokenSequences(self.values[position < at_most], starts)

    def pad(
        self,
        rows: Tensor,
        length: int | None = None,
        where: Literal["front", "end"] = "end",
        keep: Literal["first", "last"] = "first",
    ) -> tuple[Tensor, Tensor]:
        """Some sequences made equally long with zeros, time first.

        An empty sequence counts as one padding token, so that a layer, which needs one step, can take it.

        Args:
            rows: which ones, of any shape, such as (R, B).
            length: T; None for the longest of the rows.
            where: zeros go to the front or to the end.
            keep: which tokens of a sequence longer than T stay.

        Returns:
            Tokens (T, ...) of long, and how many of the T steps belong to each sequence, (...) of long, from 1 to T.
        """
        full = self.lengths[rows]
        steps = max(int(full.max()), 1) if length is None else length
        kept = full.clamp(max=steps)
        first = self.starts[:-1][rows] + (full - kept if keep == "last" else 0)
        position = torch.arange(steps).view(-1, *[1] * rows.dim()) - (steps - kept if where == "front" else 0)
        inside = (position >= 0) & (position < kept)
        if not len(self.values):
            return torch.zeros(inside.shape, dtype=torch.long), kept.clamp(min=1)
        # What lies outside of its sequence is read somewhere, and then left out.
        found = self.values[(first + position).clamp_(0, len(self.values) - 1)]
        return torch.where(inside, found, 0).long(), kept.clamp(min=1)
