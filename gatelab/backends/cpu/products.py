"""Products of matrices, in blocks whose sums stay in registers.

Both layouts multiply numbers that are spread over a vector with whole vectors, and add up in a block of A numbers
times V vectors. In rows a number belongs to a sequence and a vector to units of the result, so the vectors are packed
weights. In lanes a number is a weight, and a vector holds one unit of the operand for several sequences.

A sum of several products, each with an operand of its own, is taken in one go: the *segments* of a product. Their table
has a row each: where the operand begins, how many vectors lie between its blocks, how many units it has.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from gatelab.backends.cpu.code import Code, Form, Loop
from gatelab.backends.cpu.layout import Layout

SEGMENT_FIELDS = 3

PAIR = 2
"""In lanes, vectors of sequences that share each number."""

PRODUCT = (
    ("ptr", "out"),
    ("i64", "out_step"),
    ("i64", "members"),
    ("i64", "blocks"),
    ("ptr", "segments"),
    ("i64", "count"),
    ("ptr", "weights"),
    ("i64", "depth"),
    ("i64", "adds"),
)
"""The arguments of a product.

`out_step` vectors lie between its blocks, of which there are `blocks` with `members` vectors each. `depth` is the
number of units of all segments, in rows padded as `padded_depth` does. If `adds` is not 0 the result is added to what
is there.
"""


@dataclass(frozen=True)
class Block:
    """How many sums are in registers at once.

    Attributes:
        numbers: spread ones.
        vectors: whole ones.
    """

    numbers: int
    vectors: int


def widest(form: Form) -> int:
    """Vectors in a block of a product in rows."""
    return 4 if form.registers >= 32 else 2


def tallest(form: Form, vectors: int) -> int:
    """Numbers in a block with so many vectors: registers are left for the vectors and one spread number."""
    most = (form.registers - 8) // vectors if form.registers >= 32 else (form.registers - 4) // vectors
    return min(most, 6 if vectors > 1 else 8)


def height(form: Form, vectors: int, layout: Layout) -> int:
    """Numbers in a block; in lanes the same for all, since weights are packed by it."""
    return tallest(form, vectors) if layout.is_rows else (form.registers - 8) // PAIR


def parts(count: int, most: int) -> tuple[int, ...]:
    """A count in parts as even as can be."""
    number = -(-count // most)
    return tuple(count * (k + 1) // number - count * k // number for k in range(number))


def panels(blocks: int, form: Form) -> tuple[int, ...]:
    """The vectors of each panel of weights in rows."""
    return parts(blocks, widest(form))


def unroll(form: Form) -> int:
    """Units of an operand that are multiplied in one turn of the inner loop."""
    return min(4, form.lanes)


def padded_depth(width: int, form: Form) -> int:
    """Units of a segment in rows; the last are zeros."""
    return -(-width // unroll(form)) * unroll(form)


def product_functions(form: Form, layout: Layout, prefix: str) -> list[Code]:
    """The function `product`, and one for each block that it calls."""
    most = widest(form) if layout.is_rows else PAIR
    sizes = [Block(a, v) for v in range(1, most + 1) for a in range(1, height(form, v, layout) + 1)]
    write = _rows_block if layout.is_rows else _lanes_block
    blocks = {size: write(form, size, f"{prefix}block.{size.numbers}.{size.vectors}") for size in sizes}
    whole = (_rows_product if layout.is_rows else _lanes_product)(form, f"{prefix}product", blocks)
    return [*blocks.values(), whole]


BLOCK = (
    ("ptr", "out"),
    ("i64", "out_step"),
    ("ptr", "segments"),
    ("i64", "count"),
    ("i64", "member"),
    ("ptr", "weights"),
    ("i64", "depth"),
    ("i64", "adds"),
)


def _rows_block(form: Form, size: Block, name: str) -> Code:
    """Some sequences times a panel of weights.

    Meanwhile a vector of the next panel for each unit comes nearer, from `ahead` on: with 512 units the weights of a
    step do not stay in the second cache, and to wait for them would take as long as to multiply.
    """
    code = Code(form, name, (*BLOCK, ("ptr", "ahead")), internal=True)
    sums = _Sums(code, size, lambda a, v: code.row(code.row("%out", code.multiply("%out_step", v)), a))
    turn = unroll(form)
    with code.loop("%count", carried=[("ptr", "%weights"), ("ptr", "%ahead"), *sums.zeros]) as segments:
        begin, step, units = _segment(code, segments.index)
        operand = code.row(begin, "%member")
        blocks = code.whole("sdiv", code.add(units, form.lanes - 1), form.lanes)
        with code.loop(blocks, carried=[("ptr", operand), *carry(form, segments.carried, pointers=2)]) as inside:
            place, weights, ahead, *found = inside.carried
            left = code.whole("sub", units, code.multiply(inside.index, form.lanes))
            end = code.least(left, form.lanes)
            with code.loop(end, step=turn, carried=carry(form, (weights, ahead, *found), pointers=2)) as units_loop:
                weights, ahead, *found = units_loop.carried
                here = code.item(place, units_loop.index)
                for k in range(turn):
                    code.prefetch(code.row(ahead, k))
                    vectors = [code.load(code.row(weights, k * size.vectors + v)) for v in range(size.vectors)]
                    numbers = [code.spread(code.item(here, a * form.lanes + k)) for a in range(size.numbers)]
                    found = sums.add(found, numbers, vectors, k)
                units_loop.following = (code.row(weights, turn * size.vectors), code.row(ahead, turn), *found)
            inside.following = (code.row(place, step), *units_loop.following)
        segments.following = inside.following[1:]
    sums.put(segments.following[2:])
    return code


def _lanes_block(form: Form, size: Block, name: str) -> Code:
    """Some units of the result, for as many sequences as the vectors have lanes."""
    code = Code(form, name, BLOCK, internal=True)
    sums = _Sums(code, size, lambda a, v: code.row(code.row("%out", code.multiply("%out_step", a)), v))
    with code.loop("%count", carried=[("ptr", "%weights"), *sums.zeros]) as segments:
        begin, step, units = _segment(code, segments.index)
        weights, *found = segments.carried
        operand = code.row(begin, "%member")
        with code.loop(units, carried=[("ptr", operand), *carry(form, (weights, *found))]) as inside:
            place, weights, *found = inside.carried
            numbers = [code.spread(code.item(weights, a)) for a in range(size.numbers)]
            found = sums.add(found, numbers, [code.load(code.row(place, v)) for v in range(size.vectors)], 0)
            inside.following = (code.row(place, step), code.item(weights, size.numbers), *found)
        segments.following = inside.following[1:]
    sums.put(segments.following[1:])
    return code


def carry(form: Form, values: Sequence[str], pointers: int = 1) -> list[tuple[str, str]]:
    """Some pointers and then vectors, with their types."""
    return [("ptr" if k < pointers else form.vector, value) for k, value in enumerate(values)]


def _segment(code: Code, index: str) -> list[str]:
    """Where it begins, vectors between its blocks, its units."""
    row = code.value(f"getelementptr i64, ptr %segments, i64 {code.multiply(index, SEGMENT_FIELDS)}")
    found = []
    for k, kind in enumerate(("ptr", "i64", "i64")):
        place = code.value(f"getelementptr i64, ptr {row}, i64 {k}")
        found.append(code.value(f"load {kind}, ptr {place}"))
    return found


@dataclass(frozen=True)
class _Sums:
    """The sums of a block.

    Where there are few, each is kept in two parts, so that one addition does not wait for the one before.
    """

    code: Code
    size: Block
    place: Callable[[int, int], str]

    @property
    def chains(self) -> int:
        return 2 if self.size.numbers * self.size.vectors < 6 and self.size.vectors > 1 else 1

    @property
    def count(self) -> int:
        return self.size.numbers * self.size.vectors

    @property
    def zeros(self) -> list[tuple[str, str]]:
        """What the sums are at first, with their types."""
        return [(self.code.form.vector, self.code.form.constant(0.0))] * (self.count * self.chains)

    def add(self, found: Sequence[str], numbers: Sequence[str], vectors: Sequence[str], turn: int) -> list[str]:
        """The sums with one product more."""
        chain, made = turn % self.chains * self.count, list(found)
        for a, number in enumerate(numbers):
            for v, vector in enumerate(vectors):
                k = chain + a * len(vectors) + v
                made[k] = self.code.fma(number, vector, made[k])
        return made

    def put(self, found: Sequence[str]) -> None:
        """Stores the sums, or adds them to what is there."""
        code = self.code
        whole = list(found[: self.count])
        for k in range(self.count, len(found)):
            whole[k % self.count] = code.binary("fadd", whole[k % self.count], found[k])
        places = [self.place(a, v) for a in range(self.size.numbers) for v in range(self.size.vectors)]
        adds = code.value("icmp ne i64 %adds, 0")
        store_sums(code, adds, whole, places)


def store_sums(code: Code, adds: str, values: Sequence[str], places: Sequence[str]) -> None:
    """Stores vectors, or adds them to what is there."""
    with code.when(adds):
        for value, place in zip(values, places, strict=True):
            code.store(code.binary("fadd", code.load(place), value), place)
    with code.when(code.value(f"xor i1 {adds}, true")):
        for value, place in zip(values, places, strict=True):
            code.store(value, place)


@contextmanager
def parts_loop(
    code: Code, count: str, most: int, carried: Sequence[tuple[str, str]] = ()
) -> Iterator[tuple[Loop, str, str]]:
    """Goes through the parts of a count as `parts` makes them: the loop, where each begins, how much it is."""
    number = code.whole("sdiv", code.add(count, most - 1), most)
    with code.loop(number, carried=carried) as part:
        first = code.whole("sdiv", code.multiply(count, part.index), number)
        last = code.whole("sdiv", code.multiply(count, code.add(part.index, 1)), number)
        yield part, first, code.whole("sub", last, first)


def _rows_product(form: Form, name: str, blocks: dict[Block, Code]) -> Code:
    """All panels of weights, each for all sequences."""
    code = Code(form, name, PRODUCT)
    most = widest(form)
    with parts_loop(code, "%blocks", most, [("ptr", "%weights")]) as (panel, first, vectors):
        (weights,) = panel.carried
        following = code.row(weights, code.multiply("%depth", vectors))
        is_last = code.value(f"icmp eq i64 {code.add(first, vectors)}, %blocks")
        # Behind the last panel there is the first again, in the next step.
        ahead = code.value(f"select i1 {is_last}, ptr %weights, ptr {following}")
        out = code.row("%out", code.multiply("%out_step", first))
        for v in range(1, most + 1):
            with code.when(code.value(f"icmp eq i64 {vectors}, {v}")):
                calls = {a: blocks[Block(a, v)] for a in range(1, tallest(form, v) + 1)}
                _parted(code, "%members", calls, lambda part, member: [
                    ("ptr", code.row(out, member)), ("i64", "%out_step"), ("ptr", "%segments"), ("i64", "%count"),
                    ("i64", member), ("ptr", weights), ("i64", "%depth"), ("i64", "%adds"),
                    ("ptr", code.row(ahead, code.multiply("%depth", part))),
                ])  # fmt: skip
        panel.following = (following,)
    return code


def _lanes_product(form: Form, name: str, blocks: dict[Block, Code]) -> Code:
    """All units of the result, for some vectors of sequences after the other."""
    code = Code(form, name, PRODUCT)
    pairs = code.whole("sdiv", code.add("%members", PAIR - 1), PAIR)
    with code.loop(pairs) as pair:
        member = code.multiply(pair.index, PAIR)
        left = code.whole("sub", "%members", member)
        out = code.row("%out", member)
        for v in range(1, PAIR + 1):
            there = code.value(f"icmp {'eq' if v < PAIR else 'sge'} i64 {left}, {v}")
            with code.when(there):
                calls = {size.numbers: block for size, block in blocks.items() if size.vectors == v}

                def arguments(part: str, unit: str) -> list[tuple[str, str]]:
                    return [
                        ("ptr", code.row(out, code.multiply("%out_step", unit))),
                        ("i64", "%out_step"),
                        ("ptr", "%segments"),
                        ("i64", "%count"),
                        ("i64", member),
                        ("ptr", code.item("%weights", code.multiply("%depth", unit))),
                        ("i64", "%depth"),
                        ("i64", "%adds"),
                    ]

                _parted(code, "%blocks", calls, arguments)
    return code


def _parted(
    code: Code, count: str, calls: dict[int, Code], arguments: Callable[[str, str], list[tuple[str, str]]]
) -> None:
    """Calls the function for each part of a count.

    Args:
        calls: a function for each size of a part.
        arguments: of a call, from the number of its part and where that begins.
    """
    with parts_loop(code, count, max(calls)) as (part, first, size):
        code.count += 1
        after = f"parted{code.count}"
        labels = {a: f"part{code.count}.{a}" for a in calls}
        values = arguments(part.index, first)
        cases = " ".join(f"i64 {a}, label %{label}" for a, label in labels.items())
        code.write(f"switch i64 {size}, label %{after} [ {cases} ]")
        written = ", ".join(f"{kind} {value}" for kind, value in values)
        for a, label in labels.items():
            code.begin(label)
            code.write(f"call void @{calls[a].name}({written})")
            code.write(f"br label %{after}")
        code.begin(after)
