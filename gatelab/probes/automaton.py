"""A trained model as a finite machine: its states in clusters, and the table of what follows what.

As Omlin & Giles (1996, Neural Networks 9:41) took machines out of recurrent networks, but where they lay a grid over
the states, clusters here are cut only where members of one go different ways. T time, B batch, W the width of a vector,
S kinds of symbols, K clusters, Q states of a machine.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.cluster import KMeans
from sklearn.tree import DecisionTreeClassifier
from torch import Tensor

from gatelab.errors import OptionError, ShapeError
from gatelab.probes.gates import valid_mask, valid_steps

Whole = NDArray[np.int64]
Mask = NDArray[np.bool_]

UNKNOWN = -1
"""In a table what was never seen; in a run a machine that has stopped there, or a step beyond a sequence's end."""
ENOUGH = 0.995
"""The share of steps at which a machine must answer as the model does; the smallest of those that do is taken."""
SLACK = 0.01
"""Where none does, how far below the best a smaller one may be."""
SAMPLE = 10_000
"""Steps that a cut is found from; all others follow it."""
MOST_KINDS = 128
"""Of symbols and of answers; a table of more could not be read."""


@dataclass(frozen=True)
class Agreement:
    """How often a machine, which sees nothing but the symbols, answers as the model does; shares from 0 to 1.

    Attributes:
        steps: of all steps.
        ends: of all sequences, after the last step.
        sequences: of those where it does at every step.
    """

    steps: float
    ends: float
    sequences: float


@dataclass(frozen=True)
class Automaton:
    """A machine of Q states, which begins in state 0; prints as its table.

    Attributes:
        symbols: the S kinds that it knows.
        table: the next state, (Q, S), and `UNKNOWN` where none was ever seen.
        answers: of each state; `UNKNOWN` for a start that is never come back to and behaves as no other state.
        clusters: K; those that behave alike are one state.
        agreement: with the model, over the sequences that it was made from.
    """

    symbols: tuple[int, ...]
    table: tuple[tuple[int, ...], ...]
    answers: tuple[int, ...]
    clusters: int
    agreement: Agreement

    def run(self, symbols: Tensor, lengths: Tensor | None = None) -> Tensor:
        """The state after each step, (T, B), of long; the machine stops, `UNKNOWN`, at what was never seen.

        Args:
            symbols: whole numbers, (T, B).
            lengths: (B,), if they are ragged.

        Raises:
            ShapeError: something has the wrong shape, type or range.
        """
        read, alive = _read(symbols, lengths)
        return torch.from_numpy(_run(np.array(self.table), _codes(read, np.array(self.symbols)), alive))

    def compare(self, symbols: Tensor, answers: Tensor, lengths: Tensor | None = None) -> Agreement:
        """How often it answers as the model does on other sequences, given as to `as_automaton`.

        Raises:
            ShapeError, OptionError: as `as_automaton` has it.
        """
        _, alive = _read(symbols, lengths)
        return _agreement(self.run(symbols, lengths).numpy(), np.array(self.answers), _spoken(answers, alive), alive)

    def rows(self) -> tuple[tuple[str, ...], ...]:
        """The table in words: its headings, and a row a state."""
        states = zip(self.table, self.answers, strict=True)
        words = ((str(state), *map(_word, (*row, answer))) for state, (row, answer) in enumerate(states))
        return (("state", *map(str, self.symbols), "answer"), *words)

    def __str__(self) -> str:
        rows = self.rows()
        wide = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = ["  ".join(word.rjust(width) for word, width in zip(row, wide, strict=True)) for row in rows]
        share = f"agrees with the model at {self.agreement.steps:.2%} of steps and {self.agreement.ends:.2%} of ends"
        return "\n".join([*lines, f"{len(self.table)} states of {self.clusters} clusters, from 0 on; {share}."])


