"""The page's parts, as dash's components; what is in them is filled in by `wiring`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dash import dcc, html
from dash.development.base_component import Component

from gatelab.language.cell import Cell
from gatelab.views.app.asked import MOST_UNITS
from gatelab.views.app.room import Room, keys_of, width_of
from gatelab.views.live.exhibits import Exhibit
from gatelab.views.live.hands import MOST_LETTERS

HOLDS = (("as it is", ""), ("0", "0"), ("1", "1"))
"""What a gate can be held at: the words on the page, and what they send."""
SIDES = ("held", "as it is", "difference")
CHOICES = 40
"""Examples of the test that can be taken up."""
SHORT = 60
"""Letters of an example's text in the list of them."""


def page(room: Room) -> Component:
    """All of the page."""
    titles = [one.title for one in room.exhibits]
    return html.Main(
        [
            html.Header([html.H1("gatelab"), _runs(titles)]),
            html.Div([html.Div(_asking(), id="asking"), html.Div(_answering(), id="answering")], id="columns"),
            dcc.Store(id="hand"),
        ]
    )


def _runs(titles: Sequence[str]) -> Component:
    options = [{"label": title, "value": place} for place, title in enumerate(titles)]
    return _group("run", dcc.RadioItems(options, 0, id="run", inline=True))


def _asking() -> list[Component]:
    return [
        html.Section(
            [
                html.H2("Input"),
                html.P(id="hint", className="hint"),
                html.Div(id="surface"),
                _field("as text", dcc.Textarea(id="written", value="", maxLength=MOST_LETTERS, spellCheck=False)),
                html.Div(id="error", role="alert"),
                html.Div(id="notes", role="status", className="hint"),
                _field("An example of the test", dcc.Dropdown(id="example", placeholder="take one")),
            ]
        ),
        html.Section(
            [
                html.H2("Gates"),
                html.P("Hold a gate shut (0) or open (1), for all units and steps.", className="hint"),
                html.Div(id="gates"),
                html.Div(id="scores", role="status"),
            ]
        ),
        html.Section(
            [
                html.H2("Spans"),
                html.P("Mark steps here or drag over the figure, and find where units do alike.", className="hint"),
                html.Div(
                    [
                        _field("from step", dcc.Input(id="begin", type="number", min=1, step=1)),
                        _field("to step", dcc.Input(id="end", type="number", min=1, step=1)),
                        html.Button("Find its like", id="find"),
                    ],
                    className="row",
                ),
                html.Div(id="likes", role="status"),
            ]
        ),
    ]


def _answering() -> list[Component]:
    return [
        html.Div(id="now", role="status"),
        html.Div(
            [
                _field("maps of", dcc.Dropdown(id="shown", multi=True)),
                _field("lines of", dcc.Dropdown(id="focus", clearable=False)),
                _field("units", dcc.Dropdown(id="units", multi=True, placeholder=f"choose up to {MOST_UNITS}")),
                _field("values", dcc.RadioItems(list(SIDES), SIDES[0], id="side", inline=True)),
            ],
            className="row",
        ),
        dcc.Graph(id="figure", responsive="auto", config={"displaylogo": False, "displayModeBar": False}),
    ]


def _field(label: str, control: Component) -> Component:
    return html.Label([html.Span(label), control], className="field")


def _group(label: str, control: Component) -> Component:
    named: Any = {"aria-label": label}
    return html.Div(control, role="group", **named)


def gates(cell: Cell) -> list[Component]:
    """The equations, and at each gate what it is held at."""
    rows = []
    for line in cell.lines:
        control: Component | None = None
        if line.name in cell.gates:
            options = [{"label": word, "value": value} for word, value in HOLDS]
            choice = dcc.RadioItems(options, "", id={"type": "gate", "name": line.name}, inline=True)
            control = _group(f"hold {line.name}", choice)
        rows.append(html.Tr([html.Td(control), html.Td(html.Code(str(line)))]))
    if not cell.gates:
        rows.append(html.Tr(html.Td("No line of this cell is a gate.", className="hint")))
    return [html.Table(html.Tbody(rows))]


def example_options(exhibit: Exhibit) -> list[dict[str, object]]:
    """Examples of the test by what they read."""
    if exhibit.sample is None:
        return []
    return [
        {"label": f"{place + 1}: {_title(exhibit, place)}", "value": place}
        for place in range(min(CHOICES, len(exhibit.sample.labels)))
    ]


def _title(exhibit: Exhibit, place: int) -> str:
    """The right answer where it is one class, and where an input is text how it begins."""
    sample = exhibit.sample
    assert sample is not None
    parts = []
    if sample.are_classes and sample.target is not None and sample.target.ndim == 1:
        parts.append(sample.answers[int(sample.target[place])])
    if exhibit.hand.surface in ("text", "bits"):
        parts.append(exhibit.hand.write(sample, place)[:SHORT])
    return ", ".join(parts) or f"example {place + 1}"


def name_options(exhibit: Exhibit) -> list[str]:
    """What can have a map or lines."""
    return list(keys_of(exhibit))


def unit_options(exhibit: Exhibit, key: str) -> list[int]:
    """The units of a name."""
    return list(range(width_of(exhibit, key)))
