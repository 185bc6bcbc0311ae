"""Gradients of weights: sums over steps and sequences of outer products; and sums of vectors.

Both factors lie in a chunk, which holds some steps side by side: a block of theirs is one vector for each step and
member. `entries` is how many of these there are, and `step` how many vectors lie between two blocks.
"""

from __future__ import annotations

from collections.abc import Sequence

from gatelab.backends.cpu.code import Code, Form
from gatelab.backends.cpu.layout import Layout
from gatelab.backends.cpu.products import parts_loop, store_sums, widest

ALIGNED = 4
"""In lanes, rows and columns of a block of a gradient; what it writes is padded to whole blocks."""

OUTER = (
    ("ptr", "left"),
    ("i64", "left_step"),
    ("i64", "rows"),
    ("ptr", "right"),
    ("i64", "right_step"),
    ("i64", "columns"),
    ("i64", "entries"),
    ("ptr", "matrix"),
    ("i64", "pitch"),
    ("i64", "adds"),
)
"""The arguments of `outer`: the left factor becomes rows of the matrix, the right one columns.

In rows `rows` and `columns` count blocks, in lanes units. `pitch` numbers lie between two rows of the matrix. If `adds`
is not 0 the result is added to what is there.
"""

TOTALS = (
    ("ptr", "values"),
    ("i64", "step"),
    ("i64", "blocks"),
    ("i64", "entries"),
    ("ptr", "out"),
    ("i64", "adds"),
)
"""The arguments of `totals`: a vector for each block, the sum over all entries."""


def rows_of_block(form: Form, vectors: int) -> int:
    """Rows of the matrix whose sums are in registers, for so many vectors of columns; they divide a vector."""
    most = {1: 8, 2: 8, 3: 4, 4: 4} if form.registers >= 32 else {1: 8, 2: 4}
    return min(most[vectors], form.lanes)


