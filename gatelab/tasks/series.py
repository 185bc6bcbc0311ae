"""Series: the next steps of one column, from the last steps of some.

Windows of any CSV file, or of three known series: ETTh1 (Zhou et al. 2021), the airline passengers of Box & Jenkins
1976 and Melbourne's daily minimum. All columns are standardised by the training part, and errors are in these units,
as the literature has them; beside them stand those of forecasts that learn nothing.

A series may stand at another level in its test part than it ever did in its training. So a window is given, and a
forecast is asked, relative to the window's last values, unless told otherwise: a forecast of zeros is then the naive
one (the simplest form of what Kim et al. 2022, "Reversible Instance Normalization", do).

R replicas, B batch, W windows, C columns, Q quantiles.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from gatelab.data.table import read_csv
from gatelab.data.windows import (
    ETT_HOURLY,
    Scaler,
    Windows,
    coverage,
    mae,
    mse,
    naive,
    parts,
    pinball,
    seasonal_naive,
    windows,
)
from gatelab.errors import DataError, OptionError
from gatelab.nn.inputs import Features
from gatelab.tasks.base import Batch, Measure, Model, Problem, Task, Validation
from gatelab.tasks.courses import Epochs
from gatelab.tasks.seasons import find_season
from gatelab.tasks.series_options import KNOWN, SeriesOptions

TEST_BATCH = 1000
"""Windows forecast at a time, which bounds the memory."""


@dataclass(frozen=True, eq=False)
class Series:
    """A series in standard units, cut into parts.

    Attributes:
        names: of the columns.
        target: the place of the column to forecast.
        raw: (N, C), double, in units of the data.
        values: (N, C).
        scaler: from the training part.
        rows: of the three parts.
        parts: the windows of each.
        left_out: the names of columns that would be shown, had they any number.
    """

    names: tuple[str, ...]
    target: int
    raw: Tensor
    values: Tensor
    scaler: Scaler
    rows: tuple[range, ...]
    parts: tuple[Windows, ...]
    left_out: tuple[str, ...]


def prepare(options: SeriesOptions) -> Series:
    """The series of these options.

    Raises:
        DataError: a column is missing or not of numbers, its numbers do not fit float32, or the series is too short.
        OptionError: the target is not among the columns, or shares make no parts.
    """
    table = KNOWN[options.data].read() if options.data in KNOWN else read_csv(Path(options.data))
    if options.target is not None:
        table.numbers(options.target)
    names, left_out = (table.numeric, table.empty) if options.columns is None else (options.columns, ())
    if not names:
        raise DataError(f"{table.name} has no column of numbers.\nNumbers are written as in 1234.5, with a point.")
    target = names[-1] if options.target is None else options.target
    if target not in names:
        raise OptionError(f"The target '{target}' is not among the columns {', '.join(names)}.\nTake it in.")
    raw = torch.stack([torch.from_numpy(table.numbers(name)) for name in names], dim=1)
    rows = ETT_HOURLY if isinstance(options.shares, str) else parts(len(raw), options.shares)
    scaler = Scaler.of(raw[rows[0].start : rows[0].stop])
    _check_range(table.name, names, raw, scaler)
    values, place = scaler.apply(raw).float(), names.index(target)
    found = tuple(windows(values, options.past, options.ahead, place, rows=part) for part in rows)
    return Series(names, place, raw, values, scaler, rows, found, left_out)


def _check_range(file: str, names: Sequence[str], raw: Tensor, scaler: Scaler) -> None:
    """Refuses columns that float32, in which a model computes, cannot hold in their own units or in standard ones."""
    parts = (raw, scaler.mean[None], scaler.deviation[None], scaler.apply(raw))
    held = torch.cat(parts).float().isfinite().all(0)
    if not held.all():
        name = names[int((~held).nonzero()[0])]
        raise DataError(
            f"{file}: column '{name}' has numbers, or a mean or deviation of its training part, that float32 cannot "
            "hold.\nGive it in another unit: divide all of it by the same number."
        )


def forecasts(model: Model, part: Windows, target: int, relative: bool) -> tuple[Tensor, Tensor]:
    """Answers for all windows of a part, ([R,] W, O), and the targets that they are for, (W, ahead)."""
    answers, asked = [], []
    for x, y in zip(part.x.split(TEST_BATCH), part.y.split(TEST_BATCH), strict=True):
        x, y = _shown(x, y, target, relative)
        answers.append(model(x.transpose(0, 1)))
        asked.append(y)
    return torch.cat(answers, dim=-2), torch.cat(asked)


def _validated(quantiles: Sequence[float] | None) -> str:
    return "MSE" if quantiles is None else "pinball loss"


def open_series(options: SeriesOptions) -> Problem:
    """The problem with these options."""
    series, quantiles = prepare(options), options.quantiles
    train, valid, test = series.parts
    season, why = _season(series, options)

    def gather(numbers: Tensor) -> Batch:
        x, y = _shown(train.x[numbers], train.y[numbers], series.target, options.relative)
        return Batch(x.transpose(1, 2), y)

    def loss(answers: Tensor, asked: Tensor) -> Tensor:
        return mse(answers, asked) if quantiles is None else pinball(_each(answers, quantiles), asked, quantiles)

    def validate(model: Model) -> Tensor:
        return loss(*forecasts(model, valid, series.target, options.relative))

    def scores(model: Model) -> dict[str, Tensor]:
        return _scores(*forecasts(model, test, series.target, options.relative), quantiles)

    return Problem(
        inputs=Features(len(series.names)),
        output_size=options.ahead * len(quantiles or (0.5,)),
        course=lambda seeds, batch_size: Epochs(seeds, len(train.x), batch_size, gather),
        loss=loss,
        score=lambda answers, asked: mae(_point(answers, quantiles), asked),
        test=scores,
        validation=Validation(_validated(quantiles), "lowest", validate),
        baselines=_baselines(series, options, season),
        facts=(*_facts(series, options), *why),
        keeps={
            "kind": "forecast",
            "columns": list(series.names),
            "target": series.names[series.target],
            "mean": series.scaler.mean.tolist(),
            "deviation": series.scaler.deviation.tolist(),
            **options.model_dump(mode="json", include={"past", "ahead", "quantiles", "relative"}),
        },
    )


def _shown(x: Tensor, y: Tensor, target: int, relative: bool) -> tuple[Tensor, Tensor]:
    """What a model sees of windows x (..., past, C), and is asked of targets y (..., ahead)."""
    if not relative:
        return x, y
    last = x[..., -1:, :]
    return x - last, y - last[..., target]


def _each(answers: Tensor, quantiles: Sequence[float]) -> Tensor:
    """Answers (..., W, ahead * Q) with an axis for the quantiles, (..., W, ahead, Q)."""
    each: Tensor = answers.unflatten(-1, (-1, len(quantiles)))
    return each


def _point(answers: Tensor, quantiles: tuple[float, ...] | None) -> Tensor:
    """The forecasts to be scored, (..., W, ahead): the medians, where there are quantiles."""
    return answers if quantiles is None else _each(answers, quantiles)[..., quantiles.index(0.5)]


def _scores(answers: Tensor, asked: Tensor, quantiles: tuple[float, ...] | None) -> dict[str, Tensor]:
    """Errors in standard units, each ([R]); relative to the last values or not, they are the same."""
    if quantiles is not None:
        # Sorted, no quantile lies above a higher one, and their loss is no larger (Chernozhukov et al. 2010).
        answers = _each(answers, quantiles).sort(-1).values.flatten(-2)
    point = _point(answers, quantiles)
    found = {"MSE": mse(point, asked), "MAE": mae(point, asked)}
    if quantiles is not None:
        each = _each(answers, quantiles)
        found["pinball"] = pinball(each, asked, quantiles)
        found["coverage"] = coverage(each[..., 0], each[..., -1], asked)
    return found


def _season(series: Series, options: SeriesOptions) -> tuple[int, tuple[str, ...]]:
    """The steps of the season, 1 for none, and where they are from, in sentences."""
    if options.season is not None:
        return options.season, (f"Seasonal naive: as {options.season} steps before.",) if options.season > 1 else ()
    train = series.rows[0]
    found = find_season(series.values[train.start : train.stop, series.target].numpy())
    if found is None:
        return 1, ("No season shows in the training part, so there is no seasonal naive forecast; season= gives one.",)
    return found.steps, (
        f"Seasonal naive: as {found.steps} steps before, the season that the training part shows: "
        f"its {found.of} have an autocorrelation of {found.correlation:.2f} there.",
    )


def _baselines(series: Series, options: SeriesOptions, season: int) -> dict[str, dict[str, float]]:
    """Errors of forecasts that learn nothing, on the test windows."""
    test = series.parts[-1]
    plain = {"naive": naive(test.x, options.ahead, series.target)}
    if season > 1:
        plain["seasonal naive"] = _seasonal(series, options, season)
    return {
        name: {measure: value.item() for measure, value in _scores(forecast, test.y, None).items()}
        for name, forecast in plain.items()
    }


def _seasonal(series: Series, options: SeriesOptions, season: int) -> Tensor:
    """The forecast that all comes as a season ago, (W, ahead); it may look further back than a window reaches."""
    rows = series.rows[-1]
    if season > rows.start:
        raise OptionError(
            f"A season of {season} steps does not fit before the test part, which begins at {rows.start}.\n"
            "Take a longer series, or season=1 for none."
        )
    # As long a past as there is before the first test window, which leaves the targets as they are.
    past = max(season, min(options.past, rows.start))
    seen = windows(series.values, past, options.ahead, series.target, rows=rows)
    return seasonal_naive(seen.x, options.ahead, season, series.target)[-len(series.parts[-1].y) :]


def _facts(series: Series, options: SeriesOptions) -> tuple[str, ...]:
    rows, counts = ([f"{len(one):,}" for one in many] for many in (series.rows, [part.x for part in series.parts]))
    shares = options.quantiles
    ends = [] if shares is None else [f"Coverage: of the interval from quantile {shares[0]:g} to {shares[-1]:g}."]
    names = ", ".join(name or "one without a name" for name in series.left_out)
    left_out = [f"Columns left out, since they have no number: {names}."] if names else []
    return (
        f"{options.ahead} steps of {series.names[series.target]} from {options.past} of {', '.join(series.names)}.",
        *left_out,
        f"Training, validation and test: {', '.join(rows)} rows, {', '.join(counts)} windows.",
        "MSE and MAE in units of the training part's standard deviation.",
        *ends,
    )


SERIES = Task(
    name="series",
    about="The next steps of a series from its last ones: ETTh1, airline, temperatures or a CSV file.",
    revision=1,
    # In steps, since the windows of a series may make one batch an epoch or hundreds.
    usual={
        "hidden_size": 32,
        "steps": 1000,
        "batch_size": 64,
        "learning_rate": 0.002,
        "schedule": "cosine",
        "output_dropout": 0.2,
        "validate_every": 50,
        "patience": 6,
    },
    measures=(Measure("MSE", "", best="lowest", digits=4), Measure("MAE", "", best="lowest", digits=4)),
    open=open_series,
    options=SeriesOptions,
    scored="MAE",
    validated=lambda options: _validated(options.get("quantiles")),
)
