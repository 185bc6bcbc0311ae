"""What can be chosen of the task series, and the series that come with gatelab."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import Field, model_validator

from gatelab.data.table import Table, airline, etth1, temperatures
from gatelab.tasks.base import Options
from gatelab.tasks.digests import digest_of

CUSTOMARY = "customary"
"""The parts of ETT's hourly tables that papers use."""

Count = Annotated[int, Field(ge=1)]
Quantile = Annotated[float, Field(gt=0, lt=1)]


@dataclass(frozen=True)
class Known:
    """A series that comes with gatelab: how to read it, and its usual options."""

    read: Callable[[], Table]
    usual: Mapping[str, Any]


KNOWN = {
    "etth1": Known(etth1, {"target": "OT", "past": 96, "ahead": 24, "season": 24, "shares": CUSTOMARY}),
    "airline": Known(
        airline, {"target": "Passengers", "past": 24, "ahead": 12, "season": 12, "shares": (0.6, 0.2, 0.2)}
    ),
    "temperatures": Known(temperatures, {"target": "Temp", "past": 30, "ahead": 7, "season": 365}),
}
"""By the name in the option `data`; anything else there is a path."""


class SeriesOptions(Options):
    """What can be chosen. Where nothing is given, a series of `KNOWN` has its own usual values.

    Attributes:
        data: a name of `KNOWN`, or the path of a CSV file with a line of names, in the order of time.
        digest: of a file's content, so that a run is another one when the file changes; filled in.
        target: the column to forecast; None for the last one of numbers.
        columns: what a window shows; None for all columns of numbers. A series of `KNOWN` shows its target alone: on
            ETTh1 six more columns made forecasts of the seventh worse (MSE 0.035 and not 0.027).
        past: steps that a forecast sees.
        ahead: steps that it is asked.
        season: steps after which the series repeats, for the seasonal naive forecast; 1 for none, None to look for
            it in the training part.
        quantiles: to forecast, in ascending order; None for a point. With them the forecast to be scored is the
            median, and 0.5 must be among them.
        shares: of the training, validation and test part, in the order of time; "customary" for those of ETT's
            hourly tables, 12, 4 and 4 months.
        relative: whether all is relative to a window's last values.
    """

    data: str = "etth1"
    digest: str = ""
    target: str | None = None
    columns: tuple[str, ...] | None = None
    past: Count = 96
    ahead: Count = 24
    season: Count | None = None
    quantiles: tuple[Quantile, ...] | None = None
    shares: tuple[float, float, float] | str = (0.7, 0.1, 0.2)
    relative: bool = True

    @model_validator(mode="before")
    @classmethod
    def _fill_in(cls, given: dict[str, Any]) -> dict[str, Any]:
        data = str(given.get("data", cls.model_fields["data"].default))
        if data in KNOWN:
            usual = KNOWN[data].usual
            return {**usual, "columns": (given.get("target") or usual["target"],), **given, "digest": ""}
        cure = f"Give the path of a CSV file, or {', '.join(KNOWN)}."
        return {**given, "data": data, "digest": digest_of([data], given.get("digest"), cure)}

    @model_validator(mode="after")
    def _fit_together(self) -> SeriesOptions:
        columns, quantiles = self.columns, self.quantiles
        if columns is not None and (not columns or len(set(columns)) < len(columns)):
            raise ValueError(f"The columns are {list(columns)}.\nName one or more, each only once.")
        if quantiles is not None and (0.5 not in quantiles or list(quantiles) != sorted(set(quantiles))):
            raise ValueError(f"The quantiles are {list(quantiles)}.\nGive them in ascending order, 0.5 among them.")
        if isinstance(self.shares, str) and self.shares != CUSTOMARY:
            raise ValueError(f"The shares are '{self.shares}'.\nGive three numbers, or '{CUSTOMARY}' for ETT's tables.")
        return self
