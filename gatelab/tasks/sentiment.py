"""Sentiment: what is the class of a text? Film reviews (Maas et al. 2011), or the texts and labels of any CSV file.

Words are read as vectors, GloVe's or learned ones, and the last output decides. Section 3.3 of the 2018 gate report
has GloVe in 50 dimensions, 250 tokens and zeros behind the shorter reviews, which the layer reads before its last
output is taken; Keras has 5,000 words with learned vectors and zeros in front. The usual options are the better
practice: a layer stops at each text's end, and weights are chosen on a share of the training reviews, not on the test.

R replicas, B batch, N texts, O outputs: one for two classes, else one a class.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, get_args

import torch
from pydantic import Field, ValidationInfo, field_validator, model_validator
from torch import Tensor
from torch.nn import functional

from gatelab.data.text import Reviews, imdb, read_labelled_csv, tokens
from gatelab.data.vectors import Vectors, glove, table_for
from gatelab.data.vocabulary import RESERVED, UNKNOWN, TokenSequences, Vocabulary
from gatelab.errors import DataError
from gatelab.nn.inputs import Tokens
from gatelab.tasks.base import Batch, Classes, Measure, Model, Options, Problem, Task, Validation
from gatelab.tasks.courses import Epochs
from gatelab.tasks.digests import digest_of
from gatelab.tasks.losses import (
    accuracy_of_bits,
    accuracy_of_classes,
    mean_binary_cross_entropy,
    mean_cross_entropy,
)
from gatelab.tasks.texts import DRAW, Keep, Padding, Reading, Style, divide, fewer

JUDGED = 500
"""Texts judged at a time, which bounds the memory."""

GLOVE_DIMENSIONS = (50, 100, 200, 300)


class SentimentOptions(Options):
    """What can be chosen.

    Attributes:
        vectors: whether words begin with GloVe's vectors, or with vectors drawn for each seed, which are learned.
        dimensions: the width of a vector; GloVe has 50, 100, 200 and 300.
        fine_tuned: whether GloVe's vectors are learned on.
        words: so many of the most frequent ones, the three reserved numbers counted, as Keras's `num_words`; None for
            all that occur in the training texts. With GloVe, only words that have a vector.
        length: tokens of a text at most.
        keep: which part of a longer one is read.
        padding: where zeros make texts equally long; these are read too. With "none" the layer stops at each text's
            end.
        style: how a text becomes tokens.
        start: whether each text begins with a token of its own, as in Keras's form of the data.
        validation: the share of the training texts that weights are chosen on; with 0 the last weights count.
        train: at most so many texts to learn from, the validation's counted; None for all.
        test: at most so many to test on; None for all.
        csv: a file to take instead of the film reviews, with a header and a row a text.
        text: its column of texts.
        label: its column of classes, of which there may be any number.
        test_share: the share of its rows that makes the test.
        digest: of the file, found when it is not given, so that a run with other data is another run.
    """

    vectors: Literal["glove", "learned"] = "glove"
    dimensions: Annotated[int, Field(ge=1)] = 50
    fine_tuned: bool = False
    words: Annotated[int, Field(gt=len(RESERVED))] | None = None
    length: Annotated[int, Field(ge=1)] = 250
    keep: Keep = "last"
    padding: Padding = "none"
    style: Style = "letters"
    start: bool = False
    validation: Annotated[float, Field(ge=0, le=0.5)] = 0.1
    train: Annotated[int, Field(ge=2)] | None = None
    test: Annotated[int, Field(ge=2)] | None = None
    csv: Path | None = None
    text: str = "text"
    label: str = "label"
    test_share: Annotated[float, Field(gt=0, lt=1)] = 0.2
    digest: Annotated[str | None, Field(validate_default=True)] = None

    @field_validator("digest")
    @classmethod
    def _of_the_file(cls, given: str | None, info: ValidationInfo) -> str | None:
        path = info.data.get("csv")
        return digest_of([] if path is None else [path], given, "Give the path of a CSV file with a header.")

    @model_validator(mode="after")
    def _fit_each_other(self) -> SentimentOptions:
        if self.vectors == "glove" and self.dimensions not in GLOVE_DIMENSIONS:
            there = ", ".join(map(str, GLOVE_DIMENSIONS))
            raise ValueError(f"GloVe has no vectors of {self.dimensions} dimensions.\nThere are: {there}.")
        if self.vectors == "learned" and self.fine_tuned:
            raise ValueError("Only GloVe's vectors can be fine-tuned.\nLeave fine_tuned out, or take vectors glove.")
        return self


@dataclass(frozen=True)
class Answers:
    """How a model says which class it takes a text for.

    Attributes:
        loss, score: as `Problem` has them.
        target: what they compare with, of classes.
        logits: one a class, (R, N, classes), of a model's answers (R, N, O).
    """

    loss: Callable[[Tensor, Tensor], Tensor]
    score: Callable[[Tensor, Tensor], Tensor]
    target: Callable[[Tensor], Tensor]
    logits: Callable[[Tensor], Tensor]


OF_TWO = Answers(
    mean_binary_cross_entropy, accuracy_of_bits, Tensor.float, lambda answers: functional.pad(answers, (1, 0))
)
"""One logit, of the second class against the first, whose own is 0."""
OF_MANY = Answers(mean_cross_entropy, accuracy_of_classes, Tensor.long, lambda answers: answers)


@dataclass(frozen=True)
class Part:
    """Texts that are ready to be read, and their classes as a loss takes them, (N,)."""

    sequences: TokenSequences
    target: Tensor

    def batch(self, reading: Reading, rows: Tensor) -> Batch:
        """Some of them, (R, B)."""
        x, lengths = reading.pad(self.sequences, rows)
        return Batch(x, self.target[rows], lengths)


def read_parts(options: SentimentOptions) -> dict[str, Reviews]:
    """The reviews by what they are for: "train", "test", and "validation" if there is any."""
    if options.csv is None:
        train, test = imdb()
    else:
        whole = read_labelled_csv(options.csv, options.text, options.label)
        train, test = divide(whole, {"train": 1 - options.test_share, "test": options.test_share}).values()
    train, test = fewer(train, options.train), fewer(test, options.test)
    if not options.validation:
        return {"train": train, "test": test}
    return {**divide(train, {"train": 1 - options.validation, "validation": options.validation}), "test": test}


def find_words(texts: Sequence[str], options: SentimentOptions) -> tuple[Vocabulary, Vectors | None]:
    """The words that count, and their vectors if these are GloVe's.

    Raises:
        DataError: no text has a token.
    """
    occurring = Vocabulary.of(tokens(text, options.style) for text in texts)
    if len(occurring) == len(RESERVED):
        raise DataError(_no_token(texts, options))
    if options.vectors == "learned":
        return Vocabulary(occurring.words[: options.words]), None
    vectors = glove(options.dimensions, occurring.index.keys() - set(RESERVED))
    known = [word for word in occurring.words if word in RESERVED or word in vectors.index]
    return Vocabulary(tuple(known[: options.words])), vectors


def _no_token(texts: Sequence[str], options: SentimentOptions) -> str:
    others = [style for style in get_args(Style) if any(tokens(text, style) for text in texts)]
    cure = f"Take {' or '.join(f'-o style={style}' for style in others)}" if others else "Give texts that are not empty"
    return f"No text to learn from has a token in the style '{options.style}'.\n{cure}; -o text= names their column."


def judge(model: Model, part: Part, reading: Reading) -> Tensor:
    """The answers of a model for all texts, (R, N, O); texts of like length go side by side."""
    order = part.sequences.lengths.argsort(stable=True)
    answers = [model(*reading.pad(part.sequences, rows)) for rows in order.split(JUDGED)]
    return torch.cat(answers, dim=-2)[..., order.argsort(), :]


PURPOSES = {"train": "to learn from", "validation": "to choose weights by", "test": "for the test"}


def probabilities(model: Model, texts: Sequence[str], reading: Reading) -> Tensor:
    """The probability of each class for each text, (N, classes), of a model of one seed."""
    sequences = reading.cut(reading.encode(texts))
    logits = judge(model, Part(sequences, torch.zeros(len(texts))), reading)
    return (OF_TWO if logits.shape[-1] == 1 else OF_MANY).logits(logits).softmax(-1)


def describe(reviews: Mapping[str, Reviews], full: Mapping[str, TokenSequences], reading: Reading) -> tuple[str, ...]:
    """What is worth knowing of the data; `full` are the sequences before they are cut."""
    texts = {part: set(own.texts) for part, own in reviews.items()}
    learned = set().union(*(own for part, own in texts.items() if part != "test"))
    seen = sum(text in learned for text in reviews["test"].texts)
    unknown = reading.vocabulary.index[UNKNOWN]
    known = {
        part: f"{100 * (own.values != unknown).float().mean():.1f} %" if len(own.values) else "-"
        for part, own in full.items()
    }
    lengths = torch.cat([own.lengths for own in full.values()])
    cut, empty = 100 * (lengths > reading.length).float().mean(), (lengths == reading.start).sum()
    counts = ", ".join(f"{len(own.texts):,} {PURPOSES[part]}" for part, own in reviews.items())
    again = ", ".join(f"{own.duplicates:,} {PURPOSES[part]}" for part, own in reviews.items())
    shares = ", ".join(f"{share} {PURPOSES[part]}" for part, share in known.items())
    return (
        f"Texts: {counts}.",
        f"Texts that have come before: {again}; {seen:,} of the test are also in another part.",
        f"Tokens that are in the vocabulary of {len(reading.vocabulary):,}: {shares}.",
        f"{cut:.1f} % of the texts are cut to {reading.length} tokens; {empty:,} texts have no token.",
    )


def open_sentiment(options: SentimentOptions) -> Problem:
    """The problem with these options.

    Raises:
        DataError: the data are missing or broken, or too few for their parts.
    """
    reviews = read_parts(options)
    names, labels = reviews["test"].names, reviews["test"].labels
    vocabulary, vectors = find_words(reviews["train"].texts, options)
    reading = Reading(vocabulary, options.style, options.start, options.length, options.keep, options.padding)
    answers = OF_TWO if len(names) == 2 else OF_MANY
    full = {name: reading.encode(own.texts) for name, own in reviews.items()}
    parts = {name: Part(reading.cut(full[name]), answers.target(own.labels)) for name, own in reviews.items()}
    own = parts["train"]
    near = own.sequences.lengths if options.padding == "none" else None

    def course(seeds: Sequence[int], batch_size: int) -> Epochs:
        return Epochs(seeds, len(own.target), batch_size, lambda rows: own.batch(reading, rows), near)

    def accuracy(model: Model) -> Tensor:
        chosen_on = parts["validation"]
        return answers.score(judge(model, chosen_on, reading), chosen_on.target)

    def score_test(model: Model) -> dict[str, Tensor]:
        found = judge(model, parts["test"], reading)
        target = parts["test"].target.expand(len(found), -1)
        return {"accuracy": answers.score(found, target), "loss": answers.loss(found, target)}

    most_frequent = reviews["train"].labels.mode().values
    return Problem(
        inputs=Tokens(
            len(vocabulary),
            options.dimensions,
            None if vectors is None else table_for(vocabulary, vectors, DRAW),
            learned=vectors is None or options.fine_tuned,
        ),
        output_size=1 if answers is OF_TWO else len(names),
        course=course,
        loss=answers.loss,
        score=answers.score,
        test=score_test,
        validation=Validation("accuracy, %", "highest", accuracy) if options.validation else None,
        classes=Classes(names, lambda model: (answers.logits(judge(model, parts["test"], reading)), labels)),
        baselines={"most frequent class": {"accuracy": 100 * (labels == most_frequent).float().mean().item()}},
        facts=describe(reviews, full, reading),
        keeps={"kind": "texts", "reading": reading.kept(), "names": names},
    )


SENTIMENT = Task(
    name="sentiment",
    about="The class of a text: film reviews, or any CSV file of texts and labels.",
    revision=1,
    usual={
        "hidden_size": 64,
        "epochs": 8,
        "batch_size": 128,
        "learning_rate": 0.005,
        "schedule": "cosine",
        "clip": 1.0,
        "embedding_init": "uniform",
    },
    measures=(Measure("accuracy", "%", best="highest"), Measure("loss", "nats", best="lowest", digits=3)),
    open=open_sentiment,
    options=SentimentOptions,
)
