"""Examples from the test of each task, by a table.

T time, B examples, I input.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from gatelab.data.images import SIDE
from gatelab.data.images import images as read_images
from gatelab.data.series import japanese_vowels, read_labelled, standardised
from gatelab.data.windows import windows
from gatelab.tasks import adding, copying, temporal_order
from gatelab.tasks.copying import CopyingOptions
from gatelab.tasks.digits import images as read_digits
from gatelab.tasks.fresh import fixed_sequences
from gatelab.tasks.language_model import LENGTHS, LanguageModelOptions
from gatelab.tasks.mnist import BRIGHTEST, NAMES, MnistOptions, as_sequences
from gatelab.tasks.parity import test_sequences
from gatelab.tasks.sentiment import SentimentOptions, read_parts
from gatelab.tasks.series import prepare
from gatelab.tasks.series_classes import Padded, SeriesClassesOptions
from gatelab.tasks.series_options import SeriesOptions
from gatelab.tasks.sine import sine_windows
from gatelab.tasks.temporal_order import TemporalOrderOptions
from gatelab.tasks.texts import Reading, take
from gatelab.views.decimals import step_labels
from gatelab.views.examples import Examples, in_turn, spread, texts_as_examples, visible

COPIED = (*"abcdefgh", "·", "?")
"""The symbols of copying: eight, the blank and the marker."""
ORDERED = (*"abcdXYEB", "")
"""Those of temporal order; the last one stands after the end."""
STANDARD, RELATIVE = "in deviations, from the mean", "in deviations, from the last value read"
"""What a forecaster reads and answers in, where labels are in the units of the data."""


def _numbered(word: str, count: int, times: int) -> tuple[tuple[str, ...], ...]:
    return (tuple(f"{word} {step}" for step in range(1, count + 1)),) * times


def _of_numbers(values: Tensor, lengths: list[int]) -> tuple[tuple[str, ...], ...]:
    """The numbers of each step as text, the first three of more and dots behind them, for values (T, B, I)."""
    each = zip(values.transpose(0, 1).tolist(), lengths, strict=True)
    dots = ("…",) * (values.shape[-1] > 3)
    return tuple(
        tuple(", ".join((*(f"{one:.3g}" for one in step[:3]), *dots)) for step in own[:end]) for own, end in each
    )


def _parity(options: object, keeps: Mapping[str, Any], count: int) -> Examples:
    bits, odd = (part[..., :count, :] if part.ndim == 3 else part[:count] for part in test_sequences(16))
    labels = tuple(tuple(str(int(bit)) for bit in own) for own in bits[..., 0].T.tolist())
    return Examples(bits, "tokens", labels, odd, ("even", "odd"))


def _digits(options: object, keeps: Mapping[str, Any], count: int) -> Examples:
    data = read_digits()
    rows = in_turn(data.test_digits, count)
    labels = _numbered("row", data.test.shape[1], len(rows))
    return Examples(data.test[rows].transpose(0, 1), "rows", labels, data.test_digits[rows], tuple("0123456789"))


def _mnist(options: MnistOptions, keeps: Mapping[str, Any], count: int) -> Examples:
    data = read_images(options.dataset)
    rows = in_turn(data.test_labels, count)
    x = as_sequences(data.test[rows], options.order).transpose(0, 1).float() / (BRIGHTEST if options.scale else 1)
    labels = _numbered("row" if len(x) == SIDE else "point", len(x), len(rows))
    return Examples(x, "rows", labels, data.test_labels[rows], NAMES[options.dataset])


def _sentiment(options: SentimentOptions, keeps: Mapping[str, Any], count: int) -> Examples:
    reading, reviews = Reading.of(keeps["reading"]), read_parts(options)["test"]
    chosen = take(reviews, in_turn(reviews.labels, count))
    return texts_as_examples(chosen.texts, reading, chosen.names, chosen.labels)


def _language_model(options: LanguageModelOptions, keeps: Mapping[str, Any], count: int) -> Examples:
    text = options.read()
    tested, names = text.tested, tuple(map(visible, text.vocabulary.words))
    length = min(options.length or LENGTHS[options.unit], len(tested) - 1)
    place = torch.arange(length).unsqueeze(1) + spread(len(tested) - length, count)
    labels = tuple(tuple(names[symbol] for symbol in own) for own in tested[place].T.tolist())
    return Examples(tested[place], "tokens", labels, tested[place + 1], names)


def _series(options: SeriesOptions, keeps: Mapping[str, Any], count: int) -> Examples:
    series, quantiles = prepare(options), options.quantiles
    test = series.parts[-1]
    rows = spread(len(test.x), count)
    x, y = test.x[rows].transpose(0, 1), test.y[rows]
    read = windows(series.raw, options.past, options.ahead, series.target, rows=series.rows[-1])
    raw = read.x[rows].transpose(0, 1)
    labels = tuple(step_labels(own, series.scaler.deviation) for own in raw.unbind(1))
    if options.relative:
        x, y = x - x[-1:], y - x[-1, :, series.target].unsqueeze(-1)
    unit = RELATIVE if options.relative else STANDARD
    ahead = range(1, options.ahead + 1)
    if quantiles is None:
        answers = tuple(f"{step} ahead" for step in ahead)
        return Examples(x, "values", labels, y, answers, are_classes=False, unit=unit, raw=raw)
    answers = tuple(f"{step} ahead, {100 * share:g} %" for step in ahead for share in quantiles)
    y = y.repeat_interleave(len(quantiles), dim=1)
    middle = quantiles.index(0.5)
    return Examples(x, "values", labels, y, answers, are_classes=False, traced=middle, unit=unit, raw=raw)


def _series_classes(options: SeriesClassesOptions, keeps: Mapping[str, Any], count: int) -> Examples:
    if options.train is None or options.test is None:
        read = japanese_vowels()
    else:
        read = read_labelled(Path(options.train), Path(options.test))
    test = standardised(*read)[1]
    batch = Padded.of(test).take(in_turn(test.labels, count).unsqueeze(0))
    assert batch.lengths is not None
    x, lengths = batch.x[0], batch.lengths[0]
    return Examples(x, "values", _of_numbers(x, lengths.tolist()), batch.target[0], test.names, lengths=lengths)


def _sine(options: object, keeps: Mapping[str, Any], count: int) -> Examples:
    x, y = sine_windows(torch.linspace(0, 1, count))
    return Examples(x, "values", _of_numbers(x, [len(x)] * count), y, ("next",), are_classes=False)


def _copying(options: CopyingOptions, keeps: Mapping[str, Any], count: int) -> Examples:
    make = partial(copying.make_sequences, delay=options.delay)
    batch = fixed_sequences(make, copying.RECALLED, count, "copying test")
    labels = tuple(tuple(COPIED[symbol] for symbol in own) for own in batch.x.argmax(-1).T.tolist())
    return Examples(batch.x, "tokens", labels, batch.target, COPIED[:-1])


def _adding(options: adding.AddingOptions, keeps: Mapping[str, Any], count: int) -> Examples:
    batch = fixed_sequences(adding.make_sequences, options.length + 2, count, "adding test")
    each = batch.x.transpose(0, 1).tolist()
    labels = tuple(tuple(f"{number:.2f}{' +' if marked else ''}" for number, marked in own) for own in each)
    return Examples(batch.x, "values", labels, batch.target, ("sum",), are_classes=False)


def _temporal_order(options: TemporalOrderOptions, keeps: Mapping[str, Any], count: int) -> Examples:
    make = partial(temporal_order.make_sequences, scale=options.scale)
    drawn = temporal_order.spans(options.scale)[0][-1] + 5
    batch = fixed_sequences(make, drawn, count, "temporal order test")
    assert batch.lengths is not None
    symbols = torch.where(batch.x.any(-1), batch.x.argmax(-1), temporal_order.SYMBOLS).T.tolist()
    ends = batch.lengths.tolist()
    labels = tuple(tuple(ORDERED[one] for one in own[:end]) for own, end in zip(symbols, ends, strict=True))
    return Examples(batch.x, "tokens", labels, batch.target, temporal_order.CLASSES, lengths=batch.lengths)


EXAMPLES: Mapping[str, Callable[[Any, Mapping[str, Any], int], Examples]] = {
    "adding": _adding,
    "copying": _copying,
    "digits": _digits,
    "language-model": _language_model,
    "mnist": _mnist,
    "parity": _parity,
    "sentiment": _sentiment,
    "series": _series,
    "series-classes": _series_classes,
    "sine": _sine,
    "temporal-order": _temporal_order,
}
"""By the name of a task: examples from its options, what the file of a trained model keeps, and how many to give."""
