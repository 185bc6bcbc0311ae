"""`gatelab classify`: the classes that a trained model gives to texts."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import torch
import typer

from gatelab.cli.console import show
from gatelab.cli.options import Json
from gatelab.data.text import tokens
from gatelab.errors import OptionError
from gatelab.nn.saving import load, read_facts
from gatelab.process import set_up_process
from gatelab.tasks.sentiment import probabilities
from gatelab.tasks.texts import Reading
from gatelab.views.tables import NOTHING, TableText, draw_table


def command(
    run: Annotated[Path, typer.Argument(help="The folder of a run of the task sentiment, or the file of its model.")],
    texts: Annotated[list[str] | None, typer.Argument(help="What to classify; else the lines that come in.")] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Which of the run's seeds; else its first.")] = None,
    as_json: Json = False,
) -> None:
    set_up_process(1)
    keeps = read_facts(run).get("keeps") or {}
    if keeps.get("kind") != "texts":
        raise OptionError(f"The model of {run} has not learned to classify texts.\nGive a run of the task sentiment.")
    asked = texts or [line.rstrip("\n") for line in sys.stdin]
    if not asked:
        raise OptionError("There is no text.\nGive one, or several, or lines on the standard input.")
    reading, names = Reading.of(keeps["reading"]), keeps["names"]
    with torch.no_grad():
        shares = probabilities(load(run, seed), asked, reading)
    known = [sum(token in reading.vocabulary.index for token in tokens(text, reading.style)) for text in asked]
    found = [
        {"text": text, "class": names[int(own.argmax())], "probability": round(own.max().item(), 4), "known": count}
        for text, own, count in zip(asked, shares, known, strict=True)
    ]
    if as_json:
        print(json.dumps(found, indent=1))
        return
    rows = tuple(
        (str(row["class"]), f"{100 * float(row['probability']):.1f} %" if row["known"] else NOTHING, str(row["text"]))
        for row in found
    )
    caption = () if all(known) else (f"{NOTHING}: the model knows no word of this text, so its class says nothing.",)
    show(draw_table(TableText("", ("class", "sure", "text"), (rows,), caption, is_words=True)))
