"""A trained model as a finite machine, where it reads few kinds of symbols and answers with classes."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from gatelab.nn.models import SequenceModel
from gatelab.probes.automaton import UNKNOWN, Agreement, Automaton, as_automaton
from gatelab.probes.record import Record
from gatelab.views.answers import answers_by_step
from gatelab.views.examples import Examples
from gatelab.views.tables import NOTHING, TableText

MOST_SYMBOLS = 12
"""Kinds of symbols up to which a table of what follows what says something."""
MOST_STATES = 30
"""States up to which it is printed."""


@dataclass(frozen=True)
class Machine:
    """A model as a machine.

    Attributes:
        automaton: from the first half of the inputs.
        symbols: what its symbols are called.
        answers: what its answers are called.
        others: how often it agrees with the model on the other half.
    """

    automaton: Automaton
    symbols: tuple[str, ...]
    answers: tuple[str, ...]
    others: Agreement


@torch.no_grad()
def find_machine(model: SequenceModel, examples: Examples, record: Record) -> Machine | None:
    """The machine that a model has become; None where it reads no symbols, too many kinds, or both ways.

    Args:
        model: of one seed.
        examples: two or more.
        record: what was seen of all of the model's states while it read them.
    """
    kinds = sorted({label for own in examples.labels for label in own})
    is_machine = examples.kind == "tokens" and examples.are_classes and not model.recurrent.bidirectional
    if not is_machine or len(kinds) > MOST_SYMBOLS or len(examples.labels) < 2:
        return None
    cell = model.recurrent.cell
    states = torch.cat([record[key] for state in cell.states for key in record.keys_by_name[state]], dim=-1)
    symbols, answers = _symbols(examples, kinds), _answers(answers_by_step(model, examples))
    half, lengths = len(examples.labels) // 2, examples.lengths
    mine, others = (
        (part, None if lengths is None else lengths[part]) for part in (slice(None, half), slice(half, None))
    )
    found = as_automaton(states[:, mine[0]], symbols[:, mine[0]], answers[:, mine[0]], mine[1])
    judged = found.compare(symbols[:, others[0]], answers[:, others[0]], others[1])
    return Machine(found, tuple(kinds), examples.answers, judged)


def machine_table(machine: Machine) -> TableText:
    """A row a state: where each symbol leads, and what is answered there."""
    found = machine.automaton
    headings = ("state", "answers", *(machine.symbols[symbol] for symbol in found.symbols))
    rows = tuple(
        (f"> {place}" if place == 0 else str(place), _word(machine.answers, answer), *map(_state, nexts))
        for place, (nexts, answer) in enumerate(zip(found.table, found.answers, strict=True))
    )
    made, others = found.agreement, machine.others
    left = len(rows) - MOST_STATES
    return TableText(
        title="As a machine",
        headings=headings,
        sections=(rows[:MOST_STATES],),
        caption=(
            *((f"{left} more states are left out here.",) if left > 0 else ()),
            f"{len(rows)} state{'s' * (len(rows) > 1)}; a column a symbol: the state that follows. > begins.",
            f"Agrees with the model at {100 * others.steps:.2f} % of steps and {100 * others.ends:.2f} % of ends of "
            "sequences",
            f"that it was not made from; at {100 * made.steps:.2f} and {100 * made.ends:.2f} % of those that it was.",
        ),
    )


def _symbols(examples: Examples, kinds: list[str]) -> Tensor:
    """The place of each step's label among the kinds, (T, B); 0 beyond the ends."""
    places = {kind: place for place, kind in enumerate(kinds)}
    rows = [torch.tensor([places[label] for label in own]) for own in examples.labels]
    padded = torch.zeros(len(examples.x), len(rows), dtype=torch.long)
    for column, row in enumerate(rows):
        padded[: len(row), column] = row
    return padded


def _answers(logits: Tensor) -> Tensor:
    """The class that is answered after each step, (T, B), from logits (T, B, O)."""
    return (logits[..., 0] > 0).long() if logits.shape[-1] == 1 else logits.argmax(-1)


def _state(place: int) -> str:
    return NOTHING if place == UNKNOWN else str(place)


def _word(names: tuple[str, ...], answer: int) -> str:
    return NOTHING if answer == UNKNOWN else names[answer]