def pitch_of(columns: int, layout: Layout) -> int:
    """Numbers from one row of a gradient to the next."""
    return layout.blocks(columns) * layout.lanes if layout.is_rows else -(-columns // ALIGNED) * ALIGNED


def rows_of(units: int, layout: Layout) -> int:
    """Rows of a gradient with those that pad it; units as `Layout.units` counts them."""
    return units if layout.is_rows else -(-units // ALIGNED) * ALIGNED


def outer_functions(form: Form, layout: Layout, prefix: str) -> list[Code]:
    """`outer` and `totals`."""
    if not layout.is_rows:
        return [_lanes_outer(form, f"{prefix}outer"), _totals(form, f"{prefix}totals")]
    blocks = {v: _rows_block(form, v, f"{prefix}outer.{v}") for v in range(1, widest(form) + 1)}
    return [*blocks.values(), _rows_outer(form, f"{prefix}outer", blocks), _totals(form, f"{prefix}totals")]


BLOCK = (
    ("ptr", "left"),
    ("i64", "left_step"),
    ("i64", "rows"),
    ("ptr", "right"),
    ("i64", "right_step"),
    ("i64", "entries"),
    ("ptr", "matrix"),
    ("i64", "pitch"),
    ("i64", "adds"),
)


def _rows_block(form: Form, vectors: int, name: str) -> Code:
    """All rows of some vectors of columns."""
    code = Code(form, name, BLOCK, internal=True)
    adds = code.value("icmp ne i64 %adds, 0")
    height = rows_of_block(form, vectors)
    units = code.multiply("%rows", form.lanes)
    with code.loop(units, step=height) as unit:
        block = code.whole("udiv", unit.index, form.lanes)
        inside = code.whole("urem", unit.index, form.lanes)
        left = code.item(code.row("%left", code.multiply(block, "%left_step")), inside)
        zeros = [(form.vector, form.constant(0.0))] * (height * vectors)
        with code.loop("%entries", carried=zeros) as entry:
            numbers = code.item(left, code.multiply(entry.index, form.lanes))
            right = code.row("%right", entry.index)
            whole = [code.load(code.row(right, code.multiply("%right_step", v))) for v in range(vectors)]
            spread = [code.spread(code.item(numbers, a)) for a in range(height)]
            entry.following = tuple(
                code.fma(spread[a], whole[v], entry.carried[a * vectors + v])
                for a in range(height)
                for v in range(vectors)
            )
        begin = code.item("%matrix", code.multiply(unit.index, "%pitch"))
        places = [
            code.row(code.item(begin, code.multiply("%pitch", a)), v) for a in range(height) for v in range(vectors)
        ]
        store_sums(code, adds, entry.following, places)
    return code


def _rows_outer(form: Form, name: str, blocks: dict[int, Code]) -> Code:
    """Some vectors of columns after the other, as even as can be."""
    code = Code(form, name, OUTER)
    with parts_loop(code, "%columns", max(blocks)) as (_, first, vectors):
        right = code.row("%right", code.multiply(first, "%right_step"))
        matrix = code.row("%matrix", first)
        for v, block in blocks.items():
            with code.when(code.value(f"icmp eq i64 {vectors}, {v}")):
                code.write(
                    f"call void @{block.name}(ptr %left, i64 %left_step, i64 %rows, ptr {right}, i64 %right_step, "
                    f"i64 %entries, ptr {matrix}, i64 %pitch, i64 %adds)"
                )
    return code


def _lanes_outer(form: Form, name: str) -> Code:
    """A block of the matrix after the other; what stands behind the last row or column lands in the padding."""
    code = Code(form, name, OUTER)
    adds = code.value("icmp ne i64 %adds, 0")
    with code.loop("%rows", step=ALIGNED) as rows, code.loop("%columns", step=ALIGNED) as columns:
        zeros = [(form.vector, form.constant(0.0))] * ALIGNED**2
        left = code.row("%left", code.multiply(rows.index, "%left_step"))
        right = code.row("%right", code.multiply(columns.index, "%right_step"))
        with code.loop("%entries", carried=[("ptr", left), ("ptr", right), *zeros]) as entry:
            left, right, *sums = entry.carried
            a = [code.load(code.row(left, code.multiply("%left_step", k))) for k in range(ALIGNED)]
            b = [code.load(code.row(right, code.multiply("%right_step", k))) for k in range(ALIGNED)]
            added = [code.fma(a[k // ALIGNED], b[k % ALIGNED], sums[k]) for k in range(ALIGNED**2)]
            entry.following = (code.row(left, 1), code.row(right, 1), *added)
        corner = code.item("%matrix", code.add(code.multiply(rows.index, "%pitch"), columns.index))
        rows_of_sums = _in_fours(code, _all_totals(code, entry.following[2:]))
        places = [code.item(corner, code.multiply("%pitch", k)) for k in range(ALIGNED)]
        four = f"<{ALIGNED} x {form.number}>"
        with code.when(adds):
            for found, place in zip(rows_of_sums, places, strict=True):
                before = code.value(f"load {four}, ptr {place}, align {form.bits // 8}")
                after = code.value(f"fadd {four} {before}, {found}")
                code.write(f"store {four} {after}, ptr {place}, align {form.bits // 8}")
        with code.when(code.value(f"xor i1 {adds}, true")):
            for found, place in zip(rows_of_sums, places, strict=True):
                code.write(f"store {four} {found}, ptr {place}, align {form.bits // 8}")
    return code


def _all_totals(code: Code, vectors: Sequence[str]) -> list[str]:
    """The sums over the lanes of many vectors, side by side in as few vectors as hold them.

    Two vectors at a time are added half by half, so that one holds both; this costs a fifth of a sum for each.
    """
    lanes = code.form.lanes
    found = []
    for start in range(0, len(vectors), lanes):
        rows, half = list(vectors[start : start + lanes]), lanes // 2
        while half:
            first = [lane if lane & half == 0 else lane - half + lanes for lane in range(lanes)]
            second = [lane + half if lane & half == 0 else lane + lanes for lane in range(lanes)]
            # Vectors whose numbers differ in this bit are joined, so that each sum ends in the lane of its number.
            rows = [
                code.binary("fadd", code.shuffle(a, b, first), code.shuffle(a, b, second))
                for a, b in zip(rows[: len(rows) // 2], rows[len(rows) // 2 :], strict=True)
            ]
            half //= 2
        found += rows
    return found


def _in_fours(code: Code, sums: list[str]) -> list[str]:
    """Numbers that lie side by side in vectors, as vectors of four."""
    form = code.form
    if form.lanes == ALIGNED:
        return sums
    made = []
    for k in range(ALIGNED):
        at = k * ALIGNED
        a = sums[at // form.lanes]
        b = sums[min(at // form.lanes + 1, len(sums) - 1)]
        order = ", ".join(f"i32 {at % form.lanes + j}" for j in range(ALIGNED))
        made.append(code.value(f"shufflevector {form.vector} {a}, {form.vector} {b}, <{ALIGNED} x i32> <{order}>"))
    return made


def _totals(form: Form, name: str) -> Code:
    code = Code(form, name, TOTALS)
    adds = code.value("icmp ne i64 %adds, 0")
    with code.loop("%blocks") as block:
        start = code.row("%values", code.multiply(block.index, "%step"))
        with code.loop("%entries", carried=[(form.vector, form.constant(0.0))]) as entry:
            found = code.load(code.row(start, entry.index))
            entry.following = (code.binary("fadd", entry.carried[0], found),)
        store_sums(code, adds, entry.following, [code.row("%out", block.index)])
    return code
