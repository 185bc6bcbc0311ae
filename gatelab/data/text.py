"""Texts: labelled ones, such as film reviews, long ones for language models, and their tokens."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from pathlib import Path

import torch
from torch import Tensor

from gatelab.data.acl_imdb import SENTIMENTS, SPLITS, Review, read_reviews
from gatelab.data.fetch import find
from gatelab.data.reading import opened, rows
from gatelab.errors import DataError, OptionError, nearest

END_OF_LINE = "<eos>"
"""The word that ends each line of a corpus of words."""
TRAIN_SHARE = 0.9
"""Of a corpus that has no split of its own; the rest is for validation."""


@dataclass(frozen=True)
class Reviews:
    """Texts and their classes.

    Attributes:
        texts: N of them; some may be empty.
        labels: the class of each, (N,) of long.
        names: of the classes.
        source: where they are from, for errors.
    """

    texts: tuple[str, ...]
    labels: Tensor
    names: tuple[str, ...]
    source: str = "The texts"

    @cached_property
    def empty(self) -> int:
        """How many texts have nothing but white space."""
        return sum(not text.strip() for text in self.texts)

    @cached_property
    def duplicates(self) -> int:
        """How many texts have occurred before."""
        return len(self.texts) - len(set(self.texts))


def imdb() -> tuple[Reviews, Reviews]:
    """The 25,000 reviews to learn from and the 25,000 of the test; class 0 is negative, 1 positive.

    From the official archive, its folder or one CSV file, by label (negative first) and then by id, so shuffle them.

    Raises:
        DataError: they are not at hand and can't be downloaded, or the file is broken.
    """
    reviews = read_reviews(find("imdb"))
    train, test = ([review for review in reviews if review.split == split] for split in SPLITS)
    return _labelled(train), _labelled(test)


def _labelled(reviews: list[Review]) -> Reviews:
    labels = torch.tensor([SENTIMENTS.index(review.sentiment) for review in reviews])
    return Reviews(tuple(review.text for review in reviews), labels, SENTIMENTS)


def read_labelled_csv(path: str | Path, text_column: str, label_column: str) -> Reviews:
    """The texts and classes of a CSV file with a header, in the order of its rows.

    Classes are numbered in the order of their names, without white space around them: as numbers if all are, else by
    the alphabet. Empty and repeated texts are kept; `Reviews` counts them.

    Raises:
        DataError: a column is missing, there are no rows, a label is missing, all labels are the same, or the file is
            broken (quoting, fields, encoding, NUL bytes); the text names the line.
    """
    path = Path(path)
    texts, labels = [], []
    for line, (text, label) in rows(path, (text_column, label_column)):
        if not label.strip():
            where = f"{path}, line {line}: no label in the column '{label_column}'"
            raise DataError(f"{where}.\nFill it in, or drop the row.")
        texts.append(text)
        labels.append(label.strip())
    if not texts:
        raise DataError(f"{path} has a header and no rows.\nIt needs rows to learn from.")
    names = _ordered(set(labels))
    if len(names) == 1:
        raise DataError(f"{path} has one class only, '{names[0]}'.\nA classifier needs two at least.")
    number = {name: index for index, name in enumerate(names)}
    return Reviews(tuple(texts), torch.tensor([number[label] for label in labels]), names, str(path))


_NUMBER = re.compile(r"[+-]?\d+(\.\d*)?", re.ASCII)


def _ordered(names: set[str]) -> tuple[str, ...]:
    by_alphabet = sorted(names)
    if all(_NUMBER.fullmatch(name) for name in names):
        return tuple(sorted(by_alphabet, key=float))
    return tuple(by_alphabet)


KERAS_FILTERS = '!"#$%&()*+,-./:;<=>?@[\\]^_`{|}~\t\n'
"""What Keras's `text_to_word_sequence` makes spaces of."""
_KERAS = str.maketrans(dict.fromkeys(KERAS_FILTERS, " "))
_BREAK = re.compile(r"<br\s*/?>")
_LETTERS = re.compile(r"[a-z]+")
_NEITHER_LETTER_NOR_DIGIT = re.compile(r"[^a-z0-9 ]+")

STYLES: dict[str, Callable[[str], list[str]]] = {
    "keras": lambda text: [word for word in text.lower().translate(_KERAS).split(" ") if word],
    "letters": lambda text: _LETTERS.findall(_BREAK.sub(" ", text.lower())),
    "report-2018": lambda text: _NEITHER_LETTER_NOR_DIGIT.sub("", _BREAK.sub(" ", text.lower())).split(),
    "words": str.split,
    "characters": list,
}
"""How a text becomes tokens.

    keras        Keras's `text_to_word_sequence`: lower case, punctuation separates
    letters      the runs of a to z in lower case
    report-2018  as in the data of the 2018 gate report: lower case, punctuation is dropped ("don't" is "dont")
    words        split at white space
    characters   each one

Of tags only line breaks are left out: in reviews a `<` is more often a heart or a comparison than a tag.
"""


def tokens(text: str, style: str) -> list[str]:
    """The tokens of a text in a style of `STYLES`.

    Raises:
        OptionError: there is no such style.
    """
    if style not in STYLES:
        raise OptionError(f"There is no style of tokens '{style}'.\n{nearest(style, STYLES)}")
    return STYLES[style](text)


@dataclass(frozen=True)
class Corpus:
    """A long text to learn to predict, as a sequence of characters (a str is one) or of words.

    Attributes:
        train: to learn from.
        valid: to choose by.
        test: to judge by; empty if the corpus has none.
    """

    train: Sequence[str]
    valid: Sequence[str]
    test: Sequence[str]


def _words(text: str) -> tuple[str, ...]:
    return tuple(chain.from_iterable((*line.split(), END_OF_LINE) for line in text.removesuffix("\n").split("\n")))


UNITS: dict[str, Callable[[str], Sequence[str]]] = {"characters": str, "words": _words}
"""What a corpus is a sequence of: characters, or words with `<eos>` after each line."""


def corpus(name: str | Path, units: str | None = None) -> Corpus:
    """A corpus to model: "tiny-shakespeare" (characters), "ptb" (words), or any text file (characters).

    Only PTB has a split of its own; of others the first 90 % are for training, the rest for validation.

    Args:
        name: of the corpus, or the path of a UTF-8 text file, which may be gzipped.
        units: "characters" or "words", if not the usual ones.

    Raises:
        DataError: the file is missing, broken, or too short to be split.
        OptionError: there are no such units.
    """
    units = units or ("words" if name == "ptb" else "characters")
    if units not in UNITS:
        raise OptionError(f"A corpus has no units '{units}'.\n{nearest(units, UNITS)}")
    if name == "ptb":
        return Corpus(*(UNITS[units](_read(find(f"ptb/{part}"))) for part in ("train", "valid", "test")))
    path = find("tiny-shakespeare") if name == "tiny-shakespeare" else Path(name)
    whole = UNITS[units](_read(path))
    border = int(TRAIN_SHARE * len(whole))
    if not border:
        raise DataError(f"{path} has {len(whole)} {units}, too few to split.\nA corpus needs thousands of them.")
    return Corpus(whole[:border], whole[border:], whole[:0])


def _read(path: Path) -> str:
    with opened(path) as text:
        return text.read()
