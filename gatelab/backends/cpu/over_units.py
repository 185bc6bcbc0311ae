"""The operations that mix the units of a vector, as loops over the units."""

from __future__ import annotations

from collections.abc import Callable

from gatelab.backends.cpu.code import Code
from gatelab.backends.cpu.functions import exp
from gatelab.language.ops import EPSILON

Read = Callable[[str], str]
"""Gives the vector of a unit, by its index."""
Write = Callable[[str, str], None]
"""Takes the index of a unit and its vector."""
Reduction = Callable[[Code, Read, str], str]
Mixing = Callable[[Code, Read, str, Write], None]


def _fold(code: Code, count: str, first: str, step: Callable[[str, str], str]) -> str:
    """One value gathered over the units; `step` takes the index and what there is so far."""
    with code.loop(count, carried=[(code.form.vector, first)]) as loop:
        loop.following = (step(loop.index, loop.carried[0]),)
    return loop.following[0]


def total(code: Code, read: Read, count: str) -> str:
    return _fold(code, count, code.form.constant(0.0), lambda u, sofar: code.binary("fadd", sofar, read(u)))


def size(code: Code, read: Read, count: str) -> str:
    form = code.form
    number = code.value(f"uitofp i64 {count} to {form.number}")
    one = code.value(f"insertelement {form.vector} poison, {form.number} {number}, i32 0")
    return code.value(f"shufflevector {form.vector} {one}, {form.vector} poison, <{form.lanes} x i32> zeroinitializer")


def mean(code: Code, read: Read, count: str) -> str:
    return code.binary("fdiv", total(code, read, count), size(code, read, count))


def largest(code: Code, read: Read, count: str) -> str:
    least = code.form.constant(float("-inf"))
    return _fold(code, count, least, lambda u, sofar: code.intrinsic("maximum", sofar, read(u)))


def normalize(code: Code, read: Read, count: str, write: Write) -> None:
    form = code.form
    middle = mean(code, read, count)

    def squared(u: str) -> str:
        apart = code.binary("fsub", read(u), middle)
        return code.binary("fmul", apart, apart)

    variance = mean(code, squared, count)
    spread = code.intrinsic("sqrt", code.binary("fadd", variance, form.constant(EPSILON)))
    scale = code.binary("fdiv", form.constant(1.0), spread)
    with code.loop(count) as loop:
        write(loop.index, code.binary("fmul", code.binary("fsub", read(loop.index), middle), scale))


def softmax(code: Code, read: Read, count: str, write: Write) -> None:
    top = largest(code, read, count)

    def risen(u: str) -> str:
        return exp(code, code.binary("fsub", read(u), top))

    whole = total(code, risen, count)
    with code.loop(count) as loop:
        write(loop.index, code.binary("fdiv", risen(loop.index), whole))


def cumsum(code: Code, read: Read, count: str, write: Write) -> None:
    def step(u: str, sofar: str) -> str:
        now = code.binary("fadd", sofar, read(u))
        write(u, now)
        return now

    _fold(code, count, code.form.constant(0.0), step)


REDUCTIONS: dict[str, Reduction] = {"sum": total, "mean": mean, "max": largest, "size": size}
"""From a vector to one number a sequence."""

MIXING: dict[str, Mixing] = {"normalize": normalize, "softmax": softmax, "cumsum": cumsum}
"""From a vector to a vector."""
