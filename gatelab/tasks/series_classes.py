"""Classes of series: the archives' `.ts` and `.tsv` files, of any lengths and any number of channels.

Without files of one's own it is Japanese Vowels: which of nine speakers said two vowels (Kudo, Toyama & Shimbo 1999).

R replicas, B batch, T steps of the longest series of a batch, N series, C channels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import torch
from pydantic import Field, ValidationInfo, field_validator
from torch import Tensor

from gatelab.data.series import LabelledSeries, japanese_vowels, read_labelled, standardised
from gatelab.data.splits import split
from gatelab.nn.inputs import Features
from gatelab.tasks.base import Batch, Classes, Measure, Model, Options, Problem, Task, Validation
from gatelab.tasks.courses import Epochs
from gatelab.tasks.digests import digest_of
from gatelab.tasks.losses import accuracy_of_classes, mean_cross_entropy
from gatelab.tasks.parts import answers_in_parts

SPLIT = 0
"""The seed of the one split into training and validation."""


class SeriesClassesOptions(Options):
    """What can be chosen.

    Attributes:
        dataset: the data set where no files are given.
        train: the path of a `.ts` or `.tsv` file to learn from, and `test` one of the test.
        test: see `train`.
        validation: the share of the training series, by class, that weights are chosen on; with 0 the last weights
            count, which is better for small sets.
        digest: of the files' content, so that runs on other content are other runs. It is filled in; a digest that
            is given must be that of the files.
    """

    dataset: Literal["japanese-vowels"] = "japanese-vowels"
    train: str | None = None
    test: str | None = None
    validation: Annotated[float, Field(ge=0, le=0.5)] = 0.0
    digest: Annotated[str | None, Field(validate_default=True)] = None

    @field_validator("digest")
    @classmethod
    def _of_the_files(cls, given: str | None, info: ValidationInfo) -> str | None:
        paths = [path for path in (info.data.get("train"), info.data.get("test")) if path is not None]
        if len(paths) == 1:
            raise ValueError(f"There is only one file, {paths[0]}.\nGive both, train and test, or none.")
        if given and not paths:
            raise ValueError(f"The digest {given} is of files, and no files are given.\nGive them, or leave it out.")
        return digest_of(paths, given, "Give the path of a .ts or .tsv file.")


@dataclass(frozen=True, eq=False)
class Padded:
    """Series with zeros after their ends, (N, T, C), their lengths (N,) and classes (N,)."""

    values: Tensor
    lengths: Tensor
    labels: Tensor

    @classmethod
    def of(cls, series: LabelledSeries) -> Padded:
        values, lengths = series.padded()
        return cls(values.transpose(0, 1).contiguous(), lengths, series.labels)

    def take(self, rows: Tensor) -> Batch:
        """The series of some rows, (R, B), no longer than the longest of them."""
        lengths = self.lengths[rows]
        return Batch(self.values[rows, : int(lengths.max())].transpose(1, 2), self.labels[rows], lengths)

    def answers(self, model: Model, rows: Tensor) -> tuple[Tensor, Tensor]:
        """The logits of a model for the series of some rows, (R, n, O), and their classes, (n,)."""
        batch = self.take(rows.unsqueeze(0))
        assert batch.lengths is not None
        return answers_in_parts(model, batch.x[0], batch.lengths[0]), batch.target[0]


def open_series_classes(options: SeriesClassesOptions) -> Problem:
    """The problem with these options.

    Raises:
        DataError: a file is missing or broken, or a class has too few series for the validation.
    """
    if options.train is None or options.test is None:
        read = japanese_vowels()
    else:
        read = read_labelled(Path(options.train), Path(options.test))
    series, others = standardised(*read)
    train, test = Padded.of(series), Padded.of(others)
    shares = {"train": 1 - options.validation, "validation": options.validation}
    everything = torch.arange(len(train.labels))
    rows = {"train": everything}
    if options.validation:
        rows = split(len(everything), shares, SPLIT, train.labels, names=series.names, source="The training series")
    every_test = torch.arange(len(test.labels))

    def course(seeds: Sequence[int], batch_size: int) -> Epochs:
        return Epochs(seeds, len(rows["train"]), batch_size, lambda chosen: train.take(rows["train"][chosen]))

    def chosen_by(model: Model) -> Tensor:
        return accuracy_of_classes(*train.answers(model, rows["validation"]))

    return Problem(
        inputs=Features(series.channels),
        output_size=len(series.names),
        course=course,
        loss=mean_cross_entropy,
        score=accuracy_of_classes,
        test=lambda model: {"accuracy": accuracy_of_classes(*test.answers(model, every_test))},
        validation=Validation("accuracy, %", "highest", chosen_by) if options.validation else None,
        classes=Classes(series.names, lambda model: test.answers(model, every_test)),
        baselines={"most frequent class": {"accuracy": _most_frequent(series.labels, others.labels)}},
        facts=_facts(series, others, {name: len(part) for name, part in rows.items()}),
        keeps={"kind": "classes", "names": series.names},
    )


def _most_frequent(train: Tensor, test: Tensor) -> float:
    """The accuracy of always saying the class that the training has most of, in percent."""
    return 100 * (test == train.bincount().argmax()).float().mean().item()


def _facts(train: LabelledSeries, test: LabelledSeries, sizes: dict[str, int]) -> tuple[str, ...]:
    lengths = [len(one) for part in (train, test) for one in part.values]
    facts = (
        f"{sizes['train']:,} series to learn from, {sizes.get('validation', 0):,} to choose weights on, "
        f"{len(test.labels):,} for the test.",
        f"{len(train.names)} classes, {train.channels} channel{'s' * (train.channels != 1)}, "
        f"{min(lengths):,} to {max(lengths):,} steps.",
    )
    filled = train.filled + test.filled
    return (*facts, f"{filled:,} missing values were filled in.") if filled else facts


SERIES_CLASSES = Task(
    name="series-classes",
    about="Classes of series from .ts or .tsv files, of any lengths; Japanese Vowels if there are none.",
    revision=1,
    usual={
        "hidden_size": 64,
        "bidirectional": True,
        "output_dropout": 0.5,
        "epochs": 40,
        "batch_size": 32,
        "learning_rate": 0.003,
        "schedule": "cosine",
        "clip": 1.0,
    },
    measures=(Measure("accuracy", "%", best="highest"),),
    open=open_series_classes,
    options=SeriesClassesOptions,
)
