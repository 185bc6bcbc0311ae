"""The operations that mix the units of a vector, as loops over its blocks.

In rows the units of a block stand in the lanes, so a total goes over the lanes too, and what pads the last block must
not count.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from gatelab.backends.cpu.code import Code
from gatelab.backends.cpu.functions import exp
from gatelab.language.ops import EPSILON


@dataclass(frozen=True)
class Units:
    """The units of one member.

    Attributes:
        rows: whether units stand in the lanes.
        read: gives the vector of a block.
    """

    code: Code
    rows: bool
    width: str
    blocks: str
    read: Callable[[str], str]

    def fold(self, first: float, value: Callable[[str], str], join: Callable[[str, str], str]) -> str:
        """One value gathered over the blocks; where a block is padded, `first` stands for what is not there."""
        code, start = self.code, self.code.form.constant(first)
        with code.loop(self.blocks, carried=[(code.form.vector, start)]) as loop:
            loop.following = (join(loop.carried[0], self.only(loop.index, value(loop.index), start)),)
        return loop.following[0]

    def only(self, block: str, value: str, other: str) -> str:
        """The units of a block, and something else in the lanes that pad it."""
        if not self.rows:
            return value
        code = self.code
        left = code.whole("sub", self.width, code.multiply(block, code.form.lanes))
        return code.choose(code.lanes_below(left), value, other)

    def total(self, value: Callable[[str], str]) -> str:
        """The sum of something over all units, in every lane that needs it."""
        code = self.code
        found = self.fold(0.0, value, lambda a, b: code.binary("fadd", a, b))
        return code.splat(code.total(found)) if self.rows else found

    def count(self) -> str:
        code = self.code
        return code.splat(code.value(f"uitofp i64 {self.width} to {code.form.number}"))

    def mean(self, value: Callable[[str], str]) -> str:
        return self.code.binary("fdiv", self.total(value), self.count())

    def largest(self) -> str:
        code, form = self.code, self.code.form
        found = self.fold(float("-inf"), self.read, lambda a, b: code.intrinsic("maximum", a, b))
        if not self.rows:
            return found
        called = f"@llvm.vector.reduce.fmaximum.{form.suffix}"
        code.declarations.add(f"declare {form.number} {called}({form.vector})")
        return code.splat(code.value(f"call {form.number} {called}({form.vector} {found})"))


Write = Callable[[str, str], None]
"""Takes the index of a block and its vector."""
Reduction = Callable[[Units], str]
Mixing = Callable[[Units, Write], None]


def normalize(units: Units, write: Write) -> None:
    code, form = units.code, units.code.form
    middle = units.mean(units.read)

    def squared(block: str) -> str:
        apart = code.binary("fsub", units.read(block), middle)
        return code.binary("fmul", apart, apart)

    variance = units.mean(squared)
    spread = code.intrinsic("sqrt", code.binary("fadd", variance, form.constant(EPSILON)))
    scale = code.binary("fdiv", form.constant(1.0), spread)
    with code.loop(units.blocks) as loop:
        write(loop.index, code.binary("fmul", code.binary("fsub", units.read(loop.index), middle), scale))


def softmax(units: Units, write: Write) -> None:
    code = units.code
    top = units.largest()

    def risen(block: str) -> str:
        return exp(code, code.binary("fsub", units.read(block), top))

    whole = units.total(risen)
    with code.loop(units.blocks) as loop:
        write(loop.index, code.binary("fdiv", risen(loop.index), whole))


def cumsum(units: Units, write: Write) -> None:
    code, form = units.code, units.code.form
    zero = form.constant(0.0)
    with code.loop(units.blocks, carried=[(form.vector, zero)]) as loop:
        value = units.read(loop.index)
        if units.rows:
            # Within a vector by doubling: after a round each lane holds the sum of twice as many.
            shift = 1
            while shift < form.lanes:
                moved = [form.lanes if lane < shift else lane - shift for lane in range(form.lanes)]
                value = code.binary("fadd", value, code.shuffle(value, zero, moved))
                shift *= 2
        now = code.binary("fadd", loop.carried[0], value)
        write(loop.index, now)
        last = [form.lanes - 1] * form.lanes
        loop.following = (code.shuffle(now, now, last) if units.rows else now,)


REDUCTIONS: dict[str, Reduction] = {
    "sum": lambda units: units.total(units.read),
    "mean": lambda units: units.mean(units.read),
    "max": Units.largest,
    "size": Units.count,
}
"""From a vector to one number a sequence."""

MIXING: dict[str, Mixing] = {"normalize": normalize, "softmax": softmax, "cumsum": cumsum}
"""From a vector to a vector."""
