"""The text of a function in LLVM IR, written line by line."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Form:
    """What a kernel computes with: a vector of numbers.

    Attributes:
        bits: in a number, 32 or 64.
        lanes: numbers in a vector.
        fused: whether a product and a sum are one operation.
        scales: whether there is an operation for a number times a power of two.
        registers: for vectors.
        flushes: whether the processor can be told to take numbers that are too small as 0.
    """

    bits: int
    lanes: int
    fused: bool = True
    scales: bool = False
    registers: int = 16
    flushes: bool = False

    @property
    def number(self) -> str:
        return "float" if self.bits == 32 else "double"

    @property
    def vector(self) -> str:
        return f"<{self.lanes} x {self.number}>"

    @property
    def integers(self) -> str:
        return f"<{self.lanes} x i{self.bits}>"

    @property
    def truths(self) -> str:
        return f"<{self.lanes} x i1>"

    @property
    def suffix(self) -> str:
        """How intrinsics on vectors are called."""
        return f"v{self.lanes}f{self.bits}"

    def constant(self, value: float) -> str:
        """A vector with the same number in every lane; in hexadecimal, since LLVM takes no inexact decimals."""
        if self.bits == 32:
            value = float32(value)
        word = f"0x{struct.unpack('<Q', struct.pack('<d', value))[0]:016X}"
        return f"<{', '.join([f'{self.number} {word}'] * self.lanes)}>"

    def whole(self, value: int) -> str:
        """A vector with the same whole number in every lane."""
        return f"<{', '.join([f'i{self.bits} {value}'] * self.lanes)}>"


FLUSH = 0x8040
"""In the state of an x86 processor: what is too small becomes 0, whether it comes in or goes out."""


def float32(value: float) -> float:
    """The nearest number in single precision; what is too large for it becomes infinite."""
    try:
        return float(struct.unpack("<f", struct.pack("<f", value))[0])
    except OverflowError:
        return float("inf") if value > 0 else float("-inf")


@dataclass
class Loop:
    """A loop while its body is written.

    Attributes:
        index: the counter.
        carried: values that go from turn to turn.
        following: these for the next turn, set by the body; behind the loop they are what comes out of it.
    """

    index: str
    carried: tuple[str, ...]
    following: tuple[str, ...] = ()


@dataclass
class Code:
    """A function in the making. Methods that return text return the name of a value.

    Attributes:
        opening: what stands before everything else.
        declarations: of the functions that are called.
    """

    form: Form
    name: str
    arguments: tuple[tuple[str, str], ...]
    internal: bool = False
    opening: list[str] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    declarations: set[str] = field(default_factory=set)
    block: str = "entry"
    count: int = 0

    def new(self) -> str:
        self.count += 1
        return f"%v{self.count}"

    def write(self, text: str) -> None:
        self.lines.append("  " + text)

    def note(self, text: str) -> None:
        """For those who read it."""
        self.write(f"; {text}")

    def value(self, text: str) -> str:
        name = self.new()
        self.write(f"{name} = {text}")
        return name

    # Whole numbers and places.

    def whole(self, operation: str, a: str, b: str | int) -> str:
        return self.value(f"{operation} i64 {a}, {b}")

    def add(self, a: str, b: str | int) -> str:
        return self.whole("add", a, b)

    def multiply(self, a: str, b: str | int) -> str:
        return self.whole("mul", a, b)

    def row(self, pointer: str, index: str | int) -> str:
        """The place of a vector, counted in vectors."""
        return self.value(f"getelementptr {self.form.vector}, ptr {pointer}, i64 {index}")

    def item(self, pointer: str, index: str | int) -> str:
        """The place of a number, counted in numbers."""
        return self.value(f"getelementptr {self.form.number}, ptr {pointer}, i64 {index}")

    def least(self, a: str, b: str | int) -> str:
        """The lesser of two whole numbers."""
        return self.value(f"select i1 {self.less(a, b)}, i64 {a}, i64 {b}")

    def less(self, a: str, b: str | int) -> str:
        return self.value(f"icmp slt i64 {a}, {b}")

    def number(self, pointer: str) -> str:
        """The number at a place."""
        return self.value(f"load {self.form.number}, ptr {pointer}, align {self.form.bits // 8}")

    def put(self, number: str, pointer: str) -> None:
        """A number to a place."""
        self.write(f"store {self.form.number} {number}, ptr {pointer}, align {self.form.bits // 8}")

    def call(self, function: str, *arguments: tuple[str, str | int]) -> None:
        """A function that gives nothing, with the type and value of each argument."""
        self.declarations.add(f"declare void @{function}({', '.join(kind for kind, _ in arguments)})")
        self.write(f"call void @{function}({', '.join(f'{kind} {value}' for kind, value in arguments)})")

    # Vectors.

    def prefetch(self, pointer: str) -> None:
        """Has memory come to the second cache, wherever it is; an address that is none does no harm."""
        self.declarations.add("declare void @llvm.prefetch.p0(ptr, i32, i32, i32)")
        self.write(f"call void @llvm.prefetch.p0(ptr {pointer}, i32 0, i32 2, i32 1)")

    def load(self, pointer: str, *, lasting: bool = False) -> str:
        """The vector at a place; a lasting one stays the same while the function runs, and is read as seldom as can
        be."""
        mark = ", !invariant.load !0" if lasting else ""
        return self.value(f"load {self.form.vector}, ptr {pointer}, align {self.form.bits // 8}{mark}")

    def store(self, value: str, pointer: str) -> None:
        self.write(f"store {self.form.vector} {value}, ptr {pointer}, align {self.form.bits // 8}")

    def load_some(self, pointer: str, truths: str) -> str:
        """The vector at a place where the truths hold, 0 elsewhere; there the memory is not touched."""
        form = self.form
        called = f"@llvm.masked.load.{form.suffix}.p0"
        self.declarations.add(f"declare {form.vector} {called}(ptr, i32, {form.truths}, {form.vector})")
        arguments = f"ptr {pointer}, i32 {form.bits // 8}, {form.truths} {truths}, {form.vector} zeroinitializer"
        return self.value(f"call {form.vector} {called}({arguments})")

    def store_some(self, value: str, pointer: str, truths: str) -> None:
        """A vector to a place where the truths hold."""
        form = self.form
        called = f"@llvm.masked.store.{form.suffix}.p0"
        self.declarations.add(f"declare void {called}({form.vector}, ptr, i32, {form.truths})")
        arguments = f"{form.vector} {value}, ptr {pointer}, i32 {form.bits // 8}, {form.truths} {truths}"
        self.write(f"call void {called}({arguments})")

    def lanes_below(self, count: str) -> str:
        """Truths that hold for the first lanes, so many of them; none if the count is negative, all if it is large."""
        form = self.form
        kind = f"<{form.lanes} x i32>"
        small = self.value(f"trunc i64 {self.least(count, form.lanes)} to i32")
        one = self.value(f"insertelement {kind} poison, i32 {small}, i32 0")
        spread = self.value(f"shufflevector {kind} {one}, {kind} poison, {kind} zeroinitializer")
        numbers = f"<{', '.join(f'i32 {lane}' for lane in range(form.lanes))}>"
        return self.value(f"icmp slt {kind} {numbers}, {spread}")

    def splat(self, number: str) -> str:
        """A number, in every lane."""
        form = self.form
        one = self.value(f"insertelement {form.vector} poison, {form.number} {number}, i32 0")
        return self.value(
            f"shufflevector {form.vector} {one}, {form.vector} poison, <{form.lanes} x i32> zeroinitializer"
        )

    def spread(self, pointer: str, *, lasting: bool = False) -> str:
        """The number at a place, in every lane."""
        mark = ", !invariant.load !0" if lasting else ""
        return self.splat(self.value(f"load {self.form.number}, ptr {pointer}, align {self.form.bits // 8}{mark}"))

    def shuffle(self, a: str, b: str, lanes: Sequence[int]) -> str:
        """Lanes of two vectors in a new order, those of the second counted on from those of the first."""
        vector = self.form.vector
        order = f"<{len(lanes)} x i32> <{', '.join(f'i32 {lane}' for lane in lanes)}>"
        return self.value(f"shufflevector {vector} {a}, {vector} {b}, {order}")

    def binary(self, operation: str, a: str, b: str) -> str:
        return self.value(f"{operation} {self.form.vector} {a}, {b}")

    def compare(self, condition: str, a: str, b: str) -> str:
        return self.value(f"fcmp {condition} {self.form.vector} {a}, {b}")

    def choose(self, truth: str, a: str, b: str) -> str:
        vector = self.form.vector
        return self.value(f"select {self.form.truths} {truth}, {vector} {a}, {vector} {b}")

    def intrinsic(self, name: str, *values: str) -> str:
        """An elementwise function that LLVM knows."""
        vector, called = self.form.vector, f"@llvm.{name}.{self.form.suffix}"
        self.declarations.add(f"declare {vector} {called}({', '.join([vector] * len(values))})")
        return self.value(f"call {vector} {called}({', '.join(f'{vector} {value}' for value in values)})")

    def fma(self, a: str, b: str, c: str) -> str:
        """a * b + c"""
        if self.form.fused:
            return self.intrinsic("fma", a, b, c)
        return self.binary("fadd", self.binary("fmul", a, b), c)

    def total(self, vector: str) -> str:
        """The sum over the lanes, pairwise."""
        form = self.form
        called = f"@llvm.vector.reduce.fadd.{form.suffix}"
        self.declarations.add(f"declare {form.number} {called}({form.number}, {form.vector})")
        return self.value(f"call reassoc {form.number} {called}({form.number} 0.0, {form.vector} {vector})")

    # Control.

    @contextmanager
    def flushed(self) -> Iterator[None]:
        """While this lasts, numbers too small for their form are 0: on most processors they cost a hundred times as
        much as others, and the gradients of a long sequence are full of them."""
        if not self.form.flushes:
            yield
            return
        self.opening.append("  %state.before = alloca i32")
        self.opening.append("  %state.own = alloca i32")
        for name in ("stmxcsr", "ldmxcsr"):
            self.declarations.add(f"declare void @llvm.x86.sse.{name}(ptr)")
        self.write("call void @llvm.x86.sse.stmxcsr(ptr %state.before)")
        before = self.value("load i32, ptr %state.before")
        own = self.value(f"or i32 {before}, {FLUSH}")
        self.write(f"store i32 {own}, ptr %state.own")
        self.write("call void @llvm.x86.sse.ldmxcsr(ptr %state.own)")
        yield
        self.write("call void @llvm.x86.sse.ldmxcsr(ptr %state.before)")

    @contextmanager
    def loop(
        self, end: str | int, *, start: str | int = 0, step: int = 1, carried: Sequence[tuple[str, str]] = ()
    ) -> Iterator[Loop]:
        """A loop that runs at least once.

        Args:
            end: not included.
            carried: type and first value of each value that goes from turn to turn.
        """
        self.count += 1
        before, head, after = self.block, f"head{self.count}", f"after{self.count}"
        loop = Loop(self.new(), tuple(self.new() for _ in carried))
        self.write(f"br label %{head}")
        self.begin(head)
        mark = len(self.lines)
        yield loop
        following = self.value(f"add i64 {loop.index}, {step}")
        again = self.value(f"icmp slt i64 {following}, {end}")
        self.write(f"br i1 {again}, label %{head}, label %{after}")
        last = self.block
        joins = [("i64", loop.index, str(start), following)]
        joins += [
            (kind, name, first, later)
            for (kind, first), name, later in zip(carried, loop.carried, loop.following, strict=True)
        ]
        self.lines[mark:mark] = [
            f"  {name} = phi {kind} [ {first}, %{before} ], [ {later}, %{last} ]" for kind, name, first, later in joins
        ]
        self.begin(after)

    def where_any(self, truths: str, value: str, otherwise: Callable[[], str]) -> str:
        """A vector, or what `otherwise` writes if any lane of `truths` is true; else that is jumped over."""
        form = self.form
        self.count += 1
        slow, after, before = f"slow{self.count}", f"after{self.count}", self.block
        bits = self.value(f"bitcast {form.truths} {truths} to i{form.lanes}")
        any_lane = self.value(f"icmp ne i{form.lanes} {bits}, 0")
        self.write(f"br i1 {any_lane}, label %{slow}, label %{after}")
        self.begin(slow)
        other, last = otherwise(), self.block
        self.write(f"br label %{after}")
        self.begin(after)
        return self.value(f"phi {form.vector} [ {value}, %{before} ], [ {other}, %{last} ]")

    @contextmanager
    def when(self, truth: str) -> Iterator[None]:
        """What is done only if something holds."""
        self.count += 1
        inside, after = f"when{self.count}", f"then{self.count}"
        self.write(f"br i1 {truth}, label %{inside}, label %{after}")
        self.begin(inside)
        yield
        self.write(f"br label %{after}")
        self.begin(after)

    def begin(self, block: str) -> None:
        self.lines.append(f"{block}:")
        self.block = block

    def text(self) -> str:
        arguments = ", ".join(f"{kind} %{name}" for kind, name in self.arguments)
        linkage = "internal " if self.internal else ""
        body = "\n".join(["entry:", *self.opening, *self.lines, "  ret void"])
        apart = " noinline" if self.internal else ""
        return f"define {linkage}void @{self.name}({arguments}){apart} #0 {{\n{body}\n}}\n"
