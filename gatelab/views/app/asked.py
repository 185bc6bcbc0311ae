"""What the page asks of the server, checked: whatever comes over the wire is taken for a stranger's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from gatelab.errors import OptionError, explain_problem
from gatelab.views.app.scenery import Side
from gatelab.views.live.forcing import Forces
from gatelab.views.live.hands import MOST_LETTERS

MOST_NAMES, MOST_UNITS = 60, 24
"""Maps and lines that are drawn at most."""

Name = Annotated[str, Field(max_length=100)]
Step = Annotated[int, Field(ge=1, le=MOST_LETTERS)]


class Asked(BaseModel):
    """One wish of the page.

    Attributes:
        run: the place of the exhibit, from 0.
        written: the input as text.
        holds: what each gate is held at; "" for as it is.
        shown: the names that have a map, by the probe's keys.
        side: whose values these show.
        focus: the name whose units have lines, and in which spans are compared.
        units: which ones.
        begin, end: the marked steps, from 1, both inclusive.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    run: Annotated[int, Field(ge=0)]
    written: Annotated[str, Field(max_length=MOST_LETTERS)] = ""
    holds: dict[Name, Literal["", "0", "1"]] = {}
    shown: Annotated[list[Name], Field(max_length=MOST_NAMES)] = []
    side: Side = "held"
    focus: Name = ""
    units: Annotated[list[Annotated[int, Field(ge=0)]], Field(max_length=MOST_UNITS)] = []
    begin: Step | None = None
    end: Step | None = None

    @property
    def forces(self) -> Forces:
        """The gates that are held, and at what."""
        return tuple((gate, value) for gate, value in self.holds.items() if value)

    @property
    def span(self) -> tuple[int, int] | None:
        """The marked steps, in order; None unless both are given."""
        if self.begin is None or self.end is None:
            return None
        return min(self.begin, self.end), max(self.begin, self.end)


def read_asked(given: Mapping[str, Any]) -> Asked:
    """A wish; what is None counts as not given.

    Raises:
        OptionError: a value is none that the page could have sent, or is too large.
    """
    try:
        return Asked.model_validate({name: value for name, value in given.items() if value is not None})
    except ValidationError as error:
        problem = error.errors()[0]
        if problem["type"] == "string_too_long":
            raise OptionError(
                f"The text is too long.\nWrite at most {problem['ctx']['max_length']:,} letters."
            ) from None
        shown = {**problem, "input": repr(problem["input"])[:50]}
        raise OptionError(explain_problem(shown, Asked.model_fields)) from None
