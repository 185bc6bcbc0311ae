"""Settings and options as they are written on a command line."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from typing import Any

from gatelab.backends.registry import choose
from gatelab.errors import OptionError


def read_pairs(texts: Sequence[str], example: str) -> dict[str, Any]:
    """Values by name, from texts such as "dropout=0.5" or "schedule=cosine".

    Values are TOML's: numbers, true and false, [lists]; what is none of them is a word. A name with points stands
    for a value inside of another: "zoneout.c=0.1".

    Args:
        texts: the pairs.
        example: of one, for the error.

    Raises:
        OptionError: a text has another form.
    """
    found: dict[str, Any] = {}
    for text in texts:
        name, sign, value = text.partition("=")
        if not sign or not name.strip():
            raise OptionError(f"{text!r} is not of the form NAME=VALUE.\nWrite it as {example}.")
        *outer, last = name.strip().split(".")
        place = found
        for key in outer:
            place = place.setdefault(key, {})
            if not isinstance(place, dict):
                raise OptionError(f"{key} is given as a value and, in {text!r}, with values inside.\nGive one of them.")
        place[last] = _value(value.strip())
    return found


def read_backend(name: str) -> str:
    """The name of a backend.

    Raises:
        OptionError: there is none of this name.
    """
    choose(name)
    return name


def _value(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except (tomllib.TOMLDecodeError, KeyError):
        return text
