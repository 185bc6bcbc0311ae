"""Answers of the room in words: what a model says now, its scores, and what a search has found."""

from __future__ import annotations

from collections.abc import Sequence

from dash import html
from dash.development.base_component import Component

from gatelab.views.app.room import Seen
from gatelab.views.live.likes import Like
from gatelab.views.live.looks import Look, Score

SAID = 5
"""Answers that are told, the likeliest or the first ones."""


def now(seen: Seen) -> list[Component]:
    """What the model answers after the last step, beside what it answers with held gates."""
    sides = [("as it is", seen.plain)] + ([("held", seen.held)] if seen.held else [])
    return [_answer(title, look, alone=len(sides) == 1) for title, look in sides]


def _answer(title: str, look: Look, alone: bool) -> Component:
    last = look.answers[-1]
    told = [f"{one:.{look.decimals}f}" for one in last]
    order = (-last).argsort(kind="stable") if look.are_classes else range(len(last))
    rows = [
        html.Tr([html.Td(look.names[place]), html.Td(_bar(last[place]) if look.are_classes else told[place])])
        for place in list(order)[:SAID]
    ]
    first = look.names[int(order[0])] if look.are_classes else told[0]
    parts = [] if alone else [html.Span(title, className="hint")]
    return html.Div([*parts, html.Strong(first), html.Table(html.Tbody(rows))], className=f"answer {_word(title)}")


def _bar(share: float) -> list[Component]:
    return [html.Meter(value=f"{share:.4f}", min="0", max="1"), html.Span(f" {100 * share:.1f} %")]


def _word(title: str) -> str:
    return title.replace(" ", "-")


def scores(plain: Score, held: Score | None) -> list[Component]:
    """Scores in sentences."""
    shown = [f"As it is: {_number(plain)}"] + ([f"held: {_number(held)}"] if held else [])
    return [html.P(f"On {plain.count} examples of the test. " + "; ".join(shown) + f". {plain.about}".rstrip())]


def _number(score: Score) -> str:
    return f"{score.value:.1f} {score.name}" if score.name.startswith("%") else f"{score.name} {score.value:.4g}"


def notes(lines: Sequence[str]) -> list[Component]:
    """Sentences below each other."""
    return [html.P(line) for line in lines]


def likes(found: Sequence[Like]) -> list[Component]:
    """Spans, the most alike first, each with a button that takes its example up."""
    if not found:
        return [html.P("There is no other span of this length.")]
    return [html.Ol([html.Li(_like(one, place)) for place, one in enumerate(found)])]


def _like(one: Like, place: int) -> list[Component]:
    where = "this input" if one.example is None else f"example {one.example + 1}"
    between = "" if all(len(label) == 1 for label in (*one.before, *one.marked, *one.after)) else " "
    before, marked, after = (between.join(labels) for labels in (one.before, one.marked, one.after))
    steps = f"{one.begin + 1} to {one.end}" if one.end > one.begin + 1 else f"{one.begin + 1}"
    text = html.Span([before, between, html.Mark(marked), between, after], className="span")
    about = html.Span(f"{one.score:.3f}, {where}, step {steps} ", className="hint")
    if one.example is None:
        return [text, about]
    return [text, about, html.Button("take it", id={"type": "take", "example": one.example, "place": place})]
