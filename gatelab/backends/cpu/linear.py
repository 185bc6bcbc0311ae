"""Products of small matrices as torch lays them out: what a linear head needs, forwards and backwards.

Sums go over the depth from the first to the last, in a register for each number, so their bits hang on nothing but
the numbers: not on where these lie, nor on what else is computed beside them.
"""

from __future__ import annotations

from functools import partial

from gatelab.backends.cpu.code import Code, Form

ROWS = 8
"""Of the result, computed side by side, since each waits for its own sum."""

MULTIPLY = (
    ("ptr", "out"),
    ("i64", "out_row"),
    ("ptr", "left"),
    ("i64", "left_row"),
    ("i64", "left_column"),
    ("ptr", "right"),
    ("i64", "right_row"),
    ("i64", "rows"),
    ("i64", "depth"),
    ("i64", "columns"),
    ("ptr", "first"),
)
"""out (rows, columns) = first (columns) + left (rows, depth) @ right (depth, columns).

`out_row` and the like count the numbers from one row, or column, to the next; where none is named there is one.
"""

TURN = (("ptr", "out"), ("ptr", "matrix"), ("i64", "rows"), ("i64", "columns"))
"""out (columns, rows) = matrix (rows, columns), transposed."""


def multiply(form: Form, name: str) -> Code:
    """The product of `MULTIPLY`; every length is at least 1."""
    code = Code(form, name, MULTIPLY)
    blocks = code.whole("sdiv", code.add("%columns", form.lanes - 1), form.lanes)
    whole = code.whole("mul", code.whole("sdiv", "%rows", ROWS), ROWS)
    with code.flushed(), code.loop(blocks) as block:
        column = code.multiply(block.index, form.lanes)
        there = code.lanes_below(code.whole("sub", "%columns", column))
        first = code.load_some(code.item("%first", column), there)
        write = partial(_rows, code, column, there, first)
        with code.when(code.less("0", whole)), code.loop(whole, step=ROWS) as row:
            write(row.index, ROWS)
        with code.when(code.less(whole, "%rows")), code.loop("%rows", start=whole) as row:
            write(row.index, 1)
    return code


def _rows(code: Code, column: str, there: str, first: str, row: str, count: int) -> None:
    """So many rows of the result, one vector of each."""
    form = code.form
    lefts = [code.item("%left", code.multiply(code.add(row, k), "%left_row")) for k in range(count)]
    right = code.item("%right", column)
    with code.loop("%depth", carried=[(form.vector, first)] * count) as step:
        own = code.load_some(code.item(right, code.multiply(step.index, "%right_row")), there)
        along = code.multiply(step.index, "%left_column")
        step.following = tuple(
            code.fma(code.spread(code.item(left, along)), own, total)
            for left, total in zip(lefts, step.carried, strict=True)
        )
    for k, total in enumerate(step.following):
        place = code.add(code.multiply(code.add(row, k), "%out_row"), column)
        code.store_some(total, code.item("%out", place), there)


def turn(form: Form, name: str) -> Code:
    """The copy of `TURN`."""
    code = Code(form, name, TURN)
    with code.loop("%rows") as row, code.loop("%columns") as column:
        number = code.number(code.item("%matrix", code.add(code.multiply(row.index, "%columns"), column.index)))
        code.put(number, code.item("%out", code.add(code.multiply(column.index, "%rows"), row.index)))
    return code
