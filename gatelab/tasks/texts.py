"""Labelled texts made ready for a model: divided into parts, and read as numbers.

How they are read fits the file of a trained model, so that a text which somebody types later is read in the same way.

T time, R replicas, B batch, N sequences.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import torch
from torch import Tensor

from gatelab.data.splits import split
from gatelab.data.text import Reviews, tokens
from gatelab.data.vocabulary import TokenSequences, Vocabulary

DRAW = 0
"""The seed of everything that all runs share: the parts of the data, and the vector of unknown words."""

Style = Literal["keras", "letters", "report-2018"]
Keep = Literal["first", "last"]
Padding = Literal["front", "end", "none"]


@dataclass(frozen=True)
class Reading:
    """A way to read texts.

    Attributes:
        vocabulary: the words that have a number of their own.
        style: how a text becomes tokens, a name of `STYLES`.
        start: whether the token `<start>` goes before each text.
        length: tokens of a text at most.
        keep: which of them stay where there are more.
        padding: where zeros make shorter texts as long as `length`; a layer reads these as it reads words. With "none"
            it stops at each text's end.
    """

    vocabulary: Vocabulary
    style: Style
    start: bool
    length: int
    keep: Keep
    padding: Padding

    def encode(self, texts: Iterable[str]) -> TokenSequences:
        """All tokens of some texts, uncut."""
        encode, style, start = self.vocabulary.encode, self.style, self.start
        return TokenSequences.of(encode(tokens(text, style), start) for text in texts)

    def cut(self, sequences: TokenSequences) -> TokenSequences:
        """Sequences with as many tokens as a model reads."""
        return sequences.cut(self.length, self.keep)

    def pad(self, cut: TokenSequences, rows: Tensor) -> tuple[Tensor, Tensor | None]:
        """Some of the sequences side by side.

        Args:
            cut: no longer than `length`.
            rows: which ones, ([R,] B).

        Returns:
            Tokens ([R,] T, B) of long, and the steps of each text, ([R,] B), or None where all have T.
        """
        if self.padding == "none":
            padded, lengths = cut.pad(rows)
            return padded.movedim(0, -2), lengths
        padded, _ = cut.pad(rows, self.length, self.padding)
        return padded.movedim(0, -2), None

    def kept(self) -> dict[str, Any]:
        """All of it as JSON can hold it."""
        return {**vars(self), "vocabulary": list(self.vocabulary.words)}

    @classmethod
    def of(cls, kept: Mapping[str, Any]) -> Reading:
        """The way of reading that `kept` gave."""
        return cls(**{**kept, "vocabulary": Vocabulary(tuple(kept["vocabulary"]))})


def take(reviews: Reviews, rows: Tensor) -> Reviews:
    """Some of the reviews."""
    return replace(reviews, texts=tuple(reviews.texts[row] for row in rows.tolist()), labels=reviews.labels[rows])


def divide(reviews: Reviews, shares: Mapping[str, float]) -> dict[str, Reviews]:
    """Parts with the classes in their proportion; equal texts come into one part."""
    seen: dict[str, int] = {}
    same = torch.tensor([seen.setdefault(text, len(seen)) for text in reviews.texts])
    rows = split(len(same), shares, DRAW, reviews.labels, same, reviews.names, reviews.source)
    return {name: take(reviews, own) for name, own in rows.items()}


def fewer(reviews: Reviews, count: int | None) -> Reviews:
    """At most so many of them, with the classes in their proportion."""
    all_of_them = len(reviews.texts)
    if count is None or count >= all_of_them:
        return reviews
    shares = {"taken": count / all_of_them, "left": 1 - count / all_of_them}
    return take(reviews, split(all_of_them, shares, DRAW, reviews.labels, None, reviews.names, reviews.source)["taken"])
