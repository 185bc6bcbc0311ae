"""A scene as JSON, with its values as base64 of half floats, which take a sixth of the room of numbers in text."""

from __future__ import annotations

import json
import math
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from gatelab.views.answers import SAID, Said, Values
from gatelab.views.scene import Scene, Shown, Side
from gatelab.views.watched import Watched

LARGEST = float(np.finfo(np.float16).max)
"""What half floats reach; larger values are drawn as this one."""
DIGITS = 3
"""Of a probability or a number that is written as text, after its first one."""


def packed(values: Values) -> dict[str, Any]:
    """Numbers as half floats, lowest byte first, in base64; rounded to 3 digits and cut at `LARGEST`."""
    halves = np.clip(values, -LARGEST, LARGEST).astype("<f2")
    return {"shape": list(values.shape), "data": b64encode(halves.tobytes()).decode()}


def as_json(data: object) -> str:
    """JSON that may stand inside of a script element: nothing in it can end the element or begin another."""
    text = json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def scene_data(scene: Scene) -> dict[str, Any]:
    """All of a scene in types that JSON has."""
    return {
        "title": scene.title,
        "kind": scene.kind,
        "classes": scene.are_classes,
        "answers": scene.answers if len(scene.answers) <= SAID else None,
        "outputs": len(scene.answers),
        "traced": scene.traced,
        "unit": scene.unit,
        "examples": [_example(own) for own in scene.examples],
        "sides": [_side(own) for own in scene.sides],
        "tables": [asdict(table) for table in scene.tables],
        "finds": [asdict(find) for find in scene.finds],
        "foot": [asdict(facts) for facts in scene.foot],
    }


def _example(own: Shown) -> dict[str, Any]:
    return {
        "title": own.title,
        "labels": own.labels,
        "targets": own.targets,
        "inputs": None if own.inputs is None else packed(own.inputs),
        "wanted": None if own.wanted is None else packed(own.wanted),
    }


def _side(own: Side) -> dict[str, Any]:
    return {
        "title": own.title,
        "about": own.about,
        "lines": [asdict(line) for line in own.lines],
        "watched": [_watched(one) for one in own.watched],
        "says": [_said(one) for one in own.says],
        "traced": [packed(values) for values in own.traced],
    }


def _watched(own: Watched) -> dict[str, Any]:
    return {
        "key": own.key,
        "name": own.name,
        "gate": own.is_gate,
        "units": own.units,
        "width": own.width,
        "values": [packed(values) for values in own.values],
    }


def _said(own: Said) -> list[list[Sequence[object]]]:
    return [[(name, _short(number)) for name, number in step] for step in own]


def _short(number: float) -> float | None:
    """Few digits of a number; None for what is none, since JSON has no word for it."""
    return float(f"{number:.{DIGITS}e}") if math.isfinite(number) else None