def as_automaton(
    states: Tensor,
    symbols: Tensor,
    answers: Tensor | None = None,
    lengths: Tensor | None = None,
    most: int = 10,
    seed: int = 0,
) -> Automaton:
    """The machine that a model has become, as far as its states fall into clusters.

    At first the states of an answer are one cluster. What most often follows from a cluster with a symbol makes the
    table, and states that behave alike are merged, so that one state of the machine may have several places in the
    model. While the machine does not answer as the model does, the cluster whose members go different ways most often
    is cut in two. The smallest machine is taken that agrees often enough, or about as often as the best.

    Args:
        states: what the cell remembers after each step, (T, B, W); zeros come before the first.
        symbols: what it read at each step, whole numbers, (T, B).
        answers: what the model answers after each step, classes from 0, (T, B): its head can be asked at all of them.
            Without any, the two clusters of k-means stand for them.
        lengths: (B,), if they are ragged.
        most: clusters; only if there are more answers there are as many as these.
        seed: of k-means, and of the steps that cuts are found from.

    Raises:
        OptionError: `most` is below 1, an answer below 0, or there are more than `MOST_KINDS` of symbols or answers.
        ShapeError, DataError: as `valid_steps` has it, or symbols or answers do not fit.
    """
    if most < 1:
        raise OptionError(f"most is {most}.\nGive a count from 1.")
    points, (read, alive) = valid_steps(states, lengths).numpy(), _read(symbols, lengths, tuple(states.shape[:2]))
    kinds = np.unique(read[alive])
    codes = _codes(read, kinds)
    spoken = _halves(points, alive, seed) if answers is None else _spoken(answers, alive)
    for name, count in (("symbols", len(kinds)), ("answers", len(np.unique(spoken[alive])))):
        if count > MOST_KINDS:
            raise OptionError(f"There are {count} kinds of {name}, and at most {MOST_KINDS} make a table.\nGroup them.")
    found = []
    for clusters in _clusterings(points, codes, spoken, alive, most, seed):
        table, known = _merged(*_majorities(clusters, codes, spoken, alive))
        agreement = _agreement(_run(table, codes, alive), known, spoken, alive)
        rows = tuple(map(tuple, table.tolist()))
        machine = Automaton(tuple(kinds.tolist()), rows, tuple(known.tolist()), int(clusters.max()) + 1, agreement)
        if agreement.steps >= ENOUGH:
            return machine
        found.append(machine)
    enough = max(one.agreement.steps for one in found) - SLACK
    return next(one for one in found if one.agreement.steps >= enough)


def _clusterings(
    points: NDArray[np.floating], codes: Whole, spoken: Whole, alive: Mask, most: int, seed: int
) -> Iterator[Whole]:
    """The cluster of each step, (T, B), `UNKNOWN` beyond the ends; each time with one cluster more."""
    place, clusters = np.full(alive.shape, UNKNOWN), np.full(alive.shape, UNKNOWN)
    place[alive] = np.arange(len(points))
    clusters[alive] = np.unique(spoken[alive], return_inverse=True)[1]
    random = np.random.default_rng(seed)
    while True:
        yield clusters
        count = int(clusters.max()) + 1
        follows = _transitions(clusters[:-1], codes[1:], clusters[1:], alive[1:], count)
        strays = follows.sum(-1) - follows.max(-1)
        if count >= most or not strays.any():
            return
        own, symbol = np.unravel_index(strays.argmax(), strays.shape)
        goes = random.permutation(np.argwhere(alive[1:] & (clusters[:-1] == own) & (codes[1:] == symbol)))[:SAMPLE].T
        stray = clusters[1:][*goes] != follows[own, symbol].argmax()
        # One threshold on one unit: a unit's scale doesn't matter, and a few steps that stray are enough.
        tree = DecisionTreeClassifier(max_leaf_nodes=2, random_state=seed).fit(points[place[*goes]], stray)
        members = clusters == own
        cut = tree.apply(points[place[members]]) == 2
        if cut.all() or not cut.any():
            return
        clusters = clusters.copy()
        clusters[members] = np.where(cut, count, own)


def _transitions(before: Whole, codes: Whole, after: Whole, asked: Mask, count: int) -> Whole:
    """How often each cluster with each symbol goes to each cluster, (K, S, K)."""
    found = np.zeros((count, int(codes.max(initial=0)) + 1, count), dtype=np.int64)
    np.add.at(found, (before[asked], codes[asked], after[asked]), 1)
    return found


def _majorities(clusters: Whole, codes: Whole, spoken: Whole, alive: Mask) -> tuple[Whole, Whole]:
    """What most often follows, (K + 1, S), and what is answered, (K + 1,); the last row is the start."""
    start = int(clusters.max()) + 1
    before = np.concatenate([np.full_like(clusters[:1], start), clusters[:-1]])
    follows = _transitions(before, codes, clusters, alive, start + 1)
    answers = np.full(start + 1, UNKNOWN)
    answers[clusters[alive]] = spoken[alive]
    return np.where(follows.any(-1), follows.argmax(-1), UNKNOWN), answers


