"""The colours of maps: one pair of scales in all views, and both can be told apart in grey."""

from __future__ import annotations

Scale = tuple[tuple[float, str], ...]


def _even(*colours: str) -> Scale:
    """Colours from 0 to 1, evenly apart."""
    return tuple((place / (len(colours) - 1), colour) for place, colour in enumerate(colours))


SHARES = _even("#f7fbff", "#deebf7", "#c6dbef", "#9dcae1", "#6aaed6", "#4191c6", "#2070b4", "#08509b", "#08306b")
"""Of what has no sign, from 0 (shut) to the most (open): matplotlib's "Blues". Plotly's own runs the other way."""
SIGNED = _even(
    *("#fee838", "#efd748", "#ddc858", "#ccba64", "#bbad6d", "#aaa073", "#9a9376", "#8b8778", "#7c7b78"),
    *("#6e6f73", "#60646f", "#52596d", "#424e6c", "#31436d", "#18376f", "#002d68", "#00224e"),
)
"""Of what has a sign, from the least to the most, which lie as far from 0: matplotlib's "cividis_r"."""
