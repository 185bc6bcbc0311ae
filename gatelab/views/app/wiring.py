"""What happens on the page when something on it changes."""

from __future__ import annotations

import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from dash import ALL, ClientsideFunction, Dash, Input, Output, State, ctx, no_update, set_props
from dash.development.base_component import Component

from gatelab.errors import GatelabError
from gatelab.views.app import layout, words
from gatelab.views.app.asked import read_asked
from gatelab.views.app.room import FEW_UNITS, Room, first_focus, first_shown
from gatelab.views.app.scenery import live_figure
from gatelab.views.live.exhibits import Exhibit

FAILED = "Something went wrong here that should not have. What it was is told where the page was opened."
HELD = Input({"type": "gate", "name": ALL}, "value")
GATES = State({"type": "gate", "name": ALL}, "id")
FACTS = ("rows", "columns", "target", "surface", "decimals")
"""Of a hand, what the scripts of the page need."""


def explain(error: Exception) -> None:
    """Puts an error on the page in words; one that is not meant for a person also where the server was started."""
    if not isinstance(error, GatelabError):
        traceback.print_exception(error)
    set_props("notes", {"children": []})
    set_props("error", {"children": str(error) if isinstance(error, GatelabError) else FAILED})


def connect(app: Dash, room: Room) -> None:
    """Gives the page its callbacks."""
    own = Wiring(room)
    app.callback(
        *_outputs("hand.data", "hint.children", "gates.children", "written.value"),
        *_outputs("example.options", "example.value", "shown.options", "shown.value"),
        *_outputs("focus.options", "focus.value"),
        Input("run", "value"),
        State("hand", "data"),
        State("written", "value"),
    )(own.enter)
    app.callback(Output("units", "options"), Output("units", "value"), Input("focus", "value"), State("run", "value"))(
        own.units
    )
    app.callback(
        *_outputs("figure.figure", "now.children", "notes.children", "error.children"),
        Input("written", "value"),
        HELD,
        *(Input(name, "value") for name in ("shown", "side", "focus", "units", "begin", "end")),
        State("run", "value"),
        GATES,
    )(own.draw)
    app.callback(Output("scores", "children"), HELD, State("run", "value"), GATES)(own.score)
    app.callback(
        Output("likes", "children"),
        Input("find", "n_clicks"),
        *(State(name, "value") for name in ("written", "focus", "units", "begin", "end", "run")),
        State(HELD.component_id, "value"),
        GATES,
        prevent_initial_call=True,
    )(own.find)
    app.callback(
        Output("written", "value", allow_duplicate=True),
        Input("example", "value"),
        Input({"type": "take", "example": ALL, "place": ALL}, "n_clicks"),
        State("run", "value"),
        prevent_initial_call=True,
    )(own.take)
    app.callback(
        Output("begin", "value"), Output("end", "value"), Input("figure", "relayoutData"), prevent_initial_call=True
    )(mark)
    app.clientside_callback(  # type: ignore[no-untyped-call]
        ClientsideFunction("gatelab", "show"),
        Output("surface", "title"),
        Input("written", "value"),
        Input("hand", "data"),
    )


@dataclass(frozen=True)
class Wiring:
    """The callbacks of a room, in the order in which the page needs them."""

    room: Room

    def enter(self, run: object, before: dict[str, Any] | None, written: object) -> tuple[Any, ...]:
        """A run is chosen: its input, gates and names; what was written stays where it is written alike."""
        own = self.room.exhibit(read_asked({"run": run}).run)
        hand = {name: getattr(own.hand, name) for name in FACTS} | {"task": own.task}
        names, focus = layout.name_options(own), first_focus(own)
        return (
            hand,
            own.hand.hint,
            layout.gates(own.model.recurrent.cell),
            no_update if hand == before and written else own.start,
            layout.example_options(own),
            None,
            names,
            first_shown(own),
            names,
            focus,
        )

    def units(self, focus: object, run: object) -> tuple[list[int], list[int]]:
        """The units of a name, and those that have lines to begin with."""
        asked = read_asked({"run": run, "focus": focus})
        options = layout.unit_options(self.room.exhibit(asked.run), asked.focus)
        return options, options if len(options) <= FEW_UNITS else []

    def draw(
        self,
        written: object,
        held: Sequence[object],
        shown: object,
        side: object,
        focus: object,
        units: object,
        begin: object,
        end: object,
        run: object,
        gates: Sequence[dict[str, Any]],
    ) -> tuple[dict[str, Any], list[Component], list[Component], str]:
        """The figure, what the model says now, notes on how the input is read, and no error."""
        asked = read_asked(
            {"run": run, "written": written, "holds": _holds(gates, held), "shown": shown, "side": side}
            | {"focus": focus, "units": units, "begin": begin, "end": end}
        )
        seen = self.room.see(asked)
        return live_figure(seen.scenery), words.now(seen), words.notes(seen.typed.notes), ""

    def score(self, held: Sequence[object], run: object, gates: Sequence[dict[str, Any]]) -> list[Component]:
        """How good the model is with its gates as they are and as they are held."""
        try:
            return words.scores(*self.room.scores(read_asked({"run": run, "holds": _holds(gates, held)})))
        except GatelabError as error:
            return words.notes(str(error).splitlines())

    def find(
        self,
        clicks: object,
        written: object,
        focus: object,
        units: object,
        begin: object,
        end: object,
        run: object,
        held: Sequence[object],
        gates: Sequence[dict[str, Any]],
    ) -> list[Component]:
        """What is like the marked span."""
        try:
            asked = read_asked(
                {"run": run, "written": written, "holds": _holds(gates, held), "focus": focus}
                | {"units": units, "begin": begin, "end": end}
            )
            return words.likes(self.room.likes(asked))
        except GatelabError as error:
            return words.notes(str(error).splitlines())

    def take(self, example: object, clicks: Sequence[object], run: object) -> object:
        """The text of an example of the test that is chosen, in the list of them or beside what a search has found."""
        own = self.room.exhibit(read_asked({"run": run}).run)
        cause = ctx.triggered_id
        place = example if cause == "example" else cause["example"] if cause and any(clicks) else None
        return example_text(own, place)


def example_text(exhibit: Exhibit, place: object) -> object:
    """The text of an example, by its place from 0; no change where there is none."""
    sample = exhibit.sample
    if sample is None or not isinstance(place, int) or not 0 <= place < len(sample.labels):
        return no_update
    return exhibit.hand.write(sample, place)


def mark(moved: dict[str, Any] | None) -> tuple[object, object]:
    """The steps that were dragged over, from 1 and both inclusive."""
    spans = (moved or {}).get("selections") or []
    if not spans or not {"x0", "x1"} <= spans[-1].keys():
        return no_update, no_update
    low, high = sorted((float(spans[-1]["x0"]), float(spans[-1]["x1"])))
    return max(1, round(low)), max(1, round(high))


def _outputs(*places: str) -> list[Output]:
    """Of components and their properties, as in "figure.figure"."""
    return [Output(*place.split(".", 1)) for place in places]  # type: ignore[arg-type]


def _holds(gates: Sequence[dict[str, Any]], held: Sequence[object]) -> dict[object, object]:
    return {gate.get("name"): value for gate, value in zip(gates, held, strict=True)}
