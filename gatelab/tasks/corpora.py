"""A long text made ready for a language model: divided into parts, as the numbers of its symbols.

N symbols.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain

import torch
from torch import Tensor

from gatelab.data.text import Corpus, corpus
from gatelab.data.vocabulary import UNKNOWN, Vocabulary
from gatelab.errors import DataError


@dataclass(frozen=True)
class Text:
    """A text as numbers.

    Attributes:
        vocabulary: the symbols.
        units: what they are, "characters" or "words".
        train: to learn from, (N,) of long.
        valid: to choose by, likewise.
        test: likewise; None if the validation text is the test too.
    """

    vocabulary: Vocabulary
    units: str
    train: Tensor
    valid: Tensor
    test: Tensor | None

    @property
    def tested(self) -> Tensor:
        """What is tested on."""
        return self.valid if self.test is None else self.test

    def about(self) -> str:
        """The sizes of the parts, in a sentence."""
        tested = "the same in the test" if self.test is None else f"{len(self.test):,} in the test"
        parts = f"{len(self.train):,} {self.units} to learn from, {len(self.valid):,} to choose by, {tested}"
        return f"{parts}; {len(self.vocabulary):,} different ones."


def read_text(
    name: str, units: str, words: int | None = None, train: int | None = None, test_share: float = 0.0
) -> Text:
    """A text as numbers.

    Args:
        name: as `corpus` takes it.
        units: "characters" or "words".
        words: at most so many different symbols; the rarer ones become `<unknown>`.
        train: so many symbols to learn from, the first ones; None for all.
        test_share: of a text without a test part, at its end, to make one.

    Raises:
        DataError: the text is missing, broken or too short.
    """
    parts = _with_test(corpus(name, units), test_share)
    for part, symbols in (("training", parts.train), ("validation", parts.valid), ("test", parts.test or parts.valid)):
        if len(symbols) < 2:
            raise DataError(
                f"The {part} part of {name} has {len(symbols)} {units}, and needs two.\nGive a longer text."
            )
    parts = Corpus(parts.train[:train], parts.valid, parts.test)
    vocabulary = make_vocabulary(parts, words)
    numbers = [
        torch.tensor(vocabulary.encode(part), dtype=torch.long) for part in (parts.train, parts.valid, parts.test)
    ]
    return Text(vocabulary, units, numbers[0], numbers[1], numbers[2] if parts.test else None)


def _with_test(parts: Corpus, share: float) -> Corpus:
    """The same with a test part at the end and the validation part, as long as it was, before it."""
    if parts.test or not share:
        return parts
    whole = [*parts.train, *parts.valid]
    end = len(whole) - round(share * len(whole))
    begin = end - len(parts.valid)
    return Corpus(whole[:begin], whole[begin:end], whole[end:])


def make_vocabulary(parts: Corpus, size: int | None = None) -> Vocabulary:
    """The symbols of the training text, the frequent ones first; `<unknown>` only if a part has others."""
    every = Vocabulary.of([parts.train], size, reserved=())
    strangers = set(chain(parts.train, parts.valid, parts.test)) - set(every.words)
    return Vocabulary.of([parts.train], size, reserved=(UNKNOWN,)) if strangers else every
