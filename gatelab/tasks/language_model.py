"""Language models: which character or word of a text comes next?

Trained by truncated back-propagation through time: a batch has stretches of B places of the text, and the next one goes
on where they ended, with the states that the layers have there. Scores are of whole texts.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated, Literal

import torch
from pydantic import Field, ValidationInfo, field_validator
from torch import Tensor

from gatelab.errors import nearest
from gatelab.nn.inputs import Tokens
from gatelab.tasks.base import Measure, Model, Options, Problem, Task, Validation
from gatelab.tasks.corpora import Text, read_text
from gatelab.tasks.digests import digest_of
from gatelab.tasks.losses import accuracy_of_classes, cross_entropies, mean_cross_entropy
from gatelab.tasks.tracks import Tracks

TEXTS = ("tiny-shakespeare", "ptb")
"""Texts that are known by name; any other name is the path of a file."""
LENGTHS = {"characters": 128, "words": 35}
SIZES = {"characters": 64, "words": 256}
TEST_SHARE = 0.05
READ_AT_ONCE, READ_ALONG = 50, 500
"""A text is scored at so many places at the same time, and a shorter one at fewer of them, so that at least so many
symbols are read from each. What came before a place is not known there, which costs some thousandths of a nat."""
STEPS_AT_ONCE, LOGITS_AT_ONCE = 128, 2**22
"""The most of both, logits for each replica, that a model answers at a time when a text is scored, which bounds the
memory."""

Count = Annotated[int, Field(ge=1)]


class LanguageModelOptions(Options):
    """What can be chosen.

    Attributes:
        text: "tiny-shakespeare", "ptb", or the path of a UTF-8 text file, which may be gzipped.
        units: what it is a sequence of; None for words of PTB and characters of all others.
        length: T, how many steps errors go back; None for 128 characters or 35 words.
        size: of the vector of a symbol; None for 64 of a character and 256 of a word.
        words: at most so many different symbols; the rarer ones become `<unknown>`. None for all.
        train: learn from so many symbols, the first ones; None for all.
        test: the share at the end of a text without a test part that becomes one. With 0 the test is the validation
            text. None for 0.05 of a file, and 0 of Tiny Shakespeare, whose usual split has no test.
        digest: of a file's content, so that a run knows its text; filled in.
    """

    text: str = "tiny-shakespeare"
    units: Literal["characters", "words"] | None = None
    length: Count | None = None
    size: Count | None = None
    words: Annotated[int, Field(ge=2)] | None = None
    train: Annotated[int, Field(ge=2)] | None = None
    test: Annotated[float, Field(ge=0, le=0.5)] | None = None
    digest: Annotated[str | None, Field(validate_default=True)] = None

    @field_validator("digest")
    @classmethod
    def _of_the_file(cls, given: str | None, info: ValidationInfo) -> str | None:
        text = info.data.get("text", TEXTS[0])
        if text in TEXTS:
            return None
        if not Path(text).is_file():
            raise ValueError(f"'{text}' is neither a file nor the name of a text.\n{nearest(text, TEXTS)}")
        return digest_of([text], given, "Give the path of a text file.")

    @property
    def unit(self) -> str:
        """What the text is a sequence of, chosen or usual."""
        return self.units or ("words" if self.text == "ptb" else "characters")

    @property
    def test_share(self) -> float:
        """The share that becomes the test, chosen or usual."""
        return self.test if self.test is not None else 0.0 if self.text in TEXTS else TEST_SHARE

    def read(self) -> Text:
        """The text as numbers, as `read_text` gives it."""
        return read_text(self.text, self.unit, self.words, self.train, self.test_share)


def nats_a_symbol(model: Model, text: Tensor, symbols: int) -> Tensor:
    """The mean of -log p of every symbol but the first, given those before it, (R,).

    The text is read at up to `READ_AT_ONCE` places, from each with states of zeros up to where the next one began.

    Args:
        model: of R replicas.
        text: the numbers of its symbols, (N,).
        symbols: V, how many there are.
    """
    count = len(text) - 1
    places = max(1, min(READ_AT_ONCE, count // READ_ALONG))
    steps = -(-count // places)
    position = torch.arange(steps).unsqueeze(-1) + steps * torch.arange(places)
    total, state = torch.zeros(()), None
    at_once = max(1, min(STEPS_AT_ONCE, LOGITS_AT_ONCE // (places * symbols)))
    for part in position.split(at_once):
        own = part.clamp(max=count - 1)  # The last place may have less to read.
        logits, state = model.run(text[own], None, state)
        nats = cross_entropies(logits, text[own + 1].expand(logits.shape[:-1]))
        total = total + (nats * (part < count)).sum((-2, -1)).double()
    return (total / count).float()


def nats_by_frequency(text: Tensor, train: Tensor, symbols: int) -> float:
    """Nats a symbol if each is as likely as it is frequent in another text, where all are counted once more."""
    counts = torch.bincount(train, minlength=symbols).double() + 1
    return float(-(counts / counts.sum()).log()[text[1:]].mean())


def in_units(nats: Tensor) -> dict[str, Tensor]:
    """The same number as nats and bits a symbol and as the perplexity."""
    return {"nats": nats, "bits": nats / math.log(2), "perplexity": nats.exp()}


def score_text(model: Model, text: Text) -> dict[str, Tensor]:
    """The scores of a trained model by name, each (R,)."""
    symbols = len(text.vocabulary)
    valid = nats_a_symbol(model, text.valid, symbols)
    tested = valid if text.test is None else nats_a_symbol(model, text.test, symbols)
    return {**in_units(tested), "validation nats": valid}


def baselines_of(text: Text) -> dict[str, dict[str, float]]:
    """The scores of what learns nothing of the order of symbols."""
    symbols = len(text.vocabulary)
    guesses = {"all alike": math.log(symbols), "by frequency": nats_by_frequency(text.tested, text.train, symbols)}
    return {
        name: {unit: score.item() for unit, score in in_units(torch.tensor(nats, dtype=torch.double)).items()}
        for name, nats in guesses.items()
    }


def open_language_model(options: LanguageModelOptions) -> Problem:
    """The problem with these options."""
    unit, text = options.unit, options.read()
    symbols, length = len(text.vocabulary), options.length or LENGTHS[unit]
    return Problem(
        inputs=Tokens(symbols, options.size or SIZES[unit]),
        output_size=symbols,
        reads="every",
        stateful=True,
        course=lambda seeds, batch_size: Tracks(seeds, text.train, batch_size, length),
        loss=mean_cross_entropy,
        score=lambda logits, target: accuracy_of_classes(logits, target).mean(-1),
        test=lambda model: score_text(model, text),
        validation=Validation("nats", "lowest", lambda model: nats_a_symbol(model, text.valid, symbols)),
        baselines=baselines_of(text),
        facts=(text.about(),),
        keeps={"kind": "text", "symbols": list(text.vocabulary.words), "units": unit},
    )


LANGUAGE_MODEL = Task(
    name="language-model",
    about="The next character or word of a text, at each of its places.",
    revision=1,
    usual={
        "hidden_size": 256,
        "epochs": 7,
        "batch_size": 50,
        "learning_rate": 0.005,
        "output_dropout": 0.25,
        "schedule": "cosine",
        "clip": 1.0,
    },
    measures=(
        Measure("nats", "", best="lowest", digits=3),
        Measure("bits", "", best="lowest", digits=3),
        Measure("perplexity", "", best="lowest"),
        Measure("validation nats", "", best="lowest", digits=3),
    ),
    open=open_language_model,
    options=LanguageModelOptions,
    scored="% of symbols",
    validated=lambda _: "nats",
)