def _merged(table: Whole, answers: Whole) -> tuple[Whole, Whole]:
    """The machine without states that behave as another one does, or that are never reached; its start is 0.

    Two states are merged unless answers come to contradict each other along some word. Where all is known this is the
    smallest machine (Moore 1956), and what was never seen contradicts nothing.
    """
    classes = np.arange(len(table))
    for pair in combinations(range(len(table)), 2):
        classes = _folded(classes, table, answers, pair)
    order, rows = [int(classes[-1])], []
    for own in order:  # Which grows while it is read: breadth first.
        nexts = table[classes == own].max(axis=0)
        rows.append([UNKNOWN if state == UNKNOWN else int(classes[state]) for state in nexts])
        order += dict.fromkeys(state for state in rows[-1] if state not in (*order, UNKNOWN))
    names = {own: place for place, own in enumerate(order)} | {UNKNOWN: UNKNOWN}
    known = np.array([answers[classes == own].max() for own in order])
    return np.array([[names[state] for state in row] for row in rows]), known


def _folded(classes: Whole, table: Whole, answers: Whole, pair: tuple[int, int]) -> Whole:
    """The classes with two states in one, and so all that must follow; as they were where answers contradict that."""
    folded, todo = classes.copy(), [pair]
    while todo:
        first, second = (folded[state] for state in todo.pop())
        folded[folded == second] = first
        members = np.flatnonzero(folded == first)
        if len(set(answers[members].tolist()) - {UNKNOWN}) > 1:
            return classes
        for nexts in table[members].T:
            known = nexts[nexts != UNKNOWN]
            todo += [(known[0], state) for state in known if folded[state] != folded[known[0]]]
    return folded


def _run(table: Whole, codes: Whole, alive: Mask) -> Whole:
    """The state after each step, (T, B)."""
    # A row and a column more: where the machine has stopped, and symbols that it does not know.
    whole = np.pad(table, ((0, 1), (0, 1)), constant_values=UNKNOWN)
    state, found = np.zeros(codes.shape[1], dtype=np.int64), np.empty_like(codes)
    for step, own in enumerate(codes):
        state = found[step] = whole[state, own]
    return np.where(alive, found, UNKNOWN)


def _agreement(states: Whole, answers: Whole, spoken: Whole, alive: Mask) -> Agreement:
    """Of a run, (T, B), with what the model has answered, (T, B); `answers` are those of the states."""
    right = np.append(answers, UNKNOWN)[states] == spoken
    ends = right[alive.sum(0) - 1, np.arange(alive.shape[1])]
    # Beyond the ends both are unknown, and so are equal.
    return Agreement(float(right[alive].mean()), float(ends.mean()), float(right.all(0).mean()))


def _halves(points: NDArray[np.floating], alive: Mask, seed: int) -> Whole:
    """Which of the two clusters of k-means each step lies in, (T, B); all in one where no two differ."""
    sample = np.random.default_rng(seed).permutation(points)[:SAMPLE]
    means = KMeans(min(2, len(np.unique(sample, axis=0))), n_init=4, random_state=seed).fit(sample)
    found = np.full(alive.shape, UNKNOWN)
    found[alive] = means.predict(points)
    return found


def _codes(symbols: Whole, kinds: Whole) -> Whole:
    """The place of each symbol among the kinds; `UNKNOWN` for others."""
    places = np.searchsorted(kinds, symbols).clip(max=len(kinds) - 1)
    return np.where(kinds[places] == symbols, places, UNKNOWN)


def _read(symbols: Tensor, lengths: Tensor | None, shape: tuple[int, ...] | None = None) -> tuple[Whole, Mask]:
    """Symbols and which of them count, (T, B)."""
    if (
        symbols.ndim != 2
        or not symbols.numel()
        or symbols.is_floating_point()
        or symbols.shape != (shape or symbols.shape)
    ):
        raise ShapeError(
            f"The symbols are {symbols.dtype} of shape {tuple(symbols.shape)}.\n"
            f"Give a whole number a step, {shape or '(T, B)'}."
        )
    return symbols.long().cpu().numpy(), valid_mask(torch.empty(*symbols.shape, 0), lengths).numpy()


def _spoken(answers: Tensor, alive: Mask) -> Whole:
    """The answers, (T, B), `UNKNOWN` beyond the ends."""
    if answers.shape != alive.shape or answers.is_floating_point():
        raise ShapeError(
            f"The answers are {answers.dtype} of shape {tuple(answers.shape)}.\n"
            f"Give a whole number a step, {alive.shape}."
        )
    own: Whole = answers.long().cpu().numpy()
    if own[alive].min(initial=0) < 0:
        raise OptionError("An answer is below 0.\nGive classes from 0 on, one after each step.")
    return np.where(alive, own, UNKNOWN)


def _word(place: int) -> str:
    return "-" if place == UNKNOWN else str(place)
