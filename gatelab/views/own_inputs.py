"""Inputs to look at that are not from a test: those of the 2018 gate report, and what somebody types.

T time, B examples.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from gatelab.data.text import UNITS, tokens
from gatelab.data.vocabulary import UNKNOWN, Vocabulary
from gatelab.errors import OptionError
from gatelab.tasks.texts import Reading
from gatelab.views.examples import Examples, texts_as_examples, visible

REPORT_INPUTS = {
    "ones": "1" * 20,
    "ones, with ten zeros": "1" * 5 + "0" * 10 + "1" * 5,
    "a single one, then ones": "01" + "0" * 8 + "1" * 10,
}
"""The bits that listing 6.4 of the 2018 gate report draws its pictures 1 to 9 with."""

STAND_INS = (UNKNOWN, "<unk>")
"""What words that a vocabulary lacks have become in a text, by us or by the makers of PTB."""


def report_inputs() -> Examples:
    """The three inputs of the report's pictures."""
    return bits_as_examples(tuple(REPORT_INPUTS.values()), tuple(REPORT_INPUTS))


def bits_as_examples(rows: Sequence[str], titles: Sequence[str] = ()) -> Examples:
    """Bits as the task parity reads them, and whether each row has an odd number of ones.

    Raises:
        OptionError: a row is empty or has something else than 0 and 1.
    """
    for row in rows:
        strangers = sorted(set(row) - {"0", "1"})
        if not row or strangers:
            cause = f"have {', '.join(map(repr, strangers))} in them" if strangers else "are empty"
            raise OptionError(f"The bits '{row}' {cause}.\nWrite zeros and ones, as in 0110.")
    x, lengths = _padded([torch.tensor([[float(bit)] for bit in row]) for row in rows])
    odd = torch.tensor([row.count("1") % 2 for row in rows])
    labels = tuple(tuple(row) for row in rows)
    return Examples(x, "tokens", labels, odd, ("even", "odd"), titles=tuple(titles), lengths=lengths)


def _reviews(texts: Sequence[str], keeps: Mapping[str, Any]) -> Examples:
    """Texts as a classifier of texts reads them."""
    reading = Reading.of(keeps["reading"])
    for text in texts:
        if not tokens(text, reading.style):
            raise _empty(text)
    return texts_as_examples(tuple(texts), reading, tuple(keeps["names"]))


def _passages(texts: Sequence[str], keeps: Mapping[str, Any]) -> Examples:
    """Texts as a language model reads them."""
    vocabulary, units = Vocabulary(tuple(keeps["symbols"])), keeps["units"]
    known = vocabulary.index
    stand_in = next((known[word] for word in STAND_INS if word in known and units == "words"), None)
    rows = []
    for text in texts:
        if not text.strip():
            raise _empty(text)
        symbols = UNITS[units](text)
        strangers = [symbol for symbol in dict.fromkeys(symbols) if symbol not in known]
        if strangers and stand_in is None:
            raise OptionError(
                f"The model knows no {', '.join(map(repr, strangers))}.\nWrite with the {units} of its text."
            )
        rows.append(torch.tensor([known.get(symbol, stand_in) for symbol in symbols]))
    x, lengths = _padded(rows)
    names = tuple(map(visible, vocabulary.words))
    labels = tuple(tuple(names[symbol] for symbol in row.tolist()) for row in rows)
    return Examples(x, "tokens", labels, None, names, lengths=lengths)


def _empty(text: str) -> OptionError:
    return OptionError(f"The text '{text}' has nothing to read.\nWrite at least one word.")


def _padded(rows: list[Tensor]) -> tuple[Tensor, Tensor | None]:
    """Sequences side by side, (T, B, ...), and their lengths, (B,), or None where all have T steps."""
    lengths = torch.tensor([len(row) for row in rows])
    return pad_sequence(rows), (lengths if len(set(lengths.tolist())) > 1 else None)


@dataclass(frozen=True)
class Typed:
    """How something is typed for the models of a task.

    Attributes:
        option: of the command line.
        read: examples from what is typed and what the file of the model keeps.
    """

    option: str
    read: Callable[[Sequence[str], Mapping[str, Any]], Examples]


TYPED: Mapping[str, Typed] = {
    "parity": Typed("--bits", lambda rows, _: bits_as_examples(rows, rows)),
    "sentiment": Typed("--text", _reviews),
    "language-model": Typed("--text", _passages),
}
"""By the name of a task; of all others no input can be typed."""


def typed_examples(task: str, keeps: Mapping[str, Any], typed: Mapping[str, Sequence[str]]) -> Examples | None:
    """What somebody typed for a model, or None if it was nothing.

    Args:
        task: that the model was trained on.
        keeps: what the file of the model keeps.
        typed: by the option of the command line.

    Raises:
        OptionError: models of the task read no such input, or it is empty or not known to the model.
    """
    given = {option: rows for option, rows in typed.items() if rows}
    if not given:
        return None
    known = TYPED.get(task)
    if known is None or set(given) != {known.option}:
        fitting = "; ".join(f"{row.option} for {name}" for name, row in TYPED.items())
        raise OptionError(f"A model of {task} does not read what {', '.join(given)} gives.\nThere is {fitting}.")
    return known.read(given[known.option], keeps)
