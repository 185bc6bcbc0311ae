"""Hands of models that read symbols: bits, words and characters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gatelab.data.text import tokens
from gatelab.data.vocabulary import PAD, START, UNKNOWN
from gatelab.errors import OptionError
from gatelab.tasks.texts import Reading
from gatelab.views.examples import BLANKS, Examples, texts_as_examples
from gatelab.views.live.hands import Hand, Typed
from gatelab.views.own_inputs import TYPED

STRANGER = "unknownword"
"""Stands for a word that no vocabulary has, in letters as every style of tokens keeps them."""
NAMED = 5
"""Unknown words that are named; of more only the number is told."""


def bits_hand(options: Mapping[str, Any], keeps: Mapping[str, Any]) -> Hand:
    """Of a model of parity."""
    return Hand(
        surface="bits",
        hint="Zeros and ones. Click a bit to flip it, or write them.",
        read=lambda text: Typed(TYPED["parity"].read(["".join(text.split())], keeps)),
        write=lambda examples, place: "".join(examples.labels[place]),
        start="0110100",
    )


def review_hand(options: Mapping[str, Any], keeps: Mapping[str, Any]) -> Hand:
    """Of a classifier of texts."""
    reading, names = Reading.of(keeps["reading"]), tuple(keeps["names"])

    def read(text: str) -> Typed:
        found = tokens(text, reading.style)
        if not found:
            raise OptionError("There is no word to read.\nWrite at least one.")
        strangers = [word for word in dict.fromkeys(found) if word not in reading.vocabulary.index]
        notes = (_strangers(strangers), _cut(len(found) + reading.start, reading.length))
        return Typed(texts_as_examples((text,), reading, names), tuple(filter(None, notes)))

    return Hand(
        surface="text",
        hint=f"A text of at most {reading.length} words.",
        read=read,
        write=lambda examples, place: _rewritten(examples.labels[place]),
        start="not a bad film",
    )


def _rewritten(words: tuple[str, ...]) -> str:
    """Words that are read as these are."""
    return " ".join(STRANGER if word == UNKNOWN else word for word in words if word not in (PAD, START))


def _strangers(words: list[str]) -> str:
    if not words:
        return ""
    shown = ", ".join(map(repr, words[:NAMED])) + (f" and {len(words) - NAMED} more" if len(words) > NAMED else "")
    return f"Not in the model's vocabulary, so read as unknown: {shown}."


def _cut(count: int, most: int) -> str:
    return f"Of {count} words the model reads {most}." if count > most else ""


def passage_hand(options: Mapping[str, Any], keeps: Mapping[str, Any]) -> Hand:
    """Of a language model."""
    units = keeps["units"]
    between = "" if units == "characters" else " "
    blanks = {shown: meant for meant, shown in BLANKS.items()}

    def write(examples: Examples, place: int) -> str:
        return between.join(blanks.get(label, label) for label in examples.labels[place])

    return Hand(
        surface="text",
        hint=f"A text, which the model reads as {units}.",
        read=lambda text: Typed(TYPED["language-model"].read([text], keeps)),
        write=write,
    )
