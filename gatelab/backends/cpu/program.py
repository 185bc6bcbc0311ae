"""What a call has the machine do, written down once, with addresses that are put in at each call."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from gatelab.backends.cpu.threads import WORD, WORDS, Start


@dataclass(frozen=True)
class Own:
    """An address in the words of a call: so many words from their beginning."""

    words: int


@dataclass(frozen=True)
class Lent:
    """An address in the memory that is lent to a call: so many bytes from its beginning."""

    bytes: int


Word = int | Own | Lent
Job = Sequence[Word]
"""The address of a function, and its arguments."""

Phase = Sequence[Sequence[Job]]
"""Shares of jobs, each for a thread of its own."""


class Program:
    """Jobs in phases, each of which begins when the one before is done.

    The words of a call are some values, then the jobs, then for each phase a table of its shares.
    """

    def __init__(self, phases: Sequence[Phase], values: int, lent: Iterable[tuple[int, int]]) -> None:
        """
        Args:
            values: how many there are.
            lent: which of them are addresses in the memory lent: the place of each, and the bytes from its beginning.
        """
        words: list[Word] = [0] * values
        bounds = []
        for phase in _joined(phases):
            bounds.append([len(words)])
            for share in phase:
                for job in share:
                    words += [*job, *[0] * (WORDS - len(job))]
                bounds[-1].append(len(words))
        self.phases = []
        """In bytes: where the jobs of each begin and end, and its table; and how many shares it has."""
        for own in bounds:
            self.phases.append((WORD * own[0], WORD * own[-1], WORD * len(words), len(own) - 1))
            if len(own) > 2:
                words += [len(own) - 1, *map(Own, own)]
        places = list(enumerate(words))
        self.own = [(place, WORD * word.words) for place, word in places if isinstance(word, Own)]
        self.lent = [*lent, *((place, word.bytes) for place, word in places if isinstance(word, Lent))]
        self.words = array("q", [word if isinstance(word, int) else 0 for word in words[values:]])

    def run(self, values: array[int], memory: int) -> None:
        """Does it, with the address of the memory that is lent to the call."""
        words = self.place(values, memory)
        for start in self.starts(words):
            start.run()

    def place(self, values: array[int], memory: int) -> array[int]:
        """The words of a call; their addresses hold for as long as these very words and the memory are there."""
        words = values + self.words
        at, _ = words.buffer_info()
        for place, offset in self.own:
            words[place] = at + offset
        for place, offset in self.lent:
            words[place] = memory + offset
        return words

    def starts(self, words: array[int]) -> list[Start]:
        """What words say that `place` gave, phase by phase; they must be held as long as it is."""
        at, _ = words.buffer_info()
        return [Start(at + begin, at + end, at + table, shares) for begin, end, table, shares in self.phases]


def _joined(phases: Sequence[Phase]) -> Iterator[Phase]:
    """Phases of one share that follow each other, as one."""
    for is_single, group in groupby(phases, lambda phase: len(phase) == 1):
        if is_single:
            yield [[job for phase in group for share in phase for job in share]]
        else:
            yield from group
