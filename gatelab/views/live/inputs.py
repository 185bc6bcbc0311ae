"""The hand for each task that has a live input, by a table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from gatelab.views.live.hands import Hand
from gatelab.views.live.pictures import mnist_hand, picture_hand
from gatelab.views.live.symbols import bits_hand, passage_hand, review_hand
from gatelab.views.live.values import series_hand, sine_hand

HANDS: Mapping[str, Callable[[Mapping[str, Any], Mapping[str, Any]], Hand]] = {
    "digits": partial(picture_hand, side=8, brightest=16.0),
    "language-model": passage_hand,
    "mnist": mnist_hand,
    "parity": bits_hand,
    "sentiment": review_hand,
    "series": series_hand,
    "sine": sine_hand,
}
"""By the name of a task, from its options and what the file of the model keeps."""
